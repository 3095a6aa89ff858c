"""Shapes are found where MXNet finds them, and what is missing is asked for."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.errors import TrainingError
from harness.train.compat import mxnet
from harness.train.xla.graph import Graph

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = (4, 6)


def lowered(symbol: Any, **shapes: tuple[int, ...]) -> Any:
    """The symbol as a function of data of shape (4, 6)."""
    from harness.train.xla.lowering import Lowered

    return Lowered(Graph.parse(symbol.tojson()), {"data": DATA, **shapes})


def sum_with_weights(mx: Any) -> Any:
    """A variable takes the shape of what it is added to."""
    return mx.sym.var("data") + mx.sym.var("weight")


def weights_through_functions(mx: Any) -> Any:
    """A layer's shape travels up through what makes its weights."""
    weight = mx.sym.exp(mx.sym.var("scale_weight")) * mx.sym.tanh(mx.sym.var("direction_weight"))
    return mx.sym.FullyConnected(mx.sym.var("data"), weight=weight * 2, num_hidden=3, name="fc")


def weights_of_later_layers(mx: Any) -> Any:
    """A variable that comes first in the graph is known by a layer that comes last."""
    shared = mx.sym.abs(mx.sym.var("shared_weight"))
    hidden = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=5, name="fc1")
    return mx.sym.FullyConnected(hidden, weight=shared, num_hidden=2, no_bias=True, name="fc2") + mx.sym.sum(shared)


def shape_in_part(mx: Any) -> Any:
    """A declared shape may leave sizes open."""
    return mx.sym.FullyConnected(mx.sym.var("data"), weight=mx.sym.var("w_weight", shape=(3, 0)), num_hidden=3)


def declared_slopes(mx: Any) -> Any:
    """A slope that all channels share is declared; otherwise each has its own."""
    slope = mx.sym.var("slope_gamma", shape=(1,))
    return mx.sym.LeakyReLU(mx.sym.LeakyReLU(mx.sym.var("data"), gamma=slope, act_type="prelu"), act_type="prelu")


def declared_for_broadcast(mx: Any) -> Any:
    """What is broadcast has to be declared."""
    return mx.sym.broadcast_mul(mx.sym.var("data"), mx.sym.var("scale_weight", shape=(1, 6)))


@pytest.mark.parametrize(
    "make",
    [
        sum_with_weights,
        weights_through_functions,
        shape_in_part,
        declared_slopes,
        declared_for_broadcast,
    ],
)
def test_shapes_are_those_that_mxnet_finds(make: Callable[[Any], Any]) -> None:
    """Of every parameter, in MXNet's order, and of the outputs."""
    mx = mxnet()
    symbol = make(mx)
    arguments, outputs, _ = symbol.infer_shape(data=DATA)
    found = lowered(symbol)
    named = dict(zip(symbol.list_arguments(), arguments, strict=True))
    assert named.pop("data") == DATA
    assert list(found.parameters.items()) == list(named.items())
    assert found.outputs == outputs


def test_shapes_may_be_found_late() -> None:
    """A search that went through the graph but once would not know this weight, which is used twice."""
    mx = mxnet()
    data, shared = mx.sym.var("data"), mx.sym.var("shared_weight")
    early = mx.sym.sum(mx.sym.square(shared), keepdims=True)
    late = mx.sym.FullyConnected(data, weight=shared, num_hidden=2, no_bias=True, name="fc")
    symbol = mx.sym.broadcast_add(early, late)
    assert lowered(symbol).parameters == {"shared_weight": (2, 6)}
    assert symbol.infer_shape(data=DATA)[0] == [(2, 6), DATA]


def broadcast(mx: Any) -> Any:
    """The other side of a broadcast is not determined."""
    return mx.sym.broadcast_add(mx.sym.var("data"), mx.sym.var("weight"))


def concatenated(mx: Any) -> Any:
    """Nor is that of a concatenation."""
    return mx.sym.concat(mx.sym.var("data"), mx.sym.var("weight"), dim=1)


