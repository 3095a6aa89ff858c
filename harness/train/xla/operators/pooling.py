"""Pooling over one and two dimensions."""

from __future__ import annotations

import operator
from functools import reduce
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from harness.train.xla.attributes import IGNORED, Settings, choice, flag, integers, misfit, only, optional, unsupported
from harness.train.xla.operators.derivatives import maximum
from harness.train.xla.operators.operator import Array, Family, Run, Shapes
from harness.train.xla.operators.windows import LAYOUT, LAYOUTS, PAD, STRIDE, Windows, check_fit, windows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.artifact import Shape

POOLING = Family()


def _global_window(settings: Settings, data: Shape) -> Windows:
    """The whole of the data, whatever kernel, stride and pad say."""
    if len(data) - 2 not in LAYOUTS.values():
        raise unsupported(settings.node, f"data of {len(data)} dimensions", expected="3 or 4")
    if settings.layout != "None" and LAYOUTS[settings.layout] != len(data) - 2:
        raise misfit(settings.node, f"data as layout {settings.layout} says", data)
    ones, zeros = (1,) * (len(data) - 2), (0,) * (len(data) - 2)
    return Windows(kernel=data[2:], stride=ones, pad=zeros, dilate=ones)


def _window(settings: Settings, data: Shape) -> Windows:
    return _global_window(settings, data) if settings.global_pool else windows(settings)


def _counts(settings: Settings, window: Windows, data: Shape) -> Shape:
    """How many windows there are along each dimension: those that fit, or (full) those that begin before the end."""
    room = [size + 2 * pad - kernel for size, pad, kernel in zip(data[2:], window.pad, window.kernel, strict=True)]
    full = settings.pooling_convention == "full"
    return tuple(
        1 + (-(-length // stride) if full else length // stride)
        for length, stride in zip(room, window.stride, strict=True)
    )


def _pooling_shapes(settings: Settings, shapes: Shapes) -> Mapping[int, Shape]:
    data = shapes[0]
    if data is None:
        return {}
    window = _window(settings, data)
    check_fit(settings, window, data)
    if any(pad >= kernel for pad, kernel in zip(window.pad, window.kernel, strict=True)):
        raise misfit(settings.node, f"a pad smaller than the kernel, {window.kernel}", window.pad)
    counts = _counts(settings, window, data)
    for count, stride, pad, size in zip(counts, window.stride, window.pad, data[2:], strict=True):
        if (count - 1) * stride - pad >= size:
            raise unsupported(settings.node, "pooling_convention=full with a window that lies outside the data")
    if _cut_off_average(settings, window, data):
        raise unsupported(settings.node, "pooling_convention=full with averages over windows that are cut off")
    return {}


def _cut_off_average(settings: Settings, window: Windows, data: Shape) -> bool:
    """Whether windows that reach beyond the padding are averaged, and padding counts.

    MXNet 1.9.1 has two kernels for that, which divide by different counts: which one it takes differs between training
    and prediction, and going backward it is judged by the output's size instead of the data's.
    """
    measures = zip(data[2:], window.pad, window.kernel, window.stride, strict=True)
    averaged = settings.pool_type == "avg" and settings.count_include_pad is not False
    full = settings.pooling_convention == "full"
    return averaged and full and any((size + 2 * pad - kernel) % stride for size, pad, kernel, stride in measures)


def _elements(settings: Settings, window: Windows, data: Shape) -> Array:
    """How many elements each window's average is over, float32; MXNet counts padding, but no further than it goes."""
    result = np.ones((), np.float32)
    for count, stride, pad, size, kernel in zip(
        _counts(settings, window, data), window.stride, window.pad, data[2:], window.kernel, strict=True
    ):
        start = np.arange(count) * stride - pad
        stop = np.minimum(start + kernel, size + pad)
        if settings.count_include_pad is False:
            start, stop = np.maximum(start, 0), np.minimum(stop, size)
        result = np.multiply.outer(result, (stop - start).astype(np.float32))
    return result


@POOLING.add(
    "Pooling",
    infer=_pooling_shapes,
    kernel=integers((), least=1),
    stride=STRIDE,
    pad=PAD,
    pool_type=choice("max", "avg", "sum", default="max"),
    global_pool=flag(default=False),
    pooling_convention=choice("valid", "full", default="valid"),
    count_include_pad=optional(flag(default=True)),
    layout=LAYOUT,
    p_value=only("None", default=None),
    cudnn_off=IGNORED,
)
def pooling(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
    """The largest element, the mean or the sum of each window; of equal largest ones the first takes the gradient."""
    del run
    [data] = inputs
    window = _window(settings, data.shape)
    counts = _counts(settings, window, data.shape)
    result = data
    largest = settings.pool_type == "max"
    measures = zip(window.kernel, window.stride, window.pad, counts, strict=True)
    for axis, (kernel, stride, pad, count) in enumerate(measures, start=2):
        result = _along(result, axis, kernel=kernel, stride=stride, pad=pad, count=count, largest=largest)
    return result / _elements(settings, window, data.shape) if settings.pool_type == "avg" else result


def _along(data: Array, axis: int, *, kernel: int, stride: int, pad: int, count: int, largest: bool) -> Array:
    """Pool along one dimension.

    Dimensions can be pooled one after the other, also as to which of equal elements comes first. On CPUs this takes a
    third to a tenth of the time of ``jax.lax.reduce_window``, most of it in the gradient.
    """
    length = (count - 1) * stride + kernel
    padding = [(0, 0, 0)] * data.ndim
    padding[axis] = (pad, length - pad - data.shape[axis], 0)  # cuts off what no window reaches
    data = jax.lax.pad(data, jnp.asarray(-jnp.inf if largest else 0, data.dtype), padding)
    if stride == kernel:
        apart = data.reshape(*data.shape[:axis], count, kernel, *data.shape[axis + 1 :])
        parts = [jax.lax.index_in_dim(apart, place, axis + 1, keepdims=False) for place in range(kernel)]
    else:
        last = (count - 1) * stride + 1
        parts = [jax.lax.slice_in_dim(data, place, place + last, stride, axis) for place in range(kernel)]
    return reduce(maximum if largest else operator.add, parts)
