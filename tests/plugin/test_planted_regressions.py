"""Regressions planted where no digest sees them: the gate's statistics have to find them, and nothing else.

An experiment on a part of MNIST is accepted as it is. Then the harness itself is broken in one place, below everything
that a baseline has a digest of, as a bug in a library or in the harness would be, and the same experiment runs again.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from recorded_session import INI, QUICK

from harness.hyperparameters import Hyperparameters
from harness.train import compat, trainer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.train.arrays import Arrays
    from harness.train.engine import Engine, Job, Outcome
    from harness.train.progress import Progress

ENTRY_POINT = """
import mxnet as mx


def build_graph():
    data = mx.sym.flatten(data=mx.sym.var("data"))
    active1 = mx.sym.Activation(mx.sym.FullyConnected(data, num_hidden=64, name="fc1"), act_type="relu")
    active2 = mx.sym.Activation(mx.sym.FullyConnected(active1, num_hidden=32, name="fc2"), act_type="relu")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(active2, num_hidden=10, name="fc3"), name="softmax")
"""

EXPERIMENT = """
from pathlib import Path

import pytest

from harness import AccuracyFloor, CosineDecay, Experiment, Hyperparameters, NotWorse, Xavier, arrays, mnist


@pytest.fixture(scope="module")
def experiment():
    whole = mnist().load()
    part = {name: whole[name][:6000] for name in whole}
    return Experiment(
        name="part",
        entry_point=Path(__file__).with_name("perceptron.py"),
        dataset=arrays("mnist-part", **part),
        epochs=6,
        batch_size=50,
        seeds=range(6),
        initializer=Xavier(),
        schedule=CosineDecay(epochs=6),
        engine="xla",
    )


@pytest.fixture(scope="module")
def hyperparameters():
    return Hyperparameters(learning_rate=0.2)


def test_learns(replicates, gate):
    gate.check(replicates, AccuracyFloor(0.05))


def test_has_not_become_worse(replicates, gate, baseline):
    gate.check(replicates, NotWorse(baseline, margin=0.01))
"""


class Planted:
    """An engine that is told something else than what it is thought to be told."""

    def __init__(self, engine: Engine, change: Callable[[Job], Job]) -> None:
        self._engine, self._change = engine, change
        self.name = engine.name

    def kind(self, job: Job) -> Any:
        """As the engine says."""
        return self._engine.kind(job)

    def train(self, jobs: Sequence[Job], arrays: Arrays, progress: Progress) -> Sequence[Outcome]:
        """Train other jobs."""
        return self._engine.train([self._change(job) for job in jobs], arrays, progress)


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the baseline and the cache that all sessions share.

    pytester forgets what an inner session imports, which MXNet and JAX do not survive: they are imported out here.
    """
    compat.mxnet()
    for module in (
        "harness.train.xla.engine",
        "scipy.stats",
        "jax.experimental.compilation_cache",
        "jinja2",
        "PIL.Image",
    ):
        importlib.import_module(module)
    return tmp_path_factory.mktemp("planted")


@pytest.fixture
def session(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, accepted: Path
) -> Callable[..., pytest.RunResult]:
    """``pytest ARGUMENTS`` on the experiment; the first one writes the baseline."""
    monkeypatch.setenv("BYOM_CACHE_DIR", str(accepted / "cache"))
    pytester.makeini(INI)
    pytester.makepyfile(perceptron=ENTRY_POINT, test_part=EXPERIMENT)
    baselines = accepted / "baselines"

    def run(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest_inprocess(*QUICK, *arguments)

    if not baselines.exists():
        assert run("--update-baselines").ret == 0
        (pytester.path / "baselines").rename(baselines)
    (pytester.path / "baselines").symlink_to(baselines)
    return run


@pytest.fixture
def plant_job(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Job], Job]], None]:
    """Break what the engine is told of a trial."""
    original = trainer._engine_named

    def plant(change: Callable[[Job], Job]) -> None:
        monkeypatch.setattr(trainer, "_engine_named", lambda name: Planted(original(name), change))

    return plant


