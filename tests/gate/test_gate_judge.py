"""Verdicts: all rules are asked, all reasons are told."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from trained_models import model_with, replicates_of

from harness import AccuracyFloor, ArtifactCeiling, Hyperparameters
from harness.artifact import Artifact
from harness.errors import DeclarationError, GateError, HarnessError
from harness.gate.judge import judge, refusal
from harness.result import Replicates
from harness.verdict import Change, Finding, Verdict

if TYPE_CHECKING:
    from harness import Experiment

FELL = Change(metric="accuracy", baseline=0.97, found=0.96, low=-0.012, high=-0.008, confidence=0.99, worse=True)


class Refuses:
    """A rule that always has the same reason."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def __str__(self) -> str:
        return f"no {self._reason}"

    def reason(self, replicates: Replicates, /) -> str:
        """Why not."""
        return f"{self._reason} in {len(replicates)}"


class Tells(Refuses):
    """A rule with more to tell."""

    def finding(self, replicates: Replicates, /) -> Finding:
        """All of it."""
        return Finding(rule=str(self), reason=self.reason(replicates), changes=(FELL,), remedy="Try again.")


def replicates_with(experiment: Experiment, *accuracies: float) -> Replicates:
    """Models of these accuracies under the seeds 0, 1, ...; half of it was reached after the first of two epochs."""
    models = [
        model_with(experiment, seed, range(round(1000 * (1 - accuracy)))) for seed, accuracy in enumerate(accuracies)
    ]
    return replicates_of(models)


def test_judge_collects_all_reasons(experiment: Experiment) -> None:
    """A gate does not stop at the first rule that refuses, and keeps those that pass among its rules."""
    verdict = judge(replicates_with(experiment, 0.9), (Refuses("drift"), AccuracyFloor(0.5), Refuses("noise")))
    assert verdict.rules == ("no drift", "accuracy >= 0.5", "no noise")
    assert verdict.reasons == ("drift in 1", "noise in 1")
    assert not verdict.passed


def test_judge_passes_what_no_rule_refuses(experiment: Experiment) -> None:
    """No reason, no failure, no remedy."""
    verdict = judge(replicates_with(experiment, 0.9), [AccuracyFloor(0.5)])
    assert verdict.passed
    assert verdict.findings == (Finding(rule="accuracy >= 0.5", floor=True),)


def test_judge_looks_at_artifacts_too() -> None:
    """A rule for tarballs is asked about the tarball."""
    packed = Artifact(Path("model.tar.gz"), "0" * 64, 1_000, ())
    assert judge(packed, [ArtifactCeiling(1_000)]).passed
    verdict = judge(packed, [ArtifactCeiling(10)])
    assert str(refusal("artifact", packed, verdict)).splitlines() == [
        "artifact does not pass its gate (artifact <= 10 bytes):",
        "  - expected a tarball of at most 10 bytes, found 1,000",
        "  To accept this all the same: change the limit of ArtifactCeiling in the test.",
    ]


def test_judge_refuses_some_of_the_replicates(experiment: Experiment) -> None:
    """A slice of the replicates, or replicates of two settings, are not what the gate was meant for."""
    both = replicates_with(experiment, 0.9, 0.5)
    with pytest.raises(DeclarationError, match=r"every replicate of one setting, seeds 0, 1, found .*seed=0\]; pass"):
        judge(Replicates(both[:1]), [AccuracyFloor(0.7)])
    other = dataclasses.replace(both[1].trial, hyperparameters=Hyperparameters(learning_rate=0.3))
    mixed = Replicates([both[0], dataclasses.replace(both[1], trial=other)])
    with pytest.raises(DeclarationError, match="every replicate of one setting"):
        judge(mixed, [AccuracyFloor(0.1)])


class Raises(Refuses):
    """A rule with a fault of its own."""

    def reason(self, replicates: Replicates, /) -> str:
        """Never."""
        raise LookupError(f"{self._reason} for {len(replicates)}")


def test_a_rule_that_fails_hides_no_other(experiment: Experiment) -> None:
    """Its error is its reason, and the rules around it are heard."""
    verdict = judge(replicates_with(experiment, 0.9), [AccuracyFloor(1), Raises("nobody is home"), AccuracyFloor(0.5)])
    assert verdict.reasons[0].startswith("expected accuracy of at least 1")
    assert verdict.reasons[1:] == (
        "expected a reason or nothing from Raises for replicates, found LookupError: nobody is home for 1",
    )


