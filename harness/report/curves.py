"""The charts of an experiment: which settings and values are drawn, and in which style."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.charts import curve_chart, setting_chart
from harness.report.figures import is_number
from harness.report.marks import STYLES, Chart, Points
from harness.report.tally import most_telling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.report.board import Replicate, Row

MOST_REPLICATES = 20
"""Replicates of one setting whose curves are drawn."""

MOST_SETTINGS = 200
"""Settings whose accuracies are drawn over a hyperparameter."""

_MOST_LINES = 6
_LONGEST_NAME = 16


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
        # Errors, not accuracies: what tells good models apart is a sliver at the top of an axis from 0 to 1.
        _learning(entries, _error, "Test error by epoch", "share of test images classified wrong"),
        _learning(entries, _loss, "Training loss by epoch", "cross-entropy in nats"),
        *(_accuracy_by(name, rows, entries) for name in varying(rows)),
    ]
    return [chart for chart in drawn if chart]


def varying(rows: Sequence[Row]) -> list[str]:
    """The hyperparameters whose values are numbers, and not all the same."""
    values: dict[str, set[float]] = {}
    for row in rows:
        for name, value in row.settings.items() if row.replicates else ():
            if _has_place(value):
                values.setdefault(name, set()).add(float(value))
    return [name for name, found in values.items() if len(found) > 1]


def replicates_of(row: Row) -> list[Replicate]:
    """The replicates of a setting in the order of their seeds."""
    return sorted(row.replicates.values(), key=lambda replicate: replicate.seed)


def _error(epoch: Mapping[str, float]) -> float:
    return 1 - epoch["validation_accuracy"]


def _loss(epoch: Mapping[str, float]) -> float:
    return epoch["train_loss"]


def _learning(
    entries: Sequence[Legend], value: Callable[[Mapping[str, float]], float], title: str, y_title: str
) -> Chart | None:
    curves = [
        Points(
            values=tuple((epoch["number"], value(epoch)) for epoch in replicate.history),
            style=entry.style,
            title=f"{entry.row.hyperparameters}, seed {replicate.seed}",
        )
        for entry in entries
        for replicate in replicates_of(entry.row)[:MOST_REPLICATES]
    ]
    cut = any(len(entry.row.replicates) > MOST_REPLICATES for entry in entries)
    note = f"Drawn: at most {MOST_REPLICATES} replicates of a setting." if cut else ""
    return curve_chart(curves, title=title, y_title=y_title, note=note)


def _accuracy_by(name: str, rows: Sequence[Row], entries: Sequence[Legend]) -> Chart | None:
    styles = {id(entry.row): entry.style for entry in entries}
    having = [row for row in rows if row.replicates and _has_place(row.settings.get(name))]
    shown = most_telling(having, MOST_SETTINGS)
    dots = [
        Points(
            values=((float(row.settings[name]), replicate.accuracy),),
            style=styles.get(id(row), 0),
            title=f"{row.hyperparameters}, seed {replicate.seed}",
        )
        for row in sorted(shown, key=lambda row: id(row) in styles)
        for replicate in replicates_of(row)
    ]
    means, note = _means(name, shown)
    notes = ["Every dot is a replicate.", note]
    if any(not points.style for points in dots):
        notes.append("Grey: settings that have no curve.")
    if len(shown) < len(having):
        notes.append(f"Drawn: {len(shown)} of {len(having):,} settings: some that failed, and the best.")
    return setting_chart(
        dots, means, title=f"Test accuracy by {name}", x_title=name, note=" ".join(filter(None, notes))
    )


def _means(name: str, rows: Sequence[Row]) -> tuple[list[Points], str]:
    """Lines through the means, one for each combination of the other settings, and what they are in words."""
    others = _others(name, rows)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(", ".join(str(row.settings.get(other, "default")) for other in others), []).append(row)
    lines = {values: line for values, members in groups.items() if len(line := _mean_by(name, members)) > 1}
    if len(groups) == 1:
        return _lines(lines, named=False), "The line joins the means."
    if lines and len(groups) <= _MOST_LINES:
        return _lines(lines, named=True), f"The lines join the means, one line for each {', '.join(others)}."
    overall = _mean_by(name, rows)
    if 2 * len(overall) > len(rows):  # most means would be of one setting, and the line a zigzag
        return [], ""
    return _lines({"": overall}, named=False), f"The line joins the means over all settings of one {name}."


def _lines(lines: Mapping[str, tuple[tuple[float, float], ...]], *, named: bool) -> list[Points]:
    return [
        Points(values=line, style=0, title=values or "mean", name=_short(values) if named else "")
        for values, line in lines.items()
    ]


def _mean_by(name: str, rows: Sequence[Row]) -> tuple[tuple[float, float], ...]:
    """Value of a hyperparameter to mean accuracy over all replicates that have it, in the order of the values."""
    found: dict[float, list[float]] = {}
    for row in rows:
        accuracies = [replicate.accuracy for replicate in row.replicates.values()]
        found.setdefault(float(row.settings[name]), []).extend(filter(is_number, accuracies))
    return tuple((value, statistics.fmean(found[value])) for value in sorted(found) if found[value])


def _others(name: str, rows: Sequence[Row]) -> list[str]:
    """The other hyperparameters whose values are not the same in all rows."""
    names = dict.fromkeys(other for row in rows for other in row.settings if other != name)
    return [other for other in names if len({repr(row.settings.get(other)) for row in rows}) > 1]


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}\N{HORIZONTAL ELLIPSIS}"


def _has_place(value: object) -> bool:
    """Whether a setting's value is a number that has a place on an axis."""
    return isinstance(value, int | float) and not isinstance(value, bool) and is_number(value)
