"""Axes: from values to positions in a drawing, and where an axis has its ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_STEPS = (1, 2, 5, 10)
_NARROW = 1e-6
"""Share of its level below which a span is one value: finer ticks would all have the same label."""

_LEAST = 1e-290
"""A span below this is one value too: a tenth of a float near the smallest is no number to divide by."""


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A labelled place on an axis.

    Attributes:
        at: its position in the drawing.
        label: what stands beside it.
    """

    at: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A stretch of values on a stretch of a drawing.

    Attributes:
        low: the value at `start`.
        high: the value at `end`; above `low`.
        start: a position, in the drawing's units.
        end: another; below `start` for an axis that points up.
        log: whether equal distances are equal factors; `low` is then above 0.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """The position of a value, to a tenth of a unit."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return round(self.start + (value - low) / (high - low) * (self.end - self.start), 1)

    def ticks(self, values: Sequence[float]) -> tuple[Tick, ...]:
        """Ticks at those of the values that lie on the scale, in their order."""
        labels = tick_labels(values)
        inside = [(value, label) for value, label in zip(values, labels, strict=True) if self.low <= value <= self.high]
        return tuple(Tick(at=self.at(value), label=label) for value, label in inside)


def round_values(low: float, high: float, count: int = 4) -> tuple[float, ...]:
    """Values in equal round steps, 1, 2 or 5 times a power of ten, from at or below low to at or above high.

    Args:
        low: finite.
        high: finite, not below `low`; a span of almost nothing is widened first.
        count: how many steps the span is cut into, at most; the ends may add one each.
    """
    low, high = widened(low, high)
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor for factor in _STEPS if factor * power >= rough * (1 - 1e-9)) * power
    first, last = math.floor(low / step + _NARROW), math.ceil(high / step - _NARROW)
    return tuple(float(f"{index * step:.12g}") for index in range(first, last + 1))


def round_shares(low: float, high: float, count: int = 4) -> tuple[float, ...]:
    """Round values around shares of 1, of which none is below 0 or above 1 unless a share is."""
    ticks = round_values(low, high, count)
    inside = tuple(tick for tick in ticks if (tick >= 0 or low < 0) and (tick <= 1 or high > 1))
    return inside if len(inside) > 1 else ticks


def decade_values(low: float, high: float, count: int = 6) -> tuple[float, ...]:
    """1, 2 and 5 times powers of ten between two positive values; where those are many, powers of ten, or a few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        values = [float(f"{factor}e{power}") for power in powers for factor in factors]
        inside = tuple(value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9))
        if len(inside) <= count:
            break
    return inside[:: max(1, math.ceil(len(inside) / count))]


def widened(low: float, high: float) -> tuple[float, float]:
    """The span itself, or one around it if it is too narrow for an axis."""
    level = max(abs(low), abs(high))
    if high - low > max(_NARROW * level, _LEAST):
        return low, high
    margin = level / 100 if level > _LEAST else 1.0
    return low - margin, high + margin


def spans(values: Iterable[float], factor: float) -> bool:
    """Whether values are all above 0 and differ by at least a factor: what a logarithmic axis is for."""
    positive = list(values)
    return bool(positive) and min(positive) > 0 and max(positive) >= factor * min(positive)


def tick_labels(values: Sequence[float]) -> list[str]:
    """Numbers in words; those in equal steps with equally many decimals."""
    labels = [f"{value:.8g}" for value in values]
    steps = [after - before for before, after in pairwise(values)]
    if steps and max(steps) - min(steps) <= _NARROW * max(steps) and "e" not in "".join(labels):
        decimals = max(len(label.partition(".")[2]) for label in labels)
        labels = [f"{value:.{decimals}f}" for value in values]
    return [label.replace("-", "\N{MINUS SIGN}") for label in labels]
