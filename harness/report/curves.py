"""The charts of an experiment: which settings and values are drawn, and in which style."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.charts import STYLES, Chart, Points, curve_chart, setting_chart
from harness.report.tally import most_telling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.report.board import Replicate, Row

MOST_REPLICATES = 20
"""Replicates of one setting whose curves are drawn."""

MOST_SETTINGS = 200
"""Settings whose accuracies are drawn over a hyperparameter."""

_MOST_LINES = 6
_LONGEST_NAME = 28


@dataclass(frozen=True, kw_only=True)
class Legend:
    """A setting and its style in all charts of its experiment.

    Attributes:
        style: the number of the style, from 1.
        row: the setting.
    """

    style: int
    row: Row


def legend(rows: Sequence[Row]) -> list[Legend]:
    """The settings that get a style of their own: as many as there are styles."""
    trained = [row for row in rows if row.replicates]
    return [Legend(style=style, row=row) for style, row in enumerate(most_telling(trained, STYLES), 1)]


def charts(rows: Sequence[Row], entries: Sequence[Legend]) -> list[Chart]:
    """All charts of an experiment that have something to show."""
    drawn = [
        _learning(entries, "validation_accuracy", "Validation accuracy by epoch", "share of test images", share=True),
        _learning(entries, "train_loss", "Training loss by epoch", "cross-entropy in nats", share=False),
        *(_accuracy_by(name, rows, entries) for name in varying(rows)),
    ]
    return [chart for chart in drawn if chart]


def varying(rows: Sequence[Row]) -> list[str]:
    """The hyperparameters whose values are numbers, and not all the same."""
    values: dict[str, set[float]] = {}
    for row in rows:
        for name, value in row.settings.items() if row.replicates else ():
            if _is_number(value):
                values.setdefault(name, set()).add(float(value))
    return [name for name, found in values.items() if len(found) > 1]


def replicates_of(row: Row) -> list[Replicate]:
    """The replicates of a setting in the order of their seeds."""
    return sorted(row.replicates.values(), key=lambda replicate: replicate.seed)


def _learning(entries: Sequence[Legend], field: str, title: str, y_title: str, *, share: bool) -> Chart | None:
    curves = [
        Points(
            values=tuple((epoch["number"], epoch[field]) for epoch in replicate.history),
            style=entry.style,
            title=f"{entry.row.hyperparameters}, seed {replicate.seed}",
        )
        for entry in entries
        for replicate in replicates_of(entry.row)[:MOST_REPLICATES]
    ]
    return curve_chart(curves, title=title, y_title=y_title, share=share)


def _accuracy_by(name: str, rows: Sequence[Row], entries: Sequence[Legend]) -> Chart | None:
    styles = {id(entry.row): entry.style for entry in entries}
    having = [row for row in rows if row.replicates and _is_number(row.settings.get(name))]
    shown = most_telling(having, MOST_SETTINGS)
    dots = [
        Points(
            values=((float(row.settings[name]), replicate.accuracy),),
            style=styles.get(id(row), 0),
            title=f"{row.hyperparameters}, seed {replicate.seed}",
        )
        for row in shown
        for replicate in replicates_of(row)
    ]
    means, note = _means(name, shown)
    if len(shown) < len(having):
        note = f"{note} {len(shown)} of {len(having):,} settings are drawn: failed ones, then the best."
    return setting_chart(dots, means, title=f"Test accuracy by {name}", x_title=name, note=note)


def _means(name: str, rows: Sequence[Row]) -> tuple[list[Points], str]:
    """Lines through the means, one for each combination of the other settings, and what they are in words."""
    dots = "Every dot is a replicate."
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(_others(name, row.settings), []).append(row)
    lines = {others: _mean_by(name, members) for others, members in groups.items()}
    lines = {others: line for others, line in lines.items() if len(line) > 1}
    if len(groups) == 1:
        return _lines(lines, named=False), f"{dots} The line joins the means."
    if lines and len(groups) <= _MOST_LINES:
        return _lines(lines, named=True), f"{dots} Each line joins the means of settings that agree in all else."
    overall = _mean_by(name, rows)
    if len(overall) == len(rows):
        return [], dots
    return _lines({"mean": overall}, named=False), f"{dots} The line joins the means over all that share a value."


def _lines(lines: Mapping[str, tuple[tuple[float, float], ...]], *, named: bool) -> list[Points]:
    return [
        Points(values=line, style=0, title=others or "mean", name=_short(others) if named else "")
        for others, line in lines.items()
    ]


def _mean_by(name: str, rows: Sequence[Row]) -> tuple[tuple[float, float], ...]:
    """Value of a hyperparameter to mean accuracy over all replicates that have it, in the order of the values."""
    found: dict[float, list[float]] = {}
    for row in rows:
        accuracies = [replicate.accuracy for replicate in row.replicates.values()]
        found.setdefault(float(row.settings[name]), []).extend(filter(math.isfinite, accuracies))
    return tuple((value, statistics.fmean(found[value])) for value in sorted(found) if found[value])


def _others(name: str, settings: Mapping[str, object]) -> str:
    return ", ".join(f"{other}={value}" for other, value in settings.items() if other != name)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}\N{HORIZONTAL ELLIPSIS}"


def _is_number(value: object) -> bool:
    """Whether a setting's value has a place on an axis; a whole number may be too large for one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
