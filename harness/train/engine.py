"""What every training engine does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from harness.experiment import Trial
    from harness.result import Checkpoint, Epoch
    from harness.train.arrays import Arrays
    from harness.train.progress import Progress


@dataclass(frozen=True)
class Training:
    """What an engine hands back: the weights after the last epoch, and how it got there."""

    checkpoint: Checkpoint
    history: tuple[Epoch, ...]


class Engine(Protocol):
    """Trains one trial. An engine gives the same bytes for the same trial and arrays, every time."""

    name: str

    def train(self, trial: Trial, arrays: Arrays, progress: Progress) -> Training:
        """Train for ``trial.epochs`` epochs.

        Raises:
            TrainingError: the graph does not fit the arrays, a device is missing, or the loss is no longer a number.
        """
