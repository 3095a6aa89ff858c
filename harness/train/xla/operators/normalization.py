"""Layers that behave differently in training: batch normalization and dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from harness.errors import TrainingError
from harness.train.xla.attributes import (
    IGNORED,
    Settings,
    choice,
    flag,
    fraction,
    integer,
    integers,
    misfit,
    number,
    off,
)
from harness.train.xla.operators.operator import Array, Family, Run, Shapes, Updated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.artifact import Shape

NORMALIZATION = Family()


def _batch_norm_shapes(settings: Settings, shapes: Shapes) -> Mapping[int, Shape]:
    data = shapes[0]
    if data is None:
        return {}
    if not -len(data) <= settings.axis < len(data):
        raise misfit(settings.node, f"an axis of data of {len(data)} dimensions", settings.axis)
    return dict.fromkeys(range(1, 5), (data[settings.axis],))


@NORMALIZATION.add(
    "BatchNorm",
    infer=_batch_norm_shapes,
    inputs=5,
    auxiliary=(3, 4),
    fixed=lambda settings: {1: 1.0} if settings.fix_gamma else {},
    eps=number(1e-3),
    momentum=number(0.9),
    fix_gamma=flag(default=True),
    use_global_stats=flag(default=False),
    axis=integer(1),
    output_mean_var=off(),
    cudnn_off=IGNORED,
    min_calib_range=IGNORED,  # of quantization
    max_calib_range=IGNORED,
)
def batch_norm(settings: Settings, inputs: Sequence[Array], run: Run) -> Array | Updated:
    """Each channel scaled to mean ``beta`` and deviation ``gamma``, by its batch's statistics or by the moving ones.

    The variance is the biased one, also the moving one. A fixed gamma counts as 1 and has no gradient.
    """
    data, gamma, beta, moving_mean, moving_variance = inputs
    axis = settings.axis % data.ndim
    shape = [-1 if dimension == axis else 1 for dimension in range(data.ndim)]

    def scaled(mean: Array, variance: Array) -> Array:
        scale = jax.lax.rsqrt(variance + settings.eps)
        if not settings.fix_gamma:
            scale = scale * gamma
        return (data - mean.reshape(shape)) * scale.reshape(shape) + beta.reshape(shape)

    if settings.use_global_stats or not run.training:
        return scaled(moving_mean, moving_variance)
    others = tuple(dimension for dimension in range(data.ndim) if dimension != axis)
    mean, variance = jnp.mean(data, axis=others), jnp.var(data, axis=others)

    def moved(moving: Array, batch: Array) -> Array:
        return jax.lax.stop_gradient(moving * settings.momentum + batch * (1 - settings.momentum))

    return Updated((scaled(mean, variance),), {3: moved(moving_mean, mean), 4: moved(moving_variance, variance)})


def _dropout_shapes(settings: Settings, shapes: Shapes) -> Mapping[int, Shape]:
    data = shapes[0]
    if data is not None and not all(0 <= axis < len(data) for axis in settings.axes):
        raise misfit(settings.node, f"axes of data of {len(data)} dimensions", settings.axes)
    return {}


@NORMALIZATION.add(
    "Dropout",
    infer=_dropout_shapes,
    random=True,
    p=fraction(0.5),
    mode=choice("training", "always", default="training"),
    axes=integers((), least=0),
    cudnn_off=IGNORED,
)
def dropout(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
    """Zero with probability ``p``, all others scaled by ``1 / (1 - p)``; along ``axes`` all share one fate."""
    [data] = inputs
    if not settings.p or not (run.training or settings.mode == "always"):
        return data
    if run.key is None:
        raise TrainingError(
            f"{settings.node}: expected a random key, found none; pass one"
            + (", also in predictions, or write the graph without mode=always" if settings.mode == "always" else "")
        )
    shape = [1 if axis in settings.axes else size for axis, size in enumerate(data.shape)]
    kept = jax.random.bernoulli(run.key, 1 - settings.p, shape)
    return data * jnp.where(kept, 1 / (1 - settings.p), 0).astype(data.dtype)
