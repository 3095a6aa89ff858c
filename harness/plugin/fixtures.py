"""The pipeline as fixtures.

``experiment`` + ``hyperparameters`` -> ``trained``, ``replicates`` -> ``artifact`` -> ``cloud`` -> ``endpoint`` ->
``predictor`` -> ``drawn``. An experiment module overrides ``experiment``, and ``hyperparameters`` if it sweeps; it may
override any other, as with any fixture of pytest. Teardown is clean-up.
"""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.plugin import live
from harness.plugin.selection import Account
from harness.plugin.session import HarnessSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from harness.artifact import Artifact
    from harness.canvas.drawing import Drawing
    from harness.cloud.deploy import Deployment
    from harness.cloud.predictor import Predictor
    from harness.cloud.session import Cloud
    from harness.experiment import Experiment, Hyperparameters
    from harness.gate.regression import Baselines
    from harness.gate.rules import Rule
    from harness.result import Replicates, TrainedModel
    from harness.train.arrays import Arrays

BASELINES = "baselines"
"""Folder of accepted results, beside the module that compares with them."""


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    """What is trained: an experiment module defines its own."""
    from harness.errors import DeclarationError

    raise DeclarationError(
        "experiment: expected a fixture of that name in this module that returns an Experiment, found none; such as\n"
        '@pytest.fixture(scope="module")\n'
        "def experiment():\n"
        '    return Experiment(name="mnist-mlp", entry_point=Path("mnist.py"), dataset=mnist())'
    )


@pytest.fixture(scope="module")
def hyperparameters() -> Hyperparameters:
    """The setting: the defaults, unless the module defines its own, with ``params=grid(...)`` for a sweep."""
    from harness.experiment import Hyperparameters

    return Hyperparameters()


@pytest.fixture(scope="module")
def data(experiment: Experiment, request: pytest.FixtureRequest) -> Arrays:
    """The data set, loaded once and read-only: ``train_data``, ``train_label``, ``test_data``, ``test_label``."""
    return HarnessSession.of(request.config).trainer.arrays(experiment.dataset)


@pytest.fixture(scope="module")
def trained(experiment: Experiment, hyperparameters: Hyperparameters, request: pytest.FixtureRequest) -> TrainedModel:
    """The first replicate of the setting: what is packed and deployed."""
    return _train(experiment, hyperparameters, request, first_only=True)[0]


@pytest.fixture(scope="module")
def replicates(experiment: Experiment, hyperparameters: Hyperparameters, request: pytest.FixtureRequest) -> Replicates:
    """All replicates of the setting, one per seed: what a gate looks at."""
    return _train(experiment, hyperparameters, request)


@pytest.fixture
def gate(request: pytest.FixtureRequest) -> Gate:
    """Lets replicates or an artifact pass, or fails the test with every reason."""
    return Gate(HarnessSession.of(request.config))


@pytest.fixture
def baseline(request: pytest.FixtureRequest) -> Baselines:
    """The accepted results that lie beside the module, for ``gate.check(replicates, NotWorse(baseline))``."""
    from harness.gate.regression import Baselines

    updating = HarnessSession.of(request.config).updates_baselines
    command = ["pytest", *_what_decides(request.config), "-m", "local", _typed(request), "--update-baselines"]
    return Baselines(folder=request.path.parent / BASELINES, updating=updating, command=shlex.join(command))


@pytest.fixture(scope="session")
def reference_seconds() -> float:
    """Seconds that a fixed piece of work takes in numpy now: for `TrainingTimeRatio`."""
    from harness.train.reference import measure

    return measure()


@pytest.fixture(scope="module")
def artifact(
    trained: TrainedModel, experiment: Experiment, hyperparameters: Hyperparameters, request: pytest.FixtureRequest
) -> Iterator[Artifact]:
    """The verified ``model.tar.gz`` of the trained model, the entry point in ``code/``.

    It is deleted afterwards, unless ``--artifacts`` keeps a copy.
    """
    from harness.tarball.export import pack
    from harness.tarball.verify import check
    from harness.train import checkpoint

    with tempfile.TemporaryDirectory(prefix="byom-artifact-") as folder:
        model = Path(folder) / "model"
        model.mkdir()
        checkpoint.save(trained.checkpoint, model)
        target, script = Path(folder) / "model.tar.gz", experiment.entry_point
        packed = pack(model, target, entry_point=script, requirements=experiment.requirements)
        check(packed.path)
        HarnessSession.of(request.config).packed(packed, experiment, hyperparameters)
        keep = request.config.getoption("--artifacts")
        if keep:
            Path(keep).mkdir(parents=True, exist_ok=True)
            shutil.copy2(packed.path, Path(keep) / f"{experiment.name}-{packed.digest}.tar.gz")
        yield packed


