"""Rules about ``model-symbol.json``: the graph, its operators, and which of its variables are what.

The format is that of nnvm's ``SaveJSON`` and ``LoadJSON`` (``src/pass/saveload_json.cc``, MXNet 1.9.1).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from reprlib import repr as shown  # bounded in depth and length, whatever the file holds
from typing import TYPE_CHECKING, Any

from harness.artifact import SYMBOL, Problem
from harness.tarball.documents import parse
from harness.tarball.node import VARIABLE, Node, Output
from harness.tarball.operators import operator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OUTPUT_OPS = frozenset(
    {
        "SoftmaxOutput",
        "Softmax",
        "LinearRegressionOutput",
        "LogisticRegressionOutput",
        "MAERegressionOutput",
        "SVMOutput",
    },
)
"""Operators that take a label while training; while serving the container binds none (``label_names=None``)."""

MODERN = 900
"""Graphs of MXNet before 0.9, and those without a version, are completed by MXNet while it loads them
(``src/nnvm/legacy_json_util.cc``): their nodes may lack inputs, and hold attributes under older names."""

_GRAPH_KEYS = frozenset({"nodes", "arg_nodes", "heads", "node_row_ptr", "attrs"})
_NODE_KEYS = frozenset(
    {"op", "name", "inputs", "attrs", "attr", "param", "control_deps", "subgraphs", "backward_source_id"}
)
_ATTRIBUTES = ("param", "attr", "attrs")
"""Where a node's attributes stand: before MXNet 0.9, before 1.0, since."""

_FLAGS = frozenset({"__dtype__", "__storage_type__"})

_INDEX_LIMIT = 2**31 - 1
_WITHOUT_STATES = 3
"""Inputs of a BatchNorm: data, gamma, beta."""

_TYPED = 2
"""Parts of an attribute beside the nodes: its type and its value."""

_SHOWN = 10
_EXPORT = "write it with MXNet's save_checkpoint"


@dataclass(frozen=True)
class Graph:
    """What the parameters have to match.

    Attributes:
        nodes: those that the heads need, by position; inputs stand before whoever reads them.
        heads: what the model answers.
        arguments: names of the variables that the heads need, labels and data included, auxiliary states not.
        auxiliary: names of variables that operators update by themselves, such as moving statistics.
        labels: arguments that only training needs, whatever their names.
        version: of the MXNet that wrote it, 10901 for 1.9.1; 0 where it does not say.
        numpy_shapes: whether a 0 in a shape is a size, as in ``mx.np``, and not a gap.
    """

    nodes: Mapping[int, Node]
    heads: tuple[Output, ...]
    arguments: frozenset[str]
    auxiliary: frozenset[str]
    labels: frozenset[str]
    version: int = 0
    numpy_shapes: bool = False

    @property
    def variables(self) -> dict[str, int]:
        """Name to position."""
        return {node.name: position for position, node in self.nodes.items() if node.operator == VARIABLE}


def read_graph(content: bytes) -> tuple[Graph | None, list[Problem]]:
    """The graph in a symbol file; None, and why, when MXNet could not load it."""
    document, fault = parse(content, dmlc=True)
    if fault:
        return None, [Problem("symbol-json", SYMBOL, fault, _EXPORT)]
    if faults := list(islice(_faults(document), _SHOWN)):
        return None, [Problem("symbol-graph", SYMBOL, fault, _EXPORT) for fault in faults]
    graph = _graph(document)
    return graph, list(islice(_operator_problems(graph), _SHOWN))


def _index(value: object, below: int) -> bool:
    return type(value) is int and 0 <= value < below


def _entry(value: object, below: int) -> bool:
    """Whether a value is ``[node, output]`` or ``[node, output, version]`` with the node's index in range."""
    sizes = (2, 3)
    return (
        isinstance(value, list)
        and len(value) in sizes
        and _index(value[0], below)
        and all(_index(number, _INDEX_LIMIT) for number in value[1:])
    )


