"""Rules as values: each has a limit, says itself in words, and returns a reason or nothing.

Limits catch what is broken; small losses drown in the noise between seeds and are for `harness.gate.regression`.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from harness.errors import DeclarationError

if TYPE_CHECKING:
    from harness.artifact import Artifact
    from harness.result import Replicates, TrainedModel
    from harness.verdict import Finding

Subject_contra = TypeVar("Subject_contra", contravariant=True)


class Rule(Protocol[Subject_contra]):
    """One condition on the replicates of a setting, or on an artifact. ``str()`` of it is the condition in words."""

    def reason(self, subject: Subject_contra, /) -> str | None:
        """Why the subject fails, with what was expected and found; None if it passes."""


class TellingRule(Rule[Subject_contra], Protocol[Subject_contra]):
    """A rule that has more to tell than a reason."""

    def finding(self, subject: Subject_contra, /) -> Finding:
        """The reason, and what was measured."""


@dataclass(frozen=True)
class AccuracyFloor:
    """Every replicate's test accuracy is at least ``minimum``, a share of 1.

    A floor catches broken training, not small losses: set it well below what the worst seed reaches.

    Raises:
        DeclarationError: ``minimum`` is not between 0 and 1; a percentage, perhaps.
    """

    minimum: float

    def __post_init__(self) -> None:
        _check_share("AccuracyFloor", self.minimum)

    def __str__(self) -> str:
        return f"accuracy >= {self.minimum:g}"

    def reason(self, replicates: Replicates, /) -> str | None:
        """See `Rule.reason`."""
        # "Not at least" rather than "below", here and below, so that a NaN fails too.
        low = [model for model in replicates if not model.accuracy >= self.minimum]
        found = ", ".join(f"{model.accuracy:.4f} (seed {model.trial.seed})" for model in low)
        return _each("accuracy of at least", self.minimum, replicates, found)


@dataclass(frozen=True)
class LossCeiling:
    """Every replicate's test loss is at most ``maximum``: mean cross-entropy on the test images, in nats.

    Loss sees what accuracy does not: labels that are wrong now and then leave the answers right, but unsure.

    Raises:
        DeclarationError: ``maximum`` is not a positive number.
    """

    maximum: float

    def __post_init__(self) -> None:
        _check_positive("LossCeiling", self.maximum, "the mean cross-entropy in nats")

    def __str__(self) -> str:
        return f"loss <= {self.maximum:g}"

    def reason(self, replicates: Replicates, /) -> str | None:
        """See `Rule.reason`."""
        high = [model for model in replicates if not model.loss <= self.maximum]
        found = ", ".join(f"{model.loss:.4f} (seed {model.trial.seed})" for model in high)
        return _each("loss of at most", self.maximum, replicates, found)


@dataclass(frozen=True)
class ClassFloor:
    """In every replicate, of the test images of each class at least the share ``minimum`` is classified right.

    Raises:
        DeclarationError: ``minimum`` is not between 0 and 1.
    """

    minimum: float

    def __post_init__(self) -> None:
        _check_share("ClassFloor", self.minimum)

    def __str__(self) -> str:
        return f"accuracy of each class >= {self.minimum:g}"

    def reason(self, replicates: Replicates, /) -> str | None:
        """See `Rule.reason`."""
        found = ", ".join(
            f"class {number}: {accuracy:.4f} (seed {model.trial.seed})"
            for model in replicates
            for number, accuracy in _class_accuracies(model).items()
            if not accuracy >= self.minimum
        )
        return _each("accuracy of each class of at least", self.minimum, replicates, found)


@dataclass(frozen=True)
class TrainingTimeRatio:
    """Training takes at most ``maximum`` times as long per epoch as something else that this run has measured.

    Seconds on another machine, or on another day, say nothing; a ratio of two measurements side by side does.

    Args:
        maximum: of the ratio between the median seconds per epoch and ``reference``.
        reference: seconds; the fixture ``reference_seconds`` has those of a fixed piece of work in numpy, or write what
            you measured yourself.

    Raises:
        DeclarationError: one of them is not a positive number.
    """

    maximum: float
    reference: float

    def __post_init__(self) -> None:
        _check_positive("TrainingTimeRatio", self.maximum, "the largest ratio")
        _check_positive("TrainingTimeRatio", self.reference, "seconds that were measured in this run")

    def __str__(self) -> str:
        return f"training time ratio <= {self.maximum:g}"

    def reason(self, replicates: Replicates, /) -> str | None:
        """See `Rule.reason`. Models of an earlier run cannot be compared with a reference of this one."""
        cached = [str(model.trial.seed) for model in replicates if model.cached]
        if cached:
            return (
                f"expected models that were trained in this run, beside the reference, found seeds "
                f"{', '.join(cached)} from the cache; run with --retrain"
            )
        seconds = statistics.median(epoch.seconds for model in replicates for epoch in model.history)
        ratio = seconds / self.reference
        if ratio <= self.maximum:
            return None
        return (
            f"expected an epoch to take at most {self.maximum:g} times the reference of {self.reference:.3g} s, "
            f"found {ratio:.3g} times ({seconds:.3g} s)"
        )


@dataclass(frozen=True)
class ArtifactCeiling:
    """The packed tarball takes at most ``maximum`` bytes; for ``gate.check(artifact, ArtifactCeiling(500_000))``.

    Raises:
        DeclarationError: ``maximum`` is not a positive number.
    """

    maximum: int

    def __post_init__(self) -> None:
        _check_positive("ArtifactCeiling", self.maximum, "bytes")

    def __str__(self) -> str:
        return f"artifact <= {self.maximum:,} bytes"

    def reason(self, artifact: Artifact, /) -> str | None:
        """See `Rule.reason`."""
        if artifact.size <= self.maximum:
            return None
        return f"expected a tarball of at most {self.maximum:,} bytes, found {artifact.size:,}"


def _each(expected: str, limit: float, replicates: Replicates, found: str) -> str | None:
    return f"expected {expected} {limit:g} from each of {len(replicates)} replicates, found {found}" if found else None


def _class_accuracies(model: TrainedModel) -> dict[int, float]:
    """Class to the share of its test images that are classified right."""
    right = model.probabilities.argmax(axis=1) == model.labels
    return {number: float(right[model.labels == number].mean()) for number in sorted(set(model.labels.tolist()))}


def _check_share(rule: str, value: float) -> None:
    if not 0 <= value <= 1:  # also refuses NaN
        raise DeclarationError(f"{rule}: expected a share from 0 to 1, found {value}; write 0.95 for 95 %")


def _check_positive(rule: str, value: float, meaning: str) -> None:
    if not 0 < value < float("inf"):
        raise DeclarationError(f"{rule}: expected a number above 0, {meaning}, found {value}")
