"""Functions of each element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from harness.train.xla.attributes import Settings, number
from harness.train.xla.operators.derivatives import with_partials
from harness.train.xla.operators.operator import Array, Family, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FUNCTIONS = Family()

_FUNCTIONS: dict[tuple[str, ...], Any] = {
    ("negative",): jnp.negative,
    ("abs",): with_partials(jnp.abs, jnp.sign),
    ("exp",): jnp.exp,
    ("log",): jnp.log,
    ("sqrt",): jnp.sqrt,
    ("square",): jnp.square,
    ("relu",): jax.nn.relu,
    ("sigmoid",): jax.nn.sigmoid,
    ("tanh",): jnp.tanh,
    ("_copy", "identity"): lambda data: data,
    ("BlockGrad", "stop_gradient"): jax.lax.stop_gradient,
}


def _of_one(function: Any) -> Callable[[Settings, Sequence[Array], Run], Array]:
    def apply(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
        del settings, run
        return function(inputs[0])

    return apply


for _names, _function in _FUNCTIONS.items():
    FUNCTIONS.add(*_names, alike=True)(_of_one(_function))


@FUNCTIONS.add("clip", alike=True, a_min=number(), a_max=number())
def clip(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
    """Between two numbers; at these numbers themselves the derivative is 1."""
    del run
    low, high = settings.a_min, settings.a_max

    def within(data: Array) -> Array:
        return jnp.where(data > high, high, jnp.where(data < low, low, data))

    return with_partials(within, lambda data: (data >= low) & (data <= high))(inputs[0])