def _faults(document: Any) -> Iterator[str]:
    parts = ("nodes", "arg_nodes", "heads")
    if not isinstance(document, dict) or not all(isinstance(document.get(part), list) for part in parts):
        yield f"expected an object with the lists nodes, arg_nodes and heads, found {shown(document):.60}"
        return
    nodes, arg_nodes, heads = (document[part] for part in parts)
    if not heads:
        yield "expected at least one head, as it is what the model answers, found none"
    yield from _unknown_keys("the graph", document, _GRAPH_KEYS)
    yield from _node_faults(nodes)
    for value in arg_nodes:
        if not _index(value, len(nodes)):
            yield f"expected arg_nodes to be indices below {len(nodes)}, found {shown(value):.40}"
        elif isinstance(nodes[value], dict) and nodes[value].get("op") != VARIABLE:
            yield f'expected arg_nodes to point to variables (op "null"), found node {value}'
    for value in heads:
        if not _entry(value, len(nodes)):
            yield f"expected heads to be [node, output, version], nodes below {len(nodes)}, found {shown(value):.40}"
    rows = document.get("node_row_ptr", [])
    if not (isinstance(rows, list) and all(_index(row, _INDEX_LIMIT) for row in rows)):
        yield f"expected node_row_ptr to be a list of whole numbers, found {shown(rows):.40}"
    yield from _attribute_faults(document.get("attrs", {}))


def _unknown_keys(what: str, entry: Mapping[str, Any], known: frozenset[str]) -> Iterator[str]:
    for key in entry.keys() - known:
        yield f"expected {what} to have no key {key!r:.60}, as MXNet refuses it"


def _attribute_faults(attributes: object) -> Iterator[str]:
    """What stands beside the nodes: MXNet writes its version there, and whether shapes are those of ``mx.np``."""
    if not isinstance(attributes, dict):
        yield f"expected attrs of the graph to be an object, found {shown(attributes):.40}"
        return
    for name, value in attributes.items():
        if not (isinstance(value, list) and len(value) == _TYPED and value[0] == "int" and _integer(value[1])):
            yield f'expected attrs of the graph to be ["int", number], found {shown(value):.40} for {name!r:.60}'


def _integer(value: object) -> bool:
    return type(value) is int and abs(value) <= _INDEX_LIMIT


def _node_faults(nodes: list[Any]) -> Iterator[str]:
    for position, node in enumerate(nodes):
        whole = isinstance(node, dict) and isinstance(node.get("inputs"), list)
        if not (whole and isinstance(node.get("op"), str) and isinstance(node.get("name"), str)):
            yield f"expected node {position} to be an object with op, name and inputs, found {shown(node):.40}"
            continue
        yield from _unknown_keys(f"node {position}", node, _NODE_KEYS)
        for value in node["inputs"]:
            # MXNet writes a node after its inputs; an input that points ahead could close a loop.
            if not _entry(value, position):
                yield f"expected inputs of node {position} to be earlier nodes, found {shown(value):.40}"
        if node["op"] == VARIABLE and node["inputs"]:
            yield f'expected no inputs of node {position}, as it is a variable (op "null"), found {len(node["inputs"])}'
        yield from _detail_faults(position, node)


def _detail_faults(position: int, node: dict[str, Any]) -> Iterator[str]:
    for key in _ATTRIBUTES:
        given = node.get(key, {})
        if not (isinstance(given, dict) and all(isinstance(value, str) for value in given.values())):
            yield f"expected {key} of node {position} to be an object of texts, found {shown(given):.40}"
    dependencies = node.get("control_deps", [])
    if not (isinstance(dependencies, list) and all(_index(value, position) for value in dependencies)):
        yield f"expected control_deps of node {position} to be earlier nodes, found {shown(dependencies):.40}"
    source = node.get("backward_source_id", -1)
    if not _integer(source):
        yield f"expected backward_source_id of node {position} to be a whole number, found {shown(source):.40}"
    subgraphs = node.get("subgraphs", [])
    if not isinstance(subgraphs, list):
        yield f"expected subgraphs of node {position} to be a list, found {shown(subgraphs):.40}"
        return
    for subgraph in subgraphs:
        yield from _faults(subgraph)


