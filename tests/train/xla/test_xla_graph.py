"""Symbols are read as MXNet reads them: today's JSON and that of older versions, and nothing that only looks so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.errors import TrainingError
from harness.train.compat import mxnet
from harness.train.xla.graph import Edge, Graph

if TYPE_CHECKING:
    from collections.abc import Callable


def perceptron() -> Any:
    """A symbol with attributes of every kind."""
    mx = mxnet()
    weight = mx.sym.var("fc_weight", lr_mult=2)
    hidden = mx.sym.FullyConnected(mx.sym.var("data"), weight=weight, num_hidden=3, no_bias=True, name="fc")
    return mx.sym.SoftmaxOutput(mx.sym.Activation(hidden, act_type="relu", name="act"), name="softmax")


def document() -> Any:
    """Its JSON."""
    return json.loads(perceptron().tojson())


def older(key: str) -> str:
    """The same as an older version wrote it: attributes under another key, references of two numbers, no version."""
    changed = document()
    for node in changed["nodes"]:
        node[key] = {name: text for name, text in node.pop("attrs", {}).items() if not name.startswith("__")}
        if node["name"] == "fc_weight":
            node["attr"] = {"__lr_mult__": "2"}  # of the user: not under "param" even when the operator's were
        node["inputs"] = [edge[:2] for edge in node["inputs"]]
    changed["heads"] = [head[:2] for head in changed["heads"]]
    del changed["attrs"], changed["node_row_ptr"]
    return json.dumps(changed)


def test_nodes_variables_and_heads() -> None:
    """Everything that a graph is made of is where the symbol has it."""
    graph = Graph.parse(perceptron().tojson())
    assert list(graph.variables) == perceptron().list_inputs() == ["data", "fc_weight", "softmax_label"]
    [dense] = [node for node in graph.nodes.values() if node.operator == "FullyConnected"]
    assert (dense.name, dense.inputs) == ("fc", (Edge(0, 0), Edge(1, 0)))
    assert dense.attributes == {"no_bias": "True", "num_hidden": "3"}
    assert graph.variables["fc_weight"].attributes["__lr_mult__"] == "2"
    assert [graph.nodes[head.node].name for head in graph.heads] == ["softmax"]
    assert str(dense) == "FullyConnected node 'fc'"
    assert str(graph.variables["data"]) == "variable 'data'"


@pytest.mark.parametrize("key", ["attrs", "attr", "param"])
def test_json_of_older_versions_means_the_same(key: str) -> None:
    """MXNet 1.0 and later write attrs, 0.9 to 0.12 attr, those before param: MXNet 1.9.1 reads all, and so do we."""
    text, mx = older(key), mxnet()
    loaded = Graph.parse(mx.sym.load_json(text).tojson())
    graph = Graph.parse(text)
    assert graph.heads == loaded.heads
    for position, node in loaded.nodes.items():
        own = graph.nodes[position]
        assert (own.name, own.operator, own.inputs) == (node.name, node.operator, node.inputs)
        assert own.attributes == {name: text for name, text in node.attributes.items() if name in own.attributes}
    assert graph.nodes[2].attributes == {"no_bias": "True", "num_hidden": "3"}
    assert graph.variables["fc_weight"].attributes["__lr_mult__"] == "2"


@pytest.mark.parametrize("key", ["attrs", "attr", "param"])
def test_older_json_computes_the_same(key: str) -> None:
    """The same weights give the same probabilities, whichever version wrote the graph."""
    from harness.train.xla.lowering import Lowered

    generator = np.random.default_rng(0)
    data = generator.normal(size=(2, 5)).astype(np.float32)
    weight = {"fc_weight": generator.normal(size=(3, 5)).astype(np.float32)}
    today, then = (
        Lowered(Graph.parse(text), {"data": (2, 5), "softmax_label": (2,)})(weight, {}, {"data": data}, training=False)
        for text in (perceptron().tojson(), older(key))
    )
    np.testing.assert_array_equal(today[0], then[0])


def test_what_the_heads_do_not_need_is_left_out() -> None:
    """A graph cut at an inner layer has no label, and its positions stay those of the JSON."""
    changed = document()
    activation = next(position for position, node in enumerate(changed["nodes"]) if node["name"] == "act")
    changed["heads"] = [[activation, 0, 0]]
    graph = Graph.parse(json.dumps(changed))
    assert list(graph.variables) == ["data", "fc_weight"]
    assert max(graph.nodes) == activation


def with_node(position: int, **entry: Any) -> str:
    """The document with one node changed."""
    changed = document()
    changed["nodes"][position] |= entry
    return json.dumps(changed)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no json", "JSONDecodeError: Expecting value: line 1 column 1 (char 0)"),
        ("[]", "TypeError: list indices must be integers or slices, not str"),
        ("{}", "KeyError: 'nodes'"),
        ('{"nodes": [], "heads": [[0, 0]]}', "ValueError: [0, 0] is no output of a node before number 0"),
        ('{"nodes": [1], "heads": []}', "AttributeError: 'int' object has no attribute 'get'"),
    ],
)
def test_text_that_is_no_symbol(text: str, reason: str) -> None:
    """One error, whatever is wrong with the text, and what is wrong in it."""
    assert_unreadable(text, reason)


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ([[0, 0], [2, 0]], "ValueError: [2, 0] is no output of a node before number 2"),
        ([[0, 0], [-1, 0]], "ValueError: [-1, 0] is no output of a node before number 2"),
        ([[0, 0], ["1", 0]], "ValueError: ['1', 0] is no output of a node before number 2"),
        ([[0]], "ValueError: not enough values to unpack (expected 2, got 1)"),
    ],
)
def test_inputs_that_lead_nowhere(inputs: list[Any], reason: str) -> None:
    """A node reads nodes that stand before it."""
    assert_unreadable(with_node(2, inputs=inputs), reason)


def assert_unreadable(text: str, reason: str) -> None:
    """A text is refused for a reason."""
    with pytest.raises(TrainingError) as error:
        Graph.parse(text)
    assert str(error.value) == (
        f"symbol: expected the JSON of Symbol.tojson(), found text that cannot be read so ({reason}); "
        f"write it with MXNet"
    )


def test_variables_have_names_of_their_own() -> None:
    """Two variables of one name would be trained as one; MXNet refuses to bind them."""
    mx = mxnet()
    symbol = mx.sym.var("data") + mx.sym.var("data")
    with pytest.raises(TrainingError) as error:
        Graph.parse(symbol.tojson())
    assert str(error.value) == (
        "symbol: expected variables with names of their own, found two named 'data'; rename one"
    )


def test_multipliers_of_older_versions_are_not_overlooked() -> None:
    """MXNet renames them while it loads an old symbol; unrenamed they would have no effect, and nobody would know."""
    with pytest.raises(TrainingError) as error:
        Graph.parse(with_node(1, attrs={"lr_mult": "2"}))
    assert str(error.value) == (
        "symbol: expected lr_mult of 'fc_weight' under the name __lr_mult__, found it as older versions write it; "
        "let MXNet 1.9.1 write the graph: mx.sym.load(path).tojson()"
    )


def of_numpy_shapes() -> str:
    """A symbol in which tensors may have no dimension."""
    mx = mxnet()
    with mx.util.np_shape(active=True):
        return str(perceptron().tojson())


def of_usual_shapes() -> str:
    """One that says that it is none such."""
    changed = document()
    changed["attrs"]["is_np_shape"] = ["int", 0]
    return json.dumps(changed)


@pytest.mark.parametrize(("write", "refused"), [(of_numpy_shapes, True), (of_usual_shapes, False)])
def test_the_shapes_of_mx_np_are_refused(write: Callable[[], str], *, refused: bool) -> None:
    """With them the sum of a tensor has no dimension, without them one; so the two cannot be told apart by shape."""
    if not refused:
        assert Graph.parse(write()).variables
        return
    with pytest.raises(TrainingError) as error:
        Graph.parse(write())
    assert str(error.value) == (
        "symbol: expected the shapes of mx.sym, found is_np_shape, with which tensors may have no dimension; "
        'write it outside of mx.util.np_shape, or train with engine="mxnet"'
    )
