"""Every random number that decides a training run, drawn by numpy from the trial's seed.

Engines share these: two engines that train the same trial start from the same weights and see the same batches.
Weights, each epoch's order and each epoch's noise come from their own streams (numpy's ``SeedSequence.spawn_key``):
training for more epochs changes nothing in the first ones.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import DeclarationError, TrainingError
from harness.initializer import MODULE_FIT, Initializer, from_mxnet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from harness.artifact import Shape

_WEIGHTS, _ORDER, _NOISE = 0, 1, 2

_CONSTANTS = {
    "bias": 0.0,
    "gamma": 1.0,
    "beta": 0.0,
    "min": 0.0,
    "max": 1.0,
    "moving_mean": 0.0,
    "running_mean": 0.0,
    "moving_var": 1.0,
    "running_var": 1.0,
    "moving_inv_var": 0.0,
    "moving_avg": 0.0,
}
"""Suffix to initial value.

As ``Initializer.__call__`` (mxnet 1.9.1, ``initializer.py``) dispatches on names, ``min`` and ``max`` of quantized
operators included; moving statistics as in its ``_legacy_init``: today's MXNet gives them an ``__init__`` of their own.
"""


def initial_values(
    shapes: Mapping[str, Shape],
    seed: int,
    *,
    initializer: Initializer = MODULE_FIT,
    own: Mapping[str, Initializer] | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Float32 starting values, drawn in the order of ``shapes``.

    A variable with an initializer of its own is started by it, whatever its name. Of the others, weights are started
    by ``initializer``, the rest is constant by suffix.

    Args:
        shapes: name to shape.
        seed: the trial's.
        initializer: the experiment's.
        own: see `own_initializers`.

    Raises:
        TrainingError: a name whose suffix says nothing about how to start it, or a shape that its initializer cannot
            start.
    """
    generator = _generator(seed, _WEIGHTS)
    named = own or {}
    return {
        name: _initial_value(name, shape, named.get(name) or _by_suffix(name, initializer), generator)
        for name, shape in shapes.items()
    }


def own_initializers(symbol_json: str) -> dict[str, Initializer]:
    """Initializers that variables of a symbol bring along, by name.

    ``mx.sym.var(init=...)`` leaves them in the attribute ``__init__``, and so do layers, on moving statistics and on
    the slope of a PReLU.

    Args:
        symbol_json: what ``Symbol.tojson()`` wrote.

    Raises:
        TrainingError: one of them is not known here.
    """
    return {
        node["name"]: _own(node["name"], node["attrs"]["__init__"])
        for node in json.loads(symbol_json)["nodes"]
        if node["op"] == "null" and "__init__" in node.get("attrs", {})
    }


def epoch_order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """The order, int64 (count,), in which epoch number ``epoch`` visits the training images."""
    return _generator(seed, _ORDER, epoch).permutation(count)


def noise_seed(seed: int, epoch: int) -> NDArray[np.uint32]:
    """What dropout and its kin are seeded with in epoch number ``epoch``: uint32 (2,)."""
    return _generator(seed, _NOISE, epoch).integers(0, 2**32, 2, np.uint32)


def _generator(seed: int, *stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=stream)))


def _own(name: str, text: str) -> Initializer:
    try:
        return from_mxnet(text)
    except DeclarationError as error:
        raise TrainingError(f"variable {name}: {error}") from error


def _by_suffix(name: str, initializer: Initializer) -> Initializer | float:
    if name.endswith("weight"):
        return initializer
    for suffix, value in _CONSTANTS.items():
        if name.endswith(suffix):
            return value
    raise TrainingError(
        f"parameter {name}: expected a name ending in weight, {', '.join(_CONSTANTS)}, which says how to start it, or "
        f"an initializer of its own; rename the variable in build_graph(), or give it one: "
        f"mx.sym.var({name!r}, init=mx.init.Zero())"
    )


def _initial_value(
    name: str, shape: Shape, start: Initializer | float, generator: np.random.Generator
) -> NDArray[np.float32]:
    if isinstance(start, float):
        return np.full(shape, start, np.float32)
    try:
        value: NDArray[Any] = np.asarray(start.draw(shape, generator))
    except DeclarationError as error:
        raise TrainingError(f"parameter {name}: {error}") from error
    if value.shape != shape or value.dtype != np.float32 or not np.isfinite(value).all():
        raise TrainingError(
            f"parameter {name}: expected {start} to draw finite float32 numbers of shape {shape}, found "
            f"{value.dtype} of shape {value.shape}, {np.count_nonzero(~np.isfinite(value))} of them not finite; "
            f"mend its draw()"
        )
    return value
