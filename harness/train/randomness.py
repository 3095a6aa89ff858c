"""Every random number that decides a training run, drawn by numpy from the trial's seed.

Engines share these: two engines that train the same trial start from the same weights and see the same batches.
Weights and each epoch's order come from their own streams (numpy's ``SeedSequence.spawn_key``): training for more
epochs changes nothing in the first ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from harness.artifact import Shape

_WEIGHTS, _ORDER = 0, 1

INITIAL_SCALE = 0.01
"""``Module.fit`` starts from ``mx.init.Uniform(0.01)`` unless told otherwise, and so does the notebook."""

_CONSTANTS = {"bias": 0.0, "beta": 0.0, "gamma": 1.0, "moving_mean": 0.0, "moving_var": 1.0}
"""Suffix to initial value, as ``mx.init.Initializer`` dispatches on names (mxnet 1.9.1, ``initializer.py``)."""


def initial_values(shapes: Mapping[str, Shape], seed: int) -> dict[str, NDArray[np.float32]]:
    """Float32 starting values: weights uniform in ±`INITIAL_SCALE`, the rest constant by suffix.

    Raises:
        TrainingError: a name whose suffix says nothing about how to start it.
    """
    generator = _generator(seed, _WEIGHTS)
    return {name: _initial_value(name, shape, generator) for name, shape in shapes.items()}


def epoch_order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """The order, int64 (count,), in which epoch number ``epoch`` visits the training images."""
    return _generator(seed, _ORDER, epoch).permutation(count)


def _generator(seed: int, *stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=stream)))


def _initial_value(name: str, shape: Shape, generator: np.random.Generator) -> NDArray[Any]:
    if name.endswith("weight"):
        return generator.uniform(-INITIAL_SCALE, INITIAL_SCALE, shape).astype(np.float32)
    for suffix, value in _CONSTANTS.items():
        if name.endswith(suffix):
            return np.full(shape, value, np.float32)
    raise TrainingError(
        f"parameter {name}: expected a name ending in weight, {', '.join(_CONSTANTS)}, which says how to start it; "
        f"rename the variable in build_graph()"
    )
