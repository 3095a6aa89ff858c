"""Fully connected layers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from harness.train.xla.attributes import Settings, flag, integer
from harness.train.xla.operators.operator import Array, Family, Run, Shapes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.artifact import Shape

DENSE = Family()


def _fully_connected_shapes(settings: Settings, shapes: Shapes) -> Mapping[int, Shape]:
    data = shapes[0]
    if data is None:
        return {}
    features = math.prod(data[1:]) if settings.flatten else data[-1]
    weight = {1: (settings.num_hidden, features)}
    return weight if settings.no_bias else weight | {2: (settings.num_hidden,)}


@DENSE.add(
    "FullyConnected",
    infer=_fully_connected_shapes,
    inputs=lambda settings: 2 if settings.no_bias else 3,
    num_hidden=integer(least=1),
    no_bias=flag(default=False),
    flatten=flag(default=True),
)
def fully_connected(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
    """``data @ weight.T + bias``."""
    del run
    data, weight = inputs[:2]
    if settings.flatten:
        data = data.reshape(data.shape[0], -1)
    result = jnp.matmul(data, weight.T, precision=jax.lax.Precision.HIGHEST)
    return result if settings.no_bias else result + inputs[2]
