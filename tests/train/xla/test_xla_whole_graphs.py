"""Whole networks compute what MXNet computes, and go through everything that engine xla does with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mxnet_reference import QUICKLY, Answer, Numbers, assert_close, assert_symbol, by_mxnet

from harness.train.compat import mxnet
from harness.train.xla.graph import Graph

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.artifact import Shape

TOLERANCE = 2e-5
"""Of a network, relative to the largest number of an array or to 1: rounding adds up over its layers."""


def perceptron(mx: Any) -> Any:
    """Two hidden layers; dropout that drops nothing."""
    hidden = mx.sym.flatten(mx.sym.var("data"))
    for number in (1, 2):
        hidden = mx.sym.FullyConnected(hidden, num_hidden=6, name=f"fc{number}")
        hidden = mx.sym.Dropout(mx.sym.Activation(hidden, act_type="relu"), p=0)
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(hidden, num_hidden=4, name="fc3"), name="softmax")


def lenet(mx: Any) -> Any:
    """Two convolutions with tanh and pooling."""
    hidden = mx.sym.var("data")
    for number in (1, 2):
        hidden = mx.sym.Convolution(hidden, kernel=(3, 3), num_filter=4 * number, name=f"conv{number}")
        hidden = mx.sym.Activation(hidden, act_type="tanh")
        hidden = mx.sym.Pooling(hidden, pool_type="max", kernel=(2, 2), stride=(2, 2), pooling_convention="full")
    hidden = mx.sym.Activation(mx.sym.FullyConnected(mx.sym.flatten(hidden), num_hidden=8, name="fc1"), act_type="tanh")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(hidden, num_hidden=4, name="fc2"), name="softmax")


def residual(mx: Any) -> Any:
    """A block with batch normalization and a way past it, global pooling at the end."""
    data = mx.sym.Convolution(mx.sym.var("data"), kernel=(3, 3), pad=(1, 1), num_filter=8, no_bias=True, name="stem")
    hidden = mx.sym.Activation(mx.sym.BatchNorm(data, fix_gamma=False, eps=2e-5, name="bn1"), act_type="relu")
    way = mx.sym.Convolution(hidden, kernel=(1, 1), stride=(2, 2), num_filter=6, no_bias=True, name="way")
    hidden = mx.sym.Convolution(hidden, kernel=(3, 3), pad=(1, 1), stride=(2, 2), num_filter=6, name="conv1")
    hidden = mx.sym.BatchNorm(hidden, momentum=0.8, name="bn2")
    hidden = mx.sym.Convolution(mx.sym.relu(hidden), kernel=(3, 3), pad=(1, 1), num_filter=6, name="conv2")
    pooled = mx.sym.Pooling(hidden + way, pool_type="avg", global_pool=True, kernel=(1, 1))
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(pooled, num_hidden=4, name="fc"), name="softmax")


def two_heads(mx: Any) -> Any:
    """A classifier and an autoencoder of parts, with a loss of its own; one output of the split is not used."""
    parts = mx.sym.SliceChannel(mx.sym.flatten(mx.sym.var("data")), num_outputs=3)
    code = mx.sym.FullyConnected(parts[0], num_hidden=5, name="code")
    error = mx.sym.square(mx.sym.FullyConnected(code, num_hidden=12, name="decode") - parts[2])
    label = mx.sym.var("softmax_label")
    weighted = mx.sym.MakeLoss(mx.sym.mean(error, axis=1) * 0.5, grad_scale=0.1)
    return mx.sym.Group([mx.sym.SoftmaxOutput(code, label, name="softmax"), weighted, mx.sym.BlockGrad(code)])


NETWORKS = {function.__name__: (function, shape) for function, shape in (
    (perceptron, (5, 1, 6, 6)),
    (lenet, (5, 1, 12, 12)),
    (residual, (5, 2, 6, 6)),
    (two_heads, (5, 1, 6, 6)),
)}  # fmt: skip


def network(name: str, seed: int = 0) -> tuple[Any, Numbers]:
    """A network's symbol and numbers for it; labels are classes."""
    make, shape = NETWORKS[name]
    mx = mxnet()
    with mx.name.NameManager():
        symbol = make(mx)
    numbers = Numbers.draw(symbol, {"data": shape, "softmax_label": shape[:1]}, seed)
    numbers.inputs["softmax_label"][:] = np.random.default_rng(seed).integers(0, 4, shape[:1])
    return symbol, numbers


