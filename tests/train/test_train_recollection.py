"""A trainer with a store: what an earlier run has trained is found again, to the byte, and nothing is trained twice."""

from __future__ import annotations

import dataclasses
import errno
import importlib
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from small_graph import GRAPH

from harness.errors import TrainingError
from harness.train import provenance, store, trainer
from harness.train.mxnet_engine import MXNetEngine
from harness.train.progress import Silent
from harness.train.store import Store
from harness.train.trainer import Trainer

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from pathlib import Path

    from harness.experiment import Trial
    from harness.result import TrainedModel
    from harness.train.arrays import Arrays
    from harness.train.engine import Job, Outcome
    from harness.train.progress import Progress


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """No source was changed since the run began, whoever is writing in this checkout meanwhile."""
    monkeypatch.setattr(provenance, "process_start", lambda: float("inf"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where models are kept; what is there is there for the next trainer."""
    return tmp_path / "trained"


class Heard(Silent):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        """See `Progress.say`."""
        self.lines.append(line)


class Together:
    """An engine that trains whatever has one graph in one call, and remembers its calls; MXNet does the work.

    Attributes:
        name: whose place it takes.
        calls: the seeds of each call.
        refused: seeds whose outcome is an error.
        meanwhile: done before it trains.
    """

    def __init__(self) -> None:
        self.name = "mxnet"
        self.calls: list[list[int]] = []
        self.refused: set[int] = set()
        self.meanwhile: Callable[[], object] = lambda: None

    def kind(self, job: Job) -> Hashable:
        """See `harness.train.engine.Engine.kind`."""
        return job.symbol_json

    def train(self, jobs: Sequence[Job], arrays: Arrays, progress: Progress) -> Sequence[Outcome]:
        """See `harness.train.engine.Engine.train`."""
        self.calls.append([job.trial.seed for job in jobs])
        self.meanwhile()
        outcomes = MXNetEngine().train(jobs, arrays, progress)
        return [
            TrainingError(f"{job.trial}: refused") if job.trial.seed in self.refused else outcome
            for job, outcome in zip(jobs, outcomes, strict=True)
        ]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Together:
    """The engine that every trainer of a test gets, whatever its trials name."""
    found = Together()
    monkeypatch.setattr(trainer, "_engine_named", lambda _name: found)
    return found


def entries(folder: Path) -> list[Path]:
    """The files of the store."""
    return sorted(folder.glob("*")) if folder.exists() else []


def check_same(one: TrainedModel, other: TrainedModel) -> None:
    """Two models are the same to the byte, with all that is told of them but where they were trained."""
    for name in ("trial", "engine", "history", "accuracy", "loss", "seconds", "provenance"):
        assert getattr(one, name) == getattr(other, name), name
    assert one.checkpoint.symbol_json == other.checkpoint.symbol_json
    assert one.checkpoint.data_shapes == other.checkpoint.data_shapes
    for name in ("parameters", "auxiliary"):
        mine, theirs = getattr(one.checkpoint, name), getattr(other.checkpoint, name)
        assert list(mine) == list(theirs)
        for array in mine:
            np.testing.assert_array_equal(mine[array], theirs[array], strict=True)
    for name in ("probabilities", "engine_probabilities", "labels"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), strict=True)


def test_the_next_run_finds_what_this_one_has_trained(
    make_trial: Callable[..., Trial], engine: Together, folder: Path
) -> None:
    """Nothing is trained, the model is the same in every byte and figure, and where it comes from is said once."""
    trials = [make_trial(seed=seed) for seed in range(2)]
    first = [Trainer(store=Store(folder)).train(trial) for trial in trials]
    assert engine.calls == [[0], [1]]
    heard = Heard()
    later = Trainer(heard, store=Store(folder))
    again = [later.train(trial) for trial in trials]
    assert engine.calls == [[0], [1]]
    assert [model.cached for model in first + again] == [False, False, True, True]
    for one, other in zip(first, again, strict=True):
        check_same(one, other)
        assert one.to_dict() == other.to_dict() | {"cached": False}
    assert heard.lines == [f"blobs: trained models from {folder}; --retrain trains them anew"]
    assert later.train(trials[0]) is again[0]


def test_without_a_store_every_run_trains(make_trial: Callable[..., Trial], engine: Together, folder: Path) -> None:
    """Control: a trainer that was given none keeps nothing, finds nothing and says nothing."""
    heard = Heard()
    for _ in range(2):
        assert not Trainer(heard).train(make_trial()).cached
    assert engine.calls == [[0], [0]]
    assert (heard.lines, entries(folder)) == ([], [])


def test_engine_xla_is_not_asked_again(
    make_trial: Callable[..., Trial], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A population that was trained at once is found again one by one, in any order, and its engine is not loaded."""
    monkeypatch.setenv("BYOM_CACHE_DIR", str(tmp_path / "compiled"))
    trials = [make_trial(seed=seed, epochs=1) for seed in range(3)]
    one = Trainer(engine="xla", store=Store(folder))
    one.plan(trials)
    first = [one.train(trial) for trial in trials]
    assert len(entries(folder)) == 3

    def unwanted(name: str) -> None:
        raise AssertionError(f"engine {name} was loaded")

    monkeypatch.setattr(trainer, "_engine_named", unwanted)
    later = Trainer(engine="xla", store=Store(folder))
    later.plan(trials)
    for trial, model in reversed(list(zip(trials, first, strict=True))):
        found = later.train(trial)
        check_same(found, model)
        assert (found.cached, found.engine) == (True, "xla")
    with pytest.raises(AssertionError, match="engine mxnet was loaded"):  # control: the other engine's is another model
        Trainer(engine="mxnet", store=Store(folder)).train(trials[0])


def test_retraining_trains_anew_and_keeps_that(
    make_trial: Callable[..., Trial], engine: Together, folder: Path
) -> None:
    """``--retrain`` looks at nothing that was kept, and the run after it finds the new model."""
    trial = make_trial()
    Trainer(store=Store(folder)).train(trial)
    [entry] = entries(folder)
    before = entry.read_bytes()
    heard = Heard()
    model = Trainer(heard, store=Store(folder), retrain=True).train(trial)
    assert (engine.calls, model.cached, heard.lines) == ([[0], [0]], False, [])
    assert entries(folder) == [entry]
    assert entry.read_bytes() != before  # other seconds
    check_same(Trainer(store=Store(folder)).train(trial), model)
    assert engine.calls == [[0], [0]]


def test_retraining_trains_a_whole_population(make_trial: Callable[..., Trial], engine: Together, folder: Path) -> None:
    """Of what is kept, nothing is left out."""
    trials = [make_trial(seed=seed) for seed in range(3)]
    for retrain in (False, True):
        one = Trainer(store=Store(folder), retrain=retrain)
        one.plan(trials)
        assert not any(one.train(trial).cached for trial in trials)
    assert engine.calls == [[0, 1, 2]] * 2


def test_of_a_population_only_what_is_missing_is_trained(
    make_trial: Callable[..., Trial], engine: Together, folder: Path
) -> None:
    """Two seeds more cost two trainings, in one call, and all models are what they would be alone."""
    trials = [make_trial(seed=seed) for seed in range(4)]
    for seed in (1, 3):
        Trainer(store=Store(folder)).train(trials[seed])
    one = Trainer(store=Store(folder))
    one.plan(trials)
    models = [one.train(trial) for trial in trials]
    assert engine.calls == [[1], [3], [0, 2]]
    assert [model.cached for model in models] == [False, True, False, True]
    assert len({model.provenance.weights for model in models}) == 4
    assert len(entries(folder)) == 4


def test_a_damaged_model_is_said_and_trained_anew(
    make_trial: Callable[..., Trial], engine: Together, folder: Path
) -> None:
    """One flipped bit: its trial is named, the others are found, and the next run finds all again."""
    trials = [make_trial(seed=seed) for seed in range(2)]
    Trainer(store=Store(folder)).train(trials[0])
    [entry] = entries(folder)
    model = Trainer(store=Store(folder)).train(trials[1])
    content = bytearray(entry.read_bytes())
    content[-100] ^= 1
    entry.write_bytes(content)
    heard = Heard()
    one = Trainer(heard, store=Store(folder))
    one.plan(trials)
    assert not one.train(trials[0]).cached
    check_same(one.train(trials[1]), model)
    assert engine.calls == [[0], [1], [0]]
    assert heard.lines[0].startswith(
        f"{trials[0]}: a kept model was damaged, is discarded and trained anew ({entry.name}: expected what was written"
    )
    assert Trainer(store=Store(folder)).train(trials[0]).cached


def test_a_damaged_model_that_was_planned_is_trained_when_it_is_asked_for(
    make_trial: Callable[..., Trial], engine: Together, folder: Path
) -> None:
    """Damage shows when an entry is read: till then it is left out of the population, and nothing is lost by that."""
    trials = [make_trial(seed=seed) for seed in range(2)]
    Trainer(store=Store(folder)).train(trials[1])
    entries(folder)[0].write_bytes(b"")
    one = Trainer(store=Store(folder))
    one.plan(trials)
    assert not any(one.train(trial).cached for trial in trials)
    assert engine.calls == [[1], [0], [1]]


def test_what_could_not_be_trained_is_not_kept(
    make_trial: Callable[..., Trial], engine: Together, folder: Path
) -> None:
    """A trial that an engine refuses is tried again in the next run; the others of its population are kept."""
    engine.refused = {1}
    trials = [make_trial(seed=seed) for seed in range(3)]
    for _ in range(2):
        one = Trainer(store=Store(folder))
        one.plan(trials)
        with pytest.raises(TrainingError, match="refused"):
            one.train(trials[1])
        assert {one.train(trial).cached for trial in (trials[0], trials[2])} == {len(engine.calls) > 1}
    assert engine.calls == [[1, 0, 2], [1]]
    assert len(entries(folder)) == 2


def test_what_diverged_is_not_kept(make_trial: Callable[..., Trial], folder: Path) -> None:
    """The real engine's error of a loss that is no number any more comes anew in every run."""
    for _ in range(2):
        with pytest.raises(TrainingError, match="training diverged"):
            Trainer(store=Store(folder)).train(make_trial(learning_rate=1e30))
    assert entries(folder) == []


def test_a_model_that_does_not_count_is_not_kept(
    make_trial: Callable[..., Trial], engine: Together, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What MXNet does not predict from the reloaded checkpoint as the engine did leaves nothing for the next run."""
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "AGREEMENT", -1.0)
        with pytest.raises(TrainingError, match="does not hold what was trained"):
            Trainer(store=Store(folder)).train(make_trial())
    assert entries(folder) == []
    Trainer(store=Store(folder)).train(make_trial())
    assert len(entries(folder)) == 1


def test_a_store_that_cannot_be_written_is_said_once(
    make_trial: Callable[..., Trial], engine: Together, tmp_path: Path
) -> None:
    """Training goes on, and the model of this run is this run's."""
    (tmp_path / "file").touch()
    heard, store_there = Heard(), Store(tmp_path / "file" / "trained")
    one, trials = Trainer(heard, store=store_there), [make_trial(seed=seed) for seed in range(3)]
    one.plan(trials[:2])
    assert all(one.train(trial).accuracy > 0.9 for trial in trials)
    assert engine.calls == [[0, 1], [2]]
    assert heard.lines == [f"trained models are not kept in {store_there.folder}: Not a directory"]


def test_a_reason_that_names_another_file_each_time_is_said_once(
    make_trial: Callable[..., Trial], engine: Together, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a folder may be looked into but not written, the system's words name a temporary file."""

    def refused(path: Path, _data: bytes) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", f"{path}.{len(engine.calls)}.tmp")

    monkeypatch.setattr(store, "write_atomically", refused)
    heard = Heard()
    one = Trainer(heard, store=Store(folder))
    for seed in range(2):
        one.train(make_trial(seed=seed))
    assert heard.lines == [f"trained models are not kept in {folder}: Permission denied"]


def test_an_interruption_after_a_population_was_trained_loses_nothing(
    make_trial: Callable[..., Trial], engine: Together, folder: Path
) -> None:
    """All models are kept when the first is handed out: who stops then finds every one of them again."""
    trials = [make_trial(seed=seed) for seed in range(3)]
    one = Trainer(store=Store(folder))
    one.plan(trials)
    one.train(trials[1])
    del one  # stopped, before anybody asked for the other two
    later = Trainer(store=Store(folder))
    later.plan(trials)
    assert all(later.train(trial).cached for trial in trials)
    assert engine.calls == [[1, 0, 2]]


def interrupt(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """From the second model on, scoring is interrupted so many times."""
    real, calls = trainer._score, []

    def score(*given: Any) -> Any:
        calls.append(given)
        if 2 <= len(calls) < 2 + times:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(trainer, "_score", score)


def test_an_interruption_while_models_are_scored_waits_until_they_are_kept(
    make_trial: Callable[..., Trial], engine: Together, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says why it waits, then stops the run; the next one finds all of them."""
    interrupt(monkeypatch, times=1)
    heard, trials = Heard(), [make_trial(seed=seed) for seed in range(4)]
    one = Trainer(heard, store=Store(folder))
    one.plan(trials)
    with pytest.raises(KeyboardInterrupt):
        one.train(trials[0])
    assert heard.lines == ["interrupted: keeping 3 trained model(s) first; interrupt again to lose them"]
    later = Trainer(store=Store(folder))
    assert all(later.train(trial).cached for trial in trials)
    assert engine.calls == [[0, 1, 2, 3]]


def test_a_second_interruption_does_not_wait(
    make_trial: Callable[..., Trial], engine: Together, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: who insists gets out at once, with what was kept till then."""
    interrupt(monkeypatch, times=2)
    trials = [make_trial(seed=seed) for seed in range(4)]
    one = Trainer(store=Store(folder))
    one.plan(trials)
    with pytest.raises(KeyboardInterrupt):
        one.train(trials[0])
    assert len(entries(folder)) == 1


def test_an_edit_that_leaves_the_graph_finds_the_model(
    make_trial: Callable[..., Trial], engine: Together, folder: Path
) -> None:
    """What counts of the entry point is the graph that it builds; its words do not train."""
    model = Trainer(store=Store(folder)).train(make_trial())
    found = Trainer(store=Store(folder)).train(make_trial("# A word.\n" + GRAPH.replace("active", "hidden_layer")))
    check_same(found, dataclasses.replace(model, trial=found.trial))
    assert (found.cached, engine.calls) == (True, [[0]])


@pytest.mark.parametrize("edit", [("hidden=8", "hidden=5"), ('"relu"', '"tanh"'), ('name="fc1"', 'name="first"')])
def test_an_edit_that_changes_the_graph_trains_anew(
    make_trial: Callable[..., Trial], engine: Together, folder: Path, edit: tuple[str, str]
) -> None:
    """A width, a function, and be it a name; the old model stays for who goes back."""
    Trainer(store=Store(folder)).train(make_trial())
    assert not Trainer(store=Store(folder)).train(make_trial(GRAPH.replace(*edit))).cached
    assert Trainer(store=Store(folder)).train(make_trial()).cached
    assert engine.calls == [[0], [0]]


def test_an_edit_while_it_trains_makes_no_model_of_the_new_script(
    make_trial: Callable[..., Trial], engine: Together, folder: Path
) -> None:
    """What was trained belongs to the graph that it was trained from, in this run and in the next."""
    one, trials = Trainer(store=Store(folder)), [make_trial(seed=seed) for seed in range(2)]
    one.plan(trials)
    engine.meanwhile = lambda: make_trial(GRAPH.replace("hidden=8", "hidden=5"))
    widths = [len(one.train(trials[0]).checkpoint.parameters["fc1_bias"])]
    engine.meanwhile = lambda: None
    widths += [len(one.train(trial).checkpoint.parameters["fc1_bias"]) for trial in trials]
    make_trial()  # the old script again
    later = Trainer(store=Store(folder))
    found = [later.train(trial) for trial in trials]
    widths += [len(model.checkpoint.parameters["fc1_bias"]) for model in found]
    assert widths == [8, 5, 5, 8, 8]
    assert engine.calls == [[0, 1], [0, 1]]
    assert all(model.cached for model in found)


def test_another_name_of_experiment_finds_the_model(
    make_trial: Callable[..., Trial], engine: Together, folder: Path
) -> None:
    """A renamed experiment, with a seed more in its list, is what it was; the model says its new name."""
    trial = make_trial()
    Trainer(store=Store(folder)).train(trial)
    renamed = dataclasses.replace(trial.experiment, name="renamed", seeds=(0, 1))
    found = Trainer(store=Store(folder)).train(dataclasses.replace(trial, experiment=renamed))
    assert (found.cached, found.trial.experiment.name, engine.calls) == (True, "renamed", [[0]])


COUNTING = """
from dataclasses import dataclass, field

@dataclass(eq=False)
class Counting:
    asked: list = field(default_factory=list)

    def factor(self, update, updates_per_epoch):
        self.asked.append(update)
        return 1.0
"""


@pytest.fixture
def counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of the user's with a schedule that changes while it is used."""
    (tmp_path / "counting.py").write_text(COUNTING)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield importlib.import_module("counting")
    del sys.modules["counting"]


def test_a_schedule_that_changes_while_it_trains_counts_as_it_was(
    make_trial: Callable[..., Trial], engine: Together, folder: Path, counting: Any
) -> None:
    """A model is kept under what it was made from, not under what training has left of it."""
    schedules = [counting.Counting() for _ in range(3)]
    schedules[2].asked.append(0)
    for schedule in schedules:
        Trainer(store=Store(folder)).train(make_trial(schedule=schedule))
    assert [len(schedule.asked) > 1 for schedule in schedules] == [True, False, True]
    assert engine.calls == [[0], [0]]


class Plain:
    """A schedule that is no dataclass."""

    def factor(self, _update: int, _updates_per_epoch: int) -> float:
        """See `harness.schedule.Schedule.factor`."""
        return 1.0


def test_what_cannot_be_told_apart_is_never_kept(
    make_trial: Callable[..., Trial], engine: Together, folder: Path
) -> None:
    """It is trained in every run, and said once in each why that is."""
    heard, schedule = Heard(), Plain()
    for _ in range(2):
        one = Trainer(heard, store=Store(folder))
        for seed in range(2):
            assert not one.train(make_trial(seed=seed, schedule=schedule)).cached
    assert engine.calls == [[0], [1]] * 2
    line = (
        "blobs: what is trained is not kept for later runs: schedule: Plain may change unseen: it is neither a plain "
        "value nor of a dataclass"
    )
    assert heard.lines == [line, line]
    assert entries(folder) == []


def test_sources_that_change_while_it_trains_keep_nothing(
    make_trial: Callable[..., Trial], engine: Together, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine that is loaded after the edit is another than the key tells of."""
    engine.meanwhile = lambda: monkeypatch.setattr(provenance, "process_start", lambda: 0.0)
    heard = Heard()
    Trainer(heard, store=Store(folder)).train(make_trial())
    assert entries(folder) == []
    [line] = heard.lines
    assert line.startswith("blobs: what is trained is not kept for later runs: harness/")
    assert line.endswith(".py was changed after this run began; start it again")
