"""What every training engine does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from harness.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from harness.experiment import Trial
    from harness.result import Checkpoint, Epoch
    from harness.train.arrays import Arrays
    from harness.train.progress import Progress

DATA = "data"
"""Name of the input that takes the images, as in the notebook and in ``model-shapes.json``."""


@dataclass(frozen=True)
class Job:
    """A trial whose graph has been built; ``symbol_json`` is what ``Symbol.tojson()`` wrote."""

    trial: Trial
    symbol_json: str


@dataclass(frozen=True)
class Training:
    """What an engine hands back of one trial.

    Attributes:
        checkpoint: the weights after the last epoch.
        history: one entry per epoch.
        probabilities: float32 (m, classes), what the engine itself predicts for the test images from these weights.
    """

    checkpoint: Checkpoint
    history: tuple[Epoch, ...]
    probabilities: NDArray[Any]


Outcome = Training | TrainingError
"""A trial that could not be trained fails alone: its error is a value, for whoever asks for that trial."""


class Engine(Protocol):
    """Trains trials. An engine gives the same bytes for the same trial and arrays, every time."""

    name: str

    def kind(self, job: Job) -> Hashable:
        """What jobs have in common that this engine trains together; None if it trains each alone."""

    def train(self, jobs: Sequence[Job], arrays: Arrays, progress: Progress) -> Sequence[Outcome]:
        """Train jobs of one kind for ``trial.epochs`` epochs; one outcome each, in their order.

        An outcome is an error if the graph does not fit the arrays, or the loss is no longer a number.

        Raises:
            DeviceError: the device that the jobs ask for is not there.
        """
