"""What is read out of a symbol and a shapes file, and what is refused in them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import tarball_parts as parts
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.tarball.graph import OUTPUT_OPS, Graph, read_graph, read_shapes

if TYPE_CHECKING:
    from collections.abc import Callable

JUNK = [b"", b"{", b"\xff\xfe{", b"\xef\xbb\xbf{}", b"[" * 100_000, b"9" * 5000, b'{"a": NaN', b"\0"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
)
PARTS = st.fixed_dictionaries({"nodes": VALUES, "arg_nodes": VALUES, "heads": VALUES})


def encoded(document: object) -> bytes:
    """The document as JSON."""
    return json.dumps(document).encode()


def faults(document: object) -> list[str]:
    """What is wrong with a graph."""
    graph, problems = read_graph(encoded(document))
    assert graph is None
    assert {problem.code for problem in problems} == {"symbol-graph"}
    return [problem.found for problem in problems]


def shape_faults(document: object) -> list[str]:
    """What is wrong with a signature."""
    names, problems = read_shapes(encoded(document))
    assert names is None
    assert {problem.code for problem in problems} == {"shapes-entry"}
    return [problem.found for problem in problems]


def understood(document: object) -> Graph:
    """A graph without faults."""
    graph, problems = read_graph(encoded(document))
    assert problems == []
    assert graph is not None
    return graph


def test_sorts_the_variables() -> None:
    """Arguments, auxiliary states and labels are told apart as MXNet does."""
    assert understood(parts.graph()) == Graph(
        arguments=frozenset({"data", "fc_weight", "fc_bias", "bn_gamma", "bn_beta", "softmax_label"}),
        auxiliary=frozenset({"bn_moving_mean", "bn_moving_var"}),
        labels=frozenset({"softmax_label"}),
    )


def test_knows_moving_statistics_without_versions() -> None:
    """Entries of two numbers, as old files have them, give the same states."""
    document = parts.graph()
    for node in document["nodes"]:
        node["inputs"] = [entry[:2] for entry in node["inputs"]]
    assert understood(document) == understood(parts.graph())


def test_knows_states_of_other_operators() -> None:
    """A variable with a version is one that some operator updates, whatever the operator is called."""
    document = parts.graph()
    document["nodes"][9]["op"] = "_contrib_Custom"
    assert understood(document).auxiliary == {"bn_moving_mean", "bn_moving_var"}


def test_leaves_out_what_no_head_reaches() -> None:
    """A variable beside the graph is none of its arguments."""
    document = parts.graph()
    document["nodes"].append(parts.variable("stray"))
    assert "stray" not in understood(document).arguments


@pytest.mark.parametrize("op", sorted(OUTPUT_OPS))
def test_labels_belong_to_output_operators(op: str) -> None:
    """Each operator that takes a label makes one of the argument whose name ends so."""
    document = parts.graph()
    document["nodes"][10]["op"] = op
    assert understood(document).labels == {"softmax_label"}


@pytest.mark.parametrize(("op", "name"), [("elemwise_add", "softmax_label"), ("SoftmaxOutput", "target")])
def test_other_variables_are_no_labels(op: str, name: str) -> None:
    """Neither the name nor the place alone makes a label."""
    document = parts.graph()
    document["nodes"][10]["op"] = op
    document["nodes"][7]["name"] = name
    assert understood(document).labels == frozenset()


@pytest.mark.parametrize("content", JUNK, ids=lambda content: repr(content[:8]))
def test_refuses_what_is_not_json(content: bytes) -> None:
    """Both files say that they are not JSON, and why."""
    for result, code in ((read_graph(content), "symbol-json"), (read_shapes(content), "shapes-json")):
        value, problems = result
        assert value is None
        assert [problem.code for problem in problems] == [code]
        assert problems[0].found.startswith("expected JSON in UTF-8, found: ")


def change(path: list[Any], value: object) -> Callable[[], dict[str, Any]]:
    """The valid graph with one value replaced."""

    def changed() -> dict[str, Any]:
        document: Any = parts.graph()
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        return document

    return changed


NODE = "expected node 8 to be an object with op, name and inputs, found "
INPUT = "expected inputs of node 8 to be earlier nodes, found "
HEAD = "expected heads to be [node, output, version], nodes below 11, found "


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (list, "expected an object with the lists nodes, arg_nodes and heads, found []"),
        (change(["nodes"], {}), "expected an object with the lists nodes, arg_nodes and heads, found {'arg_nodes': "),
        (change(["heads"], []), "expected at least one head, as it is what the model answers, found none"),
        (change(["nodes", 8], None), f"{NODE}None"),
        (change(["nodes", 8, "op"], 3), NODE),
        (change(["nodes", 8, "name"], None), NODE),
        (change(["nodes", 8, "inputs"], {}), NODE),
        (change(["nodes", 8, "inputs", 0], [8, 0, 0]), f"{INPUT}[8, 0, 0]"),
        (change(["nodes", 8, "inputs", 0], [-1, 0, 0]), f"{INPUT}[-1, 0, 0]"),
        (change(["nodes", 8, "inputs", 0], [0, 0, 0, 0]), INPUT),
        (change(["nodes", 8, "inputs", 0], [True, 0, 0]), f"{INPUT}[True, 0, 0]"),
        (change(["nodes", 8, "inputs", 0], [0.0, 0, 0]), INPUT),
        (change(["nodes", 8, "inputs", 0], "0"), f"{INPUT}'0'"),
        (change(["arg_nodes", 0], 11), "expected arg_nodes to be indices below 11, found 11"),
        (change(["arg_nodes", 0], "a"), "expected arg_nodes to be indices below 11, found 'a'"),
        (change(["arg_nodes", 0], 8), 'expected arg_nodes to point to variables (op "null"), found node 8'),
        (change(["heads", 0], [11, 0, 0]), f"{HEAD}[11, 0, 0]"),
        (change(["heads", 0], 10), f"{HEAD}10"),
    ],
)
def test_refuses_a_broken_graph(document: Callable[[], object], expected: str) -> None:
    """Each fault in the graph is described with what was expected there and what was found."""
    (found,) = faults(document())
    assert found.startswith(expected)


def test_lists_ten_faults_of_a_graph_at_most() -> None:
    """A file of junk does not fill the screen."""
    assert len(faults({"nodes": [None] * 1000, "arg_nodes": [], "heads": [[0, 0, 0]]})) == 10


def test_reads_the_signature() -> None:
    """The names of the inputs come back, whatever else an entry holds."""
    document = [{"name": "a", "shape": [1, 784]}, {"name": "b", "shape": [7], "dtype": "float32"}]
    assert read_shapes(encoded(document)) == (frozenset({"a", "b"}), [])


SHAPE = "expected a shape of positive whole numbers for 'data', found "


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, "expected a list of at least one input, found {}"),
        ([], "expected a list of at least one input, found []"),
        (["data"], "expected objects with name and shape, found 'data'"),
        ([{"shape": [1]}], "expected objects with name and shape, found {'shape': [1]}"),
        ([{"name": 1, "shape": [1]}], "expected objects with name and shape, found "),
        ([{"name": "data"}], f"{SHAPE}None"),
        ([{"name": "data", "shape": []}], f"{SHAPE}[]"),
        ([{"name": "data", "shape": 784}], f"{SHAPE}784"),
        ([{"name": "data", "shape": [1, 0]}], f"{SHAPE}[1, 0]"),
        ([{"name": "data", "shape": [1, -2]}], f"{SHAPE}[1, -2]"),
        ([{"name": "data", "shape": [1, 7.0]}], f"{SHAPE}[1, 7.0]"),
        ([{"name": "data", "shape": [True]}], f"{SHAPE}[True]"),
        ([{"name": "data", "shape": ["1"]}], f"{SHAPE}['1']"),
        ([{"name": "data", "shape": [2**31]}], f"{SHAPE}[2147483648]"),
        ([{"name": "data", "shape": [1]}] * 2, "expected each input once, found 'data' twice"),
    ],
)
def test_refuses_a_broken_signature(document: object, expected: str) -> None:
    """Each fault in the signature is described with what was expected there and what was found."""
    (found,) = shape_faults(document)
    assert found.startswith(expected)


def test_says_how_to_write_a_signature() -> None:
    """The remedy shows a whole valid file."""
    _, problems = read_shapes(b"{}")
    assert str(problems[0]) == (
        "[shapes-entry] model-shapes.json: expected a list of at least one input, found {}; write "
        '[{"name": "data", "shape": [1, 784]}], with the graph\'s own input name and shape'
    )


@settings(deadline=None, max_examples=50)
@given(VALUES | PARTS)
def test_any_json_gives_a_verdict(document: object) -> None:
    """Whatever the document, it is understood or its problems can be printed."""
    for value, problems in (read_graph(encoded(document)), read_shapes(encoded(document))):
        assert (value is None) == bool(problems)
        assert all(str(problem).isprintable() for problem in problems)


@pytest.mark.parametrize("depth", range(150, 1000, 50))
def test_deep_json_gives_a_verdict(depth: int) -> None:
    """Nesting that can just be parsed can also be quoted."""
    deep = "[" * depth + "]" * depth
    for part in ("nodes", "arg_nodes", "heads"):
        document = {"nodes": "[]", "arg_nodes": "[]", "heads": "[]"} | {part: deep}
        text = ", ".join(f'"{key}": {value}' for key, value in document.items())
        assert read_graph(f"{{{text}}}".encode())[1]
    assert read_shapes(deep.encode())[1]
