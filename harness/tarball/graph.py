"""Rules about ``model-symbol.json`` and ``model-shapes.json``: the graph, and which of its arguments are data.

The graph's format is that of nnvm's ``SaveJSON`` and ``LoadJSON`` (``src/pass/saveload_json.cc``, MXNet 1.9.1). The
shapes' is what ``read_data_shapes`` in ``sagemaker_mxnet_serving_container/utils.py`` (1.5.5) reads.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from reprlib import repr as shown  # bounded in depth and length, whatever the file holds
from typing import TYPE_CHECKING, Any

from harness.artifact import SHAPES, SYMBOL, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

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

MAX_DIMENSION = 2**31 - 1
"""MXNet's wheels are built with 32-bit tensor sizes."""

_SHOWN = 10
_EXPORT = "write it with MXNet's save_checkpoint"
_SIGNATURE = 'write [{"name": "data", "shape": [1, 784]}], with the graph\'s own input name and shape'


@dataclass(frozen=True)
class Graph:
    """What the parameters have to match.

    Attributes:
        arguments: variables that the outputs depend on, labels and data included, auxiliary states not.
        auxiliary: variables that operators update by themselves, such as moving statistics.
        labels: arguments that only training needs.
    """

    arguments: frozenset[str]
    auxiliary: frozenset[str]
    labels: frozenset[str]


def read_graph(content: bytes) -> tuple[Graph | None, list[Problem]]:
    """The graph in a symbol file; None, and why, when MXNet could not load it."""
    document, fault = _json(content)
    if fault:
        return None, [Problem("symbol-json", SYMBOL, fault, _EXPORT)]
    faults = list(islice(_graph_faults(document), _SHOWN))
    if faults:
        return None, [Problem("symbol-graph", SYMBOL, fault, _EXPORT) for fault in faults]
    return _graph(document["nodes"], document["heads"]), []


def read_shapes(content: bytes) -> tuple[frozenset[str] | None, list[Problem]]:
    """The names of the data inputs; None, and why, when the container could not bind the model to these shapes."""
    document, fault = _json(content)
    if fault:
        return None, [Problem("shapes-json", SHAPES, fault, _SIGNATURE)]
    faults = list(islice(_shape_faults(document), _SHOWN))
    if faults:
        return None, [Problem("shapes-entry", SHAPES, fault, _SIGNATURE) for fault in faults]
    return frozenset(entry["name"] for entry in document), []


def _json(content: bytes) -> tuple[Any, str]:
    try:
        return json.loads(content.decode()), ""
    except (ValueError, RecursionError) as error:
        return None, f"expected JSON in UTF-8, found: {error}"


def _index(value: object, below: float) -> bool:
    return type(value) is int and 0 <= value < below


def _dimension(value: object) -> bool:
    return _index(value, MAX_DIMENSION + 1) and value != 0


def _entry(value: object, below: int) -> bool:
    """Whether a value is ``[node, output]`` or ``[node, output, version]`` with the node's index in range."""
    sizes = (2, 3)
    return (
        isinstance(value, list)
        and len(value) in sizes
        and _index(value[0], below)
        and all(_index(number, MAX_DIMENSION) for number in value[1:])
    )


def _graph_faults(document: Any) -> Iterator[str]:
    parts = ("nodes", "arg_nodes", "heads")
    if not isinstance(document, dict) or not all(isinstance(document.get(part), list) for part in parts):
        yield f"expected an object with the lists nodes, arg_nodes and heads, found {shown(document):.60}"
        return
    nodes, arg_nodes, heads = (document[part] for part in parts)
    if not heads:
        yield "expected at least one head, as it is what the model answers, found none"
    yield from _node_faults(nodes)
    for value in arg_nodes:
        if not _index(value, len(nodes)):
            yield f"expected arg_nodes to be indices below {len(nodes)}, found {shown(value):.40}"
        elif isinstance(nodes[value], dict) and nodes[value].get("op") != "null":
            yield f'expected arg_nodes to point to variables (op "null"), found node {value}'
    for value in heads:
        if not _entry(value, len(nodes)):
            yield f"expected heads to be [node, output, version], nodes below {len(nodes)}, found {shown(value):.40}"


def _node_faults(nodes: list[Any]) -> Iterator[str]:
    for position, node in enumerate(nodes):
        whole = isinstance(node, dict) and isinstance(node.get("inputs"), list)
        if not (whole and isinstance(node.get("op"), str) and isinstance(node.get("name"), str)):
            yield f"expected node {position} to be an object with op, name and inputs, found {shown(node):.40}"
            continue
        for value in node["inputs"]:
            # MXNet writes a node after its inputs; an input that points ahead could close a loop.
            if not _entry(value, position):
                yield f"expected inputs of node {position} to be earlier nodes, found {shown(value):.40}"


def _graph(nodes: list[dict[str, Any]], heads: list[list[int]]) -> Graph:
    """Classify the variables that the heads reach, as ``Symbol::ListInputs`` does."""
    wanted = {head[0] for head in heads}
    auxiliary: set[int] = set()
    labels: set[str] = set()
    for position in range(len(nodes) - 1, -1, -1):
        if position not in wanted:
            continue
        op, inputs = nodes[position]["op"], nodes[position]["inputs"]
        wanted.update(entry[0] for entry in inputs)
        # Operators raise the version of a variable that they update; files from before MXNet 1.0 hold no versions.
        auxiliary.update(entry[0] for entry in inputs if entry[2:] > [0])
        auxiliary.update(entry[0] for entry in inputs[3:5] if "BatchNorm" in op)
        if op in OUTPUT_OPS:
            labels.update(nodes[entry[0]]["name"] for entry in inputs)
    variables = {position: nodes[position]["name"] for position in wanted if nodes[position]["op"] == "null"}
    arguments = frozenset(name for position, name in variables.items() if position not in auxiliary)
    return Graph(
        arguments=arguments,
        auxiliary=frozenset(name for position, name in variables.items() if position in auxiliary),
        labels=frozenset(name for name in arguments & labels if name.endswith("label")),
    )


def _shape_faults(document: Any) -> Iterator[str]:
    if not isinstance(document, list) or not document:
        yield f"expected a list of at least one input, found {shown(document):.40}"
        return
    names = set()
    for entry in document:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            yield f"expected objects with name and shape, found {shown(entry):.40}"
            continue
        shape = entry.get("shape")
        if not (isinstance(shape, list) and shape and all(_dimension(size) for size in shape)):
            yield f"expected a shape of positive whole numbers for {shown(entry['name']):.40}, found {shown(shape):.40}"
        if entry["name"] in names:
            yield f"expected each input once, found {shown(entry['name']):.40} twice"
        names.add(entry["name"])
