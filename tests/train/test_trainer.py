"""The trainer: once per trial, many together if they were planned, scored from the stored checkpoint; its progress."""

from __future__ import annotations

import dataclasses
import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness import arrays
from harness.errors import DeclarationError, DeviceError, TrainingError
from harness.result import Checkpoint, Epoch
from harness.train import checkpoint, trainer
from harness.train.engine import Training
from harness.train.mxnet_engine import MXNetEngine
from harness.train.progress import Bar, Lines, Silent
from harness.train.scores import accuracy, cross_entropy
from harness.train.trainer import Trainer

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence
    from pathlib import Path

    from harness.experiment import Trial
    from harness.train.arrays import Arrays
    from harness.train.engine import Job, Outcome
    from harness.train.progress import Progress

PICKY_GRAPH = """
import mxnet as mx

def build_graph(hidden=8):
    if hidden == 13:
        raise LookupError("thirteen")
    data = mx.sym.flatten(mx.sym.var("data"))
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(data, num_hidden=4), name="softmax")
"""


class Together:
    """An engine that trains whatever has one graph in one call, and remembers its calls; MXNet does the work.

    Attributes:
        name: whose place it takes.
        calls: the trials of each call.
        refused: seeds whose outcome is an error.
        broken: whether its device is gone.
    """

    def __init__(self, kind: Callable[[Job], Hashable] = lambda job: job.symbol_json) -> None:
        self.name = "mxnet"
        self.kind = kind
        self.calls: list[list[Trial]] = []
        self.refused: set[int] = set()
        self.broken = False

    def train(self, jobs: Sequence[Job], arrays: Arrays, progress: Progress) -> Sequence[Outcome]:
        """See `harness.train.engine.Engine.train`."""
        if self.broken:
            raise DeviceError("the device is gone")
        self.calls.append([job.trial for job in jobs])
        outcomes = MXNetEngine().train(jobs, arrays, progress)
        return [
            TrainingError(f"{job.trial}: refused") if job.trial.seed in self.refused else outcome
            for job, outcome in zip(jobs, outcomes, strict=True)
        ]


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> Together:
    """The engine that every trainer of a test gets."""
    engine = Together()
    monkeypatch.setattr(trainer, "_engine_named", lambda _name: engine)
    return engine


def test_a_trial_is_trained_once(make_trial: Callable[..., Trial]) -> None:
    """Asking twice gives the very same model, and its accuracy is that of its own probabilities."""
    one, trial = Trainer(), make_trial()
    model = one.train(trial)
    assert one.train(trial) is model
    labels = trial.experiment.dataset.load()["test_label"]
    assert model.accuracy == (model.probabilities.argmax(axis=1) == labels).mean() > 0.9
    assert model.probabilities.shape == (90, 4)


def test_an_edited_script_is_trained_again(make_trial: Callable[..., Trial]) -> None:
    """The entry point's content is part of what a trial is."""
    one, trial = Trainer(), make_trial()
    before = one.train(trial)
    script = trial.experiment.entry_point
    script.write_text(script.read_text().replace("hidden=8", "hidden=5"))
    assert one.train(trial).checkpoint.parameters["fc1_bias"].shape == (5,)
    assert before.checkpoint.parameters["fc1_bias"].shape == (8,)


