"""Drawings: from values to the places of lines, dots and ticks. The templates write them as SVG.

Lengths are in the units of a drawing's view box, which are about one pixel each. A drawing says its style by number,
from 1 to `STYLES`; `templates/style.css` gives each a colour and a dash, and `SHAPES` a shape: none is told by colour
alone.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from harness.report.figures import decimal
from harness.report.scale import Scale, Tick, decade_values, round_shares, round_values, spans, widened

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDTH, HEIGHT = 400, 250
LEFT, RIGHT, TOP, BOTTOM = 46, 388, 26, 210
"""The plot's edges within a chart."""

SHAPES = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",  # circle
    "M-3.6-3.6h7.2v7.2h-7.2z",  # square
    "M0-4.8L4.6 3.4H-4.6z",  # triangle
    "M0-5L5 0L0 5L-5 0z",  # diamond
    "M0 4.8L4.6-3.4H-4.6z",  # triangle that points down
    "M-1.4-4.6h2.8v3.2h3.2v2.8h-3.2v3.2h-2.8v-3.2h-3.2v-2.8h3.2z",  # plus
    "M-5 0L0-1.6L5 0L0 1.6z M0-5L1.6 0L0 5L-1.6 0z",  # star
    "M-4.6-1.5h9.2v3h-9.2z",  # bar
)
STYLES = len(SHAPES)

_MOST_POINTS = 200
"""Points of one line that are drawn; of longer ones every second, third, ..."""

_LOG_LOSS, _LOG_SETTING = 20, 10
"""Factors between the smallest and the largest value from which an axis is logarithmic."""

_LABEL_GAP = 36
"""Distance between tick labels, and twice that between names beside lines, below which they would touch."""


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A place in a chart, with a shape at it.

    Attributes:
        x: from the left.
        y: from the top.
        style: number of its style; 0 for the neutral one.
        title: what it is, in words.
    """

    x: float
    y: float
    style: int
    title: str

    @property
    def shape(self) -> str:
        """SVG path data, around (0, 0)."""
        return shape(self.style)


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line in a chart.

    Attributes:
        path: SVG path data.
        style: number of its style; 0 for the neutral one.
        title: what it is, in words.
        name: what stands beside its end, or "".
        x: where the name ends.
        y: the name's base line.
    """

    path: str
    style: int
    title: str
    name: str = ""
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Lines and dots between two axes.

    Attributes:
        title: what the chart shows.
        x_title: of the axis below.
        y_title: of the axis on the left.
        summary: the chart in a sentence, for those who cannot see it.
        x_ticks: of the axis below.
        y_ticks: of the axis on the left.
        lines: drawn first.
        dots: drawn above the lines.
        note: how to read it, or "".
    """

    title: str
    x_title: str
    y_title: str
    summary: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    dots: tuple[Dot, ...]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Points:
    """One series of a chart, before it has a place.

    Attributes:
        values: x and y; those that are no numbers leave a gap.
        style: number of its style; 0 for the neutral one.
        title: what it is, in words.
        name: what stands beside a line's end, or "".
    """

    values: tuple[tuple[float, float], ...]
    style: int
    title: str
    name: str = ""

    @property
    def finite(self) -> list[tuple[float, float]]:
        """The values that can be drawn."""
        return [pair for pair in self.values if all(map(math.isfinite, pair))]


def shape(style: int) -> str:
    """SVG path data of a style's shape, around (0, 0)."""
    return SHAPES[(style - 1) % STYLES]


def curve_chart(curves: Sequence[Points], *, title: str, y_title: str, share: bool) -> Chart | None:
    """One line per curve over epochs, with its shape at the end.

    Args:
        curves: epochs, counted from 1, and values.
        title: of the chart.
        y_title: of the axis on the left.
        share: whether the values are shares of 1; others get a logarithmic axis if they differ a lot.

    Returns:
        None if there is nothing to draw.
    """
    shown = [curve.finite for curve in curves if curve.finite]
    if not shown:
        return None
    last = max(x for values in shown for x, _ in values)
    x_scale = Scale(low=1 if last > 1 else 0.5, high=last if last > 1 else 1.5, start=LEFT + 4, end=RIGHT - 8)
    heights = [y for values in shown for _, y in values]
    y_scale, y_values = _upward(heights, share=share)
    ends = [(*curve.finite[-1], curve) for curve in curves if curve.finite]
    finals = [y for _, y, _ in ends]
    return Chart(
        title=title,
        x_title="epoch",
        y_title=y_title + (", logarithmic" if y_scale.log else ""),
        summary=f"{title}: {len(shown)} curves; at their ends {decimal(min(finals))} to {decimal(max(finals))}.",
        x_ticks=x_scale.ticks(
            [value for value in round_values(1, max(last, 2), count=6) if value == int(value)] or [1]
        ),
        y_ticks=y_scale.ticks(y_values),
        lines=tuple(
            Line(path=_path(_thinned(curve.values), x_scale, y_scale), style=curve.style, title=curve.title)
            for curve in curves
            if curve.finite
        ),
        dots=tuple(
            Dot(x=x_scale.at(x), y=y_scale.at(y), style=curve.style, title=f"{curve.title}: {decimal(y)}")
            for x, y, curve in ends
        ),
    )


