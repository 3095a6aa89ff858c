"""What an operator is, and the families' way to declare one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.artifact import Shape
from harness.train.xla.attributes import Attribute, Settings

Array = Any
"""A ``jax.Array``, or what stands for one while a program is traced."""

Shapes = Sequence[Shape | None]
"""Shape of each input; None where it has yet to be found."""


@dataclass(frozen=True)
class Run:
    """How a graph is being computed.

    Attributes:
        training: whether weights change: dropout drops, and batches are normalized by their own statistics.
        key: a JAX random key for this node alone, of an operator that draws; None if none was given.
    """

    training: bool
    key: Array | None


@dataclass(frozen=True)
class Updated:
    """Outputs of an operator that updates its auxiliary states; input position to new value."""

    outputs: tuple[Array, ...]
    auxiliary: Mapping[int, Array]


Apply = Callable[[Settings, Sequence[Array], Run], Array | tuple[Array, ...] | Updated]
Infer = Callable[[Settings, Shapes], Mapping[int, Shape]]
Count = Callable[[Settings], int]
Fixed = Callable[[Settings], Mapping[int, float]]


def nothing_fixed(_settings: Settings) -> Mapping[int, float]:
    """What most operators hold at a value."""
    return {}


@dataclass(frozen=True)
class Operator:
    """One of MXNet's operators.

    Attributes:
        attributes: every attribute that may be given.
        apply: computes the outputs; of a loss, with MXNet's own gradient.
        infer: shapes of the inputs that follow from those known (parameters, labels, auxiliary states), by position;
            it also refuses shapes that `apply` would take and MXNet does not.
        inputs: how many inputs there are with these settings.
        alike: whether all inputs and outputs have the same shape, so that one tells the others.
        labels: positions of the inputs that are None in predictions.
        auxiliary: positions of the inputs that the operator updates itself.
        fixed: inputs that it holds at a value, whatever an optimizer does to them, by position.
        random: whether `apply` draws random numbers.
    """

    attributes: Mapping[str, Attribute]
    apply: Apply
    infer: Infer
    inputs: Count
    alike: bool = False
    labels: tuple[int, ...] = ()
    auxiliary: tuple[int, ...] = ()
    fixed: Fixed = nothing_fixed
    random: bool = False


class Family(dict[str, Operator]):
    """Operators by MXNet's name."""

    def add(
        self,
        *names: str,
        infer: Infer = lambda _settings, _shapes: {},
        inputs: int | Count = 1,
        alike: bool = False,
        labels: tuple[int, ...] = (),
        auxiliary: tuple[int, ...] = (),
        fixed: Fixed = nothing_fixed,
        random: bool = False,
        **attributes: Attribute,
    ) -> Callable[[Apply], Apply]:
        """Declare a function as what one operator, under all of its names, computes."""
        count = inputs if callable(inputs) else lambda _settings: inputs

        def declare(apply: Apply) -> Apply:
            operator = Operator(attributes, apply, infer, count, alike, labels, auxiliary, fixed, random)
            self.update(dict.fromkeys(names, operator))
            return apply

        return declare
