"""Small drawings inside tables and lists: the accuracies of a setting, and the interval of a change.

Lengths are in the units of a drawing's view box, which are about one pixel each.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.figures import decimal, is_number
from harness.report.scale import Scale, Tick, round_shares

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

STRIP_WIDTH, STRIP_HEIGHT, STRIP_MARGIN = 240, 22, 18
"""Of the drawing of a setting's accuracies; the margin is beside its axis."""

BAR_WIDTH, BAR_HEIGHT, BAR_MARGIN = 320, 40, 10
"""Of the drawing of an interval."""

MOST_DOTS = 100
"""Accuracies of one setting that are drawn."""

_MOST_WORDS = 8


@dataclass(frozen=True, kw_only=True)
class Strip:
    """Accuracies of one setting, as dots on the axis of its experiment.

    Attributes:
        dots: places.
        mean: the place of the mean; None if there is none.
        summary: in words.
    """

    dots: tuple[float, ...]
    mean: float | None
    summary: str


def strip_scale(accuracies: Iterable[float]) -> tuple[Scale, tuple[Tick, ...]] | None:
    """The axis that the strips of an experiment share; None without accuracies."""
    values = list(accuracies)
    if not values:
        return None
    rounded = round_shares(min(values), max(values), count=3)
    scale = Scale(low=rounded[0], high=rounded[-1], start=STRIP_MARGIN, end=STRIP_WIDTH - STRIP_MARGIN)
    return scale, scale.ticks(rounded)


def strip(accuracies: Sequence[float], scale: Scale) -> Strip:
    """The dots of one setting; of more than `MOST_DOTS` the first."""
    dots = tuple(scale.at(value) for value in accuracies[:MOST_DOTS])
    mean = scale.at(statistics.fmean(accuracies)) if accuracies else None
    return Strip(dots=dots, mean=mean, summary=_in_words(accuracies))


def _in_words(accuracies: Sequence[float]) -> str:
    if len(accuracies) <= _MOST_WORDS:
        return ", ".join(map(decimal, accuracies))
    words = f"{len(accuracies)} from {decimal(min(accuracies))} to {decimal(max(accuracies))}"
    return words + (f"; the first {MOST_DOTS} are drawn" if len(accuracies) > MOST_DOTS else "")


@dataclass(frozen=True, kw_only=True)
class Bar:
    """The interval of a difference, around zero in the middle.

    Attributes:
        low: where it begins.
        high: where it ends.
        found: the place of the difference itself.
        zero: the place of no difference.
    """

    low: float
    high: float
    found: float
    zero: float = BAR_WIDTH / 2


def interval_bar(low: float, difference: float, high: float) -> Bar | None:
    """A bar as wide as the drawing allows; None if a figure is not a number or the interval has no bounds."""
    if not all(map(is_number, (low, difference, high))):
        return None
    reach = max(map(abs, (low, difference, high))) * 1.1 or 1.0
    scale = Scale(low=-reach, high=reach, start=BAR_MARGIN, end=BAR_WIDTH - BAR_MARGIN)
    return Bar(low=scale.at(low), high=scale.at(high), found=scale.at(difference))
