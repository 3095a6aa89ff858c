"""Rules about types: what flows through a graph when the container binds its inputs as float32.

``Module.bind`` gives data the type float32 where nobody says otherwise, and the container says nothing. Variables say
theirs by ``__dtype__``, as Gluon's export writes it; MXNet refuses a layer whose weights and data differ in that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.artifact import SYMBOL, Problem
from harness.tarball.node import VARIABLE, Node, Output
from harness.tarball.operators import operator
from harness.tarball.params import DTYPES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.tarball.graph import Graph

LAYERS = frozenset({"Convolution", "Deconvolution", "FullyConnected", "GroupNorm", "InstanceNorm", "LayerNorm", "RNN"})
"""Operators that take data and weights of one type, the weights after the data."""

STATISTICAL = frozenset({"BatchNorm", "BatchNorm_v1", "_contrib_BatchNormWithReLU", "_contrib_SyncBatchNorm"})
"""Operators whose weights, after the data, may be wider than the data."""

_CASTS = frozenset({"Cast", "amp_cast"})
_SHOWN = 5


def is_weighted(node: Node, *, strictly: bool = False) -> bool:
    """Whether a node multiplies or adds with weights, by MXNet's own name; strictly, with those of its data's type."""
    known = operator(node.operator)
    return known is not None and known.name in (LAYERS if strictly else LAYERS | STATISTICAL)


def type_problems(graph: Graph, inputs: Mapping[str, object]) -> Iterator[Problem]:
    """Layers whose weights are declared to be of another type than their data arrive in."""
    types: dict[Output, str] = {}
    told = 0
    for position, node in graph.nodes.items():
        given = [types.get(source, "") for source in node.inputs]
        if node.operator == VARIABLE:
            types[position, 0] = "float32" if node.name in inputs else _declared(node)
            continue
        if is_weighted(node, strictly=True) and given and given[0]:
            other = next((found for found in given[1:] if found not in ("", given[0])), "")
            if other and told < _SHOWN:
                told += 1
                found = f"{node.operator} node {node.name!r:.60}: expected weights of the type of its data, {given[0]}"
                remedy = "export the model as float32, or cast its data first: mx.sym.Cast(data, dtype=...)"
                yield Problem("graph-dtype", SYMBOL, f"{found}, found {other}", remedy)
        types[position, 0] = _result(node, given)


def _declared(variable: Node) -> str:
    flag = variable.attributes.get("__dtype__", "")
    dtype = DTYPES.get(int(flag)) if flag.isascii() and flag.isdecimal() else None
    return dtype.name if dtype else ""


def _result(node: Node, given: list[str]) -> str:
    """The type of a node's first output; "" where it cannot be told for sure."""
    known = operator(node.operator)
    if known is None:
        return ""
    if known.name in _CASTS:
        return str(known.settings(node.attributes)[0].get("dtype", ""))
    keeps = is_weighted(node) or known.name in _KEEPERS
    return given[0] if keeps and given else ""


_KEEPERS = frozenset(
    {
        *("Activation", "BlockGrad", "Concat", "Dropout", "Flatten", "LeakyReLU", "Pooling", "Reshape", "SwapAxis"),
        *("_copy", "_mul_scalar", "_plus_scalar", "clip", "elemwise_add", "elemwise_mul", "expand_dims", "relu"),
        *("sigmoid", "slice_axis", "softmax", "squeeze", "tanh", "transpose"),
    }
)
"""Operators whose first output is of the type of their first input; of others nothing is claimed."""
