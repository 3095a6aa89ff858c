"""Labels of every kind, convolutions, and what is made of pictures."""

from __future__ import annotations

from typing import Any

from real_models.model import (
    PICTURE,
    ROW,
    Made,
    convolution,
    dense,
    sequence,
    served,
)


@served
def label_by_default(mx: Any) -> Made:
    hidden = mx.sym.Activation(dense(mx), act_type="relu")
    return Made(mx.sym.SoftmaxOutput(dense(mx, hidden), name="softmax"), ROW, labels=("softmax_label",))


@served
def label_of_any_name(mx: Any) -> Made:
    return Made(mx.sym.SoftmaxOutput(dense(mx), label=mx.sym.var("y")), ROW, labels=("y",))


@served
def label_of_a_regression(mx: Any) -> Made:
    return Made(mx.sym.LinearRegressionOutput(dense(mx), label=mx.sym.var("target")), ROW, labels=("target",))


@served
def label_through_an_operator(mx: Any) -> Made:
    label = mx.sym.BlockGrad(mx.sym.var("y") * 1)
    return Made(mx.sym.SoftmaxOutput(dense(mx), label=label), ROW, labels=("y",))


@served
def several_losses(mx: Any) -> Made:
    hidden = dense(mx)
    one, other = mx.sym.SoftmaxOutput(hidden, name="a"), mx.sym.LogisticRegressionOutput(dense(mx, hidden), name="b")
    return Made(mx.sym.Group([one, other]), ROW, labels=("a_label", "b_label"))


@served
def convolutional(mx: Any) -> Made:
    pooled = mx.sym.Pooling(convolution(mx), kernel=(2, 2), stride=(2, 2), pool_type="max")
    return Made(mx.sym.SoftmaxOutput(dense(mx, mx.sym.Flatten(pooled)), name="s"), PICTURE, labels=("s_label",))


@served
def residual(mx: Any) -> Made:
    data = convolution(mx)
    return Made(mx.sym.softmax(dense(mx, convolution(mx, convolution(mx, data)) + data)), PICTURE)


@served
def generator(mx: Any) -> Made:
    nn = mx.gluon.nn
    first = nn.Conv2DTranspose(8, 4, use_bias=False)
    return Made(
        sequence(mx, first, nn.BatchNorm(), nn.PReLU(), nn.Conv2DTranspose(3, 4, 2, 1), nn.Activation("tanh")),
        (1, 10, 1, 1),
    )


@served
def u_net(mx: Any) -> Made:
    wide = convolution(mx)
    deep = convolution(mx, mx.sym.Pooling(wide, kernel=(2, 2), stride=(2, 2), pool_type="max"), filters=6)
    nearest = mx.sym.UpSampling(deep, scale=2, sample_type="nearest")
    smooth = mx.sym.UpSampling(deep, scale=2, sample_type="bilinear", num_filter=6)
    pixels = mx.sym.Convolution(mx.sym.concat(wide, nearest, smooth, dim=1), kernel=(1, 1), num_filter=2)
    return Made(mx.sym.SoftmaxOutput(pixels, multi_output=True, name="s"), PICTURE, labels=("s_label",))


@served
def fully_convolutional(mx: Any) -> Made:
    wide = convolution(mx)
    deep = mx.sym.Pooling(wide, kernel=(2, 2), stride=(2, 2), pool_type="avg")
    back = mx.sym.Deconvolution(deep, kernel=(4, 4), stride=(2, 2), num_filter=4, no_bias=True)
    return Made(mx.sym.Crop(back, wide, offset=(1, 1)) + wide, PICTURE)


@served
def detector(mx: Any) -> Made:
    features = convolution(mx)
    anchors = mx.sym.contrib.MultiBoxPrior(features, sizes=(0.2, 0.3), ratios=(1, 2))
    classes, places = (
        mx.sym.Flatten(mx.sym.transpose(convolution(mx, features, filters=count), axes=(0, 2, 3, 1)))
        for count in (3 * 3, 3 * 4)
    )
    chances = mx.sym.softmax(mx.sym.transpose(mx.sym.Reshape(classes, shape=(0, -1, 3)), axes=(0, 2, 1)), axis=1)
    return Made(mx.sym.contrib.MultiBoxDetection(chances, places, anchors, nms_threshold=0.5), PICTURE)
