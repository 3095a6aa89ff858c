"""What MXNet's operators take: the attributes they know, of which type, and how many inputs.

`operators.json` is the account that MXNet 1.9.1 gives of itself, by ``MXSymbolGetAtomicSymbolInfo`` and by what its
parsers say they expect; ``tests/tarball/operator_table.py`` writes it. The text of attributes is read as
``dmlc/parameter.h`` reads it.
"""

from __future__ import annotations

import functools
import json
import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, NamedTuple

Settings = dict[str, Any]
"""Attributes as values: bool, int, float, str, None, or a tuple of these; defaults filled in."""

Parse = Callable[[str], Any]
"""Text to value; raises ValueError."""


class Attribute(NamedTuple):
    """One attribute of an operator.

    Attributes:
        expected: what it may be, in MXNet's words.
        parse: text to value.
        required: whether it has to be given.
        default: as text; None where there is none.
    """

    expected: str
    parse: Parse
    required: bool
    default: str | None


@dataclass(frozen=True)
class Operator:
    """An operator as MXNet describes it.

    Attributes:
        name: MXNet's own name for it, whichever alias the graph uses.
        inputs: names of its inputs, optional ones included; of a variadic operator the one that repeats.
        variadic: the attribute that counts the inputs, or "".
        attributes: by name.
        strict: whether MXNet refuses attributes that it does not know.
    """

    name: str
    inputs: tuple[str, ...]
    variadic: str
    attributes: Mapping[str, Attribute]
    strict: bool

    def settings(self, given: Mapping[str, str]) -> tuple[Settings, list[str]]:
        """The values of attributes, and in words what is wrong with those given."""
        unknown = [name for name in given if name not in self.attributes and not _is_hidden(name)]
        faults = [f"expected no attribute {name!r:.60}" for name in unknown if self.strict]
        values = {}
        for name, attribute in self.attributes.items():
            text = given.get(name, attribute.default)
            if text is None:
                faults += [f"expected the attribute {name} ({attribute.expected}), found none"] * attribute.required
                continue
            try:
                values[name] = attribute.parse(text)
            except ValueError:
                faults.append(f"expected {name} to be {attribute.expected}, found {text!r:.60}")
        return values, faults


@functools.cache
def operator(name: str) -> Operator | None:
    """The operator of this name or alias; None if MXNet 1.9.1 has none that a tarball can use."""
    table = _table()
    own = table["aliases"].get(name, name)
    if own not in table["operators"]:
        return None
    inputs, variadic, listed, strict = table["operators"][own]
    return Operator(own, tuple(inputs), variadic, {key: _attribute(text) for key, text in listed.items()}, strict)


@functools.cache
def _table() -> dict[str, Any]:
    content = resources.files(__package__).joinpath("operators.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(content)
    return table


def _is_hidden(name: str) -> bool:
    """Whether MXNet passes such an attribute by, as it is meant for other programs."""
    return name.startswith("__") and name.endswith("__")


def _attribute(text: str) -> Attribute:
    """Read ``TYPE, required`` or ``TYPE, optional, default=VALUE``; a few operators give a type alone."""
    required = text.endswith("required")
    kind, _, default = re.sub(r",\s*(required|optional)\b", "", text).partition(", default=")
    return Attribute(kind.strip() or "text", _parser(kind.strip()), required, default.strip("'") or None)


def _parser(kind: str) -> Parse:
    if kind.startswith("{"):
        names = frozenset(re.findall(r"'([^']*)'", kind))
        return functools.partial(_choice, names | {"None"} if "{None" in kind else names)
    plain = kind.removesuffix(" or None")
    parse = _PARSERS.get(plain, str)
    return parse if plain == kind else functools.partial(_optional, parse)


def _optional(parse: Parse, text: str) -> Any:
    if text == "None":
        return None
    if parse not in (_FLOAT, _DOUBLE):
        return parse(text)
    value = parse(text.strip())  # read by the library of C++: spaces may follow, and nan and inf are no numbers
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _choice(choices: frozenset[str], text: str) -> str:
    if text not in choices:
        raise ValueError(text)
    return text


_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def _flag(text: str) -> bool:
    try:
        return _FLAGS[text.lower()]
    except KeyError:
        raise ValueError(text) from None


def _integer(least: int, most: int, text: str) -> int:
    if not re.fullmatch(r"\s*[+-]?[0-9]{1,20}\s*", text):
        raise ValueError(text)
    value = int(text)
    if not least <= value <= most:
        raise ValueError(text)
    return value


def _number(least: float, most: float, text: str) -> float:
    """A number that a float of C has, by its smallest normal and its largest; nan and inf are numbers, too."""
    if "_" in text or not text.isascii() or text != text.rstrip():
        raise ValueError(text)
    value = float(text)
    if "n" not in text.lower():
        vanished = value == 0 and re.search("[1-9]", text.lower().partition("e")[0])
        if vanished or (value and not least <= abs(value) <= most):
            raise ValueError(text)
    return value


_TUPLE = re.compile(r"\s*(?:\((.*)\)|\[(.*)\])\s*", re.DOTALL)
_ALONE = re.compile(r"\s*-?[0-9][^\s,L]*\s*", re.ASCII)


def _tuple(parse: Parse, text: str) -> tuple[Any, ...] | None:
    """``(2, 3)``, ``[2,3]``, ``(2L, 3L)`` as Python 2 wrote it, ``(None, 1)`` as slices have it, or a number alone."""
    if text == "None":
        return None
    match = _TUPLE.fullmatch(text)
    if match is None:
        if not _ALONE.fullmatch(text):
            raise ValueError(text)
        return (parse(text.strip()),)
    inner = (match[1] or match[2] or "").strip().removesuffix(",")
    items = [item.strip() for item in inner.split(",")] if inner else []
    long = "" if parse in (_FLOAT, _DOUBLE) else "L"
    return tuple(None if item == "None" else parse(item.removesuffix(long)) for item in items)


_INT = functools.partial(_integer, -(2**31), 2**31 - 1)
_FLOAT = functools.partial(_number, 2.0**-126, (2 - 2.0**-23) * 2.0**127)
_DOUBLE = functools.partial(_number, sys.float_info.min, sys.float_info.max)
_LONG = functools.partial(_integer, -(2**63), 2**63 - 1)

_PARSERS: dict[str, Parse] = {
    "boolean": _flag,
    "int": _INT,
    "int (non-negative)": functools.partial(_integer, 0, 2**32 - 1),
    "long": _LONG,
    "long (non-negative)": functools.partial(_integer, 0, 2**64 - 1),
    "float": _FLOAT,
    "double": _DOUBLE,
    "real_t": _FLOAT,
    "Shape(tuple)": functools.partial(_tuple, _LONG),
    "Shape": functools.partial(_tuple, _LONG),
    "tuple of <long>": functools.partial(_tuple, _LONG),
    "tuple of <float>": functools.partial(_tuple, _FLOAT),
    "tuple of <double>": functools.partial(_tuple, _DOUBLE),
}
"""By MXNet's word for the type; text of any other type is passed by."""