def _graph(document: Mapping[str, Any]) -> Graph:
    """Classify the variables that the heads reach, as ``Symbol::ListInputs`` does."""
    entries, attributes = document["nodes"], document.get("attrs", {})
    wanted = {head[0] for head in document["heads"]}
    predicting = {head[0] for head in document["heads"]}
    auxiliary: set[int] = set()
    for position in range(len(entries) - 1, -1, -1):
        if position not in wanted:
            continue
        op, inputs = entries[position]["op"], entries[position]["inputs"]
        wanted.update(entry[0] for entry in inputs)
        # Operators raise the version of a variable that they update; files from before MXNet 1.0 hold no versions.
        auxiliary.update(entry[0] for entry in inputs if entry[2:] > [0])
        auxiliary.update(entry[0] for entry in inputs[3:5] if "BatchNorm" in op)
        if position in predicting:
            # The rest is labels: what an output operator compares its data with when it is trained.
            predicting.update(entry[0] for entry in (inputs[:1] if op in OUTPUT_OPS else inputs))
    nodes = {position: _node(entries[position]) for position in sorted(wanted)}
    version = attributes.get("mxnet_version", ("int", 0))[1]
    states = _unwritten_states(nodes) if version < MODERN else frozenset()
    variables = {position: node.name for position, node in nodes.items() if node.operator == VARIABLE}
    arguments = frozenset(name for position, name in variables.items() if position not in auxiliary)
    return Graph(
        nodes=nodes,
        heads=tuple((head[0], head[1]) for head in document["heads"]),
        arguments=arguments,
        auxiliary=states | {name for position, name in variables.items() if position in auxiliary},
        labels=frozenset(name for position, name in variables.items() if position not in predicting) & arguments,
        version=version,
        numpy_shapes=bool(attributes.get("is_np_shape", ("int", 0))[1]),
    )


def _unwritten_states(nodes: Mapping[int, Node]) -> frozenset[str]:
    """Moving statistics that MXNet before 0.9 kept out of the graph, under the names that it gives them now."""
    normalizing = [node for node in nodes.values() if node.operator == "BatchNorm"]
    bare = [node.name for node in normalizing if len(node.inputs) == _WITHOUT_STATES]
    return frozenset(f"{name}_{state}" for name in bare for state in ("moving_mean", "moving_var"))


def _node(entry: Mapping[str, Any]) -> Node:
    attributes: dict[str, str] = {}
    for key in _ATTRIBUTES:
        attributes |= entry.get(key, {})
    inputs = tuple((source[0], source[1]) for source in entry["inputs"])
    return Node(entry["name"], entry["op"], attributes, inputs)


def _operator_problems(graph: Graph) -> Iterator[Problem]:
    names = Counter(node.name for node in graph.nodes.values() if node.operator == VARIABLE)
    for name, count in names.items():
        if count > 1:
            found = f"expected variables with names of their own, found {count} named {name!r:.60}"
            yield Problem("symbol-graph", SYMBOL, found, "build the graph with a name for each layer")
    for node in graph.nodes.values():
        if node.operator == VARIABLE:
            yield from _variable_problems(node)
            continue
        known = operator(node.operator)
        if known is None:
            found = f"expected an operator of MXNet 1.9.1, found {node.operator!r:.60} in node {node.name!r:.60}"
            yield Problem("unknown-operator", SYMBOL, found, "write the layer with operators that the container has")
        elif graph.version >= MODERN:
            for fault in known.settings(node.attributes)[1]:
                found = f"node {node.name!r:.60}, {node.operator}: {fault}"
                yield Problem("operator-attribute", SYMBOL, found, _EXPORT)


def _variable_problems(node: Node) -> Iterator[Problem]:
    for key in sorted(_FLAGS & node.attributes.keys()):
        text = node.attributes[key]
        if not re.fullmatch("-?[0-9]{1,3}", text):
            found = f"variable {node.name!r:.60}: expected {key} to be a whole number, found {text!r:.60}"
            yield Problem("operator-attribute", SYMBOL, found, _EXPORT)