def test_judge_refuses_what_rules_do_not_judge(experiment: Experiment) -> None:
    """One model, or a list of them, says nothing of the noise between seeds; a class or a figure is no rule."""
    replicates = replicates_with(experiment, 0.9)
    for subject in (replicates[0], list(replicates), 0.9):
        with pytest.raises(DeclarationError, match="gate: expected the fixture replicates, or artifact, found"):
            judge(subject, [AccuracyFloor(0.1)])  # type: ignore[arg-type]
    for rule in (AccuracyFloor, 0.95, "accuracy"):
        with pytest.raises(DeclarationError, match=r"gate: expected rules such as AccuracyFloor\(0\.95\), found"):
            judge(replicates, [rule])  # type: ignore[list-item]


def test_an_artifact_rule_for_replicates_is_told(experiment: Experiment) -> None:
    """The rule's own stumbling is the reason; it does not pass."""
    verdict = judge(replicates_with(experiment, 0.9), [ArtifactCeiling(10)])
    assert verdict.reasons[0].startswith("expected a reason or nothing from ArtifactCeiling for replicates, found")


def test_only_limits_of_replicates_are_floors(experiment: Experiment) -> None:
    """A small tarball is no reason to accept what was trained."""
    packed = Artifact(Path("model.tar.gz"), "0" * 64, 1_000, ())
    assert not judge(packed, [ArtifactCeiling(10_000)]).findings[0].floor
    assert judge(replicates_with(experiment, 0.9), [AccuracyFloor(0.5)]).findings[0].floor


def test_judge_refuses_a_gate_without_rules(experiment: Experiment) -> None:
    """A gate that was given nothing to check would let everything pass."""
    with pytest.raises(DeclarationError, match=r"at least one rule, found none; for instance AccuracyFloor\(0\.95\)"):
        judge(replicates_with(experiment, 0.9), [])


@pytest.mark.parametrize(("reasons", "passed"), [(("",), True), (("low",), False), (("", "low"), False), ((), False)])
def test_verdict_passes_only_without_reasons(reasons: tuple[str, ...], *, passed: bool) -> None:
    """One reason is enough to fail, and so is a verdict of no rule at all."""
    assert Verdict(tuple(Finding(rule="a rule", reason=reason) for reason in reasons)).passed is passed


def test_refusal_tells_rules_reasons_changes_curves_and_remedies(experiment: Experiment) -> None:
    """One line for each reason, what it measured, each replicate, passing ones included, and what would accept it."""
    replicates = replicates_with(experiment, 0.9, 0.98)
    error = refusal("tiny[learning_rate=0.2]", replicates, judge(replicates, [AccuracyFloor(0.95), Tells("drift")]))
    assert str(error).splitlines() == [
        "tiny[learning_rate=0.2] does not pass its gate (accuracy >= 0.95, no drift):",
        "  - expected accuracy of at least 0.95 from each of 2 replicates, found 0.9000 (seed 0)",
        "  - drift in 2",
        "      accuracy 0.9700 -> 0.9600, -1.00 points (99 % interval -1.20 to -0.80)",
        "  seed 0: accuracy by epoch 0.450 0.900",
        "  seed 1: accuracy by epoch 0.490 0.980",
        "  To accept this all the same: change the limit of AccuracyFloor in the test.",
        "  Try again.",
    ]


def test_refusal_is_an_error_of_ours_and_an_assertion(experiment: Experiment) -> None:
    """A failed gate is a failed test for pytest, and an error of the harness for whoever catches those."""
    replicates = replicates_with(experiment, 0.5)
    error = refusal("tiny", replicates, judge(replicates, [AccuracyFloor(0.95)]))
    assert isinstance(error, GateError)
    assert isinstance(error, HarnessError)
    assert isinstance(error, AssertionError)


def test_changes_read_in_points_and_in_nats() -> None:
    """Accuracy moves in hundredths of 1, loss in nats."""
    loss = Change(metric="loss", baseline=0.1, found=0.13, low=0.02, high=0.04, confidence=0.95)
    assert str(loss) == "loss 0.1000 -> 0.1300 nats, +0.0300 (95 % interval +0.0200 to +0.0400)"
    same = dataclasses.replace(FELL, metric="accuracy of the same seeds")
    assert str(same).startswith("accuracy of the same seeds 0.9700 -> 0.9600, -1.00 points")
