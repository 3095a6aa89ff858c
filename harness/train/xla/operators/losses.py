"""What a graph ends in: outputs whose gradient is the loss's, as MXNet defines them, whatever comes from above."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from harness.train.xla.attributes import Settings, choice, flag, misfit, number, unsupported
from harness.train.xla.operators.operator import Array, Family, Run, Shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.artifact import Shape

LOSSES = Family()


def _loss(forward: Callable[[Array], Array], gradient: Callable[..., Array]) -> Callable[..., Array]:
    """A function of data and labels with a gradient of its own: none for the labels, none of what comes from above.

    Args:
        forward: data to output.
        gradient: output and labels to the gradient of the data.
    """

    @jax.custom_vjp
    def apply(data: Array, *labels: Array) -> Array:
        del labels
        return forward(data)

    def remember(data: Array, *labels: Array) -> tuple[Array, tuple[Array, ...]]:
        output = forward(data)
        return output, (output, *labels)

    def backward(remembered: tuple[Array, ...], above: Array) -> tuple[Array | None, ...]:
        del above
        return gradient(*remembered), *(None for _ in remembered[1:])

    apply.defvjp(remember, backward)
    return apply


def _softmax_axis(settings: Settings, dimensions: int) -> int:
    return 1 if settings.multi_output else dimensions - 1


def _softmax_output_shapes(settings: Settings, shapes: Shapes) -> Mapping[int, Shape]:
    data, label = shapes
    if data is None:
        return {}
    if len(data) == 1:
        raise misfit(settings.node, "data of at least 2 dimensions", data)
    if settings.multi_output:
        rest = data[2:]
        possible = [(data[0], math.prod(rest)), (data[0], *rest), (data[0], 1, *rest), data]
    elif len(data) == 2 or settings.preserve_shape:  # noqa: PLR2004 - rows of classes
        possible = [data[:-1], data]
    else:
        # MXNet 1.9.1 takes the softmax over all but the first dimension, or over the last one, as its kernels go.
        what = f"data of shape {data} with neither multi_output nor preserve_shape"
        raise unsupported(settings.node, what)
    return {1: label if label in possible else possible[0]}


def _softmax_gradient(settings: Settings, output: Array, label: Array) -> Array:
    if label.shape == output.shape:
        gradient = (output - label) * settings.grad_scale
    else:
        gradient = _gradient_of_classes(settings, output, label)
    # MXNet's documentation says that out_grad multiplies by what comes from above; MXNet 1.9.1 takes its own output.
    return gradient * output if settings.out_grad else gradient


def _gradient_of_classes(settings: Settings, output: Array, label: Array) -> Array:
    """Output minus a target of 0 and 1, or (smooth_alpha) of a little more and a little less, scaled."""
    axis = _softmax_axis(settings, output.ndim)
    count = output.shape[axis]
    # A label's fraction is cut off, as MXNet's conversion to int does.
    chosen = label.astype(jnp.int32).reshape(*output.shape[:axis], 1, *output.shape[axis + 1 :])
    classes = jnp.arange(count, dtype=jnp.int32).reshape(-1, *[1] * (output.ndim - 1 - axis))
    target = (chosen == classes).astype(output.dtype)
    if settings.smooth_alpha and not settings.multi_output:
        target = jnp.where(chosen == classes, 1 - settings.smooth_alpha, settings.smooth_alpha / max(1, count - 1))
    ignored = chosen == int(settings.ignore_label)
    gradient = output - target
    if settings.use_ignore:
        gradient = jnp.where(ignored, 0, gradient)
    return gradient * _softmax_scale(settings, output, ignored)


def _softmax_scale(settings: Settings, output: Array, ignored: Array) -> Array:
    """What the gradient is multiplied by: MXNet divides by different counts, depending on the layout."""
    if settings.normalization == "valid":
        return settings.grad_scale / jnp.maximum(1, jnp.sum(~ignored))
    places = ignored.size // output.shape[0]
    divisor = 1
    if settings.multi_output:
        divisor *= places
    if settings.normalization == "batch":
        divisor *= output.shape[0] if settings.multi_output else ignored.size
    return settings.grad_scale / divisor


@LOSSES.add(
    "SoftmaxOutput",
    "Softmax",
    infer=_softmax_output_shapes,
    inputs=2,
    labels=(1,),
    grad_scale=number(1.0),
    ignore_label=number(-1.0),
    use_ignore=flag(default=False),
    multi_output=flag(default=False),
    preserve_shape=flag(default=False),
    normalization=choice("null", "batch", "valid", default="null"),
    smooth_alpha=number(0.0),
    out_grad=flag(default=False),
)
def softmax_output(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
    """Softmax whose gradient is ``(softmax - target) * grad_scale``.

    The target is one class of each row; or the label itself, if it has the output's shape, and then nothing but
    ``grad_scale`` counts.
    """
    del run
    data, label = inputs
    forward = partial(jax.nn.softmax, axis=_softmax_axis(settings, data.ndim))
    if label is None:
        return forward(data)
    return _loss(forward, partial(_softmax_gradient, settings))(data, label)


def _regression_shapes(settings: Settings, shapes: Shapes) -> Mapping[int, Shape]:
    del settings
    data, label = shapes
    if data is None:
        return {}
    column = all(size == 1 for size in data[1:])
    if label is None:
        return {1: data[:1] if column and len(data) == 2 else data}  # noqa: PLR2004 - a column
    return {1: label if column and label == data[:1] else data}


def _identity(data: Array) -> Array:
    return data


_REGRESSIONS: dict[str, tuple[Any, Any]] = {
    "LinearRegressionOutput": (_identity, jnp.subtract),
    "LogisticRegressionOutput": (jax.nn.sigmoid, jnp.subtract),
    "MAERegressionOutput": (_identity, lambda output, label: jnp.where(output > label, 1.0, -1.0)),
}
"""Operator to its output and to its gradient before scaling."""


def _regression(forward: Any, difference: Any) -> Callable[[Settings, Sequence[Array], Run], Array]:
    def apply(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
        del run
        data, label = inputs
        if label is None:
            return forward(data)
        rows = data.size // data.shape[0]

        def gradient(output: Array, label: Array) -> Array:
            return difference(output, label.reshape(output.shape)) * (settings.grad_scale / rows)

        return _loss(forward, gradient)(data, label)

    return apply


for _name, (_forward, _difference) in _REGRESSIONS.items():
    LOSSES.add(_name, infer=_regression_shapes, inputs=2, labels=(1,), grad_scale=number(1.0))(
        _regression(_forward, _difference)
    )


@LOSSES.add(
    "MakeLoss",
    grad_scale=number(1.0),
    normalization=choice("null", "batch", "valid", default="null"),
    valid_thresh=number(0.0),
)
def make_loss_of(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
    """The data, with the gradient of its sum times ``grad_scale``, over the batch or over what exceeds a threshold."""
    del run

    def gradient(output: Array) -> Array:
        scale = settings.grad_scale
        if settings.normalization == "batch":
            # Rows, which are the batch only of data of two dimensions.
            scale = scale / (output.size // output.shape[-1])
        elif settings.normalization == "valid":
            scale = scale / jnp.maximum(1, jnp.sum(output > settings.valid_thresh))
        return jnp.full_like(output, scale)

    return _loss(_identity, gradient)(inputs[0])


@LOSSES.add("make_loss", alike=True)
def make_loss(settings: Settings, inputs: Sequence[Array], run: Run) -> Array:
    """The data, with the gradient of its sum."""
    del settings, run
    return _loss(_identity, jnp.ones_like)(inputs[0])
