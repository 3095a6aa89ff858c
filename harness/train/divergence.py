"""The error of a training run that ended in no numbers, in the same words for every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import TrainingError

if TYPE_CHECKING:
    from harness.experiment import Trial


def diverged(trial: Trial, epoch: int, update: int | None) -> TrainingError:
    """For a trial whose predictions are no numbers any more.

    Args:
        trial: what was trained.
        epoch: counted from 1.
        update: the first one that saw them, counted from 1; None if only the test images' predictions did.
    """
    where = "after its last update" if update is None else f"update {update}"
    return TrainingError(
        f"{trial}: the loss is no longer a number, first in epoch {epoch}, {where}: training diverged; "
        f"lower the learning rate (now {trial.optimizer_settings['learning_rate']:g})"
    )