def setting_chart(
    dots: Sequence[Points], means: Sequence[Points], *, title: str, x_title: str, note: str
) -> Chart | None:
    """Accuracies over the values of a hyperparameter: every replicate a dot, and lines through means.

    Returns:
        None if there is nothing to draw.
    """
    pairs = [pair for points in dots for pair in points.finite]
    if not pairs:
        return None
    xs = sorted({x for x, _ in pairs})
    x_scale = _sideways(xs)
    y_scale, y_values = _upward([y for _, y in pairs], share=True)
    logarithmic = ", logarithmic" if x_scale.log else ""
    return Chart(
        title=title,
        x_title=x_title + logarithmic,
        y_title="share of test images",
        summary=f"{title}: {len(pairs)} replicates, {_means_in_words(pairs)}.",
        x_ticks=_apart(x_scale.ticks(_setting_values(xs, x_scale))),
        y_ticks=y_scale.ticks(y_values),
        lines=_named_lines(means, x_scale, y_scale),
        dots=tuple(
            Dot(x=x_scale.at(x), y=y_scale.at(y), style=points.style, title=f"{points.title}: {decimal(y)}")
            for points in dots
            for x, y in points.finite
        ),
        note=note,
    )


def _upward(values: Sequence[float], *, share: bool) -> tuple[Scale, Sequence[float]]:
    """The axis on the left, and the values of its ticks."""
    low, high = min(values), max(values)
    if share:
        ticks = round_shares(low, high)
    elif spans(values, _LOG_LOSS):
        scale = Scale(low=low / 1.15, high=high * 1.15, start=BOTTOM, end=TOP, log=True)
        return scale, decade_values(scale.low, scale.high)
    else:
        ticks = round_values(low, high)
    return Scale(low=ticks[0], high=ticks[-1], start=BOTTOM, end=TOP), ticks


def _sideways(xs: Sequence[float]) -> Scale:
    """The axis below, for the values of a hyperparameter."""
    start, end = LEFT + 22, RIGHT - 22
    if spans(xs, _LOG_SETTING):
        return Scale(low=xs[0], high=xs[-1], start=start, end=end, log=True)
    low, high = widened(xs[0], xs[-1])
    return Scale(low=low, high=high, start=start, end=end)


def _setting_values(xs: Sequence[float], scale: Scale) -> Sequence[float]:
    """Where to put ticks: at the values that were tried, if they are few."""
    if len(xs) <= STYLES:
        return xs
    return decade_values(scale.low, scale.high) if scale.log else round_values(scale.low, scale.high)


def _apart(ticks: Iterable[Tick]) -> tuple[Tick, ...]:
    """The ticks whose labels do not run into the one before."""
    kept: list[Tick] = []
    for tick in ticks:
        if not kept or tick.at - kept[-1].at >= max(_LABEL_GAP, 6.5 * (len(kept[-1].label) + len(tick.label)) / 2 + 8):
            kept.append(tick)
    return tuple(kept)


def _named_lines(means: Sequence[Points], x_scale: Scale, y_scale: Scale) -> tuple[Line, ...]:
    """Lines through means; where there are several, each with its name beside its end, none over another."""
    placed: list[float] = []
    lines = []
    for points in sorted((points for points in means if points.finite), key=lambda points: -points.finite[-1][1]):
        x, y = points.finite[-1]
        base = max(y_scale.at(y) - 9, placed[-1] + 13 if placed else 0)
        placed.append(base)
        path = _path(points.values, x_scale, y_scale)
        lines.append(
            Line(path=path, style=points.style, title=points.title, name=points.name, x=x_scale.at(x) + 16, y=base)
        )
    return tuple(lines)


def _thinned(values: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """At most `_MOST_POINTS` of them and the last one, evenly taken."""
    every = math.ceil(len(values) / _MOST_POINTS)
    kept = values[::every]
    return kept if kept[-1] == values[-1] else (*kept, values[-1])


def _path(values: Sequence[tuple[float, float]], x_scale: Scale, y_scale: Scale) -> str:
    """SVG path data through the values, interrupted where one is not a number."""
    drawn = [all(map(math.isfinite, pair)) for pair in values]
    pens = ["M", *("L" if before else "M" for before, _ in pairwise(drawn))]
    return " ".join(
        f"{pen}{x_scale.at(x):g} {y_scale.at(y):g}"
        for pen, (x, y), finite in zip(pens, values, drawn, strict=True)
        if finite
    )


def _means_in_words(pairs: Sequence[tuple[float, float]]) -> str:
    xs = sorted({x for x, _ in pairs})
    means = {x: statistics.fmean(y for at, y in pairs if at == x) for x in xs}
    best = max(xs, key=lambda x: means[x])
    return f"at {len(xs)} values; the highest mean, {decimal(means[best])}, at {best:g}"
