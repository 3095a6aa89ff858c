"""What a rule about an operator is, and the families' way to declare one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from harness.artifact import Shape
from harness.tarball.operators import Settings

MOST_ELEMENTS = 2**31 - 1
"""MXNet's wheels have 32-bit tensor sizes."""

MOST_DIMENSIONS = 32
"""That MXNet has kernels for, with room to spare."""

Given = Sequence[Shape | None]
"""Shape of each input; None where it is not known yet."""


class MisfitError(ValueError):
    """Shapes and attributes that contradict each other, in words: what was expected, what was found."""


class Found(NamedTuple):
    """What follows from the shapes that are given.

    Attributes:
        outputs: shape of each output, from the first on; the last one goes on for all others. () if not known.
        inputs: shapes that inputs have to have, by position: parameters, labels, states.
    """

    outputs: tuple[Shape, ...] = ()
    inputs: Mapping[int, Shape] = {}


NOTHING = Found()

Infer = Callable[[Settings, Given], Found]
Count = Callable[[Settings], int | None]


@dataclass(frozen=True)
class Rule:
    """What is known of an operator.

    Attributes:
        infer: finds shapes; raises `MisfitError`.
        inputs: how many inputs it takes with these settings; None for any number.
        outputs: how many outputs it has, those included that no other layer is meant to read.
        alike: whether all inputs and the first output have one shape, so that any of them tells the others.
    """

    infer: Infer
    inputs: Count
    outputs: Count
    alike: bool


@dataclass
class Family:
    """Rules that belong together.

    Attributes:
        rules: by MXNet's own name of the operator.
    """

    rules: dict[str, Rule] = field(default_factory=dict)

    def add(
        self,
        *names: str,
        inputs: int | Count = 1,
        outputs: int | Count = 1,
        alike: bool = False,
    ) -> Callable[[Infer], Infer]:
        """Declare operators that one function knows."""

        def declare(infer: Infer) -> Infer:
            rule = Rule(infer, _count(inputs), _count(outputs), alike)
            self.rules.update(dict.fromkeys(names, rule))
            return infer

        return declare

    def of_data(self, *names: str, **counts: Any) -> Callable[[Callable[[Settings, Shape], Shape]], Any]:
        """Declare operators with one input, whose one output has the shape that a function tells."""

        def declare(shape_of: Callable[[Settings, Shape], Shape]) -> Any:
            def infer(settings: Settings, given: Given) -> Found:
                [data] = given
                return NOTHING if data is None else Found((shape_of(settings, data),))

            self.add(*names, **counts)(infer)
            return shape_of

        return declare


def _count(count: int | Count) -> Count:
    return (lambda _settings: count) if isinstance(count, int) else count


def expect(condition: object, expected: str, found: object) -> None:
    """Refuse what does not fit.

    Raises:
        MisfitError: the condition does not hold.
    """
    if not condition:
        raise MisfitError(f"expected {expected}, found {shown(found)}")


def shown(value: object) -> str:
    """A value in words, cut off where it would fill a page."""
    if isinstance(value, tuple) and len(value) > _SHOWN:
        return f"{str(value[:_SHOWN])[:-1]}, ...)"
    return f"{value!s:.200}"


_SHOWN = 12


def size_fault(shape: Shape) -> str:
    """What a tensor should have had, or "" if it can be of this shape."""
    if len(shape) > MOST_DIMENSIONS:
        return f"at most {MOST_DIMENSIONS} dimensions"
    if not shape or min(shape) < 1:
        return "at least one element"
    if math.prod(shape) > MOST_ELEMENTS:
        return f"at most {MOST_ELEMENTS:,} elements"
    return ""


def axis_of(axis: int, shape: Shape) -> int:
    """The dimension that an axis means, counted from the front.

    Raises:
        MisfitError: there is none.
    """
    expect(-len(shape) <= axis < len(shape), f"an axis of data of {len(shape)} dimensions", axis)
    return axis % len(shape)


def numbers(settings: Settings, name: str, least: int = -(2**63)) -> Shape:
    """An attribute that is a tuple of whole numbers, none below `least`.

    Raises:
        MisfitError: one of them is None, or too small.
    """
    value: Shape | None = settings[name]
    if value is None:
        raise MisfitError(f"expected {name} to be whole numbers, found None")
    whole = all(number is not None and number >= least for number in value)
    bound = f" of at least {least}" if least > -(2**63) else ""
    expect(whole, f"{name} to be whole numbers{bound}", value)
    return value
