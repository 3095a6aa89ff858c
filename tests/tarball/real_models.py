"""Small models of every kind that people build with MXNet 1.9.1, each written by MXNet itself.

`SERVED` and `ZOO` are models that AWS's handler serves, `REFUSED` such that it does not. A builder takes the module
``mxnet`` and gives a `Made`; `save` writes that. Widths are tiny: most models are built in a few milliseconds.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.artifact import EPOCH, PREFIX, SHAPES, Shape, shapes_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Made:
    """A model that is not on disk yet.

    Attributes:
        model: a symbol, or a Gluon block that is exported as it is.
        shape: of the one input, ``data``.
        dtype: of the parameters.
        labels: variables that training feeds and that no parameter stands for.
        given: parameters and states, where another tool made them; else a symbol's are drawn.
    """

    model: Any
    shape: Shape
    dtype: str = "float32"
    labels: tuple[str, ...] = ()
    given: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None


Build = "Callable[[Any], Made]"
SERVED: dict[str, Callable[[Any], Made]] = {}
REFUSED: dict[str, Callable[[Any], Made]] = {}
PICTURE = (1, 3, 8, 8)
ROW = (1, 6)
WORDS = (1, 7)
SEQUENCE = (1, 7, 5)


def save(mx: Any, made: Made, folder: Path) -> None:
    """Write the three files that the container reads, with ``save_checkpoint`` or Gluon's ``export``."""
    prefix = str(folder / PREFIX)
    if isinstance(made.model, mx.gluon.Block):
        made.model.initialize(mx.init.Constant(0.1))
        made.model.cast(made.dtype)
        made.model.hybridize()
        made.model(mx.nd.ones(made.shape, dtype=made.dtype))
        made.model.export(prefix, EPOCH)
    else:
        mx.model.save_checkpoint(prefix, EPOCH, made.model, *(made.given or drawn(mx, made)))
    (folder / SHAPES).write_text(json.dumps(shapes_signature([("data", made.shape)])), encoding="utf-8")


def drawn(mx: Any, made: Made) -> tuple[dict[str, Any], dict[str, Any]]:
    """Positive values for every parameter and state of a symbol."""
    draw = np.random.default_rng(0)
    arguments, _, states = made.model.infer_shape_partial(data=made.shape)  # a label may stay open
    names = made.model.list_arguments(), made.model.list_auxiliary_states()
    parameters, kept = (
        {
            name: mx.nd.array(draw.uniform(0.1, 0.5, shape), dtype=made.dtype)
            for name, shape in zip(of, shapes, strict=True)
            if name not in {"data", *made.labels}
        }
        for of, shapes in zip(names, (arguments, states), strict=True)
    )
    return parameters, kept


def served(build: Callable[[Any], Made]) -> Callable[[Any], Made]:
    """AWS's handler serves what this builds."""
    SERVED[build.__name__] = build
    return build


def refused(build: Callable[[Any], Made]) -> Callable[[Any], Made]:
    """AWS's handler does not serve what this builds."""
    REFUSED[build.__name__] = build
    return build


def dense(mx: Any, data: Any = None, units: int = 4, **settings: Any) -> Any:
    """A fully connected layer, on the input unless told otherwise."""
    return mx.sym.FullyConnected(mx.sym.var("data") if data is None else data, num_hidden=units, **settings)


def convolution(mx: Any, data: Any = None, filters: int = 4) -> Any:
    """A convolution that keeps height and width, BatchNorm and ReLU."""
    data = mx.sym.var("data") if data is None else data
    made = mx.sym.Convolution(data, kernel=(3, 3), pad=(1, 1), num_filter=filters)
    return mx.sym.Activation(mx.sym.BatchNorm(made), act_type="relu")


def classifier(mx: Any) -> Any:
    """A convolution and a fully connected layer with softmax, to be converted; and its parameters and states."""
    return mx.sym.SoftmaxOutput(dense(mx, convolution(mx)), name="softmax")