@pytest.fixture
def plant_arrays(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Break the data, behind the back of their digests."""
    original = trainer.Arrays.from_mapping

    def plant(**changes: Callable[[np.ndarray], np.ndarray]) -> None:
        def broken(name: str, mapping: Any) -> Arrays:
            sound = original(name, mapping)
            arrays = dataclasses.replace(sound, **{key: change(getattr(sound, key)) for key, change in changes.items()})
            vars(arrays).update(train_digest=sound.train_digest, test_digest=sound.test_digest)
            return arrays

        monkeypatch.setattr(trainer.Arrays, "from_mapping", broken)

    return plant


def assert_caught(result: pytest.RunResult) -> None:
    """The floor passes, the comparison fails, and for no other reason than what was measured."""
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E     - expected results no worse than the baseline's, found worse ones, *"])


def test_the_unplanted_run_is_identical(session: Callable[..., pytest.RunResult]) -> None:
    """Nothing planted, trained anew: the same bytes."""
    result = session("--retrain", "--report", "out")
    result.assert_outcomes(passed=2)
    assert "identical to the baseline" in Path("out/results.jsonl").read_text(encoding="utf-8")


def test_other_noise_passes(session: Callable[..., pytest.RunResult], plant_job: Callable[..., None]) -> None:
    """Other initial weights and other batches, as after a change of the generator: noise, and no regression."""
    plant_job(lambda job: dataclasses.replace(job, trial=dataclasses.replace(job.trial, seed=job.trial.seed + 1000)))
    session("--retrain", "--report", "out").assert_outcomes(passed=2)
    assert "6 replicates against 24" in Path("out/results.jsonl").read_text(encoding="utf-8")


def test_a_smaller_learning_rate_is_caught(
    session: Callable[..., pytest.RunResult], plant_job: Callable[..., None]
) -> None:
    """The learning rate arrives at the engine scaled by 0.3."""

    def slower(job: Job) -> Job:
        settings = Hyperparameters({**job.trial.hyperparameters, "learning_rate": 0.06})
        return dataclasses.replace(job, trial=dataclasses.replace(job.trial, hyperparameters=settings))

    plant_job(slower)
    assert_caught(session("--retrain"))


def test_shuffled_labels_are_caught(
    session: Callable[..., pytest.RunResult], plant_arrays: Callable[..., None]
) -> None:
    """The labels of 3 % of the training images are shuffled among one another."""

    def shuffled(labels: np.ndarray) -> np.ndarray:
        draw, result = np.random.default_rng(0), labels.copy()
        chosen = draw.choice(len(labels), size=round(0.03 * len(labels)), replace=False)
        result[chosen] = draw.permutation(result[chosen])
        return result

    plant_arrays(train_label=shuffled)
    assert_caught(session("--retrain"))


def test_a_zeroed_initializer_is_caught(
    session: Callable[..., pytest.RunResult], plant_job: Callable[..., None]
) -> None:
    """One layer's weights all start at zero."""

    def zeroed(job: Job) -> Job:
        graph = json.loads(job.symbol_json)
        for node in graph["nodes"]:
            if node["name"] == "fc2_weight":
                node["attrs"] = {"__init__": '["zero", {}]'}
        return dataclasses.replace(job, symbol_json=json.dumps(graph))

    plant_job(zeroed)
    assert_caught(session("--retrain"))


@pytest.mark.parametrize("factor", [1 / 255, 0.5, 255])
def test_test_images_off_by_a_factor_are_caught(
    session: Callable[..., pytest.RunResult], plant_arrays: Callable[..., None], factor: float
) -> None:
    """The test images are scaled once more, half, or not at all."""
    plant_arrays(test_data=lambda images: images * np.float32(factor))
    assert_caught(session("--retrain"))