def lowered_of(symbol: Any, shape: Shape) -> Any:
    """The symbol as a function."""
    from harness.train.xla.lowering import Lowered

    return Lowered(Graph.parse(symbol.tojson()), {"data": shape, "softmax_label": shape[:1]})


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_computes_what_mxnet_computes(name: str) -> None:
    """Outputs, all gradients, auxiliary states after a step of training, predictions."""
    assert_symbol(*network(name), TOLERANCE)


def test_the_order_is_mxnet_s() -> None:
    """Parameters and auxiliary states come in the order in which MXNet lists them, which initial values hang on."""
    symbol, numbers = network("residual")
    lowered = lowered_of(symbol, numbers.inputs["data"].shape)
    arguments = [name for name in symbol.list_arguments() if name not in numbers.inputs]
    assert list(lowered.parameters) == arguments
    assert list(lowered.auxiliary) == symbol.list_auxiliary_states()


def answer(lowered: Any) -> Callable[..., Any]:
    """A function of numbers that gives outputs, gradients and auxiliary states."""
    import jax

    def compute(inputs: Any, parameters: Any, auxiliary: Any, heads: Any) -> Any:
        def train(parameters: Any) -> Any:
            return lowered(parameters, auxiliary, inputs, training=True, key=jax.random.key(0))

        outputs, backward, after = jax.vjp(train, parameters, has_aux=True)
        return outputs, backward(tuple(heads))[0], after

    return compute


@pytest.mark.parametrize("name", NETWORKS)
def test_a_population_computes_what_each_of_its_trials_computes(name: str) -> None:
    """Under vmap over parameters, states and data, inside jit: every row is what MXNet makes of that row alone."""
    assert_population(name)


def test_a_population_with_a_device_s_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where convolutions are left to the library, as on other devices than CPUs."""
    from harness.train.xla.operators import convolution

    monkeypatch.setattr(convolution, "by_matrix", convolution.by_library)
    assert_population("lenet")


def assert_population(name: str) -> None:
    """Three trials at once compute what MXNet computes for each."""
    import jax

    trials = [network(name, seed) for seed in range(3)]
    symbol = trials[0][0]
    rows = [({**one.inputs}, {**one.parameters}, {**one.auxiliary}, list(one.heads)) for _, one in trials]
    together = jax.tree.map(lambda *leaves: np.stack(leaves), *rows)
    lowered = lowered_of(symbol, rows[0][0]["data"].shape)
    program = jax.jit(jax.vmap(answer(lowered))).lower(*together).compile(QUICKLY)
    outputs, gradients, auxiliary = program(*together)
    for row, (_, numbers) in enumerate(trials):
        expected: Answer = by_mxnet(symbol, numbers)
        for found, output in zip(outputs, expected.outputs, strict=True):
            assert_close(found[row], output, TOLERANCE, f"output of trial {row}")
        for parameter in gradients:
            assert_close(gradients[parameter][row], expected.gradients[parameter], TOLERANCE, f"{parameter} of {row}")
        for state in auxiliary:
            assert_close(auxiliary[state][row], expected.auxiliary[state], TOLERANCE, f"{state} of {row}")


def test_steps_in_a_scan_move_states_as_steps_one_by_one() -> None:
    """Inside lax.scan the moving statistics after three batches are those of three calls of MXNet."""
    import jax

    symbol, numbers = network("residual")
    lowered = lowered_of(symbol, numbers.inputs["data"].shape)
    batches = [network("residual", seed)[1].inputs for seed in range(3)]

    def step(auxiliary: Any, inputs: Any) -> Any:
        return lowered(numbers.parameters, auxiliary, inputs, training=True)[::-1]

    stacked = {name: np.stack([batch[name] for batch in batches]) for name in numbers.inputs}
    found, _ = jax.lax.scan(step, dict(numbers.auxiliary), stacked)
    states = numbers.auxiliary
    for batch in batches:
        states = by_mxnet(symbol, Numbers(batch, numbers.parameters, states, numbers.heads)).auxiliary
    for name, state in states.items():
        assert_close(found[name], state, TOLERANCE, name)
