"""Operators' attributes: from the text in a symbol to values, with what this engine supports of each.

MXNet writes every attribute as text (``dmlc::Parameter``), and only those that were given.
"""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.train.xla.graph import Node

Settings = types.SimpleNamespace
"""An operator's attributes by name, defaults filled in, and as `node` the node that they were given to."""


@dataclass(frozen=True)
class Attribute:
    """What one attribute may be.

    Attributes:
        parse: text to value; raises ValueError for what is not supported.
        expected: what `parse` takes, in words.
        default: the value where the attribute is not given; `REQUIRED` if it has to be.
    """

    parse: Callable[[str], Any]
    expected: str
    default: Any


REQUIRED = object()


def integer(default: object = REQUIRED, *, least: int | None = None) -> Attribute:
    """A whole number, not below `least`."""
    expected = "a whole number" if least is None else f"a whole number of at least {least}"
    return Attribute(lambda text: _at_least(least, int(text)), expected, default)


def number(default: object = REQUIRED) -> Attribute:
    """A real number."""
    return Attribute(float, "a number", default)


def fraction(default: object = REQUIRED) -> Attribute:
    """A real number from 0 to below 1."""
    return Attribute(_fraction, "a number from 0 to below 1", default)


def flag(*, default: bool) -> Attribute:
    """True or False, which MXNet also writes as 1 and 0."""
    return Attribute(parse_flag, "True or False", default)


def choice(*values: str, default: object = REQUIRED) -> Attribute:
    """One of some words."""
    return Attribute(lambda text: _lookup({value: value for value in values}, text), " or ".join(values), default)


def integers(default: object = REQUIRED, *, least: int | None = None) -> Attribute:
    """A tuple of whole numbers, none below `least`; a single number counts as a tuple of one."""
    expected = "a tuple of whole numbers" if least is None else f"a tuple of whole numbers of at least {least}"
    return Attribute(lambda text: tuple(_at_least(least, value) for value in parse_integers(text)), expected, default)


def optional(inner: Attribute) -> Attribute:
    """What another attribute takes, or None."""
    return Attribute(
        lambda text: None if text == "None" else inner.parse(text), f"{inner.expected} or None", inner.default
    )


def only(*texts: str, default: object) -> Attribute:
    """An attribute of which one value alone, in any of its spellings, is supported: the default."""
    return Attribute(lambda text: _lookup(dict.fromkeys(texts, default), text), texts[0], default)


def off() -> Attribute:
    """A switch that has to stay off."""
    return only("False", "false", "0", "None", default=False)


IGNORED = Attribute(str, "anything", None)
"""How a kernel is chosen or how much memory it may take: it changes no number."""


def settings(node: Node, known: Mapping[str, Attribute]) -> Settings:
    """The attributes of a node.

    Raises:
        TrainingError: names node, operator and attribute, and the engine that supports it.
    """
    given = {name: text for name, text in node.attributes.items() if not name.startswith("__")}
    for name, text in given.items():
        if name not in known:
            raise unsupported(node, f"attribute {name}={text}")
    values = {name: attribute.default for name, attribute in known.items()}
    for name, text in given.items():
        try:
            values[name] = known[name].parse(str(text))
        except ValueError as error:
            raise unsupported(node, f"attribute {name}={text}", expected=known[name].expected) from error
    missing = [name for name, value in values.items() if value is REQUIRED]
    if missing:
        raise TrainingError(f"{node}: expected the attribute {missing[0]}, found none; write the symbol with MXNet")
    return Settings(node=node, **values)


def unsupported(node: Node, what: str, *, expected: str | None = None) -> TrainingError:
    """The error for what this engine does not compute: never an approximation."""
    instead = f", expected {expected}" if expected else ""
    return TrainingError(
        f"engine xla: {node}: {what} is not supported here{instead}; "
        f'train with engine="mxnet", or write the graph without it'
    )


def misfit(node: Node, expected: str, found: object) -> TrainingError:
    """The error for shapes and attributes that contradict each other, in MXNet as well."""
    return TrainingError(f"{node}: expected {expected}, found {found}; mend the graph")


def parse_integers(text: str) -> tuple[int, ...]:
    """A tuple as MXNet writes it: ``(2, 3)``, ``[2,3]``, ``(2L, 3L)`` from Python 2, ``2``.

    Raises:
        ValueError: it is no such text.
    """
    text = text.strip()
    if text[:1] + text[-1:] not in ("()", "[]"):
        return (int(text),)
    inner = text[1:-1].strip().removesuffix(",")
    return tuple(int(size.strip().removesuffix("L")) for size in inner.split(",")) if inner else ()


_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def parse_flag(text: str) -> bool:
    """A switch as MXNet writes it.

    Raises:
        ValueError: it is no such text.
    """
    value: bool = _lookup(_FLAGS, text.lower())
    return value


def _lookup(table: Mapping[str, Any], text: str) -> Any:
    if text not in table:
        raise ValueError(text)
    return table[text]


def _at_least(least: int | None, value: int) -> int:
    if least is not None and value < least:
        raise ValueError(value)
    return value


def _fraction(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1:
        raise ValueError(text)
    return value
