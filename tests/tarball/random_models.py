"""Random models as people build them: several inputs, convolutions, BatchNorm, shortcuts, several outputs, types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from harness.result import Checkpoint
from harness.train.compat import mxnet

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn

    Draw = Callable[[st.SearchStrategy[Any]], Any]

WIDTHS = st.integers(1, 9)
SIZES = st.integers(1, 7)
DTYPES = st.sampled_from(["float32", "float32", "float16", "float64"])


@st.composite
def checkpoints(draw: DrawFn) -> Checkpoint:
    """A model with random weights; its graph computes something finite for inputs from 0 to 1."""
    mx = mxnet()
    with mx.name.NameManager():
        shapes = {f"data{number}": draw(_input_shapes()) for number in range(draw(st.integers(1, 3)))}
        branches = [_branch(draw, mx, mx.sym.var(name), len(shape)) for name, shape in shapes.items()]
        joined = mx.sym.concat(*branches, dim=1) if len(branches) > 1 else branches[0]
        symbol = _head(draw, mx, joined)
    batches = {name: (1, *shape) for name, shape in shapes.items()}
    arguments, _, states = symbol.infer_shape(**batches)
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(DTYPES)
    needed = zip(symbol.list_arguments(), arguments, strict=True)
    names = [(name, shape) for name, shape in needed if name not in batches and not name.endswith("label")]
    return Checkpoint(
        symbol_json=symbol.tojson(),
        parameters={name: generator.normal(0, 0.5, shape).astype(dtype) for name, shape in names},
        auxiliary={
            name: generator.uniform(0.5, 2, shape).astype(dtype)
            for name, shape in zip(symbol.list_auxiliary_states(), states, strict=True)
        },
        data_shapes=tuple((name, (draw(st.integers(1, 100)), *shape)) for name, shape in shapes.items()),
    )


def _input_shapes() -> st.SearchStrategy[tuple[int, ...]]:
    return st.one_of(st.tuples(WIDTHS), st.tuples(st.integers(1, 3), SIZES, SIZES))


def _branch(draw: Draw, mx: Any, node: Any, rank: int) -> Any:
    """Layers on one input, ending in a row of features for each example."""
    for _ in range(draw(st.integers(0, 3))):
        layer = draw(st.sampled_from(_PICTURE_LAYERS if rank == len("CHW") else _FLAT_LAYERS))
        node = layer(draw, mx, node)
    return mx.sym.FullyConnected(mx.sym.flatten(node), num_hidden=draw(WIDTHS))


def _head(draw: Draw, mx: Any, node: Any) -> Any:
    scores = mx.sym.FullyConnected(node, num_hidden=draw(WIDTHS), no_bias=draw(st.booleans()))
    head = draw(
        st.sampled_from(
            [
                lambda: mx.sym.SoftmaxOutput(scores, name="softmax"),
                lambda: mx.sym.softmax(scores),
                lambda: mx.sym.LinearRegressionOutput(scores, name="regression"),
                lambda: mx.sym.Group([mx.sym.SoftmaxOutput(scores, name="softmax"), mx.sym.BlockGrad(node)]),
            ]
        )
    )
    return head()


def _dense(draw: Draw, mx: Any, node: Any) -> Any:
    return mx.sym.FullyConnected(node, num_hidden=draw(WIDTHS), flatten=True)


def _activation(draw: Draw, mx: Any, node: Any) -> Any:
    kind = draw(st.sampled_from(["relu", "sigmoid", "tanh", "softrelu", "leaky", "prelu", "elu"]))
    if kind in {"leaky", "prelu", "elu"}:
        return mx.sym.LeakyReLU(node, act_type=kind)
    return mx.sym.Activation(node, act_type=kind)


def _batch_norm(draw: Draw, mx: Any, node: Any) -> Any:
    return mx.sym.BatchNorm(node, fix_gamma=draw(st.booleans()), eps=draw(st.sampled_from([1e-3, 2e-5])))


def _dropout(draw: Draw, mx: Any, node: Any) -> Any:
    dropped = mx.sym.Dropout(node, p=draw(st.sampled_from([0.2, 0.5])))
    return _activation(draw, mx, dropped)  # MXNet 1.9.1 cannot bind two in a row: test_tarball_loading.py


def _shortcut(draw: Draw, mx: Any, node: Any) -> Any:
    return node + _activation(draw, mx, node) * draw(st.sampled_from([0.5, 2.0]))


def _layer_norm(_draw: Draw, mx: Any, node: Any) -> Any:
    return mx.sym.LayerNorm(node)


def _convolution(draw: Draw, mx: Any, node: Any) -> Any:
    size = draw(st.sampled_from([1, 3]))
    return mx.sym.Convolution(
        node, kernel=(size, size), pad=(size // 2, size // 2), num_filter=draw(WIDTHS), no_bias=draw(st.booleans())
    )


def _pooling(draw: Draw, mx: Any, node: Any) -> Any:
    kind = draw(st.sampled_from(["max", "avg"]))
    if draw(st.booleans()):
        return mx.sym.Pooling(node, kernel=(1, 1), global_pool=True, pool_type=kind)
    return mx.sym.Pooling(node, kernel=(3, 3), pad=(1, 1), stride=(2, 2), pool_type=kind)


_ANYWHERE = [_activation, _batch_norm, _dropout, _shortcut]
_FLAT_LAYERS = [*_ANYWHERE, _dense, _layer_norm]
_PICTURE_LAYERS = [*_ANYWHERE, _convolution, _pooling]
