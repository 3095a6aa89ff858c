"""Engine xla: MXNet's results, each trial as if it were alone, and clear errors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from xla_graphs import BATCH_NORM, DROPOUT, LENET, TRICKY

from harness.errors import DeviceError, TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.data.arrays import ArrayDataset
    from harness.experiment import Trial
    from harness.train.engine import Engine, Outcome, Training
    from harness.train.progress import Progress
    from harness.train.xla.memory import Share

MakeTrial = "Callable[..., Trial]"


class Heard:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        from harness.train.progress import Silent

        self.lines: list[str] = []
        self.epochs: list[int] = []
        self._silent = Silent()

    def following(self, trials: Sequence[Trial], images: int) -> Any:
        """Each report's number of trials."""
        from contextlib import contextmanager

        @contextmanager
        def follow() -> Any:
            with self._silent.following(trials, images):
                yield lambda epochs: self.epochs.append(len(epochs))

        return follow()

    def say(self, line: str) -> None:
        """A line."""
        self.lines.append(line)


def outcomes(
    trials: Sequence[Trial], engine: str = "xla", share: Share | None = None, progress: Progress | None = None
) -> Sequence[Outcome]:
    """What an engine makes of trials that share a data set."""
    from harness.train.arrays import Arrays
    from harness.train.entry_point import build_job
    from harness.train.mxnet_engine import MXNetEngine
    from harness.train.progress import Silent
    from harness.train.xla.engine import XlaEngine

    dataset = trials[0].experiment.dataset
    arrays = Arrays.from_mapping(dataset.name, dataset.load())
    chosen: Engine = XlaEngine(share) if engine == "xla" else MXNetEngine()
    return chosen.train([build_job(trial) for trial in trials], arrays, progress or Silent())


def trained(trials: Sequence[Trial], engine: str = "xla", **how: Any) -> list[Training]:
    """The same, if all went well."""
    found = []
    for outcome in outcomes(trials, engine, **how):
        if isinstance(outcome, TrainingError):
            raise outcome
        found.append(outcome)
    return found


def same_bytes(one: Training, other: Training) -> bool:
    """Whether two trainings gave the same weights, states and predictions to the bit."""
    mine, theirs = (
        {**of.checkpoint.parameters, **of.checkpoint.auxiliary, "p": of.probabilities} for of in (one, other)
    )
    return mine.keys() == theirs.keys() and all(np.array_equal(mine[name], theirs[name]) for name in mine)


@pytest.fixture
def first_500(blobs: ArrayDataset) -> ArrayDataset:
    """Ten updates an epoch of batches of 50."""
    from harness import arrays

    values = dict(blobs.load())
    values |= {name: values[name][:500] for name in ("train_data", "train_label")}
    return arrays("blobs-500", **values)


