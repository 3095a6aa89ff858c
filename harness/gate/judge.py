"""Asks every rule, and puts a failed verdict into words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.artifact import Artifact
from harness.errors import DeclarationError, GateError
from harness.result import Replicates
from harness.verdict import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.gate.rules import Rule
    from harness.result import Epoch


def judge(subject: Replicates | Artifact, rules: Sequence[Rule[Any]]) -> Verdict:
    """Ask every rule, and collect what all of them found.

    Raises:
        DeclarationError: no rule was given, or not every replicate: such a gate would let pass what it never saw. Or
            what was given is no rule, or nothing that rules judge.
    """
    if isinstance(subject, Replicates):
        _check_complete(subject)
    elif not isinstance(subject, Artifact):
        raise DeclarationError(
            f"gate: expected the fixture replicates, or artifact, found {type(subject).__name__}; "
            f"a single model says nothing of the noise between seeds"
        )
    if not rules:
        raise DeclarationError("gate: expected at least one rule, found none; for instance AccuracyFloor(0.95)")
    for rule in rules:
        if isinstance(rule, type) or not callable(getattr(rule, "reason", None)):
            raise DeclarationError(f"gate: expected rules such as AccuracyFloor(0.95), found {rule!r}")
    return Verdict(tuple(_finding(rule, subject) for rule in rules))


def refusal(title: str, subject: Replicates | Artifact, verdict: Verdict) -> GateError:
    """The error of a gate that did not let a subject pass: every reason, what it measured, and what would accept it."""
    lines = [f"{title} does not pass its gate ({', '.join(verdict.rules)}):"]
    failed = [finding for finding in verdict.findings if finding.reason]
    for finding in failed:
        lines += [f"  - {finding.reason}", *(f"      {change}" for change in finding.changes)]
    if isinstance(subject, Replicates):
        lines += [f"  seed {model.trial.seed}: accuracy by epoch {_curve(model.history)}" for model in subject]
    lines += [f"  {remedy}" for remedy in dict.fromkeys(finding.remedy for finding in failed) if remedy]
    return GateError("\n".join(lines))


def _finding(rule: Rule[Any], subject: object) -> Finding:
    """What a rule says; one that fails instead has not let anything pass, and keeps no other from being heard."""
    try:
        if hasattr(rule, "finding"):
            told: Finding = rule.finding(subject)
            return told
        reason = rule.reason(subject) or ""
    except Exception as error:  # noqa: BLE001 - a rule may be the user's own
        what = "replicates" if isinstance(subject, Replicates) else "an artifact"
        reason = (
            f"expected a reason or nothing from {type(rule).__name__} for {what}, found {type(error).__name__}: {error}"
        )
        return Finding(rule=str(rule), reason=reason, floor=isinstance(subject, Replicates))
    remedy = f"To accept this all the same: change the limit of {type(rule).__name__} in the test." if reason else ""
    return Finding(rule=str(rule), reason=reason, remedy=remedy, floor=isinstance(subject, Replicates))


def _check_complete(replicates: Replicates) -> None:
    trials = [model.trial for model in replicates]
    settings = {(trial.experiment.name, trial.hyperparameters) for trial in trials}
    if len(settings) > 1 or sorted(trial.seed for trial in trials) != sorted(trials[0].experiment.seeds):
        raise DeclarationError(
            f"gate: expected every replicate of one setting, seeds {', '.join(map(str, trials[0].experiment.seeds))}, "
            f"found {', '.join(map(str, trials))}; pass the fixture replicates"
        )


def _curve(history: Sequence[Epoch]) -> str:
    return " ".join(f"{epoch.validation_accuracy:.3f}" for epoch in history)
