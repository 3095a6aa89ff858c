"""Convolutions over one and two dimensions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from harness.train.xla.attributes import IGNORED, Settings, flag, integer, integers, misfit
from harness.train.xla.operators.operator import Array, Family, Run, Shapes
from harness.train.xla.operators.windows import KERNEL, LAYOUT, PAD, STRIDE, Windows, check_fit, windows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.artifact import Shape

CONVOLUTION = Family()

_DIMENSIONS = {1: ("NCH", "OIH", "NCH"), 2: ("NCHW", "OIHW", "NCHW")}


def _convolution_shapes(settings: Settings, shapes: Shapes) -> Mapping[int, Shape]:
    data, window, groups = shapes[0], windows(settings), settings.num_group
    if data is None:
        return {}
    check_fit(settings, window, data)
    if data[1] % groups or settings.num_filter % groups:
        found = f"{data[1]} channels and {settings.num_filter} filters"
        raise misfit(settings.node, f"channels and filters that num_group={groups} divides", found)
    weight = {1: (settings.num_filter, data[1] // groups, *window.kernel)}
    return weight if settings.no_bias else weight | {2: (settings.num_filter,)}


@CONVOLUTION.add(
    "Convolution",
    infer=_convolution_shapes,
    inputs=lambda settings: 2 if settings.no_bias else 3,
    kernel=KERNEL,
    stride=STRIDE,
    pad=PAD,
    dilate=integers((), least=1),
    num_filter=integer(least=1),
    num_group=integer(1, least=1),
    no_bias=flag(default=False),
    layout=LAYOUT,
    workspace=IGNORED,
    cudnn_tune=IGNORED,
    cudnn_off=IGNORED,
)
def convolution(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
    """Cross-correlation of data (n, channels, ...) with weights (filters, channels / groups, ...)."""
    del run
    window, groups = windows(settings), settings.num_group
    # On CPUs XLA has no fast code for a convolution inside a loop: there LeNet's second layer, forward and backward,
    # takes seventy times as long as the matrix product does.
    result = jax.lax.platform_dependent(
        *inputs[:2],
        cpu=partial(by_matrix, window=window, groups=groups),
        default=partial(by_library, window=window, groups=groups),
    )
    return result if settings.no_bias else result + inputs[2].reshape(-1, *[1] * len(window.kernel))


def by_library(data: Array, weight: Array, *, window: Windows, groups: int) -> Array:
    """A convolution, float32 (n, filters, ...), as the device's library computes it."""
    return jax.lax.conv_general_dilated(
        data,
        weight,
        window_strides=window.stride,
        padding=[(pad, pad) for pad in window.pad],
        rhs_dilation=window.dilate,
        dimension_numbers=_DIMENSIONS[len(window.kernel)],
        feature_group_count=groups,
        precision=jax.lax.Precision.HIGHEST,
    )


def by_matrix(data: Array, weight: Array, *, window: Windows, groups: int) -> Array:
    """The same as a product of what each window sees and the weights."""
    filters, channels = weight.shape[:2]
    data = jnp.pad(jnp.moveaxis(data, 1, -1), [(0, 0), *((pad, pad) for pad in window.pad), (0, 0)])
    counts = [
        (size - extent) // stride + 1
        for size, extent, stride in zip(data.shape[1:-1], window.extent, window.stride, strict=True)
    ]
    seen = [
        data[
            :,
            *(
                slice(place * dilate, place * dilate + (count - 1) * stride + 1, stride)
                for place, dilate, count, stride in zip(places, window.dilate, counts, window.stride, strict=True)
            ),
        ]
        for places in np.ndindex(*window.kernel)
    ]
    rows, places = seen[0].size // seen[0].shape[-1], len(seen)
    patches = jnp.concatenate(seen, axis=-1).reshape(rows, places, groups, channels)
    patches = jnp.moveaxis(patches, 2, 0).reshape(groups, rows, places * channels)
    kernels = weight.reshape(groups, filters // groups, channels, places).transpose(0, 3, 2, 1)
    kernels = kernels.reshape(groups, places * channels, filters // groups)
    result = jnp.matmul(patches, kernels, precision=jax.lax.Precision.HIGHEST)
    return jnp.moveaxis(jnp.moveaxis(result, 0, 1).reshape(len(data), *counts, filters), -1, 1)
