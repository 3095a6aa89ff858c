"""What every training engine does, and how one is found by its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from harness.errors import DeclarationError

if TYPE_CHECKING:
    from harness.experiment import Trial
    from harness.result import Checkpoint, Epoch
    from harness.train.arrays import Arrays
    from harness.train.progress import Progress

ENGINES = ("mxnet",)
"""Names that ``Experiment(engine=...)`` and ``--engine`` take."""


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


def engine_named(name: str) -> Engine:
    """The engine of that name.

    Raises:
        DeclarationError: there is none.
    """
    check_engine(name)
    from harness.train.mxnet_engine import MXNetEngine

    return MXNetEngine()


def check_engine(name: str) -> None:
    """Refuse a name that is no engine's, without loading one.

    Raises:
        DeclarationError: says which there are.
    """
    if name not in ENGINES:
        raise DeclarationError(f"engine: expected one of {', '.join(ENGINES)}, found {name!r}")
