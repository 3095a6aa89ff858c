"""What every contender does: the notebook's perceptron, trained a number of times with settings that differ."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.train.arrays import Arrays
from harness.train.randomness import epoch_order, initial_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENTRY_POINT = Path(__file__).parent.parent / "experiments" / "mnist.py"
SYMBOL = Path(__file__).parent / "mnist_mlp.json"
"""The entry point's graph as ``Symbol.tojson()`` writes it, for machines that have a GPU and no MXNet."""

PARTS = ("train_data", "train_label", "test_data", "test_label")
BATCH = 100
CLASSES = 10
LAYERS = ((128, 784), (64, 128), (CLASSES, 64))
SHAPES = {
    name: shape
    for number, (outputs, inputs) in enumerate(LAYERS, 1)
    for name, shape in ((f"fc{number}_weight", (outputs, inputs)), (f"fc{number}_bias", (outputs,)))
}
"""Parameters in the order of the graph, which is the order in which their start is drawn."""

_NOTEBOOK_RATE = 0.11
_RATES = (0.05, 0.2)

Figures = tuple[float, float, float]
"""Accuracy on the training images, their mean cross-entropy in nats, accuracy on the test images: of one epoch."""

History = list[list[Figures]]
"""By trial, by epoch."""


@dataclass(frozen=True)
class Workload:
    """Trainings to be done, together or one after the other.

    Attributes:
        trials: how many; seeds are 0, 1, 2, ...
        epochs: passes over the training data, each followed by a look at the test data.
    """

    trials: int
    epochs: int

    @property
    def learning_rates(self) -> list[float]:
        """One trial trains at the notebook's rate, many at rates around it."""
        if self.trials == 1:
            return [_NOTEBOOK_RATE]
        return [float(rate) for rate in np.geomspace(*_RATES, self.trials)]


@dataclass
class Clock:
    """When each epoch was over: its updates done, the test images scored, its figures in the host's memory."""

    marks: list[float] = field(default_factory=list)

    def epoch_done(self) -> None:
        """Called by a contender."""
        self.marks.append(time.perf_counter())


def start(seed: int) -> dict[str, NDArray[np.float32]]:
    """A trial's weights before its first update, as the engines draw them."""
    return initial_values(SHAPES, seed)


def order(seed: int, epoch: int, count: int) -> NDArray[np.int32]:
    """Int32 (count // BATCH, BATCH): the training images of each update, as the engines draw them."""
    return epoch_order(seed, epoch, count).astype(np.int32).reshape(-1, BATCH)


def flat(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Float32 (n, 784)."""
    return images.reshape(len(images), -1)


def save(arrays: Arrays, folder: Path) -> None:
    """Leave the data for the workers: all of them train on the same bytes."""
    for part in PARTS:
        np.save(folder / f"{part}.npy", getattr(arrays, part))


def load(folder: Path) -> Arrays:
    """What `save` left."""
    return Arrays(*(np.load(folder / f"{part}.npy") for part in PARTS))


def tiny() -> Arrays:
    """Eight hundred images that can be learnt, to see in a second whether everything runs."""
    generator = np.random.default_rng(0)
    patterns = generator.integers(0, 256, (CLASSES, 1, 28, 28))

    def draw(count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        label = generator.integers(0, CLASSES, count)
        noisy = np.clip(patterns[label] + generator.integers(-40, 41, (count, 1, 28, 28)), 0, 255)
        return noisy.astype(np.float32) / np.float32(255), label.astype(np.float32)

    return Arrays(*draw(600), *draw(200))
