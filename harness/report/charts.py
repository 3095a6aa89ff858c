"""Charts: from values to the places of lines, dots and ticks. The templates write them as SVG.

Lengths are in the units of a chart's view box, which are about one pixel each.
"""

from __future__ import annotations

import math
import statistics
from itertools import pairwise
from typing import TYPE_CHECKING

from harness.report.figures import counted, decimal, is_number
from harness.report.marks import STYLES, Chart, Dot, Line, Points
from harness.report.scale import Scale, decade_values, round_shares, round_values, spans, widened

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.report.scale import Tick

WIDTH, HEIGHT = 400, 250
"""Of a chart."""

LEFT, RIGHT, TOP, BOTTOM = 46, 388, 26, 210
"""The plot's edges within a chart."""

_MOST_POINTS = 200
"""Points of one line that are drawn; of longer ones every second, third, ..."""

_LOG_LOSS, _LOG_SETTING = 20, 10
"""Factors between the smallest and the largest value from which an axis is logarithmic."""

_LABEL_GAP = 36
"""Distance between tick labels below which they would touch."""

_NAMES = 112
"""Room on the right for the names of lines."""


def curve_chart(curves: Sequence[Points], *, title: str, y_title: str, note: str = "") -> Chart | None:
    """One line per curve over epochs, with its shape at the end.

    Args:
        curves: epochs, counted from 1, and values.
        title: of the chart.
        y_title: of the axis on the left, which is logarithmic if the values differ a lot.
        note: what else to say below it.

    Returns:
        None if there is nothing to draw.
    """
    shown = [curve for curve in curves if curve.finite]
    if not shown:
        return None
    points = [point for curve in shown for point in curve.finite]
    last = max(x for x, _ in points)
    x_scale = Scale(low=1 if last > 1 else 0.5, high=last if last > 1 else 1.5, start=LEFT + 4, end=RIGHT - 8)
    y_scale, y_values = _upward([y for _, y in points], share=False)
    ends = [(curve, *curve.finite[-1]) for curve in shown]
    finals = [y for _, _, y in ends]
    return Chart(
        title=title,
        x_title="epoch",
        y_title=y_title + _logarithmic(y_scale),
        summary=f"{title}: {counted(len(shown), 'curve')}, ending at {_range(finals)}.",
        x_ticks=x_scale.ticks([value for value in round_values(1, max(last, 2), count=6) if value == int(value)]),
        y_ticks=y_scale.ticks(y_values),
        lines=tuple(
            Line(path=_path(_thinned(curve.values), x_scale, y_scale), style=curve.style, title=curve.title)
            for curve in shown
        ),
        dots=tuple(_dot(curve, x_scale.at(x), y_scale.at(y), y) for curve, x, y in ends),
        note=_sentences(note, _undrawn(len(curves) - len(shown))),
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
    x_scale = _sideways(xs, RIGHT - (_NAMES if any(points.name for points in means) else 22))
    y_scale, y_values = _upward([y for _, y in pairs], share=True)
    return Chart(
        title=title,
        x_title=x_title + _logarithmic(x_scale),
        y_title="share of test images",
        summary=f"{title}: {counted(len(pairs), 'replicate')}, {_means_in_words(pairs)}.",
        x_ticks=_apart(x_scale.ticks(_setting_values(xs, x_scale))),
        y_ticks=y_scale.ticks(y_values),
        lines=_named_lines(means, x_scale, y_scale),
        dots=tuple(_dot(points, x_scale.at(x), y_scale.at(y), y) for points in dots for x, y in points.finite),
        note=_sentences(note, _undrawn(sum(len(points.values) for points in dots) - len(pairs))),
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


def _sideways(xs: Sequence[float], end: float) -> Scale:
    """The axis below, for the values of a hyperparameter."""
    start = LEFT + 22
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
        base = max(y_scale.at(y) + 4, placed[-1] + 13 if placed else 0)
        placed.append(base)
        path = _path(points.values, x_scale, y_scale)
        lines.append(
            Line(path=path, style=points.style, title=points.title, name=points.name, x=x_scale.at(x) + 10, y=base)
        )
    return tuple(lines)


def _thinned(values: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """At most `_MOST_POINTS` of them and the last one, evenly taken."""
    every = math.ceil(len(values) / _MOST_POINTS)
    kept = values[::every]
    return kept if kept[-1] == values[-1] else (*kept, values[-1])


def _path(values: Sequence[tuple[float, float]], x_scale: Scale, y_scale: Scale) -> str:
    """SVG path data through the values, interrupted where one is not a number."""
    drawn = [all(map(is_number, pair)) for pair in values]
    pens = ["M", *("L" if before else "M" for before, _ in pairwise(drawn))]
    return " ".join(
        f"{pen}{x_scale.at(x):g} {y_scale.at(y):g}"
        for pen, (x, y), finite in zip(pens, values, drawn, strict=True)
        if finite
    )


def _dot(points: Points, x: float, y: float, value: float) -> Dot:
    return Dot(x=x, y=y, style=points.style, title=f"{points.title}: {decimal(value)}")


def _range(values: Sequence[float]) -> str:
    low, high = decimal(min(values)), decimal(max(values))
    return low if low == high else f"{low} to {high}"


def _logarithmic(scale: Scale) -> str:
    return ", logarithmic" if scale.log else ""


def _sentences(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


def _undrawn(number: int) -> str:
    return f"Not drawn, as they are no numbers: {counted(number, 'replicate')}." if number else ""


def _means_in_words(pairs: Sequence[tuple[float, float]]) -> str:
    xs = sorted({x for x, _ in pairs})
    means = {x: statistics.fmean(y for at, y in pairs if at == x) for x in xs}
    best = max(xs, key=lambda x: means[x])
    return f"at {len(xs)} values; the highest mean, {decimal(means[best])}, at {best:g}"