@pytest.mark.parametrize("make", [broadcast, concatenated])
def test_what_mxnet_cannot_find_is_asked_for(make: Callable[[Any], Any]) -> None:
    """MXNet gives up here as well; the error says how to tell it."""
    symbol = make(mxnet())
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")  # MXNet warns, and answers nothing
        assert symbol.infer_shape(data=DATA) == (None, None, None)
    operator, name = json.loads(symbol.tojson())["nodes"][-1]["op"], symbol.name
    with pytest.raises(TrainingError) as error:
        lowered(symbol)
    assert str(error.value) == (
        f"{operator} node {name!r}: expected to find the shape of 'weight' from the data's, found none; "
        f"give the variable a shape: mx.sym.var('weight', shape=...)"
    )


def test_a_head_without_a_shape() -> None:
    """Also where a variable is itself an output."""
    mx = mxnet()
    with pytest.raises(TrainingError) as error:
        lowered(mx.sym.Group([mx.sym.var("data"), mx.sym.var("weight")]))
    assert str(error.value) == (
        "head: expected to find the shape of 'weight' from the data's, found none; "
        "give the variable a shape: mx.sym.var('weight', shape=...)"
    )


def test_declared_shapes_are_held() -> None:
    """What a layer finds has to agree with what was declared, also where only a part was."""
    mx = mxnet()
    weight = mx.sym.var("fc_weight", shape=(0, 5))
    with pytest.raises(TrainingError) as error:
        lowered(mx.sym.FullyConnected(mx.sym.var("data"), weight=weight, num_hidden=3, name="fc"))
    assert str(error.value) == (
        "FullyConnected node 'fc': expected 'fc_weight' of shape (3, 6), found (0, 5); mend the graph"
    )


def test_inputs_have_the_shape_that_was_declared() -> None:
    """Data of another shape than the graph says are refused."""
    mx = mxnet()
    with pytest.raises(TrainingError) as error:
        lowered(mx.sym.exp(mx.sym.var("data", shape=(0, 7))))
    assert str(error.value) == "variable 'data': expected 'data' of shape (4, 6), found (0, 7); mend the graph"


def test_an_output_that_is_not_there() -> None:
    """A layer with one output has no second one."""
    from harness.train.xla.lowering import Lowered

    mx = mxnet()
    document = json.loads(mx.sym.exp(mx.sym.exp(mx.sym.var("data"), name="one"), name="two").tojson())
    document["nodes"][2]["inputs"] = [[1, 1, 0]]
    with pytest.raises(TrainingError) as error:
        Lowered(Graph.parse(json.dumps(document)), {"data": DATA})
    assert str(error.value) == "exp node 'two': expected output 1 of 'one', found fewer; mend the graph"


def reshaped_label(mx: Any) -> Any:
    """A label that goes through an operator of its own."""
    label = mx.sym.Reshape(mx.sym.var("softmax_label"), shape=(-1,))
    return mx.sym.SoftmaxOutput(mx.sym.var("data"), label, name="softmax")


def test_predictions_need_no_label() -> None:
    """Not even where the label is reshaped on its way."""
    found = lowered(reshaped_label(mxnet()), softmax_label=(4, 1))
    data = np.zeros(DATA, np.float32)
    [probabilities], _ = found({}, {}, {"data": data}, training=False)
    np.testing.assert_allclose(probabilities, np.full(DATA, 1 / 6), rtol=1e-6)


def test_outputs_that_come_of_the_label_need_it() -> None:
    """A loss that is computed from data and label cannot be had without."""
    mx = mxnet()
    error_of = mx.sym.MakeLoss(mx.sym.square(mx.sym.var("data") - mx.sym.var("softmax_label")))
    found = lowered(error_of)
    with pytest.raises(TrainingError) as error:
        found({}, {}, {"data": np.zeros(DATA, np.float32)}, training=False)
    assert str(error.value) == (
        "expected a value for every variable that the graph's outputs come from, found none for softmax_label; "
        "pass it, also for predictions"
    )
