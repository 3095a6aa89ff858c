"""The pipeline as fixtures.

``experiment`` + ``hyperparameters`` -> ``trained``, ``replicates`` -> ``artifact`` -> ``cloud`` -> ``endpoint`` ->
``predictor``. An experiment module overrides ``experiment``, and ``hyperparameters`` if it sweeps; it may override any
other, as with any fixture of pytest. Teardown is clean-up.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.plugin.selection import Account
from harness.plugin.session import HarnessSession

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.artifact import Artifact
    from harness.cloud.deploy import Deployment
    from harness.cloud.predictor import Predictor
    from harness.cloud.session import Cloud
    from harness.experiment import Experiment, Hyperparameters
    from harness.gate.rules import Rule
    from harness.result import Replicates, TrainedModel


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
def trained(experiment: Experiment, hyperparameters: Hyperparameters, request: pytest.FixtureRequest) -> TrainedModel:
    """The first replicate of the setting: what is packed and deployed."""
    return _train(experiment, hyperparameters, request, 1)[0]


@pytest.fixture(scope="module")
def replicates(experiment: Experiment, hyperparameters: Hyperparameters, request: pytest.FixtureRequest) -> Replicates:
    """All replicates of the setting, one per seed: what a gate looks at."""
    return _train(experiment, hyperparameters, request, len(experiment.seeds))


@pytest.fixture
def gate(request: pytest.FixtureRequest) -> Gate:
    """Lets replicates pass, or fails the test with every reason."""
    return Gate(HarnessSession.of(request.config))


@pytest.fixture(scope="module")
def artifact(
    trained: TrainedModel, experiment: Experiment, hyperparameters: Hyperparameters, request: pytest.FixtureRequest
) -> Iterator[Artifact]:
    """The verified ``model.tar.gz`` of the trained model; deleted afterwards, unless ``--artifacts`` keeps a copy."""
    from harness.tarball.export import pack
    from harness.tarball.verify import check
    from harness.train import checkpoint

    with tempfile.TemporaryDirectory(prefix="byom-artifact-") as folder:
        model = Path(folder) / "model"
        model.mkdir()
        checkpoint.save(trained.checkpoint, model)
        packed = pack(model, Path(folder) / "model.tar.gz")
        check(packed.path)
        HarnessSession.of(request.config).row(experiment, hyperparameters).artifact = packed.digest
        keep = request.config.getoption("--artifacts")
        if keep:
            Path(keep).mkdir(parents=True, exist_ok=True)
            shutil.copy2(packed.path, Path(keep) / f"{experiment.name}-{packed.digest}.tar.gz")
        yield packed


@pytest.fixture(scope="session", params=list(Account), ids=[account.value for account in Account])
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """The account to deploy to: the simulated one, and under ``-m aws`` the user's own."""
    if request.param == Account.LIVE:
        yield _live_cloud(request)
        return
    from harness.cloud.session import simulated_cloud
    from harness.simulator.account import REGION, ROLE, SimulatedAccount

    with SimulatedAccount() as account:
        yield simulated_cloud(account.url, role=ROLE, region=REGION)


@pytest.fixture(scope="module")
def endpoint(
    cloud: Cloud,
    artifact: Artifact,
    experiment: Experiment,
    hyperparameters: Hyperparameters,
    request: pytest.FixtureRequest,
) -> Iterator[Deployment]:
    """An endpoint in service with the artifact behind it; it and all that was made for it are deleted afterwards."""
    from harness.cloud.deploy import deploy
    from harness.errors import HarnessError

    session = HarnessSession.of(request.config)
    endpoints = session.row(experiment, hyperparameters).endpoints
    endpoints[cloud.kind] = "interrupted"
    name = session.resource_name(experiment)
    session.say(f"{experiment.name}[{hyperparameters}]: deploying to the {cloud.kind} account as {name}")
    try:
        deployment = deploy(cloud, artifact, name=name, entry_point=experiment.entry_point)
    except HarnessError:
        endpoints[cloud.kind] = "failed"
        raise
    endpoints[cloud.kind] = f"in service after {deployment.seconds:.1f} s"
    yield deployment
    endpoints[cloud.kind] += ", NOT deleted"
    deployment.delete()
    endpoints[cloud.kind] = endpoints[cloud.kind].replace("NOT deleted", "deleted")


@pytest.fixture(scope="module")
def predictor(endpoint: Deployment) -> Predictor:
    """Asks the endpoint."""
    from harness.cloud.predictor import Predictor

    return Predictor(endpoint.cloud, endpoint.endpoint_name)


class Gate:
    """What the fixture ``gate`` gives."""

    def __init__(self, session: HarnessSession) -> None:
        self._session = session

    def check(self, replicates: Replicates, *rules: Rule) -> None:
        """Let the replicates pass if every rule does.

        Raises:
            GateError: with all reasons of all rules.
        """
        from harness.gate.rules import judge, refusal

        verdict = judge(replicates, rules)
        trial = replicates[0].trial
        self._session.row(trial.experiment, trial.hyperparameters).limits[", ".join(verdict.rules)] = verdict.passed
        if not verdict.passed:
            raise refusal(replicates, verdict)


def _train(
    experiment: Experiment, hyperparameters: Hyperparameters, request: pytest.FixtureRequest, count: int
) -> Replicates:
    from harness.result import Replicates

    session = HarnessSession.of(request.config)
    trials = session.as_run(experiment).trials(hyperparameters)[:count]
    session.plan(trials)
    models = [session.trainer.train(trial) for trial in trials]
    row = session.row(experiment, hyperparameters)
    row.engine = models[0].engine
    row.accuracies |= {str(model.trial.seed): model.accuracy for model in models}
    row.seconds |= {str(model.trial.seed): model.seconds for model in models}
    return Replicates(models)


def _live_cloud(request: pytest.FixtureRequest) -> Cloud:
    from harness.cloud.session import live_cloud
    from harness.errors import CloudError

    if not HarnessSession.of(request.config).live:
        raise CloudError("live AWS: this run was not started with -m aws, so it must not reach an account")
    option = request.config.getoption
    try:
        return live_cloud(
            role=option("--aws-role"), region=option("--aws-region"), instance_type=option("--aws-instance-type")
        )
    except CloudError as error:
        HarnessSession.of(request.config).refusal = str(error)
        pytest.skip(str(error))
