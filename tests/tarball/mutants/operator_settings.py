"""What MXNet's operators may be told, and values to tell them that fit or do not."""

from __future__ import annotations

import functools
import json
import re
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

VALUES = ["0", "1", "2", "3", "5", "-1", "True", "None", "", "()", "(1, 1)", "(0, 0)", "1e30", "nan", "x", "4294967296"]
BY_TYPE = {
    "boolean": ["0", "1", "True", "False", "yes", "2"],
    "float": ["0", "1", "-1", "1e-5", "1e38", "1e39", "nan", "inf", "-inf", "1e-50", "0x1p3", "1_0", " 1", "1f", ""],
    "Shape": [
        "()",
        "(1,)",
        "(1, 1)",
        "(2, 2)",
        "(0, 0)",
        "(-1, 3)",
        "(3, 3, 3)",
        "(1000000, 1000000)",
        "[2,2]",
        "2",
        "(1",
        "None",
        "(2 2)",
    ],
    "tuple": ["()", "(1,)", "(1, 1)", "(0.5, 2)", "[1]", "1", "(nan,)"],
    "int": [
        "0",
        "1",
        "2",
        "3",
        "4",
        "-1",
        "-2",
        "7",
        "100",
        "2147483647",
        "2147483648",
        "3.0",
        "0x3",
        "+3",
        " 3",
        "3L",
        "1e1",
    ],
    "long": ["0", "1", "-1", "1024", "9223372036854775807", "9223372036854775808", "18446744073709551616"],
}


@functools.cache
def operators() -> dict[str, Any]:
    """MXNet's operators: inputs, the attribute that counts them, attributes and their types as text, strictness."""
    text = resources.files("harness.tarball").joinpath("operators.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)["operators"]
    return table


def value(draw: Random, kind: str) -> str:
    """A value of this type most likely; at times one of another, or one too large."""
    if kind.startswith("{"):
        choices: list[str] = re.findall(r"'([^']*)'", kind)
        return draw.choice([*choices, "None", "x"])
    known = next((values for start, values in BY_TYPE.items() if kind.startswith(start)), VALUES)
    return draw.choice(known if draw.random() < 0.8 else VALUES)


def settings(draw: Random, op: str) -> dict[str, str]:
    """What an operator needs to be told, and perhaps one thing more."""
    _, _, attributes, _ = operators().get(op, ((), "", {}, True))
    chosen = [name for name, kind in attributes.items() if "required" in kind]
    chosen += draw.sample(list(attributes), min(len(attributes), draw.randrange(2)))
    return {name: value(draw, attributes[name]) for name in chosen}