def test_a_checkpoint_that_does_not_hold_what_was_trained_is_refused(
    make_trial: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the stored weights score otherwise than the engine saw, the model does not count."""
    real = checkpoint.save

    def damaged(stored: Checkpoint, directory: Path) -> None:
        zeros = {name: np.zeros_like(value) for name, value in stored.parameters.items()}
        real(
            Checkpoint(symbol_json=stored.symbol_json, parameters=zeros, auxiliary={}, data_shapes=stored.data_shapes),
            directory,
        )

    monkeypatch.setattr(trainer.checkpoint, "save", damaged)
    with pytest.raises(TrainingError, match=r"ended at test accuracy .* but the stored checkpoint scores .* differ by"):
        Trainer().train(make_trial())


def test_an_unknown_engine_is_refused(make_trial: Callable[..., Trial]) -> None:
    """Whoever names an engine that is none gets the list of those there are."""
    with pytest.raises(DeclarationError, match=r"engine: expected one of mxnet.*, found 'torch'"):
        Trainer(engine="torch").train(make_trial())


def test_planned_trials_are_trained_along_with_the_first(
    make_trial: Callable[..., Trial], together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One call trains them all, the one that was asked for first, and each is what it would be alone."""
    one, trials = Trainer(), [make_trial(seed=seed) for seed in range(3)]
    one.plan([*trials, trials[0]])
    models = [one.train(trial) for trial in (trials[1], trials[0], trials[2])]
    assert together.calls == [[trials[1], trials[0], trials[2]]]
    assert [model.trial for model in models] == together.calls[0]
    monkeypatch.undo()
    for model in models:
        np.testing.assert_array_equal(model.probabilities, Trainer().train(model.trial).probabilities)


def test_unplanned_trials_are_trained_one_by_one(make_trial: Callable[..., Trial], together: Together) -> None:
    """Control: the same three trials, of which the trainer was told nothing, take three calls."""
    one, trials = Trainer(), [make_trial(seed=seed) for seed in range(3)]
    for trial in trials:
        one.train(trial)
    assert together.calls == [[trial] for trial in trials]


def test_what_was_planned_is_not_trained_unasked(make_trial: Callable[..., Trial], together: Together) -> None:
    """A plan alone starts nothing."""
    Trainer().plan([make_trial()])
    assert together.calls == []


def test_only_one_kind_is_trained_together(make_trial: Callable[..., Trial], together: Together) -> None:
    """Of two graphs, each is a population of its own."""
    one = Trainer()
    small, wide = ([make_trial(seed=seed, hidden=hidden) for seed in range(2)] for hidden in (3, 9))
    one.plan([*small, *wide])
    for trial in (*wide, *small):
        one.train(trial)
    assert together.calls == [wide, small]


def test_an_engine_that_trains_each_alone_gets_each_alone(make_trial: Callable[..., Trial], together: Together) -> None:
    """Where an engine has no kinds, a plan changes nothing: each trial is trained when it is asked for."""
    together.kind = lambda _job: None
    one, trials = Trainer(), [make_trial(seed=seed) for seed in range(2)]
    one.plan(trials)
    one.train(trials[0])
    assert together.calls == [trials[:1]]


def test_the_reference_engine_trains_each_alone(
    make_trial: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real engine ``mxnet`` is given one trial at a time, planned or not."""
    calls = []
    real = MXNetEngine.train

    def recorded(self: MXNetEngine, jobs: Sequence[Job], *rest: Any) -> Sequence[Outcome]:
        calls.append([job.trial.seed for job in jobs])
        return real(self, jobs, *rest)

    monkeypatch.setattr(MXNetEngine, "train", recorded)
    one, trials = Trainer(), [make_trial(seed=seed) for seed in range(2)]
    one.plan(trials)
    for trial in trials:
        one.train(trial)
    assert calls == [[0], [1]]


@pytest.mark.parametrize("difference", ["dataset", "engine"])
def test_other_data_and_other_engines_stay_apart(
    make_trial: Callable[..., Trial], together: Together, monkeypatch: pytest.MonkeyPatch, difference: str
) -> None:
    """An engine that takes all graphs for one kind is still given one data set, and its own trials, at a time."""
    together.kind = lambda _job: "any"
    monkeypatch.setattr("harness.experiment.ENGINES", ("mxnet", "other"))
    one, trial = Trainer(), make_trial()
    data = dict(trial.experiment.dataset.load())
    other = {"dataset": arrays("same", **data), "engine": "other"}[difference]
    stranger = dataclasses.replace(
        trial, experiment=dataclasses.replace(trial.experiment, **{difference: other}), seed=1
    )
    one.plan([stranger])
    one.train(trial)
    assert together.calls == [[trial]]


def test_one_engine_for_all_makes_engines_meet(
    make_trial: Callable[..., Trial], together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under ``--engine`` it does not matter which engines the experiments name."""
    monkeypatch.setattr("harness.experiment.ENGINES", ("mxnet", "other"))
    one, trial = Trainer(engine="mxnet"), make_trial()
    other = dataclasses.replace(trial, experiment=dataclasses.replace(trial.experiment, engine="other"), seed=1)
    one.plan([other])
    assert one.train(trial).engine == "mxnet"
    assert together.calls == [[trial, other]]


def test_a_trial_that_cannot_be_trained_fails_alone(make_trial: Callable[..., Trial], together: Together) -> None:
    """The others of its population count; it fails when it is asked for, each time, and is not tried again."""
    together.refused = {1}
    one, trials = Trainer(), [make_trial(seed=seed) for seed in range(3)]
    one.plan(trials)
    assert one.train(trials[0]).accuracy > 0.9
    for _ in range(2):
        with pytest.raises(TrainingError, match=r"^blobs\[learning_rate=0\.5,seed=1\]: refused$"):
            one.train(trials[1])
    assert one.train(trials[2]).accuracy > 0.9
    assert together.calls == [trials]


def test_a_graph_that_cannot_be_built_fails_only_when_it_is_asked_for(
    make_trial: Callable[..., Trial], together: Together
) -> None:
    """A planned setting whose ``build_graph`` raises is left out, and says so itself."""
    one = Trainer()
    sound, bad = make_trial(PICKY_GRAPH), make_trial(PICKY_GRAPH, hidden=13)
    one.plan([bad, sound])
    one.train(sound)
    assert together.calls == [[sound]]
    with pytest.raises(TrainingError, match=r"hidden=13,seed=0\]: build_graph\(\) in .* failed: LookupError: thirteen"):
        one.train(bad)


def test_what_is_trained_already_is_not_trained_along(make_trial: Callable[..., Trial], together: Together) -> None:
    """A plan that comes late, or holds what was trained before, costs nothing twice."""
    one, trials = Trainer(), [make_trial(seed=seed) for seed in range(3)]
    before = one.train(trials[0])
    one.plan(trials)
    one.train(trials[1])
    assert together.calls == [trials[:1], trials[1:]]
    assert one.train(trials[0]) is before


def test_an_edited_script_makes_planned_trials_new(make_trial: Callable[..., Trial], together: Together) -> None:
    """After an edit all trials are others: neither those trained along nor the one asked for count any more."""
    one, trials = Trainer(), [make_trial(seed=seed) for seed in range(2)]
    one.plan(trials)
    before = one.train(trials[0])
    script = trials[0].experiment.entry_point
    script.write_text(script.read_text().replace("hidden=8", "hidden=5"))
    after = one.train(trials[1])
    assert together.calls == [trials, trials[::-1]]
    assert before.checkpoint.parameters["fc1_bias"].shape == (8,)
    assert after.checkpoint.parameters["fc1_bias"].shape == (5,)
    assert one.train(trials[0]).checkpoint.parameters["fc1_bias"].shape == (5,)


def test_a_missing_device_is_no_outcome(make_trial: Callable[..., Trial], together: Together) -> None:
    """It stops whoever asked; once the device is back, the same trials are trained."""
    one, trials = Trainer(), [make_trial(seed=seed) for seed in range(2)]
    one.plan(trials)
    together.broken = True
    with pytest.raises(DeviceError, match="the device is gone"):
        one.train(trials[0])
    together.broken = False
    one.train(trials[0])
    assert together.calls == [trials]


def test_a_checkpoint_that_mxnet_cannot_load_is_an_error(tmp_path: Path) -> None:
    """Files that are missing or damaged become one error naming the folder."""
    with pytest.raises(TrainingError, match="MXNet cannot predict from it"):
        checkpoint.predict(tmp_path, np.zeros((1, 1, 4, 4), np.float32))


def test_predictions_do_not_depend_on_the_batch(make_trial: Callable[..., Trial], tmp_path: Path) -> None:
    """More images than one batch holds are predicted as each alone is."""
    model = Trainer().train(make_trial())
    checkpoint.save(model.checkpoint, tmp_path)
    images = np.random.default_rng(1).normal(size=(1003, 1, 4, 4)).astype(np.float32)
    together = checkpoint.predict(tmp_path, images)
    assert together.shape == (1003, 4)
    np.testing.assert_allclose(together[1000:], checkpoint.predict(tmp_path, images[1000:]), atol=1e-6)


def test_scores() -> None:
    """Accuracy and cross-entropy of hand-made predictions; a confident miss costs much, not infinity."""
    probabilities = np.array([[0.5, 0.5], [0.0, 1.0], [1.0, 0.0]], np.float32)
    assert accuracy(probabilities, np.array([0, 1, 1])) == pytest.approx(2 / 3)
    expected = (np.log(2) + 0 - np.log(1e-12)) / 3
    assert cross_entropy(probabilities, np.array([0, 1, 1])) == pytest.approx(expected)


def epoch(number: int, validation_accuracy: float = 0.75) -> Epoch:
    """An epoch that took half a second."""
    return Epoch(
        number=number, train_accuracy=0.5, train_loss=1.0, validation_accuracy=validation_accuracy, seconds=0.5
    )


def follow(progress: Any, *trials: Trial, accuracies: Sequence[float] = (0.75,), epochs: int = 3) -> None:
    """Let a progress follow the epochs of trials."""
    with progress.following(trials, 1000) as report:
        for number in range(1, epochs + 1):
            report([epoch(number, reached) for reached in accuracies])


def test_lines_name_epoch_accuracy_and_speed(make_trial: Callable[..., Trial]) -> None:
    """Without a terminal there is a line with the trial, the epoch, its accuracy and samples per second."""
    stream = io.StringIO()
    follow(Lines(stream, seconds=0), make_trial())
    first, *_, last = stream.getvalue().splitlines()
    assert first == "blobs[learning_rate=0.5,seed=0] epoch 1/3: accuracy 0.7500, 2,000 samples/s"
    assert "epoch 3/3" in last


def test_a_population_shares_its_lines(make_trial: Callable[..., Trial]) -> None:
    """Trials that are trained together have one line: how many they are, from worst to best, and their joint speed."""
    stream = io.StringIO()
    follow(Lines(stream, seconds=0), make_trial(), make_trial(seed=1), accuracies=(0.5, 0.75))
    assert stream.getvalue().splitlines()[0] == (
        "blobs[2 trials at once] epoch 1/3: accuracy 0.5000 to 0.7500, 2,000 samples/s"
    )


def test_lines_are_sparing(make_trial: Callable[..., Trial]) -> None:
    """Fast epochs share a line: the first, and always the last."""
    stream = io.StringIO()
    follow(Lines(stream, seconds=3600), make_trial())
    assert [line.split()[2] for line in stream.getvalue().splitlines()] == ["1/3:", "3/3:"]


def test_a_bar_shows_epochs_and_leaves_nothing(make_trial: Callable[..., Trial]) -> None:
    """On a terminal a bar shows epoch, accuracy and samples per second, and is wiped out at the end."""
    stream = io.StringIO()
    follow(Bar(stream), make_trial())
    text = stream.getvalue()
    assert "3/3" in text
    assert "accuracy 0.7500, 2,000 samples/s" in text
    assert "\n" not in text
    assert not text.rpartition("\r")[2].strip()


def test_progress_writes_only_while_nothing_is_captured(make_trial: Callable[..., Trial]) -> None:
    """Every write happens inside the context that opens the terminal."""
    opened = False

    @contextmanager
    def uncaptured() -> Iterator[None]:
        nonlocal opened
        opened = True
        yield
        opened = False

    class Watched(io.StringIO):
        def write(self, text: str) -> int:
            assert opened
            return super().write(text)

    for progress in (Lines(Watched(), uncaptured, seconds=0), Bar(Watched(), uncaptured)):
        follow(progress, make_trial())
        progress.say("compiled")


@pytest.mark.parametrize("kind", [Lines, Bar])
def test_what_belongs_to_no_epoch_is_said_on_a_line(kind: Callable[..., Progress]) -> None:
    """Such as how many trials are trained at once."""
    stream = io.StringIO()
    kind(stream).say("9 trials at once")
    assert stream.getvalue() == "9 trials at once\n"


def test_silence_is_possible(make_trial: Callable[..., Trial], capfd: pytest.CaptureFixture[str]) -> None:
    """The silent progress prints nothing anywhere."""
    follow(Silent(), make_trial())
    Silent().say("compiled")
    assert capfd.readouterr() == ("", "")


def test_training_is_a_value() -> None:
    """What an engine hands back cannot be changed afterwards."""
    stored = Checkpoint(symbol_json="{}", parameters={}, auxiliary={}, data_shapes=())
    with pytest.raises(AttributeError):
        Training(stored, (), np.zeros((1, 2))).history = ()  # type: ignore[misc]
