"""The table at the end of a session: one row per setting of an experiment."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from harness.report.figures import training

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.report.board import Row

MOST_REPLICATES = 8
"""So many are listed one by one."""

MOST_RULES = 2
"""So many are named in a row; of more, only those that failed."""


def as_table(rows: Iterable[Row]) -> str:
    """The rows as aligned text, a header above."""
    from tabulate import tabulate

    headers = (
        "experiment",
        "hyperparameters",
        "engine",
        "accuracy by seed",
        "limit",
        "training s",
        "artifact",
        "endpoint",
    )
    return tabulate([_cells(row) for row in rows], headers, tablefmt="simple", disable_numparse=True)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.experiment,
        row.hyperparameters,
        row.engine or "-",
        _accuracies(row) or "-",
        _limits(row) or "-",
        training(row, unit="") if row.replicates else "-",
        row.artifact.digest if row.artifact else "-",
        "; ".join(f"{endpoint.kind}: {endpoint.state}" for endpoint in row.endpoints.values()) or "-",
    )


def _accuracies(row: Row) -> str:
    """Of each replicate; of many, their mean and range."""
    found = [replicate.accuracy for replicate in row.replicates.values()]
    if len(found) <= MOST_REPLICATES:
        return " ".join(f"{accuracy:.4f}" for accuracy in found)
    return f"{statistics.fmean(found):.4f}, {min(found):.4f} to {max(found):.4f} ({len(found)} seeds)"


def _limits(row: Row) -> str:
    """Each rule in words; if there are many, those that failed, and how many others there were."""
    verdicts: dict[str, bool] = {}
    for finding in row.findings:
        verdicts[finding.rule] = finding.passed and verdicts.get(finding.rule, True)
    failed = [f"{rule} FAILED" for rule, passed in verdicts.items() if not passed]
    passed = [rule for rule, passed in verdicts.items() if passed]
    if len(verdicts) > MOST_RULES:
        passed = [f"{len(passed)} {'others' if failed else 'rules'} passed"] if passed else []
    return ", ".join([*failed, *passed])
