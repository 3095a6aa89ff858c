"""A fixed piece of work, timed now and here, that training times are compared with."""

from __future__ import annotations

import itertools
import statistics
import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS = 100
ROUNDS = 5
LAYERS = (784, 128, 64, 10)
BATCH = 100


def measure() -> float:
    """Median seconds, over five rounds, of what a training epoch is made of: matrix products.

    A round is 100 times the products, forward and backward, of the notebook's perceptron on a batch of 100, in float32
    and numpy. It takes some hundredths of a second.
    """
    draw = np.random.default_rng(0)
    data = draw.normal(size=(BATCH, LAYERS[0])).astype(np.float32)
    weights = [draw.normal(scale=0.05, size=shape).astype(np.float32) for shape in itertools.pairwise(LAYERS)]
    _step(data, weights)  # so that no round pays for starting threads
    return statistics.median(_round(data, weights) for _ in range(ROUNDS))


def _round(data: NDArray[np.float32], weights: list[NDArray[np.float32]]) -> float:
    started = time.perf_counter()
    for _ in range(STEPS):
        _step(data, weights)
    return time.perf_counter() - started


def _step(data: NDArray[np.float32], weights: list[NDArray[np.float32]]) -> None:
    values = [data]
    for weight in weights:
        values.append(np.maximum(values[-1] @ weight, 0))
    error = values[-1]
    for weight, value in zip(reversed(weights), reversed(values[:-1]), strict=True):
        _ = value.T @ error
        error = error @ weight.T
