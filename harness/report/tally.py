"""How the settings of a session stand: counts, the verdict in a sentence, and which settings tell the most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.figures import accuracies, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.board import Row


@dataclass(frozen=True, kw_only=True)
class Tally:
    """Counts over all settings of a session.

    Attributes:
        settings: how many there are.
        passed: settings that every rule let pass.
        failed: settings that a rule did not let pass.
        replicates: trained models.
        cached: those of them that were trained in an earlier run.
        rules_passed: findings that let pass.
        rules_failed: findings that did not.
    """

    settings: int
    passed: int
    failed: int
    replicates: int
    cached: int
    rules_passed: int
    rules_failed: int

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Tally:
        """Count."""
        findings = [finding.passed for row in rows for finding in row.findings]
        cached = [replicate.cached for row in rows for replicate in row.replicates.values()]
        return cls(
            settings=len(rows),
            passed=sum(row.passed is True for row in rows),
            failed=sum(row.passed is False for row in rows),
            replicates=len(cached),
            cached=sum(cached),
            rules_passed=sum(findings),
            rules_failed=len(findings) - sum(findings),
        )

    @property
    def unjudged(self) -> int:
        """Settings that no rule has looked at."""
        return self.settings - self.passed - self.failed

    @property
    def verdict(self) -> str:
        """One of ``passed``, ``failed``, ``not judged``; a setting that failed decides."""
        if self.failed:
            return "failed"
        return "passed" if self.passed else "not judged"

    def __str__(self) -> str:
        """The verdict in a sentence."""
        if not self.settings:
            return "No setting of an experiment was run"
        settings = counted(self.settings, "setting")
        if self.failed:
            return f"{self.failed:,} of {settings} failed" if self.settings > 1 else "The setting failed"
        if not self.passed:
            return f"{settings}, judged by no rule"
        if self.unjudged:
            return f"{self.passed:,} of {settings} passed, {self.unjudged:,} judged by no rule"
        return f"All {settings} passed" if self.settings > 1 else "The setting passed"


def verdict(row: Row) -> str:
    """What the rules made of a setting: ``passed``, ``failed`` or ``not judged``."""
    return {True: "passed", False: "failed", None: "not judged"}[row.passed]


def most_telling(rows: Sequence[Row], limit: int) -> list[Row]:
    """At most so many rows, in their order: those of the highest mean accuracy, and as many that failed."""
    if len(rows) <= limit:
        return list(rows)
    ranked = sorted(range(len(rows)), key=lambda index: -_mean(rows[index]))
    failed = [index for index in ranked if rows[index].passed is False][: limit // 2]
    others = [index for index in ranked if index not in set(failed)][: limit - len(failed)]
    return [rows[index] for index in sorted([*failed, *others])]


def _mean(row: Row) -> float:
    """Mean accuracy, and less than any if there is none."""
    reached = accuracies(row).values
    return sum(reached) / len(reached) if reached else -1.0
