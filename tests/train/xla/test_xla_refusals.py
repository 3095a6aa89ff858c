"""What engine xla does not compute, or what contradicts itself, is refused by name, and before anything is trained."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import TrainingError
from harness.train.xla.graph import Graph

if TYPE_CHECKING:
    from harness.artifact import Shape

WAY_ON = 'train with engine="mxnet", or write the graph without it'


def symbol_json(operator: str, attributes: dict[str, str], inputs: int) -> str:
    """A node with so many variables: data, then others; not all of these could be made by MXNet."""
    names = ["data", *(f"other{number}" for number in range(1, inputs))]
    variables = [{"op": "null", "name": name, "inputs": []} for name in names]
    node = {"op": operator, "name": "op", "attrs": attributes, "inputs": [[number, 0] for number in range(inputs)]}
    return json.dumps({"nodes": [*variables, node], "heads": [[inputs, 0]]})


def refusal(operator: str, attributes: dict[str, str], data: Shape, *others: Shape, inputs: int = 1) -> str:
    """The error for a node, as text."""
    from harness.train.xla.lowering import Lowered

    count = max(inputs, 1 + len(others))
    shapes = {"data": data, **{f"other{number}": shape for number, shape in enumerate(others, start=1)}}
    with pytest.raises(TrainingError) as error:
        Lowered(Graph.parse(symbol_json(operator, attributes, count)), shapes)
    return str(error.value)


@pytest.mark.parametrize("operator", ["RNN", "Embedding", "BatchNorm_v1", "_npi_add", "Deconvolution", "Custom"])
def test_operators_that_are_not_there(operator: str) -> None:
    """An operator that is not supported is named, with the engine that has it."""
    assert refusal(operator, {}, (2, 3)) == (
        f"engine xla: {operator} node 'op': operator {operator} is not supported here; {WAY_ON}"
    )


ATTRIBUTES = [
    ("LeakyReLU", "act_type", "rrelu", {}, 1, "leaky or elu or selu or gelu or prelu"),
    ("Activation", "act_type", "mish", {}, 1, "relu or sigmoid or tanh or softrelu or softsign"),
    ("Convolution", "layout", "NHWC", {"kernel": "(3, 3)", "num_filter": "2"}, 3, "None or NCW or NCHW"),
    ("Convolution", "num_filter", "0", {"kernel": "(3, 3)"}, 3, "a whole number of at least 1"),
    ("Convolution", "stride", "(0, 1)", {"kernel": "(3, 3)", "num_filter": "2"}, 3,
     "a tuple of whole numbers of at least 1"),
    ("Pooling", "pool_type", "lp", {"kernel": "(2, 2)"}, 1, "max or avg or sum"),
    ("Pooling", "pooling_convention", "same", {"kernel": "(2,)"}, 1, "valid or full"),
    ("Pooling", "p_value", "2", {"kernel": "(2, 2)"}, 1, "None"),
    ("Pooling", "layout", "NWC", {"kernel": "(2,)"}, 1, "None or NCW or NCHW"),
    ("BatchNorm", "output_mean_var", "True", {}, 5, "False"),
    ("Dropout", "p", "1", {}, 1, "a number from 0 to below 1"),
    ("Reshape", "target_shape", "(2, 0)", {}, 1, "()"),
    ("Reshape", "keep_highest", "True", {"shape": "(-1,)"}, 1, "False"),
    ("Reshape", "shape", "(-5,)", {}, 1, "a tuple of whole numbers of at least -4"),
    ("softmax", "use_length", "True", {}, 1, "False"),
    ("softmax", "dtype", "float16", {}, 1, "None"),
    ("log_softmax", "dtype", "float64", {}, 1, "None"),
    ("SoftmaxOutput", "normalization", "mean", {}, 2, "null or batch or valid"),
]  # fmt: skip


@pytest.mark.parametrize("refused", ATTRIBUTES, ids=lambda refused: "-".join(refused[:3]))
def test_values_of_attributes_that_are_not_there(refused: tuple[str, str, str, dict[str, str], int, str]) -> None:
    """A value that is not supported is named, with those that are."""
    operator, name, text, others, inputs, expected = refused
    assert refusal(operator, {**others, name: text}, (2, 3, 4, 4), inputs=inputs) == (
        f"engine xla: {operator} node 'op': attribute {name}={text} is not supported here, expected {expected}; "
        + WAY_ON
    )


@pytest.mark.parametrize(
    ("operator", "attributes", "shapes", "inputs", "what"),
    [
        ("Convolution", {"kernel": "(2, 2, 2)", "num_filter": "1"}, [(1, 1, 4, 4, 4)], 3,
         "kernel=(2, 2, 2) is not supported here, expected 1 or 2 numbers"),
        ("Pooling", {"kernel": "(2, 2, 2)"}, [(1, 1, 4, 4, 4)], 1,
         "kernel=(2, 2, 2) is not supported here, expected 1 or 2 numbers"),
        ("Pooling", {"global_pool": "True"}, [(1, 1, 4, 4, 4)], 1,
         "data of 5 dimensions is not supported here, expected 3 or 4"),
        ("Pooling", {"kernel": "(1,)", "stride": "(2,)", "pooling_convention": "full"}, [(1, 1, 4)], 1,
         "pooling_convention=full with a window that lies outside the data is not supported here"),
        ("SoftmaxOutput", {}, [(2, 3, 4)], 2,
         "data of shape (2, 3, 4) with neither multi_output nor preserve_shape is not supported here"),
        ("Reshape", {}, [(2, 3)], 1, "a Reshape without shape is not supported here"),
        ("Reshape", {"shape": "(-2, -1)"}, [(2, 3)], 1,
         "shape=(-2, -1) with a -1 behind -2 or -4 is not supported here"),
    ],
)  # fmt: skip
def test_shapes_that_are_not_supported(
    operator: str, attributes: dict[str, str], shapes: list[Shape], inputs: int, what: str
) -> None:
    """Where MXNet computes something, but something else than it documents, or in more dimensions."""
    assert (
        refusal(operator, attributes, *shapes, inputs=inputs) == f"engine xla: {operator} node 'op': {what}; {WAY_ON}"
    )


CONTRADICTIONS: list[tuple[str, dict[str, str], list[Shape], int, str]] = [
    ("Convolution", {"kernel": "(3, 3)", "num_filter": "2"}, [(1, 1, 2, 4)], 3,
     "data not smaller than the window, (3, 3), found (2, 4)"),
    ("Convolution", {"kernel": "(3, 3)", "num_filter": "2"}, [(1, 1, 4)], 3, "data of 4 dimensions, found (1, 1, 4)"),
    ("Convolution", {"kernel": "(3,)", "num_filter": "2", "layout": "NCHW"}, [(1, 1, 4)], 3,
     "a kernel of 2 numbers for layout NCHW, found (3,)"),
    ("Convolution", {"kernel": "(3, 3)", "num_filter": "2", "stride": "(2,)"}, [(1, 1, 4, 4)], 3,
     "a stride of 2 numbers, as the kernel, found (2,)"),
    ("Convolution", {"kernel": "(1,)", "num_filter": "3", "num_group": "2"}, [(1, 4, 4)], 3,
     "channels and filters that num_group=2 divides, found 4 channels and 3 filters"),
    ("Pooling", {"kernel": "(5,)"}, [(1, 1, 4)], 1, "data not smaller than the window, (5,), found (4,)"),
    ("Pooling", {"kernel": "(2,)", "pad": "(2,)"}, [(1, 1, 4)], 1, "a pad smaller than the kernel, (2,), found (2,)"),
    ("Pooling", {"global_pool": "True", "layout": "NCHW"}, [(1, 1, 4)], 1,
     "data as layout NCHW says, found (1, 1, 4)"),
    ("BatchNorm", {}, [(3,)], 5, "an axis of data of 1 dimensions, found 1"),
    ("Dropout", {"axes": "(2,)"}, [(2, 3)], 1, "axes of data of 2 dimensions, found (2,)"),
    ("LeakyReLU", {"act_type": "prelu"}, [(3,)], 2, "data of at least 2 dimensions, found (3,)"),
    ("SoftmaxOutput", {}, [(3,)], 2, "data of at least 2 dimensions, found (3,)"),
    ("SoftmaxOutput", {}, [(2, 3), (3,)], 2, "'other1' of shape (2,), found (3,)"),
    ("LinearRegressionOutput", {}, [(2, 3), (2,)], 2, "'other1' of shape (2, 3), found (2,)"),
    ("FullyConnected", {"num_hidden": "2", "no_bias": "True"}, [(2, 3), (2, 4)], 2,
     "'other1' of shape (2, 3), found (2, 4)"),
    ("elemwise_add", {}, [(2, 3), (1, 3)], 2, "'other1' of shape (2, 3), found (1, 3)"),
    ("add_n", {"num_args": "2"}, [(2, 3), (3,)], 2, "'other1' of shape (2, 3), found (3,)"),
    ("sum", {"axis": "(0, -2)"}, [(2, 3)], 1, "distinct axes of data of 2 dimensions, found (0, -2)"),
    ("max", {"axis": "2"}, [(2, 3)], 1, "distinct axes of data of 2 dimensions, found (2,)"),
    ("softmax", {"axis": "2"}, [(2, 3)], 1, "an axis of data of 2 dimensions, found 2"),
    ("transpose", {"axes": "(0, 0)"}, [(2, 3)], 1, "axes that order 2 dimensions, found (0, 0)"),
    ("Concat", {"num_args": "2", "dim": "2"}, [(2, 3), (2, 3)], 2, "dim of data of 2 dimensions, found 2"),
    ("Concat", {"num_args": "2", "dim": "1"}, [(2, 3), (3, 3)], 2,
     "inputs that differ in dimension 1 alone, found (2, 3), (3, 3)"),
    ("broadcast_add", {}, [(2, 3), (2, 4)], 2, "shapes that can be broadcast together, found (2, 3), (2, 4)"),
    ("squeeze", {"axis": "0"}, [(2, 1)], 1, "distinct axes of size 1 of data of shape (2, 1), found (0,)"),
    ("squeeze", {"axis": "(1, -1)"}, [(2, 1)], 1, "distinct axes of size 1 of data of shape (2, 1), found (1, -1)"),
    ("squeeze", {"axis": "2"}, [(2, 1)], 1, "distinct axes of size 1 of data of shape (2, 1), found (2,)"),
    ("expand_dims", {"axis": "3"}, [(2, 1)], 1, "an axis of 3 dimensions, found 3"),
    ("SliceChannel", {"num_outputs": "2"}, [(2, 3)], 1, "2 equal parts of dimension 1, found (2, 3)"),
    ("SliceChannel", {"num_outputs": "2", "squeeze_axis": "1"}, [(2, 4)], 1,
     "2 equal parts of dimension 1, found (2, 4)"),
    ("SliceChannel", {"num_outputs": "2", "axis": "2"}, [(2, 4)], 1, "an axis of data of 2 dimensions, found 2"),
    ("slice_axis", {"axis": "2", "begin": "0", "end": "1"}, [(2, 4)], 1, "an axis of data of 2 dimensions, found 2"),
    ("slice_axis", {"axis": "1", "begin": "2", "end": "2"}, [(2, 4)], 1, "begin and end within 4, found (2, 2)"),
    ("slice_axis", {"axis": "1", "begin": "0", "end": "5"}, [(2, 4)], 1, "begin and end within 4, found (0, 5)"),
    ("Reshape", {"shape": "(0, 0, 0)"}, [(2, 3)], 1, "a dimension to keep for 0, found none"),
    ("Reshape", {"shape": "(0, -3)"}, [(2, 3)], 1, "two dimensions to merge for -3, found 1"),
    ("Reshape", {"shape": "(-4, -1, -1, 0)"}, [(2, 3)], 1,
     "a dimension and two sizes, at most one -1, for -4, found (-4, -1, -1, 0)"),
    ("Reshape", {"shape": "(-4, 2, 2, 0)"}, [(2, 3)], 1, "two sizes that make 2 for -4, found (2, 2)"),
    ("Reshape", {"shape": "(-1, 4)"}, [(2, 3)], 1, "a shape of 6 numbers, found (-1, 4)"),
    ("Reshape", {"shape": "(7,)"}, [(2, 3)], 1, "a shape of 6 numbers, found (7,)"),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "attributes", "shapes", "inputs", "expected"), CONTRADICTIONS)
def test_what_contradicts_itself(
    operator: str, attributes: dict[str, str], shapes: list[Shape], inputs: int, expected: str
) -> None:
    """The error says what was expected, what was found, and that the graph has to be mended."""
    assert refusal(operator, attributes, *shapes, inputs=inputs) == (
        f"{operator} node 'op': expected {expected}; mend the graph"
    )


@pytest.mark.parametrize(("operator", "attributes", "shapes", "inputs", "expected"), CONTRADICTIONS)
def test_mxnet_refuses_it_as_well(
    operator: str, attributes: dict[str, str], shapes: list[Shape], inputs: int, expected: str
) -> None:
    """Control: none of these is a graph that MXNet could train."""
    from harness.train.compat import mxnet

    mx = mxnet()

    def train() -> None:
        symbol = mx.sym.load_json(symbol_json(operator, attributes, inputs))
        names = ["data", "other1", "other2"]
        executor = symbol.simple_bind(mx.cpu(), **dict(zip(names, shapes, strict=False)))
        executor.forward(is_train=True)
        mx.nd.waitall()

    with pytest.raises((mx.base.MXNetError, RuntimeError)):
        train()


def test_nothing_is_left_over() -> None:
    """MXNet has no tensors without a dimension."""
    attributes = {"num_outputs": "2", "axis": "0", "squeeze_axis": "1"}
    assert refusal("SliceChannel", attributes, (2,)) == (
        "SliceChannel node 'op': inputs of shapes (2,) do not fit together: nothing would be left; mend the graph"
    )


def test_what_no_rule_of_ours_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where JAX alone finds a contradiction, the first line of its reason is given, with the node."""
    from harness.train.xla.operators.registry import OPERATORS

    def contradictory(settings: Any, inputs: Any, run: Any) -> Any:
        raise TypeError("sizes differ\nand more")

    monkeypatch.setitem(OPERATORS, "relu", replace(OPERATORS["relu"], apply=contradictory))
    assert refusal("relu", {}, (2,)) == (
        "relu node 'op': inputs of shapes (2,) do not fit together: sizes differ; mend the graph"
    )


