"""Arithmetic between tensors, and between a tensor and a number."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from harness.train.xla.attributes import IGNORED, Settings, integer, misfit, number
from harness.train.xla.operators.derivatives import maximum, minimum, with_partials
from harness.train.xla.operators.operator import Array, Family, Run, Shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.artifact import Shape

ARITHMETIC = Family()

Binary = Any
"""A function of two arrays, or of an array and a number."""

_power = with_partials(jnp.power, lambda a, b: b * jnp.power(a, b - 1), lambda a, b: jnp.power(a, b) * jnp.log(a))

_BINARY: dict[Binary, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    operator.add: (
        ("elemwise_add", "_add", "_plus", "_Plus"),
        ("broadcast_add", "broadcast_plus"),
        ("_plus_scalar", "_PlusScalar"),
        (),
    ),
    operator.sub: (
        ("elemwise_sub", "_sub", "_minus", "_Minus"),
        ("broadcast_sub", "broadcast_minus"),
        ("_minus_scalar", "_MinusScalar"),
        ("_rminus_scalar", "_RMinusScalar"),
    ),
    operator.mul: (
        ("elemwise_mul", "_mul", "_Mul"),
        ("broadcast_mul",),
        ("_mul_scalar", "_MulScalar"),
        (),
    ),
    operator.truediv: (
        ("elemwise_div", "_div", "_Div"),
        ("broadcast_div",),
        ("_div_scalar", "_DivScalar"),
        ("_rdiv_scalar", "_RDivScalar"),
    ),
    _power: (
        ("_power", "_Power"),
        ("broadcast_power",),
        ("_power_scalar", "_PowerScalar"),
        ("_rpower_scalar", "_RPowerScalar"),
    ),
    maximum: (
        ("_maximum", "_Maximum"),
        ("broadcast_maximum",),
        ("_maximum_scalar", "_MaximumScalar"),
        (),
    ),
    minimum: (
        ("_minimum", "_Minimum"),
        ("broadcast_minimum",),
        ("_minimum_scalar", "_MinimumScalar"),
        (),
    ),
}
"""Function to its names between tensors of one shape, between tensors that are broadcast, with a number on the right,
and with a number on the left."""


def _of_two(function: Binary) -> Callable[[Settings, Sequence[Array], Run], Array]:
    def apply(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
        del settings, run
        return function(*inputs)

    return apply


def _with_number(function: Binary, *, left: bool) -> Callable[[Settings, Sequence[Array], Run], Array]:
    def apply(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
        del run
        scalar = jnp.asarray(settings.scalar, inputs[0].dtype)
        return function(scalar, inputs[0]) if left else function(inputs[0], scalar)

    return apply


def _broadcast_shapes(settings: Settings, shapes: Shapes) -> Mapping[int, Shape]:
    known = [shape for shape in shapes if shape is not None]
    try:
        np.broadcast_shapes(*known)
    except ValueError:
        raise misfit(settings.node, "shapes that can be broadcast together", ", ".join(map(str, known))) from None
    return {}


for _function, (_alike, _broadcast, _right, _left) in _BINARY.items():
    ARITHMETIC.add(*_alike, inputs=2, alike=True)(_of_two(_function))
    ARITHMETIC.add(*_broadcast, inputs=2, infer=_broadcast_shapes)(_of_two(_function))
    for _names, _is_left in ((_right, False), (_left, True)):
        # is_int tells apart results for tensors of whole numbers only.
        ARITHMETIC.add(*_names, alike=True, scalar=number(1.0), is_int=IGNORED)(_with_number(_function, left=_is_left))


@ARITHMETIC.add(
    "add_n",
    "ElementWiseSum",
    inputs=lambda settings: settings.num_args,
    alike=True,
    num_args=integer(least=1),
)
def add_n(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
    """The sum of tensors of one shape."""
    del settings, run
    return sum(inputs[1:], start=inputs[0])
