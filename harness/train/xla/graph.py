"""The graph in a symbol's JSON, as nnvm writes it (``src/pass/saveload_json.cc``, MXNet 1.9.1)."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "null"
"""The operator of a node that computes nothing: a parameter, an auxiliary state, the data or the label."""

_ATTRIBUTES = ("attrs", "attr", "param")  # MXNet 1.0 and later; 0.9 to 0.12; before
_MULTIPLIERS = frozenset({"lr_mult", "wd_mult"})


@dataclass(frozen=True)
class Edge:
    """One output of a node: the node's position in the graph, and which of its outputs."""

    node: int
    output: int


@dataclass(frozen=True)
class Node:
    """One step of a graph.

    Attributes:
        position: its place in the graph; inputs stand before it.
        name: unique in the graph.
        operator: MXNet's name of what it computes, or `VARIABLE`.
        attributes: the operator's settings as text; only those that were given.
        inputs: what it reads.
    """

    position: int
    name: str
    operator: str
    attributes: Mapping[str, str]
    inputs: tuple[Edge, ...]

    def __str__(self) -> str:
        kind = "variable" if self.operator == VARIABLE else f"{self.operator} node"
        return f"{kind} {self.name!r}"


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which they can be computed, those that the heads need alone.

    Attributes:
        nodes: position to node; positions are those of the JSON, so there may be gaps.
        heads: what the graph answers.
    """

    nodes: Mapping[int, Node]
    heads: tuple[Edge, ...]

    @classmethod
    def parse(cls, symbol_json: str) -> Graph:
        """Read the text of ``Symbol.tojson()``.

        Raises:
            TrainingError: it is no symbol, or one for the shapes of ``mx.np``.
        """
        try:
            document = json.loads(symbol_json)
            nodes = [_node(position, entry) for position, entry in enumerate(document["nodes"])]
            heads = tuple(_edge(entry, len(nodes)) for entry in document["heads"])
            numpy_shapes = document.get("attrs", {}).get("is_np_shape", (None, 0))[1]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise TrainingError(
                f"symbol: expected the JSON of Symbol.tojson(), found text that cannot be read so "
                f"({type(error).__name__}: {error}); write it with MXNet"
            ) from error
        if numpy_shapes:
            raise TrainingError(
                "symbol: expected the shapes of mx.sym, found is_np_shape, with which tensors may have no dimension; "
                'write it outside of mx.util.np_shape, or train with engine="mxnet"'
            )
        needed = _needed(nodes, heads)
        graph = cls({node.position: node for node in nodes if node.position in needed}, heads)
        graph._check_variables()
        return graph

    @property
    def variables(self) -> dict[str, Node]:
        """Name to node of all that is put in, in the order of ``Symbol.list_inputs()``."""
        return {node.name: node for node in self.nodes.values() if node.operator == VARIABLE}

    def _check_variables(self) -> None:
        variables = [node for node in self.nodes.values() if node.operator == VARIABLE]
        names = Counter(node.name for node in variables)
        for node in variables:
            if names[node.name] > 1:
                raise TrainingError(
                    f"symbol: expected variables with names of their own, found two named {node.name!r}; rename one"
                )
            for key in _MULTIPLIERS & node.attributes.keys():
                raise TrainingError(
                    f"symbol: expected {key} of {node.name!r} under the name __{key}__, found it as older versions "
                    f"write it; let MXNet 1.9.1 write the graph: mx.sym.load(path).tojson()"
                )


def _node(position: int, entry: Mapping[str, Any]) -> Node:
    given: dict[str, str] = {}
    for key in reversed(_ATTRIBUTES):
        given |= entry.get(key) or {}
    inputs = tuple(_edge(source, position) for source in entry["inputs"])
    return Node(position, str(entry["name"]), str(entry["op"]), given, inputs)


def _edge(entry: list[int], before: int) -> Edge:
    """A reference to one of the nodes before a position."""
    node, output = entry[:2]
    if not (type(node) is type(output) is int and 0 <= node < before and output >= 0):
        raise ValueError(f"{entry} is no output of a node before number {before}")
    return Edge(node, output)


def _needed(nodes: list[Node], heads: tuple[Edge, ...]) -> set[int]:
    needed = {head.node for head in heads}
    for node in reversed(nodes):
        if node.position in needed:
            needed.update(edge.node for edge in node.inputs)
    return needed