@pytest.mark.parametrize(("operator", "inputs", "count"), [("BatchNorm", 3, 5), ("SoftmaxOutput", 1, 2)])
def test_inputs_that_are_missing(operator: str, inputs: int, count: int) -> None:
    """Old versions leave out inputs, which MXNet adds while it loads the symbol."""
    assert refusal(operator, {}, (2, 3), inputs=inputs) == (
        f"{operator} node 'op': expected {count} input(s), found {inputs}; "
        f"let MXNet 1.9.1 write the graph: mx.sym.load(path).tojson()"
    )


def variable_refusal(attributes: dict[str, str]) -> str:
    """The error for a variable."""
    from harness.train.xla.lowering import Lowered

    document: dict[str, Any] = json.loads(symbol_json("elemwise_add", {}, 2))
    document["nodes"][1]["attrs"] = attributes
    with pytest.raises(TrainingError) as error:
        Lowered(Graph.parse(json.dumps(document)), {"data": (2, 3)})
    return str(error.value)


@pytest.mark.parametrize("attribute", ["__dtype__", "__storage_type__"])
def test_variables_of_other_types(attribute: str) -> None:
    """Numbers of other precision, and sparse ones, are not rounded or filled up silently."""
    assert variable_refusal({attribute: "1"}) == (
        f"engine xla: variable 'other1': attribute {attribute}=1 is not supported here, expected dense float32; "
        + WAY_ON
    )


def test_a_shape_that_is_none() -> None:
    """A variable's shape is read like an operator's."""
    assert variable_refusal({"__shape__": "wide"}) == (
        "variable 'other1': expected a shape, found wide; mend the graph"
    )


def test_an_auxiliary_state_of_two_nodes() -> None:
    """Both would move it: MXNet does so one after the other, in an order of its own."""
    from harness.train.xla.lowering import Lowered

    names = ["data", "gamma", "beta", "mean", "var"]
    inputs = [[number, 0] for number in range(5)]
    document = {
        "nodes": [
            *({"op": "null", "name": name, "inputs": []} for name in names),
            {"op": "BatchNorm", "name": "one", "inputs": inputs},
            {"op": "BatchNorm", "name": "two", "inputs": [[5, 0], *inputs[1:]]},
        ],
        "heads": [[6, 0]],
    }
    with pytest.raises(TrainingError) as error:
        Lowered(Graph.parse(json.dumps(document)), {"data": (2, 3)})
    assert str(error.value) == (
        "engine xla: BatchNorm node 'two': an auxiliary state that another node updates as well is not supported here; "
        + WAY_ON
    )
