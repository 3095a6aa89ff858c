"""Gluon's export, converted graphs and types, and operators that few networks have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from real_models.model import (
    PICTURE,
    ROW,
    Made,
    block,
    classifier,
    convolution,
    dense,
    sequence,
    served,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


@served
def gluon_export(mx: Any) -> Made:
    nn = mx.gluon.nn
    body = nn.Conv2D(4, 3, activation="relu"), nn.BatchNorm(), nn.MaxPool2D(), nn.GlobalAvgPool2D(), nn.Dropout(0.5)
    return Made(sequence(mx, *body, nn.Dense(3)), PICTURE)


@served
def integer_constants(mx: Any) -> Made:
    def forward(net: Any, ops: Any, data: Any, chosen: Any) -> Any:
        return net.head(ops.take(data, chosen, axis=1))

    constants = {"chosen": mx.nd.array([0, 2, 4], dtype="int32")}
    return Made(block(mx, forward, constants, head=mx.gluon.nn.Dense(2)), ROW)


@served
def numbers_in_a_row(mx: Any) -> Made:
    counted = mx.sym.broadcast_add(dense(mx, units=6), mx.sym.expand_dims(mx.sym.arange(6), 0))
    return Made(mx.sym.broadcast_mul(counted, mx.sym.expand_dims(mx.sym.linspace(0, 1, 6), 0)), ROW)


@served
def group_of_outputs(mx: Any) -> Made:
    hidden = dense(mx)
    parts = mx.sym.split(hidden, num_outputs=2, axis=1)
    return Made(mx.sym.Group([mx.sym.softmax(hidden), mx.sym.BlockGrad(hidden), parts[0], parts[1]]), ROW)


@served
def shared_weights(mx: Any) -> Made:
    weight = mx.sym.var("weight")
    return Made(dense(mx, dense(mx, weight=weight, units=6), weight=weight, units=6), ROW)


@served
def fused_by_onednn(mx: Any) -> Made:
    symbol, given = classifier(mx)
    return Made(symbol.get_backend_symbol("MKLDNN"), PICTURE, given=given)


@served
def quantized(mx: Any) -> Made:
    symbol, given = classifier(mx)
    return calibrated(mx, symbol, given)


@served
def quantized_and_fused(mx: Any) -> Made:
    symbol, given = classifier(mx)
    made = calibrated(mx, symbol.get_backend_symbol("MKLDNN_QUANTIZE"), given)
    return replace(made, model=made.model.get_backend_symbol("MKLDNN_QUANTIZE"))


def calibrated(mx: Any, symbol: Any, given: tuple[Mapping[str, Any], Mapping[str, Any]]) -> Made:
    """The same with operators of 8 bits, whose ranges are those that noise has."""
    from mxnet.contrib.quantization import quantize_model

    noise = mx.io.NDArrayIter(np.random.default_rng(0).random(PICTURE, np.float32), np.zeros(1), 1)
    settings = {"calib_mode": "naive", "calib_data": noise, "quantized_dtype": "auto"}
    # A BatchNorm of 8 bits that follows a convolution gets no range, and MXNet refuses its own graph.
    symbol, *given = quantize_model(symbol, *given, excluded_op_names=["BatchNorm"], **settings)
    return Made(symbol, PICTURE, given=(given[0], given[1]))


@served
def mixed_with_bfloat16(mx: Any) -> Made:
    return mixed(mx, "bfloat16")


@served
def mixed_with_float16(mx: Any) -> Made:
    return mixed(mx, "float16")


def mixed(mx: Any, dtype: str) -> Made:
    """A model of mixed precision."""
    from mxnet.contrib import amp

    symbol, given = classifier(mx)
    symbol, *given = amp.convert_model(symbol, *given, target_dtype=dtype)
    return Made(symbol, PICTURE, given=(given[0], given[1]))


@served
def float16_parameters(mx: Any) -> Made:
    return Made(mx.sym.softmax(dense(mx, convolution(mx))), PICTURE, dtype="float16")


@served
def float64_parameters(mx: Any) -> Made:
    return Made(mx.sym.softmax(dense(mx, convolution(mx))), PICTURE, dtype="float64")


@served
def sums_of_many(mx: Any) -> Made:
    data = mx.sym.var("data")
    one, two = dense(mx, data), dense(mx, data)
    return Made(mx.sym.ElementWiseSum(one, two, mx.sym.add_n(one, two)), ROW)


@served
def choices(mx: Any) -> Made:
    data = mx.sym.var("data")
    marked = mx.sym.one_hot(mx.sym.argmax(data, axis=1), depth=6)
    kept = mx.sym.where(mx.sym.broadcast_greater(data, mx.sym.mean(data, axis=1, keepdims=True)), data, -data)
    return Made(mx.sym.pick(dense(mx, kept, units=6) * marked, mx.sym.zeros((1,)), keepdims=True), ROW)


@served
def volumes(mx: Any) -> Made:
    nn = mx.gluon.nn
    layers = nn.Conv3D(4, 3, padding=1), nn.MaxPool3D(2, ceil_mode=True), nn.Conv3DTranspose(3, 2, strides=2)
    return Made(sequence(mx, *layers, nn.GlobalAvgPool3D(), nn.Dense(3)), (1, 1, 5, 5, 5))


@served
def activations(mx: Any) -> Made:
    nn = mx.gluon.nn
    kinds = nn.PReLU(), nn.ELU(), nn.SELU(), nn.Swish(), nn.GELU(), nn.LeakyReLU(0.1), nn.Activation("softrelu")
    return Made(sequence(mx, nn.Dense(8), *kinds, nn.BatchNorm(scale=False), nn.LayerNorm(), nn.Dense(2)), ROW)


@served
def moved_pixels(mx: Any) -> Made:
    nn, more = mx.gluon.nn, mx.gluon.contrib
    norms = nn.InstanceNorm(), nn.GroupNorm(2), more.nn.SyncBatchNorm()
    moved = more.nn.PixelShuffle2D(2), nn.ReflectionPad2D(1), more.cnn.DeformableConvolution(4, padding=(1, 1))
    return Made(sequence(mx, nn.Conv2D(16, 3, padding=1), *moved, *norms), PICTURE)


@served
def regions_of_a_picture(mx: Any) -> Made:
    features = convolution(mx)
    boxes = mx.sym.concat(mx.sym.zeros((2, 3)), mx.sym.ones((2, 2)) * 4, dim=1)
    cut = mx.sym.ROIPooling(features, boxes, pooled_size=(2, 2), spatial_scale=1.0)
    affine = dense(mx, features, units=6)
    turned = mx.sym.SpatialTransformer(
        features, affine, target_shape=(3, 3), transform_type="affine", sampler_type="bilinear"
    )
    return Made(mx.sym.Group([cut, turned, mx.sym.contrib.BilinearResize2D(features, height=5, width=5)]), PICTURE)
