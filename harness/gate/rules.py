"""Rules as values: each has a limit, says itself in words, and returns a reason or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from harness.errors import DeclarationError, GateError
from harness.result import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.result import Epoch, Replicates


class Rule(Protocol):
    """One condition on the replicates of a setting. ``str()`` of it is the condition in words."""

    def reason(self, replicates: Replicates) -> str | None:
        """Why the replicates fail, with what was expected and found; None if they pass."""


@dataclass(frozen=True)
class AccuracyFloor:
    """Every replicate's test accuracy is at least ``minimum``, a share of 1.

    A floor catches broken training, not small losses: set it well below what the worst seed reaches.

    Raises:
        DeclarationError: ``minimum`` is not between 0 and 1; a percentage, perhaps.
    """

    minimum: float

    def __post_init__(self) -> None:
        if not 0 <= self.minimum <= 1:  # also refuses NaN
            raise DeclarationError(
                f"AccuracyFloor: expected a share from 0 to 1, found {self.minimum}; write 0.95 for 95 %"
            )

    def __str__(self) -> str:
        return f"accuracy >= {self.minimum:g}"

    def reason(self, replicates: Replicates) -> str | None:
        """See `Rule.reason`."""
        # "Not at least" rather than "below", so that a NaN fails too.
        low = [model for model in replicates if not model.accuracy >= self.minimum]
        if not low:
            return None
        found = ", ".join(f"{model.accuracy:.4f} (seed {model.trial.seed})" for model in low)
        return (
            f"expected accuracy of at least {self.minimum:g} from each of {len(replicates)} replicates, found {found}"
        )


def judge(replicates: Replicates, rules: Sequence[Rule]) -> Verdict:
    """Ask every rule, and collect all reasons.

    Raises:
        DeclarationError: no rule was given, or not every replicate: such a gate would let pass what it never saw.
    """
    trials = [model.trial for model in replicates]
    settings = {(trial.experiment.name, trial.hyperparameters) for trial in trials}
    if len(settings) > 1 or sorted(trial.seed for trial in trials) != sorted(trials[0].experiment.seeds):
        raise DeclarationError(
            f"gate: expected every replicate of one setting, seeds {', '.join(map(str, trials[0].experiment.seeds))}, "
            f"found {', '.join(map(str, trials))}; pass the fixture replicates"
        )
    if not rules:
        raise DeclarationError("gate: expected at least one rule, found none; for instance AccuracyFloor(0.95)")
    reasons = (rule.reason(replicates) for rule in rules)
    return Verdict(tuple(map(str, rules)), tuple(reason for reason in reasons if reason))


def refusal(replicates: Replicates, verdict: Verdict) -> GateError:
    """The error of a gate that did not let the replicates pass: every reason, and what each replicate reached."""
    trial = replicates[0].trial
    lines = [f"{trial.experiment.name}[{trial.hyperparameters}] does not pass its gate ({', '.join(verdict.rules)}):"]
    lines += [f"  - {reason}" for reason in verdict.reasons]
    lines += [f"  seed {model.trial.seed}: accuracy by epoch {_curve(model.history)}" for model in replicates]
    return GateError("\n".join(lines))


def _curve(history: Sequence[Epoch]) -> str:
    return " ".join(f"{epoch.validation_accuracy:.3f}" for epoch in history)
