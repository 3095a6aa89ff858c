"""Which tests are local and which may reach a real AWS account.

Whatever uses the pipeline is marked by what it uses: ``aws`` if its ``cloud`` is the live one, ``local`` otherwise. A
test marked ``aws`` runs only if the ``-m`` expression selects it *because* of that marker.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from _pytest.mark.expression import Expression

if TYPE_CHECKING:
    import pytest


class Account(StrEnum):
    """Values of the fixture ``cloud``, as they stand in a test's name."""

    SIMULATED = "simulated"
    LIVE = "live"


PIPELINE = frozenset({"trained", "replicates", "artifact", "cloud", "endpoint", "predictor"})


def mark(item: pytest.Item) -> None:
    """Add the marker that follows from the fixtures an item uses."""
    if is_live(item):
        item.add_marker("aws")
    elif PIPELINE.intersection(getattr(item, "fixturenames", ())):
        item.add_marker("local")


def is_live(item: pytest.Item) -> bool:
    """Whether an item's ``cloud`` is the live account."""
    callspec = getattr(item, "callspec", None)
    return callspec is not None and callspec.params.get("cloud") == Account.LIVE


def opted_in(item: pytest.Item, expression: str) -> bool:
    """Whether ``-m EXPRESSION`` selects an item, and would not if the item were not marked ``aws``.

    ``local`` does not count for a live item: a module marked local as a whole holds both kinds.
    """
    names = {marker.name for marker in item.iter_markers()}
    if is_live(item):
        names.discard("local")
    if not expression or "aws" not in names:
        return False
    return _selects(expression, names) and not _selects(expression, names - {"aws"})


def _selects(expression: str, names: set[str]) -> bool:
    def matches(name: str, /, **_: str | int | bool | None) -> bool:
        return name in names

    return Expression.compile(expression).evaluate(matches)
