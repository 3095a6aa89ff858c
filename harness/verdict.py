"""What gates say: findings of rules, the changes that a comparison measured, and the verdict over all of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Change:
    """How one metric of a setting differs from its baseline.

    Attributes:
        metric: ``accuracy`` or ``accuracy of the same seeds`` (shares of 1), or ``loss`` (mean cross-entropy in nats).
        baseline: mean over the baseline's replicates.
        found: mean over the replicates that were judged.
        low: lower end of the interval for the true difference, ``found - baseline``; equal to `high` if identical.
        high: its upper end.
        confidence: of the interval, a share of 1.
        worse: whether the whole interval lies on the worse side of 0.
    """

    metric: str
    baseline: float
    found: float
    low: float
    high: float
    confidence: float
    worse: bool = False

    @property
    def difference(self) -> float:
        """``found - baseline``."""
        return self.found - self.baseline

    def __str__(self) -> str:
        """In words; accuracy in points, hundredths of 1."""
        if self.metric.startswith("accuracy"):
            level = f"{self.baseline:.4f} -> {self.found:.4f}"
            moved = f"{100 * self.difference:+.2f} points"
            span = f"{100 * self.low:+.2f} to {100 * self.high:+.2f}"
        else:
            level = f"{self.baseline:.4f} -> {self.found:.4f} nats"
            moved = f"{self.difference:+.4f}"
            span = f"{self.low:+.4f} to {self.high:+.4f}"
        return f"{self.metric} {level}, {moved} ({100 * self.confidence:g} % interval {span})"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one rule said.

    Attributes:
        rule: the rule in words, such as ``accuracy >= 0.955``.
        reason: why it does not let pass; "" if it does.
        note: what else it has to tell, passed or not, such as ``identical to the baseline``.
        changes: what it measured against a baseline.
        remedy: the command, or the edit, that would accept the state as it is; "" if there is none.
        floor: whether the rule holds replicates to a limit, whatever they were before; a baseline needs one.
    """

    rule: str
    reason: str = ""
    note: str = ""
    changes: tuple[Change, ...] = ()
    remedy: str = ""
    floor: bool = False

    @property
    def passed(self) -> bool:
        """Whether there is no reason."""
        return not self.reason


@dataclass(frozen=True)
class Verdict:
    """What a gate said: every rule's finding, in the order of the rules."""

    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether there were rules, and none of them gave a reason."""
        return bool(self.findings) and all(finding.passed for finding in self.findings)

    @property
    def rules(self) -> tuple[str, ...]:
        """Each rule in words."""
        return tuple(finding.rule for finding in self.findings)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it failed; empty when it passed."""
        return tuple(finding.reason for finding in self.findings if finding.reason)