@pytest.fixture(scope="session", params=list(Account), ids=[account.value for account in Account])
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """The account to deploy to: the simulated one, and under ``-m aws`` the user's own."""
    if request.param == Account.LIVE:
        with live.open_cloud(request.config) as opened:
            yield opened
        return
    from harness.cloud.session import import_sagemaker, simulated_cloud
    from harness.simulator.account import REGION, ROLE, SimulatedAccount

    account = SimulatedAccount()
    account.start(meanwhile=import_sagemaker)
    try:
        run = HarnessSession.of(request.config).run_id
        yield simulated_cloud(account.url, role=ROLE, region=REGION, run=run)
    finally:
        account.stop()


@pytest.fixture(scope="module")
def endpoint(
    cloud: Cloud,
    artifact: Artifact,
    experiment: Experiment,
    hyperparameters: Hyperparameters,
    request: pytest.FixtureRequest,
) -> Iterator[Deployment]:
    """An endpoint in service with the artifact behind it; it and all that was made for it are deleted afterwards."""
    from harness.cloud.deploy import deploy, resource_name
    from harness.errors import HarnessError
    from harness.report.board import Deployed

    session = HarnessSession.of(request.config)
    name = resource_name(cloud, experiment.name, session.number())
    endpoints = session.row(experiment, hyperparameters).endpoints

    def note(state: str) -> None:
        endpoints[name] = Deployed(kind=cloud.kind, name=name, instance_type=cloud.instance_type, state=state)

    note("interrupted")
    session.say(f"{experiment.name}[{hyperparameters}]: deploying to the {cloud.kind} account as {name}")
    try:
        deployment = deploy(cloud, artifact, name=name, entry_point=experiment.entry_point)
    except HarnessError:
        note("failed")
        raise
    in_service = f"in service after {deployment.seconds:.1f} s"
    note(f"{in_service}, NOT deleted")
    yield deployment
    if live.keeps_endpoints(request.config, cloud):
        note(f"{in_service}, kept on purpose")
        return
    deployment.delete()
    note(f"{in_service}, deleted")


@pytest.fixture(scope="module")
def predictor(endpoint: Deployment) -> Predictor:
    """Asks the endpoint."""
    from harness.cloud.predictor import Predictor

    return Predictor(endpoint.cloud, endpoint.endpoint_name)


@pytest.fixture(scope="module")
def drawn(predictor: Predictor) -> Callable[[Drawing], NDArray[np.float64]]:
    """What the endpoint makes of a digit drawn by hand: probabilities (classes,) for a `Drawing`.

    The drawing becomes a picture as MNIST's were made; see ``read_drawings`` for those that ``byom draw`` has saved.
    """
    from harness.canvas.picture import mnist_picture

    return lambda drawing: predictor.predict(mnist_picture(drawing)[None, None])[0]


class Gate:
    """What the fixture ``gate`` gives."""

    def __init__(self, session: HarnessSession) -> None:
        self._session = session

    def check(self, subject: Replicates | Artifact, *rules: Rule[Any]) -> None:
        """Let the replicates of a setting, or an artifact, pass if every rule does.

        Raises:
            GateError: with all reasons of all rules.
        """
        from harness.gate.judge import judge, refusal

        verdict = judge(subject, rules)
        row = self._session.judged(subject, rules, verdict)
        if not verdict.passed:
            raise refusal(f"{row.experiment}[{row.hyperparameters}]" if row else "artifact", subject, verdict)


def _train(
    experiment: Experiment,
    hyperparameters: Hyperparameters,
    request: pytest.FixtureRequest,
    *,
    first_only: bool = False,
) -> Replicates:
    from harness.result import Replicates

    session = HarnessSession.of(request.config)
    trials = session.as_run(experiment).trials(hyperparameters)[: 1 if first_only else None]
    session.plan(trials)
    models = [session.trainer.train(trial) for trial in trials]
    replicates = Replicates(models)
    session.trained(replicates)
    return replicates


def _typed(request: pytest.FixtureRequest) -> str:
    """A test's module, as one types it where this run was started."""
    return os.path.relpath(request.path, request.config.invocation_params.dir)


def _what_decides(config: pytest.Config) -> list[str]:
    """The options of this run that decide what is trained, or how it is configured."""
    given = {
        "-c": config.getoption("inifilename"),
        "--rootdir": config.getoption("rootdir"),
        "--engine": config.getoption("--engine"),
        "--gpus": config.getoption("--gpus"),
    }
    return [word for name, value in given.items() if value is not None for word in (name, str(value))]
