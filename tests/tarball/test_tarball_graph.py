"""What is read out of a symbol file, and what is refused in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import tarball_parts as parts
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.tarball.graph import OUTPUT_OPS, Graph, read_graph

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


def understood(document: object) -> Graph:
    """A graph without faults."""
    graph, problems = read_graph(encoded(document))
    assert problems == []
    assert graph is not None
    return graph


def test_sorts_the_variables() -> None:
    """Arguments, auxiliary states and labels are told apart as MXNet does."""
    graph = understood(parts.graph())
    assert graph.arguments == {"data", "fc_weight", "fc_bias", "bn_gamma", "bn_beta", "softmax_label"}
    assert graph.auxiliary == {"bn_moving_mean", "bn_moving_var"}
    assert graph.labels == {"softmax_label"}


def test_knows_moving_statistics_without_versions() -> None:
    """Entries of two numbers, as old files have them, give the same states."""
    document = parts.graph()
    for node in document["nodes"]:
        node["inputs"] = [entry[:2] for entry in node["inputs"]]
    assert understood(document) == understood(parts.graph())


def test_knows_states_of_other_operators() -> None:
    """A variable with a version is one that some operator updates, whatever the operator is called."""
    document = parts.graph()
    document["nodes"][9]["op"] = "_copy"
    assert understood(document).auxiliary == {"bn_moving_mean", "bn_moving_var"}


def test_leaves_out_what_no_head_reaches() -> None:
    """A variable beside the graph is none of its arguments."""
    document = parts.graph()
    document["nodes"].append(parts.variable("stray"))
    assert "stray" not in understood(document).arguments


@pytest.mark.parametrize("op", sorted(OUTPUT_OPS))
@pytest.mark.parametrize("name", ["softmax_label", "target"])
def test_labels_belong_to_output_operators(op: str, name: str) -> None:
    """Each operator that takes a label makes one of what it is given, whatever its name."""
    document = parts.graph()
    document["nodes"][10]["op"] = op
    document["nodes"][7]["name"] = name
    assert understood(document).labels == {name}


def test_a_label_may_be_computed() -> None:
    """What nothing but a label depends on is needed in training only."""
    document = parts.graph()
    scaled = {"op": "negative", "name": "scaled", "inputs": [[7, 0, 0]]}
    document["nodes"].insert(10, scaled)
    document["nodes"][11]["inputs"][1] = [10, 0, 0]
    document["heads"] = [[11, 0, 0]]
    assert understood(document).labels == {"softmax_label"}


def test_what_is_predicted_from_is_no_label() -> None:
    """Neither a name nor being a label as well frees a variable from having a value."""
    document = parts.graph()
    document["nodes"][10]["op"] = "elemwise_add"
    assert understood(document).labels == frozenset()
    document = parts.graph()
    document["heads"].append([7, 0, 0])
    assert understood(document).labels == frozenset()


@pytest.mark.parametrize("content", JUNK, ids=lambda content: repr(content[:8]))
def test_refuses_what_is_not_json(content: bytes) -> None:
    """The file says that it is not JSON, and why."""
    value, problems = read_graph(content)
    assert value is None
    assert [problem.code for problem in problems] == ["symbol-json"]
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
        (change(["speed"], 10), "expected the graph to have no key 'speed', as MXNet refuses it"),
        (change(["nodes", 8, "speed"], "1"), "expected node 8 to have no key 'speed', as MXNet refuses it"),
        (change(["nodes", 1, "inputs"], [[0, 0, 0]]), "expected no inputs of node 1, as it is a variable "),
        (change(["node_row_ptr"], [0.5]), "expected node_row_ptr to be a list of whole numbers, found [0.5]"),
        (change(["attrs"], []), "expected attrs of the graph to be an object, found []"),
        (change(["attrs", "x"], ["int", True]), 'expected attrs of the graph to be ["int", number], found '),
        (change(["attrs", "x"], ["ptr", 1]), 'expected attrs of the graph to be ["int", number], found '),
        (change(["nodes", 8, "attrs", "no_bias"], 1), "expected attrs of node 8 to be an object of texts, found "),
        (change(["nodes", 8, "attr"], ["x"]), "expected attr of node 8 to be an object of texts, found ['x']"),
        (change(["nodes", 8, "control_deps"], [9]), "expected control_deps of node 8 to be earlier nodes, found [9]"),
        (change(["nodes", 8, "backward_source_id"], 2**31), "expected backward_source_id of node 8 to be a whole "),
        (change(["nodes", 8, "subgraphs"], {}), "expected subgraphs of node 8 to be a list, found {}"),
        (
            change(["nodes", 8, "subgraphs"], [7]),
            "expected an object with the lists nodes, arg_nodes and heads, found 7",
        ),
    ],
)
def test_refuses_a_broken_graph(document: Callable[[], object], expected: str) -> None:
    """Each fault in the graph is described with what was expected there and what was found."""
    (found,) = faults(document())
    assert found.startswith(expected)


def test_lists_ten_faults_of_a_graph_at_most() -> None:
    """A file of junk does not fill the screen."""
    assert len(faults({"nodes": [None] * 1000, "arg_nodes": [], "heads": [[0, 0, 0]]})) == 10


@settings(deadline=None, max_examples=50)
@given(VALUES | PARTS)
def test_any_json_gives_a_verdict(document: object) -> None:
    """Whatever the document, it is understood or its problems can be printed."""
    value, problems = read_graph(encoded(document))
    assert value is not None or problems
    assert all(str(problem).isprintable() for problem in problems)


@pytest.mark.parametrize("depth", range(150, 1000, 50))
def test_deep_json_gives_a_verdict(depth: int) -> None:
    """Nesting that can just be parsed can also be quoted."""
    deep = "[" * depth + "]" * depth
    for part in ("nodes", "arg_nodes", "heads"):
        document = {"nodes": "[]", "arg_nodes": "[]", "heads": "[]"} | {part: deep}
        text = ", ".join(f'"{key}": {value}' for key, value in document.items())
        assert read_graph(f"{{{text}}}".encode())[1]


@pytest.mark.parametrize("escape", ["u0077", "/", "b", "f"])
def test_refuses_escapes_that_mxnet_cannot_read(escape: str) -> None:
    """JSON knows more escapes than MXNet's reader, which stops at one that it does not know."""
    _, problems = read_graph(encoded(parts.graph()).replace(b"fc_weight", f"fc_\\{escape}".encode()))
    (problem,) = problems
    assert problem.code == "symbol-json"
    assert problem.found.endswith(f"found \\{escape[0]}")


