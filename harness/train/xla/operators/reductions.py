"""Operators that make one number out of many, and those that share one out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from harness.train.xla.attributes import Settings, flag, integer, integers, misfit, number, off, only, optional
from harness.train.xla.operators.operator import Array, Family, Run, Shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.artifact import Shape

REDUCTIONS = Family()


def _axes(settings: Settings, dimensions: int) -> tuple[int, ...]:
    """Which axes go, in order."""
    axes = sorted(axis % dimensions for axis in settings.axis or () if -dimensions <= axis < dimensions)
    if len(set(axes)) < len(settings.axis or ()):
        raise misfit(settings.node, f"distinct axes of data of {dimensions} dimensions", settings.axis)
    if not axes:
        return tuple(range(dimensions))
    return tuple(axis for axis in range(dimensions) if (axis in axes) != settings.exclude)


def _extreme(best: Callable[..., Array]) -> Callable[..., Array]:
    """Of equal extremes each takes the whole gradient, where JAX shares it among them."""

    def reduce(data: Array, axes: tuple[int, ...]) -> Array:
        @jax.custom_jvp
        def apply(data: Array) -> Array:
            return best(data, axis=axes, keepdims=True)

        @apply.defjvp
        def tangent_of(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
            result = apply(*primals)
            return result, jnp.sum(tangents[0] * (primals[0] == result), axis=axes, keepdims=True)

        return apply(data)

    return reduce


_REDUCTIONS: dict[tuple[str, ...], Any] = {
    ("sum", "sum_axis"): lambda data, axes: jnp.sum(data, axis=axes, keepdims=True),
    ("mean",): lambda data, axes: jnp.mean(data, axis=axes, keepdims=True),
    ("max", "max_axis"): _extreme(jnp.max),
    ("min", "min_axis"): _extreme(jnp.min),
}


def _reduced(function: Any) -> Callable[[Settings, Sequence[Array], Run], Array]:
    def apply(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
        del run
        axes = _axes(settings, inputs[0].ndim)
        result = function(inputs[0], axes)
        if settings.keepdims:
            return result
        # MXNet has no tensors without a dimension.
        return result.reshape([size for axis, size in enumerate(inputs[0].shape) if axis not in axes] or [1])

    return apply


for _names, _function in _REDUCTIONS.items():
    REDUCTIONS.add(
        *_names,
        axis=optional(integers(None)),
        keepdims=flag(default=False),
        exclude=flag(default=False),
    )(_reduced(_function))


def _softmax_shapes(settings: Settings, shapes: Shapes) -> Mapping[int, Shape]:
    data = shapes[0]
    if data is not None and not -len(data) <= settings.axis < len(data):
        raise misfit(settings.node, f"an axis of data of {len(data)} dimensions", settings.axis)
    return {}


for _name, _function in (("softmax", jax.nn.softmax), ("log_softmax", jax.nn.log_softmax)):

    def _apply(settings: Settings, inputs: Sequence[Array], run: Run, function: Any = _function) -> Array:
        del run
        data = inputs[0] if settings.temperature is None else inputs[0] / settings.temperature
        return function(data, axis=settings.axis)

    REDUCTIONS.add(
        _name,
        infer=_softmax_shapes,
        alike=True,
        axis=integer(-1),
        temperature=optional(number(None)),
        dtype=only("None", "float32", default=None),
        use_length=off(),
    )(_apply)
