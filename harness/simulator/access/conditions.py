"""A policy statement's conditions (IAM user guide, "IAM JSON policy elements: Condition operators")."""

from __future__ import annotations

import operator
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from harness.simulator.access.refusals import not_simulated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_OPERATOR = re.compile(r"(?:(?P<every>ForAllValues|ForAnyValue):)?(?P<name>\w+?)(?P<lenient>IfExists)?")


def hold(conditions: Mapping[str, Mapping[str, Any]], context: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether all conditions of a statement are met.

    Args:
        conditions: as the statement has them.
        context: the request's values by condition key; the keys are in lower case, as keys ignore case.

    Raises:
        Refusal: an operator is not evaluated here; IAM would, so neither answer would be right.
    """
    return all(
        _holds(name, [_text(value) for value in listed(wanted)], context.get(key.lower(), ()))
        for name, tests in conditions.items()
        for key, wanted in tests.items()
    )


def listed(value: Any) -> list[Any]:
    """A policy writes one value with or without a list around it."""
    return value if isinstance(value, list) else [value]


def like(pattern: str, text: str) -> bool:
    """Whether a text matches a pattern of ``*`` and ``?``."""
    return _expression(pattern).fullmatch(text) is not None


def arn_like(pattern: str, arn: str) -> bool:
    """Whether an ARN matches a pattern: colon by colon, so that no wildcard but the last part's reaches over one."""
    wanted, found = plain(pattern).split(":", 5), arn.split(":", 5)
    return pattern == "*" or (len(wanted) == len(found) and all(map(like, wanted, found)))


def plain(text: str) -> str:
    """A policy's text as it stands.

    Raises:
        Refusal: it has a variable in it, such as ``${aws:username}``.
    """
    if "${" in text:
        raise not_simulated(f"policy variables ({text})")
    return text


def _holds(name: str, wanted: list[str], found: tuple[str, ...]) -> bool:
    match = _OPERATOR.fullmatch(name)
    kind, every, lenient = (match["name"], match["every"], match["lenient"]) if match else (name, None, None)
    if kind == "Null":
        return (not found) == (wanted == ["true"])
    negated, same = "Not" in kind, _COMPARISONS.get(kind.replace("Not", ""))
    if same is None:
        raise not_simulated(f"the condition operator {name}")
    if not found:  # a key that the request does not have
        return bool(lenient) or every == "ForAllValues" or (negated and every is None)
    met = [any(same(text, value) for text in wanted) != negated for value in found]
    return any(met) if every == "ForAnyValue" else all(met)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else plain(str(value))


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda wanted, found: compare(float(found), float(wanted))


@lru_cache(maxsize=1024)
def _expression(pattern: str) -> re.Pattern[str]:
    parts = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in pattern)
    return re.compile("".join(parts), re.DOTALL)


_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": operator.eq,
    "StringEqualsIgnoreCase": lambda wanted, found: wanted.casefold() == found.casefold(),
    "StringLike": like,
    "ArnEquals": arn_like,
    "ArnLike": arn_like,
    "Bool": lambda wanted, found: wanted.lower() == found.lower(),
    "NumericEquals": _number(operator.eq),
    "NumericLessThan": _number(operator.lt),
    "NumericLessThanEquals": _number(operator.le),
    "NumericGreaterThan": _number(operator.gt),
    "NumericGreaterThanEquals": _number(operator.ge),
}
"""What a policy's text says of a request's value. A name with ``Not`` in it means the opposite."""
