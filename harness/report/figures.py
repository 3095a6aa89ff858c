"""Figures in words: how the reports write a number, and what they write where there is none."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.report.board import Row
    from harness.verdict import Change

NOTHING = "\N{EN DASH}"
"""Stands where there is nothing to tell."""

NOT_A_NUMBER = "not a number"

_LARGEST = 1e300


@dataclass(frozen=True)
class Spread:
    """Some values: those that are numbers, and how many are not.

    Attributes:
        values: those that are numbers, in their order.
        missing: how many are not.
    """

    values: tuple[float, ...]
    missing: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Part the numbers from what is none."""
        given = tuple(values)
        numbers = tuple(filter(is_number, given))
        return cls(numbers, len(given) - len(numbers))

    @property
    def mean(self) -> str:
        """In words: the mean of those that are numbers."""
        if self.values:
            return decimal(statistics.fmean(self.values))
        return NOT_A_NUMBER if self.missing else NOTHING

    @property
    def range(self) -> str:
        """In words: lowest and highest, and how many are no numbers; "" for a single number."""
        words = []
        if len(self.values) > 1:
            words.append(f"{decimal(min(self.values))} to {decimal(max(self.values))}")
        if self.values and self.missing:
            words.append(f"{self.missing} {NOT_A_NUMBER}")
        return ", ".join(words)


def is_number(value: float) -> bool:
    """Whether a figure can be averaged and drawn: it is neither NaN nor infinite, and neither is a sum of such."""
    return abs(value) < _LARGEST


def accuracies(row: Row) -> Spread:
    """Test accuracy of a setting's replicates."""
    return Spread.of(replicate.accuracy for replicate in row.replicates.values())


def losses(row: Row) -> Spread:
    """Mean cross-entropy of a setting's replicates on the test images."""
    return Spread.of(replicate.loss for replicate in row.replicates.values())


def training(row: Row, unit: str = " s") -> str:
    """Seconds of training, and how many of the models were trained in an earlier run."""
    replicates = row.replicates.values()
    if not replicates:
        return NOTHING
    fresh = [replicate.seconds for replicate in replicates if not replicate.cached]
    cached = len(replicates) - len(fresh)
    if not fresh:
        return "cached"
    return f"{sum(fresh):,.1f}{unit}" + (f", {cached} cached" if cached else "")


def decimal(value: float) -> str:
    """Four decimals; very large and very small ones as powers of ten."""
    if not math.isfinite(value):
        return NOT_A_NUMBER
    small = value != 0 and abs(value) < 5e-5  # noqa: PLR2004 - four decimals would be all zeros
    return f"{value:.2e}" if small or abs(value) >= 1e6 else f"{value:.4f}"  # noqa: PLR2004 - long rows of digits


def probability(value: float) -> str:
    """Two decimals, or three below a hundredth."""
    if not math.isfinite(value):
        return NOT_A_NUMBER
    if 0 < value < 0.0005:  # noqa: PLR2004 - three decimals would be all zeros
        return "under 0.001"
    return f"{value:.2f}" if value == 0 or value >= 0.01 else f"{value:.3f}"  # noqa: PLR2004 - a hundredth


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 setting``, ``2 settings``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def size(count: int) -> str:
    """Bytes, in the unit that leaves one to three digits before the point."""
    number = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":  # noqa: PLR2004 - SI units
            break
        number /= 1000
    return counted(count, "byte") if unit == "bytes" else f"{number:.1f} {unit} ({count:,} bytes)"


def moved(change: Change) -> str:
    """A change in words: the difference, with its unit."""
    words = signed(change.difference, change)
    return f"{words} {_unit(change)}" if words != NOT_A_NUMBER else words


def interval(change: Change) -> str:
    """The interval of a change in words, or why there is none to show."""
    if not (math.isfinite(change.low) and math.isfinite(change.high)):
        return "no interval: a figure is not a number"
    if change.low == change.high == 0:
        return "identical"
    span = f"{signed(change.low, change)} to {signed(change.high, change)} {_unit(change)}"
    return f"{100 * change.confidence:g} % interval {span}"


def is_share(change: Change) -> bool:
    """Whether a change is one of an accuracy, told in points and better when higher; else it is one of a loss."""
    return change.metric.startswith("accuracy")


def remedy_parts(remedy: str) -> tuple[str, str]:
    """What a remedy is for, and the command or edit itself: ``To accept this: pytest --x`` is told in two parts."""
    purpose, colon, command = remedy.partition(": ")
    if colon and purpose.startswith("To ") and "\n" not in purpose:
        return f"{purpose}:", command
    return "", remedy


def signed(value: float, change: Change) -> str:
    """A difference of a change's metric, in the metric's unit, with its sign."""
    if not math.isfinite(value):
        return NOT_A_NUMBER
    words = f"{100 * value:+.2f}" if is_share(change) else f"{value:+.4f}"
    return words.replace("-", "\N{MINUS SIGN}")


def _unit(change: Change) -> str:
    return "points" if is_share(change) else "nats"
