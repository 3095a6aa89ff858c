"""What comes out of training: models, their history, where they come from, and the replicates of a setting."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.artifact import Shape
    from harness.experiment import Trial


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """What one pass over the training data gave.

    Attributes:
        number: counted from 1.
        train_accuracy: share of training images classified right while the weights changed, as in ``Module.fit``.
        train_loss: mean cross-entropy over the same predictions, in nats.
        validation_accuracy: share of test images classified right by the weights at the end of the epoch.
        seconds: wall time, validation included.
    """

    number: int
    train_accuracy: float
    train_loss: float
    validation_accuracy: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A model as MXNet stores it.

    Attributes:
        symbol_json: the graph, as ``Symbol.tojson()`` writes it.
        parameters: argument name to array, the dtype kept.
        auxiliary: auxiliary state name (moving statistics) to array.
        data_shapes: name and shape, batch first, of each data input.
    """

    symbol_json: str
    parameters: Mapping[str, NDArray[Any]]
    auxiliary: Mapping[str, NDArray[Any]]
    data_shapes: tuple[tuple[str, Shape], ...]


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What a trained model was made from; two models can be compared if these agree.

    Attributes:
        graph: SHA-256 of the symbol's JSON.
        train_data: SHA-256 of the training images and labels, with their shapes.
        test_data: the same of the test images and labels.
        settings: every setting that decides the training but the seed, in words or numbers.
        versions: package to version, of what computed it.
        weights: SHA-256 of the trained parameters and auxiliary states.
    """

    graph: str
    train_data: str
    test_data: str
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    weights: str


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A trial that was trained, and scored from its own checkpoint.

    Attributes:
        trial: what was trained.
        engine: name of the engine.
        checkpoint: the weights, as stored.
        history: one entry per epoch.
        probabilities: float32 (m, classes), MXNet's predictions for the test images from the reloaded checkpoint.
        engine_probabilities: the same, as the engine itself predicted them from the weights that it had.
        labels: int64 (m,), the classes of the test images.
        accuracy: share of test images classified right by `probabilities`.
        loss: mean cross-entropy of `probabilities` against `labels`, in nats.
        seconds: wall time of training, in the run that trained it.
        provenance: what it was made from.
        cached: whether it was trained in an earlier run.
    """

    trial: Trial
    engine: str
    checkpoint: Checkpoint
    history: tuple[Epoch, ...]
    probabilities: NDArray[Any]
    engine_probabilities: NDArray[Any]
    labels: NDArray[Any]
    accuracy: float
    loss: float
    seconds: float
    provenance: Provenance
    cached: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values for reports: no arrays, no paths."""
        return {
            "experiment": self.trial.experiment.name,
            "hyperparameters": dict(self.trial.hyperparameters),
            "seed": self.trial.seed,
            "engine": self.engine,
            "accuracy": self.accuracy,
            "loss": self.loss,
            "cached": self.cached,
            "seconds": self.seconds,
            "history": [asdict(epoch) for epoch in self.history],
        }


class Replicates(Sequence[TrainedModel]):
    """The trained models of one setting, one per seed."""

    def __init__(self, models: Sequence[TrainedModel]) -> None:
        if not models:
            raise ValueError("Replicates: expected at least one trained model, found none")
        self._models = tuple(models)

    @overload
    def __getitem__(self, index: int) -> TrainedModel: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[TrainedModel, ...]: ...
    def __getitem__(self, index: int | slice) -> TrainedModel | tuple[TrainedModel, ...]:
        return self._models[index]

    def __len__(self) -> int:
        return len(self._models)

    def __iter__(self) -> Iterator[TrainedModel]:
        return iter(self._models)

    def __repr__(self) -> str:
        trial = self._models[0].trial
        figures = ", ".join(f"{accuracy:.4f}" for accuracy in self.accuracies)
        return f"<Replicates of {trial.experiment.name}[{trial.hyperparameters}]: accuracy {figures}>"

    @property
    def accuracies(self) -> tuple[float, ...]:
        """Test accuracy of each replicate, in the order of the seeds."""
        return tuple(model.accuracy for model in self._models)

    @property
    def losses(self) -> tuple[float, ...]:
        """Mean cross-entropy of each replicate on the test images, in nats, in the order of the seeds."""
        return tuple(model.loss for model in self._models)

    @property
    def mean_accuracy(self) -> float:
        """Mean of `accuracies`."""
        return statistics.fmean(self.accuracies)
