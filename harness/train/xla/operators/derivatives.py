"""Derivatives as MXNet's kernels compute them, where JAX's own differ.

They differ at ties, at kinks and at the ends of a function's domain; and where MXNet 1.9.1 computes something else than
the derivative, engine ``xla`` does the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.train.xla.operators.operator import Array


def with_partials(function: Callable[..., Array], *partials: Callable[..., Array]) -> Callable[..., Array]:
    """An elementwise function, broadcasting its arguments, with given partial derivatives.

    Args:
        function: of arrays.
        partials: for each argument its partial derivative, a function of all arguments.
    """

    @jax.custom_jvp
    def apply(*arrays: Array) -> Array:
        return function(*arrays)

    def tangent_of(arrays: Sequence[Array], tangents: Sequence[Array]) -> tuple[Array, Array]:
        result = apply(*arrays)
        terms = [
            tangent * partial(*arrays).astype(result.dtype)
            for tangent, partial in zip(tangents, partials, strict=True)
            if not isinstance(tangent, SymbolicZero)
        ]
        return result, sum(terms, start=jnp.zeros_like(result))

    apply.defjvp(tangent_of, symbolic_zeros=True)
    return apply


# Where two are equal, the gradient goes to the left one.
maximum = with_partials(jnp.maximum, lambda a, b: a >= b, lambda a, b: a < b)
minimum = with_partials(jnp.minimum, lambda a, b: a <= b, lambda a, b: a > b)
