"""A node of a graph, as its symbol file has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "null"
"""The operator of a node that computes nothing: data, a label, a parameter, an auxiliary state."""

Output = tuple[int, int]
"""One output of a node: the node's position, and which of its outputs."""


@dataclass(frozen=True)
class Node:
    """One step of a graph.

    Attributes:
        name: what MXNet calls it.
        operator: MXNet's name of what it computes, or `VARIABLE`.
        attributes: the operator's settings as text; only those that were given.
        inputs: what it reads, all of nodes before it.
    """

    name: str
    operator: str
    attributes: Mapping[str, str]
    inputs: tuple[Output, ...]
