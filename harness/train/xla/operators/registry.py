"""All operators, by MXNet's names."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from harness.train.xla.attributes import unsupported
from harness.train.xla.operators.activations import ACTIVATIONS
from harness.train.xla.operators.arithmetic import ARITHMETIC
from harness.train.xla.operators.convolution import CONVOLUTION
from harness.train.xla.operators.dense import DENSE
from harness.train.xla.operators.functions import FUNCTIONS
from harness.train.xla.operators.losses import LOSSES
from harness.train.xla.operators.normalization import NORMALIZATION
from harness.train.xla.operators.pooling import POOLING
from harness.train.xla.operators.reductions import REDUCTIONS
from harness.train.xla.operators.shapes import SHAPES

if TYPE_CHECKING:
    from harness.train.xla.graph import Node
    from harness.train.xla.operators.operator import Operator

_FAMILIES = (
    ACTIVATIONS,
    ARITHMETIC,
    CONVOLUTION,
    DENSE,
    FUNCTIONS,
    LOSSES,
    NORMALIZATION,
    POOLING,
    REDUCTIONS,
    SHAPES,
)

OPERATORS: dict[str, Operator] = reduce(or_, _FAMILIES, {})


def operator_of(node: Node) -> Operator:
    """What a node computes.

    Raises:
        TrainingError: names node and operator, and the engine that supports it.
    """
    try:
        return OPERATORS[node.operator]
    except KeyError:
        raise unsupported(node, f"operator {node.operator}") from None
