"""The trainer: once per trial, scored from the stored checkpoint, progress in its three shapes."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.errors import DeclarationError, TrainingError
from harness.result import Checkpoint, Epoch
from harness.train import checkpoint, trainer
from harness.train.engine import Training
from harness.train.progress import Bar, Lines, Silent
from harness.train.scores import accuracy, cross_entropy
from harness.train.trainer import Trainer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.experiment import Trial


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
    with pytest.raises(TrainingError, match=r"ended at test accuracy .* but the stored checkpoint scores"):
        Trainer().train(make_trial())


def test_an_unknown_engine_is_refused(make_trial: Callable[..., Trial]) -> None:
    """Whoever names an engine that is none gets the list of those there are."""
    with pytest.raises(DeclarationError, match="engine: expected one of mxnet, found 'torch'"):
        Trainer(engine="torch").train(make_trial())


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


def epoch(number: int) -> Epoch:
    """An epoch that took half a second."""
    return Epoch(number=number, train_accuracy=0.5, train_loss=1.0, validation_accuracy=0.75, seconds=0.5)


def follow(progress: Any, trial: Trial, epochs: int = 3) -> None:
    """Let a progress follow a trial's epochs."""
    with progress.trial(trial, 1000) as report:
        for number in range(1, epochs + 1):
            report(epoch(number))


def test_lines_name_epoch_accuracy_and_speed(make_trial: Callable[..., Trial]) -> None:
    """Without a terminal there is a line with the trial, the epoch, its accuracy and samples per second."""
    stream = io.StringIO()
    follow(Lines(stream, seconds=0), make_trial())
    first, *_, last = stream.getvalue().splitlines()
    assert first == "blobs[learning_rate=0.5,seed=0] epoch 1/3: accuracy 0.7500, 2,000 samples/s"
    assert "epoch 3/3" in last


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


def test_silence_is_possible(make_trial: Callable[..., Trial], capfd: pytest.CaptureFixture[str]) -> None:
    """The silent progress prints nothing anywhere."""
    follow(Silent(), make_trial())
    assert capfd.readouterr() == ("", "")


def test_training_is_a_value() -> None:
    """What an engine hands back cannot be changed afterwards."""
    stored = Checkpoint(symbol_json="{}", parameters={}, auxiliary={}, data_shapes=())
    with pytest.raises(AttributeError):
        Training(stored, ()).history = ()  # type: ignore[misc]
