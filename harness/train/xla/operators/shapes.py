"""Operators that move numbers and compute none."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from harness.train.xla.attributes import Settings, flag, integer, integers, misfit, off, only, optional, unsupported
from harness.train.xla.operators.operator import Array, Family, Run, Shapes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.artifact import Shape

SHAPES = Family()


@SHAPES.add("Flatten", "flatten")
def flatten(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
    """All but the first dimension become one."""
    del settings, run
    return inputs[0].reshape(inputs[0].shape[0], -1)


def _merge(settings: Settings, source: list[int]) -> list[int]:
    if len(source) < 2:  # noqa: PLR2004 - two become one
        raise misfit(settings.node, "two dimensions to merge for -3", len(source))
    return [source.pop(0) * source.pop(0)]


def _split(settings: Settings, source: list[int], codes: list[int]) -> list[int]:
    if not source or len(codes) < 2 or codes[:2].count(-1) == 2:  # noqa: PLR2004 - one becomes two
        raise misfit(settings.node, "a dimension and two sizes, at most one -1, for -4", settings.shape)
    whole, first, second = source.pop(0), codes.pop(0), codes.pop(0)
    first = whole // second if first == -1 else first
    second = whole // first if second == -1 else second
    if first * second != whole:
        raise misfit(settings.node, f"two sizes that make {whole} for -4", (first, second))
    return [first, second]


def _target(settings: Settings, shape: Shape) -> Shape:
    """Where a Reshape leads, by sizes and by MXNet's codes.

    0 keeps a dimension, -1 is what is left over, -2 keeps all others, -3 makes one of two, -4 two of one.
    """
    turned = slice(None, None, -1 if settings.reverse else 1)
    source, codes = list(shape[turned]), list(settings.shape[turned])
    target: list[int] = []
    while codes:
        code = codes.pop(0)
        if code == -1 and len(target) + len(codes) + 1 != len(settings.shape):
            # MXNet 1.9.1 then puts what is left over into another dimension.
            raise unsupported(settings.node, f"shape={settings.shape} with a -1 behind -2 or -4")
        if code == 0 and not source:
            raise misfit(settings.node, "a dimension to keep for 0", "none")
        if code == 0:
            target.append(source.pop(0))
        elif code == -2:  # noqa: PLR2004 - MXNet's code
            target += source
            source = []
        elif code == -3:  # noqa: PLR2004 - MXNet's code
            target += _merge(settings, source)
        elif code == -4:  # noqa: PLR2004 - MXNet's code
            target += _split(settings, source, codes)
        else:
            target.append(code)
            del source[:1]
    return tuple(_solved(settings, target, math.prod(shape))[turned])


def _solved(settings: Settings, target: list[int], size: int) -> list[int]:
    known = math.prod(length for length in target if length != -1)
    free = target.count(-1)
    if free > 1 or known == 0 or (size % known if free else size != known):
        raise misfit(settings.node, f"a shape of {size} numbers", settings.shape)
    return [size // known if length == -1 else length for length in target]


def _reshape_shapes(settings: Settings, shapes: Shapes) -> Mapping[int, Shape]:
    del shapes
    if not settings.shape:
        raise unsupported(settings.node, "a Reshape without shape")
    return {}


@SHAPES.add(
    "Reshape",
    "reshape",
    infer=_reshape_shapes,
    shape=integers((), least=-4),
    reverse=flag(default=False),
    target_shape=only("()", "[]", "(0,0)", "(0, 0)", default=()),
    keep_highest=off(),
)
def reshape(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
    """The same numbers, in the same order, in another shape."""
    del run
    return inputs[0].reshape(_target(settings, inputs[0].shape))


def _transpose_shapes(settings: Settings, shapes: Shapes) -> Mapping[int, Shape]:
    if shapes[0] is not None and settings.axes and sorted(settings.axes) != list(range(len(shapes[0]))):
        raise misfit(settings.node, f"axes that order {len(shapes[0])} dimensions", settings.axes)
    return {}


@SHAPES.add("transpose", infer=_transpose_shapes, axes=integers(()))
def transpose(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
    """Dimensions in another order; without axes, in the reverse one."""
    del run
    return jnp.transpose(inputs[0], settings.axes or None)


def _expand_dims_shapes(settings: Settings, shapes: Shapes) -> Mapping[int, Shape]:
    if shapes[0] is not None and not -len(shapes[0]) - 1 <= settings.axis <= len(shapes[0]):
        raise misfit(settings.node, f"an axis of {len(shapes[0]) + 1} dimensions", settings.axis)
    return {}


@SHAPES.add("expand_dims", infer=_expand_dims_shapes, axis=integer())
def expand_dims(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
    """One more dimension, of size 1."""
    del run
    return jnp.expand_dims(inputs[0], settings.axis)


def _squeeze_shapes(settings: Settings, shapes: Shapes) -> Mapping[int, Shape]:
    data = shapes[0]
    if data is not None and settings.axis is not None:
        ones = {axis for axis, size in enumerate(data) if size == 1}
        chosen = [axis % len(data) for axis in settings.axis if -len(data) <= axis < len(data)]
        if len(set(chosen)) < len(settings.axis) or not ones.issuperset(chosen):
            raise misfit(settings.node, f"distinct axes of size 1 of data of shape {data}", settings.axis)
    return {}


@SHAPES.add("squeeze", infer=_squeeze_shapes, axis=optional(integers(None)))
def squeeze(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
    """Without dimensions of size 1: some, or all."""
    del run
    result = jnp.squeeze(inputs[0], settings.axis)
    return result.reshape(result.shape or (1,))  # MXNet has no tensors without a dimension


def _concat_inputs(settings: Settings) -> int:
    return int(settings.num_args)


def _concat_shapes(settings: Settings, shapes: Shapes) -> Mapping[int, Shape]:
    known = [shape for shape in shapes if shape is not None]
    if not known:
        return {}
    dimensions = len(known[0])
    if not -dimensions <= settings.dim < dimensions:
        raise misfit(settings.node, f"dim of data of {dimensions} dimensions", settings.dim)
    axis = settings.dim % dimensions
    if len({(*shape[:axis], *shape[axis + 1 :]) for shape in known}) > 1:
        raise misfit(settings.node, f"inputs that differ in dimension {axis} alone", ", ".join(map(str, known)))
    return {}


@SHAPES.add("Concat", "concat", infer=_concat_shapes, inputs=_concat_inputs, num_args=integer(least=1), dim=integer(1))
def concat(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
    """Side by side along a dimension."""
    del run
    return jnp.concatenate(inputs, axis=settings.dim)


def _slice_channel_shapes(settings: Settings, shapes: Shapes) -> Mapping[int, Shape]:
    data = shapes[0]
    if data is None:
        return {}
    if not -len(data) <= settings.axis < len(data):
        raise misfit(settings.node, f"an axis of data of {len(data)} dimensions", settings.axis)
    size = data[settings.axis]
    if size % settings.num_outputs or (settings.squeeze_axis and size != settings.num_outputs):
        raise misfit(settings.node, f"{settings.num_outputs} equal parts of dimension {settings.axis}", data)
    return {}


@SHAPES.add(
    "SliceChannel",
    "split",
    infer=_slice_channel_shapes,
    num_outputs=integer(least=1),
    axis=integer(1),
    squeeze_axis=flag(default=False),
)
def slice_channel(settings: Settings, inputs: Sequence[Array], run: Run) -> tuple[Array, ...]:
    """Equal parts along a dimension, an output each."""
    del run
    parts = jnp.split(inputs[0], settings.num_outputs, axis=settings.axis)
    return tuple(jnp.squeeze(part, settings.axis) if settings.squeeze_axis else part for part in parts)


def _slice_axis_bounds(settings: Settings, shape: Shape) -> tuple[int, int]:
    if not -len(shape) <= settings.axis < len(shape):
        raise misfit(settings.node, f"an axis of data of {len(shape)} dimensions", settings.axis)
    size = shape[settings.axis]
    begin = settings.begin + (size if settings.begin < 0 else 0)
    end = size if settings.end is None else settings.end + (size if settings.end < 0 else 0)
    if not 0 <= begin < end <= size:
        raise misfit(settings.node, f"begin and end within {size}", (settings.begin, settings.end))
    return begin, end


@SHAPES.add("slice_axis", axis=integer(), begin=integer(), end=optional(integer()))
def slice_axis(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
    """A range along a dimension."""
    del run
    begin, end = _slice_axis_bounds(settings, inputs[0].shape)
    return jax.lax.slice_in_dim(inputs[0], begin, end, axis=settings.axis % inputs[0].ndim)
