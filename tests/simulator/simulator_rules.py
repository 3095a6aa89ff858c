"""The mark by which a test says which rules of AWS it proves that the simulated account holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from harness.simulator.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable

Test = TypeVar("Test", bound="Callable[..., object]")

NAMES = frozenset(rule.name for rule in RULES)


def holds(*names: str) -> Callable[[Test], Test]:
    """``@holds("names")`` above a test. `test_simulator_rules.py` reads it from the source."""
    unknown = sorted({*names} - NAMES)
    assert not unknown, f"no such rule: {', '.join(unknown)}"
    return lambda test: test
