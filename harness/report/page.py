"""The results as one HTML page that needs nothing else: no network, no script, no other file.

What is on it is decided here and in the modules that it imports; `templates/` says how it looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report import charts, curves, figures, marks, strips
from harness.report.confusion import Confusion, answers_in_words
from harness.report.curves import Legend, legend, replicates_of
from harness.report.figures import Spread, accuracies, losses, training
from harness.report.strips import Bar, Strip, interval_bar, strip, strip_scale
from harness.report.tally import Tally, most_telling, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jinja2 import Environment

    from harness.report.board import Evidence, Replicate, Row
    from harness.report.marks import Chart
    from harness.report.scale import Scale, Tick
    from harness.verdict import Change, Finding

MOST_ROWS = 500
"""Settings in the table."""

MOST_DETAILS = 100
"""Settings whose details are on the page."""

MOST_NAMED = 20
"""Settings that failed, in the list at the top."""

MOST_OPEN = 10
"""Settings that failed whose details are open from the start."""

MOST_PLAIN_RULES = 6
"""Rules that passed, and have nothing more to tell, of which each gets a paragraph."""

MOST_REPLICATES = 25
"""Replicates in the table of one setting."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting, as the page shows it.

    Attributes:
        row: what is known of it.
        anchor: the target of links to its details; "" if they are not on the page.
        verdict: ``passed``, ``failed`` or ``not judged``.
        accuracy: of its replicates.
        loss: of its replicates.
        training: how long it took, in words.
        strip: its accuracies on the axis of its experiment; None if there are none.
        findings: those that are told in full, first those of rules that failed.
        plain: rules that passed and have nothing more to tell, where they are too many to tell in full.
        replicates: those that are listed.
        confusion: None if no evidence was gathered.
    """

    row: Row
    anchor: str
    verdict: str
    accuracy: Spread
    loss: Spread
    training: str
    strip: Strip | None
    findings: tuple[Finding, ...]
    plain: tuple[str, ...]
    replicates: tuple[Replicate, ...]
    confusion: Confusion | None


@dataclass(frozen=True, kw_only=True)
class Section:
    """One experiment, as the page shows it.

    Attributes:
        name: of the experiment.
        anchor: the target of links to it.
        settings: those in the table.
        ticks: of the axis that their strips share.
        legend: the settings that its charts tell apart.
        charts: learning curves, and accuracy by hyperparameter.
        note: what is left out of charts, table or details; "" if nothing is.
    """

    name: str
    anchor: str
    settings: tuple[Setting, ...]
    ticks: tuple[Tick, ...]
    legend: tuple[Legend, ...]
    charts: tuple[Chart, ...]
    note: str

    @property
    def detailed(self) -> tuple[Setting, ...]:
        """The settings whose details are on the page."""
        return tuple(setting for setting in self.settings if setting.anchor)


def render(rows: Iterable[Row], *, title: str, facts: Mapping[str, str]) -> str:
    """The page.

    Args:
        rows: of the session.
        title: what the page is called.
        facts: what ran, and when: label to text.
    """
    known = list(rows)
    sections = _sections(known)
    failed = [setting for section in sections for setting in section.settings if setting.verdict == "failed"]
    failed.sort(key=lambda setting: not setting.anchor)  # first those that can be looked into
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=title,
            facts=facts,
            tally=Tally.of(known),
            sections=sections,
            failed=failed[:MOST_NAMED],
            opened={setting.anchor for setting in failed[:MOST_OPEN]},
        )
    )


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("harness.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        answers=answers_in_words, bar=_bar, fact=figures, marks=marks, place=charts, small=strips
    )
    return environment


def _sections(rows: Sequence[Row]) -> list[Section]:
    """Experiments in the order in which they first appeared."""
    listed = _identities(most_telling(rows, MOST_ROWS))
    detailed = _identities(most_telling(rows, MOST_DETAILS))
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        by_name.setdefault(row.experiment, []).append(row)
    return [
        _section(number, name, members, listed, detailed) for number, (name, members) in enumerate(by_name.items(), 1)
    ]


def _identities(rows: Iterable[Row]) -> frozenset[int]:
    """Rows are compared by what they are, not by what they hold: two may hold the same."""
    return frozenset(id(row) for row in rows)


def _section(number: int, name: str, rows: Sequence[Row], listed: frozenset[int], detailed: frozenset[int]) -> Section:
    shown = [row for row in rows if id(row) in listed]
    axis = strip_scale(accuracy for row in shown for accuracy in accuracies(row).values)
    settings = tuple(
        _setting(row, f"setting-{number}-{index}" if id(row) in detailed else "", axis[0] if axis else None)
        for index, row in enumerate(shown, 1)
    )
    entries = legend(rows)
    return Section(
        name=name,
        anchor=f"experiment-{number}",
        settings=settings,
        ticks=axis[1] if axis else (),
        legend=tuple(entries),
        charts=tuple(curves.charts(rows, entries)),
        note=_left_out(rows, settings, entries),
    )


def _setting(row: Row, anchor: str, scale: Scale | None) -> Setting:
    accuracy = accuracies(row)
    plain = [finding for finding in row.findings if finding.passed and not finding.note and not finding.changes]
    folded = plain if len(plain) > MOST_PLAIN_RULES else []
    return Setting(
        row=row,
        anchor=anchor,
        verdict=verdict(row),
        accuracy=accuracy,
        loss=losses(row),
        training=training(row),
        strip=strip(accuracy.values, scale) if scale and accuracy.values else None,
        findings=tuple(sorted((f for f in row.findings if f not in folded), key=lambda finding: finding.passed)),
        plain=tuple(finding.rule for finding in folded),
        replicates=tuple(replicates_of(row)[:MOST_REPLICATES]),
        confusion=_confusion(row.evidence) if anchor else None,
    )


def _confusion(evidence: Evidence | None) -> Confusion | None:
    return Confusion.of(evidence.confusion) if evidence else None


def _left_out(rows: Sequence[Row], settings: Sequence[Setting], entries: Sequence[Legend]) -> str:
    """What the page does not show of an experiment, in words."""
    trained = sum(bool(row.replicates) for row in rows)
    parts = [
        f"{what} {shown:,} of {total:,}"
        for what, shown, total in (
            ("learning curves of", len(entries), trained),
            ("table rows of", len(settings), len(rows)),
            ("details of", sum(bool(setting.anchor) for setting in settings), len(rows)),
        )
        if shown < total
    ]
    if not parts:
        return ""
    return f"Shown: {', '.join(parts)} settings: some that failed, and those of the highest mean accuracy."


def _bar(change: Change) -> Bar | None:
    return interval_bar(change.low, change.difference, change.high)