def trained(mx: Any, symbol: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters and states of `classifier`."""
    return drawn(mx, Made(symbol, PICTURE, labels=("softmax_label",)))


def block(mx: Any, forward: Callable[..., Any], constants: Mapping[str, Any] | None = None, **layers: Any) -> Any:
    """A Gluon block: `forward` gets the block, the operators, the input and the constants by name."""

    class Net(mx.gluon.HybridBlock):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            for name, value in (constants or {}).items():
                setattr(self, name, self.params.get_constant(name, value))
            for name, layer in layers.items():
                setattr(self, name, layer)

        def hybrid_forward(self, ops: Any, data: Any, **found: Any) -> Any:
            return forward(self, ops, data, **found)

    return Net()


def sequence(mx: Any, *layers: Any) -> Any:
    """Gluon layers, one after the other."""
    made = mx.gluon.nn.HybridSequential()
    made.add(*layers)
    return made


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
def fused_lstm_with_zeros(mx: Any) -> Made:
    states = {name: mx.sym.zeros((2, 1, 4)) for name in ("state", "state_cell")}
    data = mx.sym.RNN(mx.sym.var("data"), state_size=4, num_layers=2, mode="lstm", **states)
    return Made(dense(mx, data), (7, 1, 5))


@served
def fused_gru_with_constants(mx: Any) -> Made:
    state = mx.sym.var("start", shape=(2, 1, 4))
    data = mx.sym.RNN(
        mx.sym.var("data"), state=state, state_size=4, num_layers=1, mode="gru", bidirectional=True, name="gru"
    )
    return Made(mx.sym.SequenceLast(data), (7, 1, 5))


@served
def fused_cell(mx: Any) -> Made:
    cell = mx.rnn.FusedRNNCell(4, 2, mode="lstm", bidirectional=True, prefix="l_")
    outputs, _ = cell.unroll(7, inputs=mx.sym.var("data"), merge_outputs=True, layout="NTC")
    return Made(dense(mx, outputs), SEQUENCE)


@served
def gluon_lstm(mx: Any) -> Made:
    nn, rnn = mx.gluon.nn, mx.gluon.rnn
    return Made(sequence(mx, nn.Embedding(20, 5), rnn.LSTM(4, 2, layout="NTC", bidirectional=True), nn.Dense(3)), WORDS)


@served
def gluon_gru(mx: Any) -> Made:
    return Made(sequence(mx, mx.gluon.rnn.GRU(4, layout="NTC", dropout=0.2), mx.gluon.nn.Dense(3)), SEQUENCE)


@served
def unrolled_cells(mx: Any) -> Made:
    cells = mx.rnn.SequentialRNNCell()
    cells.add(mx.rnn.LSTMCell(4, prefix="first_"))
    cells.add(mx.rnn.GRUCell(3, prefix="second_"))
    words = mx.sym.Embedding(mx.sym.var("data"), input_dim=20, output_dim=5)
    outputs, _ = cells.unroll(7, inputs=words, merge_outputs=True)
    return Made(mx.sym.softmax(dense(mx, mx.sym.Reshape(outputs, shape=(-1, 3)))), WORDS)


@served
def unrolled_gluon_cell(mx: Any) -> Made:
    def forward(net: Any, _ops: Any, data: Any) -> Any:
        return net.head(net.cell.unroll(7, data, layout="NTC", merge_outputs=True)[0])

    return Made(block(mx, forward, cell=mx.gluon.rnn.LSTMCell(4), head=mx.gluon.nn.Dense(2)), SEQUENCE)


@served
def text_cnn(mx: Any) -> Made:
    words = mx.sym.Embedding(mx.sym.var("data"), input_dim=20, output_dim=5)
    signal = mx.sym.transpose(words, axes=(0, 2, 1))
    found = [mx.sym.Convolution(signal, kernel=(width,), num_filter=3) for width in (2, 3)]
    best = [mx.sym.Flatten(mx.sym.Pooling(mx.sym.relu(one), global_pool=True, pool_type="max")) for one in found]
    return Made(mx.sym.softmax(dense(mx, mx.sym.Dropout(mx.sym.concat(*best, dim=1)))), WORDS)


@served
def transformer(mx: Any) -> Made:
    nn = mx.gluon.nn

    def forward(net: Any, ops: Any, data: Any, places: Any, mask: Any) -> Any:
        words = ops.broadcast_add(net.words(data), ops.expand_dims(places, 0))
        query, key, value = ops.split(net.project(words), num_outputs=3, axis=2)
        scores = ops.broadcast_add(ops.batch_dot(query, key, transpose_b=True), ops.expand_dims(mask, 0))
        attended = net.norm(words + ops.batch_dot(ops.softmax(scores), value))
        return net.head(ops.LeakyReLU(attended, act_type="gelu"))

    constants = {"places": np.linspace(0, 1, 56).reshape(7, 8), "mask": np.triu(np.full((7, 7), -np.inf), 1)}
    layers = {"words": nn.Embedding(20, 8), "project": nn.Dense(24, flatten=False)}
    return Made(block(mx, forward, constants, **layers, norm=nn.LayerNorm(), head=nn.Dense(3)), WORDS)


@served
def heads_of_attention(mx: Any) -> Made:
    def forward(net: Any, ops: Any, data: Any) -> Any:
        apart = ops.reshape(net.project(data), shape=(0, 0, -4, 2, -1)).transpose((0, 2, 1, 3))
        folded = ops.reshape(apart, shape=(-3, 0, 0))
        scores = ops.softmax(ops.batch_dot(folded, folded, transpose_b=True))
        joined = ops.reshape(ops.batch_dot(scores, folded), shape=(-4, -1, 2, 0, 0)).transpose((0, 2, 1, 3))
        return ops.reshape(joined, shape=(0, 0, -3))

    return Made(block(mx, forward, project=mx.gluon.nn.Dense(8, flatten=False)), SEQUENCE)


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
def loop_over_a_sequence(mx: Any) -> Made:
    start = mx.sym.zeros((1, 5))
    steps = mx.sym.transpose(mx.sym.var("data"), axes=(1, 0, 2))
    outputs, _ = mx.sym.contrib.foreach(lambda step, state: (step + state, mx.sym.tanh(step + state)), steps, start)
    return Made(dense(mx, mx.sym.transpose(outputs, axes=(1, 0, 2))), SEQUENCE)


@served
def fused_by_onednn(mx: Any) -> Made:
    symbol = classifier(mx)
    return Made(symbol.get_backend_symbol("MKLDNN"), PICTURE, given=trained(mx, symbol))


def quantized(mx: Any, symbol: Any) -> tuple[Any, Any, Any]:
    """A symbol of 8-bit operators, its parameters and its states, calibrated with noise."""
    from mxnet.contrib.quantization import quantize_model

    noise = np.random.default_rng(0).random((4, *PICTURE[1:]), np.float32)
    return quantize_model(  # type: ignore[no-any-return]
        symbol,
        *trained(mx, classifier(mx)),
        calib_mode="naive",
        calib_data=mx.io.NDArrayIter(noise, np.zeros(4), 4),
        num_calib_examples=4,
        quantized_dtype="auto",
        ctx=mx.cpu(),
        logger=logging.getLogger(__name__),
    )


@served
def quantized_to_int8(mx: Any) -> Made:
    symbol, *given = quantized(mx, classifier(mx))
    return Made(symbol, PICTURE, given=(given[0], given[1]))


@served
def quantized_and_fused(mx: Any) -> Made:
    symbol, *given = quantized(mx, classifier(mx).get_backend_symbol("MKLDNN_QUANTIZE"))
    return Made(symbol.get_backend_symbol("MKLDNN_QUANTIZE"), PICTURE, given=(given[0], given[1]))


@served
def mixed_precision(mx: Any) -> Made:
    from mxnet.contrib import amp

    symbol = classifier(mx)
    converted, *given = amp.convert_model(symbol, *trained(mx, symbol), target_dtype="bfloat16")
    return Made(converted, PICTURE, given=(given[0], given[1]))


@served
def float16_parameters(mx: Any) -> Made:
    return Made(mx.sym.softmax(dense(mx, convolution(mx))), PICTURE, dtype="float16")


@served
def float64_parameters(mx: Any) -> Made:
    return Made(mx.sym.softmax(dense(mx, convolution(mx))), PICTURE, dtype="float64")


@served
def sums_of_many(mx: Any) -> Made:
    one, two = dense(mx), dense(mx)
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


@refused
def gluon_float16(mx: Any) -> Made:
    return Made(sequence(mx, mx.gluon.nn.Dense(3)), ROW, dtype="float16")


@refused
def gluon_float64(mx: Any) -> Made:
    return Made(sequence(mx, mx.gluon.nn.Dense(3)), ROW, dtype="float64")


@refused
def float16_layer(mx: Any) -> Made:
    return Made(dense(mx, mx.sym.Cast(mx.sym.var("data"), dtype="float16")), ROW)


@refused
def two_dropouts_in_a_row(mx: Any) -> Made:
    return Made(dense(mx, mx.sym.Dropout(mx.sym.Dropout(mx.sym.var("data")))), ROW)


@refused
def while_loop(mx: Any) -> Made:
    def step(count: Any, value: Any) -> Any:
        return [value], [count + 1, value * 2]

    start = [mx.sym.zeros((1, 1)), mx.sym.var("data")]
    _, states = mx.sym.contrib.while_loop(lambda count, _: count.reshape((-1,)) < 5, step, start, max_iterations=6)
    return Made(states[1], ROW)


@refused
def condition(mx: Any) -> Made:
    data = mx.sym.var("data")
    return Made(mx.sym.contrib.cond(mx.sym.sum(data) > 1, lambda: data * 2, lambda: data + 1), ROW)


@refused
def channels_last(mx: Any) -> Made:
    return Made(mx.sym.Convolution(mx.sym.var("data"), kernel=(3, 3), num_filter=4, layout="NHWC"), (1, 8, 8, 3))


@refused
def reshaped_label(mx: Any) -> Made:
    label = mx.sym.Reshape(mx.sym.var("y"), shape=(-1,))
    return Made(mx.sym.SoftmaxOutput(dense(mx), label=label), ROW, labels=("y",))