def test_reads_the_escapes_that_mxnet_reads() -> None:
    """A name may hold what its reader understands."""
    content = encoded(parts.graph()).replace(b"fc_weight", rb"fc \"\\u\n\t")
    graph, problems = read_graph(content)
    assert problems == []
    assert graph is not None
    assert 'fc "\\u\n\t' in graph.arguments


def test_refuses_a_key_that_stands_twice() -> None:
    """Readers differ in which of the two they keep."""
    _, problems = read_graph(encoded(parts.graph()).replace(b'"num_hidden"', b'"no_bias": "0", "no_bias"'))
    assert [problem.found for problem in problems] == [
        "expected JSON in UTF-8, found: the key 'no_bias' twice in one object"
    ]


@pytest.mark.parametrize(
    ("path", "value", "code", "found"),
    [
        (["op"], "FullyConected", "unknown-operator", "found 'FullyConected' in node 'fc'"),
        (["op"], "Custom", "unknown-operator", "found 'Custom' in node 'fc'"),
        (["op"], "_NDArray", "unknown-operator", "found '_NDArray' in node 'fc'"),
        (["attrs", "num_hidden"], "3.0", "operator-attribute", "expected num_hidden to be int, found '3.0'"),
        (["attrs", "hidden"], "3", "operator-attribute", "expected no attribute 'hidden'"),
        (["attrs"], {}, "operator-attribute", "expected the attribute num_hidden (int), found none"),
    ],
)
def test_refuses_what_operators_do_not_take(path: list[str], value: object, code: str, found: str) -> None:
    """Operators that MXNet 1.9.1 does not have, or that would run code or follow pointers, and wrong attributes."""
    _, problems = read_graph(encoded(change(["nodes", 8, *path], value)()))
    (problem,) = problems
    assert problem.code == code
    assert found in problem.found


def test_leaves_attributes_of_old_graphs_to_mxnet() -> None:
    """Before MXNet 0.9 attributes had other names, which MXNet mends while it loads the graph."""
    document = change(["nodes", 8, "attrs", "lr_mult"], "2")()
    assert read_graph(encoded(document))[1]
    document["attrs"]["mxnet_version"] = ["int", 800]
    assert understood(document).version == 800


def test_refuses_two_variables_of_one_name() -> None:
    """Whose value a parameter is would be anybody's guess."""
    _, problems = read_graph(encoded(change(["nodes", 1, "name"], "data")()))
    assert "expected variables with names of their own, found 2 named 'data'" in {problem.found for problem in problems}