SETTINGS = [
    {"learning_rate": 0.5},
    {"learning_rate": 0.2, "momentum": 0.9, "wd": 0.01},
    {"learning_rate": 0.2, "wd": 0.01, "clip_gradient": 0.02},
    {"optimizer": "nag", "learning_rate": 0.1, "momentum": 0.9, "wd": 0.001},
    {"optimizer": "adam", "learning_rate": 0.01, "wd": 0.001},
    {"optimizer": "rmsprop", "learning_rate": 0.01},
    {"optimizer": "rmsprop", "learning_rate": 0.01, "centered": True},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_ten_updates_are_mxnets(make_trial: Callable[..., Trial], first_500: Any, settings: dict[str, Any]) -> None:
    """From the same start, weights and predictions agree to 1e-5 after ten updates, with every optimizer."""
    trial = make_trial(dataset=first_500, epochs=1, **settings)
    [mine], [theirs] = trained([trial]), trained([trial], "mxnet")
    assert list(mine.checkpoint.parameters) == list(theirs.checkpoint.parameters)
    for name, value in theirs.checkpoint.parameters.items():
        np.testing.assert_allclose(mine.checkpoint.parameters[name], value, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(mine.probabilities, theirs.probabilities, atol=1e-5)
    assert mine.checkpoint.data_shapes == theirs.checkpoint.data_shapes


@pytest.mark.parametrize("graph", [LENET, BATCH_NORM, TRICKY], ids=["lenet", "batch-norm", "tricky"])
def test_other_graphs_are_mxnets_too(make_trial: Callable[..., Trial], first_500: Any, graph: str) -> None:
    """Convolutions, moving statistics, multipliers and initializers of variables: ten updates agree to 1e-5."""
    trial = make_trial(graph, dataset=first_500, epochs=1, learning_rate=0.1, momentum=0.9, wd=0.01)
    [mine], [theirs] = trained([trial]), trained([trial], "mxnet")
    pairs = {**theirs.checkpoint.parameters, **theirs.checkpoint.auxiliary}
    found = {**mine.checkpoint.parameters, **mine.checkpoint.auxiliary}
    assert list(mine.checkpoint.auxiliary) == list(theirs.checkpoint.auxiliary)
    for name, value in pairs.items():
        np.testing.assert_allclose(found[name], value, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(mine.probabilities, theirs.probabilities, atol=1e-5)


def test_the_history_is_mxnets(make_trial: Callable[..., Trial]) -> None:
    """A batch that does not divide the data, three epochs: accuracies while training and after, and losses agree."""
    trial = make_trial(learning_rate=0.1)
    [mine], [theirs] = trained([trial]), trained([trial], "mxnet")
    for one, other in zip(mine.history, theirs.history, strict=True):
        assert one.number == other.number
        assert one.train_accuracy == pytest.approx(other.train_accuracy, abs=0.004)
        assert one.validation_accuracy == pytest.approx(other.validation_accuracy, abs=0.012)
        assert one.train_loss == pytest.approx(other.train_loss, abs=1e-4)
        assert one.seconds > 0


def test_a_schedule_changes_the_rate_as_in_mxnet(make_trial: Callable[..., Trial], first_500: Any) -> None:
    """The rate of every update is the schedule's in both engines."""
    from dataclasses import replace

    from harness import StepDecay

    trial = make_trial(dataset=first_500, epochs=2)
    decayed = replace(trial, experiment=replace(trial.experiment, schedule=StepDecay(decay=0.5, updates=3)))
    [mine], [theirs], [constant] = trained([decayed]), trained([decayed], "mxnet"), trained([trial])
    for name, value in theirs.checkpoint.parameters.items():
        np.testing.assert_allclose(mine.checkpoint.parameters[name], value, atol=1e-5)
    assert not same_bytes(mine, constant)


def test_a_trial_does_not_depend_on_its_neighbours(make_trial: Callable[..., Trial]) -> None:
    """Trained alone or among others, a trial gives the same bytes, its history but the seconds included."""
    trials = [
        make_trial(seed=seed, learning_rate=rate, momentum=0.9, wd=wd)
        for seed, rate, wd in [(0, 0.1, 0.0), (0, 0.3, 0.0), (1, 0.1, 0.01), (2, 0.05, 0.0), (3, 0.2, 0.1)]
    ]
    together = trained(trials)
    for trial, one in zip(trials, together, strict=True):
        [alone] = trained([trial])
        assert same_bytes(one, alone)
        assert [epoch.train_loss for epoch in one.history] == [epoch.train_loss for epoch in alone.history]
    assert not same_bytes(together[0], together[1])


def test_one_trial_that_diverges_fails_alone(make_trial: Callable[..., Trial]) -> None:
    """Its error says where; the others give what they give without it, and progress goes on with them."""
    trials = [make_trial(seed=seed, learning_rate=rate) for seed, rate in [(0, 0.5), (1, 1e30), (2, 0.3)]]
    heard = Heard()
    first, second, third = outcomes(trials, progress=heard)
    assert isinstance(second, TrainingError)
    message = f"{trials[1]}: the loss is no longer a number, first in epoch 1, update "
    assert str(second).startswith(message)
    [alone], [mxnet] = trained([trials[0]]), outcomes([trials[1]], "mxnet")
    assert same_bytes(first, alone)
    assert not isinstance(third, TrainingError)
    assert heard.epochs == [2, 2, 2]
    assert str(second) == str(mxnet)


def test_when_all_diverge_training_stops(make_trial: Callable[..., Trial]) -> None:
    """Nothing is left to train: no epoch more is computed."""
    trials = [make_trial(seed=seed, learning_rate=1e30, epochs=50) for seed in range(2)]
    heard = Heard()
    assert all(isinstance(outcome, TrainingError) for outcome in outcomes(trials, progress=heard))
    assert heard.epochs == []


def test_a_population_is_split_by_memory(make_trial: Callable[..., Trial]) -> None:
    """With room for a part of it, it runs in parts, says so, stays within its share, and gives the same bytes."""
    from harness.train.xla.memory import Share

    trials = [make_trial(seed=seed) for seed in range(5)]
    whole, split = Heard(), Heard()
    expected = trained(trials, progress=whole)
    found = trained(trials, progress=split, share=Share(_taken(trials[0], 2), "of a test"))
    assert all(same_bytes(one, other) for one, other in zip(expected, found, strict=True))
    assert "5 trial(s) at once" in whole.lines[0]
    assert "5 trial(s) in 3 runs of 2" in split.lines[0]
    assert re.search(r", ([\d.]+ KiB) of at most \1 \(of a test\), compiled in", split.lines[0])
    assert (whole.epochs, split.epochs) == ([5] * 3, [2] * 6 + [1] * 3)


def _taken(trial: Trial, trials: int) -> int:
    """Bytes of a run of so many trials."""
    from harness.train.arrays import Arrays
    from harness.train.entry_point import build_job
    from harness.train.xla.engine import recipe_of

    dataset = trial.experiment.dataset
    return recipe_of(build_job(trial), Arrays.from_mapping(dataset.name, dataset.load())).compile_for(trials)[1]


def test_what_does_not_fit_is_every_trials_error(make_trial: Callable[..., Trial]) -> None:
    """No share at all: nothing is trained, and each trial says so under its own name."""
    from harness.train.xla.memory import Share

    trials = [make_trial(seed=seed) for seed in range(2)]
    found = outcomes(trials, share=Share(10, "of a test"))
    for trial, outcome in zip(trials, found, strict=True):
        assert isinstance(outcome, TrainingError)
        assert str(outcome).startswith(f"{trial}: one trial takes ")


def test_a_population_is_compiled_once(make_trial: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty trials, one compilation."""
    from harness.train.xla.population import Recipe

    asked: list[int] = []
    real = Recipe.compile_for

    def counted(recipe: Recipe, trials: int) -> tuple[Any, int]:
        asked.append(trials)
        return real(recipe, trials)

    monkeypatch.setattr(Recipe, "compile_for", counted)
    trained([make_trial(seed=seed, learning_rate=0.1 + seed / 100) for seed in range(20)])
    assert asked == [20]


def test_dropout_repeats_with_the_seed(make_trial: Callable[..., Trial]) -> None:
    """The same seed drops the same; another drops something else; predictions drop nothing."""
    one, other = (make_trial(DROPOUT, seed=seed) for seed in (0, 1))
    [first], [again], pair = trained([one]), trained([one]), trained([other, one])
    assert same_bytes(first, again)
    assert same_bytes(first, pair[1])
    assert not same_bytes(first, pair[0])
    assert first.history[-1].validation_accuracy > 0.9


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"learning_rate": 0.3}, True),
        ({"wd": 0.1}, True),
        ({"seed": 5}, True),
        ({"momentum": 0.9}, False),
        ({"optimizer": "adam"}, False),
        ({"epochs": 4}, False),
        ({"batch_size": 10}, False),
        ({"hidden": 9}, False),
    ],
    ids=str,
)
def test_what_is_trained_together(make_trial: Callable[..., Trial], changed: dict[str, Any], *, same: bool) -> None:
    """What the program takes as numbers may differ; what it is made of may not."""
    from harness.train.entry_point import build_job
    from harness.train.xla.engine import XlaEngine

    kinds = [XlaEngine().kind(build_job(make_trial(**settings))) for settings in ({}, changed)]
    assert (kinds[0] == kinds[1]) is same


UNSUPPORTED = """
import mxnet as mx

def build_graph():
    data = mx.sym.LRN(mx.sym.var("data"), nsize=3, name="norm")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(mx.sym.flatten(data), num_hidden=4), name="softmax")
"""


def test_an_operator_that_is_not_supported_is_named(make_trial: Callable[..., Trial]) -> None:
    """Node, operator, and the engine that can: never something near it."""
    trial = make_trial(UNSUPPORTED)
    [outcome] = outcomes([trial])
    assert str(outcome) == (
        f"{trial}: engine xla: LRN node 'norm': operator LRN is not supported here; "
        'train with engine="mxnet", or write the graph without it'
    )


TOO_NARROW = UNSUPPORTED.replace('mx.sym.LRN(mx.sym.var("data"), nsize=3, name="norm")', 'mx.sym.var("data")').replace(
    "num_hidden=4", "num_hidden=3"
)


def test_labels_beyond_the_output_are_refused(make_trial: Callable[..., Trial]) -> None:
    """As engine mxnet does, in the same words after the trial's name."""
    trial = make_trial(TOO_NARROW)
    [mine], [theirs] = outcomes([trial]), outcomes([trial], "mxnet")
    assert str(mine) == f"{trial}: {theirs}"
    assert "expected labels to be whole numbers from 0 to 2" in str(mine)


def test_a_gpu_that_is_not_there_is_refused(make_trial: Callable[..., Trial]) -> None:
    """Whoever asks for a GPU does not get the CPU instead."""
    import jax

    if any(device.platform == "gpu" for device in jax.devices()):
        pytest.skip("needs a machine without a GPU")
    with pytest.raises(DeviceError, match=r"num_gpus=1: expected that many GPUs that JAX can use, found none; install"):
        outcomes([make_trial(num_gpus=1)])


@pytest.mark.gpu
def test_a_gpu_trains_what_the_processor_trains(make_trial: Callable[..., Trial]) -> None:
    """The same trials on both: weights agree to 1e-4 after three epochs."""
    trials = [[make_trial(seed=seed, num_gpus=gpus) for seed in range(3)] for gpus in (0, 1)]
    for one, other in zip(*map(trained, trials), strict=True):
        for name, value in one.checkpoint.parameters.items():
            np.testing.assert_allclose(other.checkpoint.parameters[name], value, atol=1e-4)


TWO_DEVICES = """
import pickle, sys
import jax
from harness.train.arrays import Arrays
from harness.train.progress import Silent
from harness.train.xla import engine

engine.devices_of = lambda experiment: jax.devices("cpu")[: int(sys.argv[2])]
jobs, mapping = pickle.load(open(sys.argv[1], "rb"))
found = engine.XlaEngine().train(jobs, Arrays.from_mapping("blobs", mapping), Silent())
pickle.dump([dict(one.checkpoint.parameters) for one in found], sys.stdout.buffer)
"""


def test_several_devices_share_a_population(make_trial: Callable[..., Trial], tmp_path: Any) -> None:
    """Three trials on two devices: the odd place is filled and dropped, and every trial's bytes are the same."""
    import pickle

    from harness.train.entry_point import build_job

    trials = [make_trial(seed=seed) for seed in range(3)]
    stored = tmp_path / "jobs"
    stored.write_bytes(pickle.dumps(([build_job(t) for t in trials], dict(trials[0].experiment.dataset.load()))))
    runs = [
        pickle.loads(  # noqa: S301 - what the test's own program wrote
            subprocess.run(
                [sys.executable, "-c", TWO_DEVICES, str(stored), str(count)],
                env={**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"},
                capture_output=True,
                check=True,
                timeout=120,
            ).stdout
        )
        for count in (1, 2)
    ]
    assert len(runs[0]) == len(runs[1]) == 3
    for one, other in zip(*runs, strict=True):
        for name, value in one.items():
            np.testing.assert_array_equal(value, other[name])
