"""The functions between layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from harness.train.xla.attributes import IGNORED, Settings, choice, misfit, number
from harness.train.xla.operators.derivatives import with_partials
from harness.train.xla.operators.operator import Array, Family, Run, Shapes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.artifact import Shape

ACTIVATIONS = Family()

_softsign = with_partials(jax.nn.soft_sign, lambda x: 1 / jnp.square(1 + jnp.abs(x)))

_TYPES = {
    "relu": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "softrelu": jax.nn.softplus,
    "softsign": _softsign,
}


@ACTIVATIONS.add("Activation", alike=True, act_type=choice(*_TYPES))
def activation(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
    """Elementwise; the derivative of relu at 0 is 0."""
    del run
    return _TYPES[settings.act_type](inputs[0])


_LAMBDA, _ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def _selu(x: Array) -> Array:
    return _LAMBDA * jnp.where(x > 0, x, _ALPHA * jnp.expm1(x))


_selu_with_gradient = with_partials(
    _selu,
    # MXNet 1.9.1 multiplies by lambda once more than the derivative does (which is lambda * alpha + selu(x)).
    lambda x: jnp.where(x > 0, _LAMBDA, _LAMBDA * (_ALPHA + _selu(x))),
)


def _elu(x: Array, slope: Array) -> Array:
    # expm1 of what the other branch takes would overflow, and its derivative with it.
    return jnp.where(x > 0, x, slope * jnp.expm1(jnp.where(x > 0, 0, x)))


def _leaky_relu_inputs(settings: Settings) -> int:
    return 2 if settings.act_type == "prelu" else 1


def _leaky_relu_shapes(settings: Settings, shapes: Shapes) -> Mapping[int, Shape]:
    data = shapes[0]
    if data is None or settings.act_type != "prelu":
        return {}
    if len(data) == 1:
        raise misfit(settings.node, "data of at least 2 dimensions", data)
    return {1: (1,) if shapes[1] == (1,) else data[1:2]}


@ACTIVATIONS.add(
    "LeakyReLU",
    infer=_leaky_relu_shapes,
    inputs=_leaky_relu_inputs,
    act_type=choice("leaky", "elu", "selu", "gelu", "prelu", default="leaky"),
    slope=number(0.25),
    lower_bound=IGNORED,  # what rrelu draws its slopes from
    upper_bound=IGNORED,
)
def leaky_relu(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
    """Elementwise; derivatives at 0 are those from below."""
    del run
    data = inputs[0]
    match settings.act_type:
        case "leaky":
            return jnp.where(data > 0, data, settings.slope * data)
        case "elu":
            return _elu(data, settings.slope)
        case "selu":
            return _selu_with_gradient(data)
        case "gelu":
            return jax.nn.gelu(data, approximate=False)
    gamma = inputs[1].reshape(-1, *[1] * (data.ndim - 2))
    return jnp.where(data > 0, data, gamma * data)
