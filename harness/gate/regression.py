"""The rule that compares with a baseline, and refuses to pass what it cannot compare."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import DeclarationError, GateError
from harness.gate import comparison
from harness.gate.baseline import Baseline, file_name, read
from harness.gate.comparison import Pair
from harness.verdict import Change, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from harness.gate.baseline import Accepted
    from harness.result import Replicates, TrainedModel

CONFIDENCE = 0.99
"""Of the intervals that are told beside a verdict."""

SAME_SEEDS = "accuracy of the same seeds"

MOST_SEEDS = 100
"""Nobody is advised to train more."""


@dataclass(frozen=True, kw_only=True)
class Baselines:
    """The baselines of a test module; the fixture ``baseline`` has them.

    Attributes:
        folder: where their files lie.
        updating: whether this run writes them (``--update-baselines``).
        command: what would accept the results of this run.
    """

    folder: Path
    updating: bool = False
    command: str = "pytest --update-baselines"


@dataclass(frozen=True)
class NotWorse:
    """The replicates are not worse than their baseline, in accuracy or in loss.

    The comparison is that of `harness.gate.comparison`. It fails replicates that are worse beyond the noise between
    seeds, and those that cannot be compared: no baseline, other data, another graph, settings or engine, figures that
    are no numbers, too few replicates to notice a fall of ``margin`` with the stated power. The same
    weights and answers from every seed need no statistics: they are identical.

    Attributes:
        baseline: the fixture of that name.
        margin: the fall of the mean accuracy, a share of 1, that must not go unnoticed.
        false_alarms: how often replicates of unchanged code may fail, at most.
        power: how often a fall of ``margin`` is noticed, at least.

    Raises:
        DeclarationError: one of the figures is no share between 0 and 1.
    """

    baseline: Baselines
    margin: float = 0.005
    false_alarms: float = 0.01
    power: float = 0.95

    def __post_init__(self) -> None:
        if not isinstance(self.baseline, Baselines):
            raise DeclarationError(f"NotWorse: expected the fixture baseline, found {self.baseline!r}")
        for name in ("margin", "false_alarms", "power"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise DeclarationError(f"NotWorse: expected {name} between 0 and 1, found {value}; 0.005 is 0.5 points")

    def __str__(self) -> str:
        return f"not worse (notices {100 * self.margin:g} points)"

    def reason(self, replicates: Replicates, /) -> str | None:
        """See `harness.gate.rules.Rule.reason`."""
        return self.finding(replicates).reason or None

    def finding(self, replicates: Replicates, /) -> Finding:
        """See `harness.gate.rules.TellingRule.finding`."""
        trial = replicates[0].trial
        known, trouble = None, f"expected a baseline at {self.baseline.folder.name}/{file_name(trial)}, found none"
        try:
            known = read(self.baseline.folder, trial)
        except GateError as error:
            trouble = str(error)
        changes = _changes(known, replicates) if known else ()
        if self.baseline.updating:
            return self._say("", note="to be replaced" if known else "to be written", changes=changes)
        if known is None:
            return self._say(trouble)
        obstacle = _obstacle(known, replicates)
        if not obstacle and _identical(known, replicates):
            cached = sum(model.cached for model in replicates)
            earlier = f"; {cached} of {len(replicates)} were trained in an earlier run" if cached else ""
            note = f"identical to the baseline: from every seed the same weights and answers{earlier}"
            return self._say("", note=note, changes=changes)
        if obstacle:
            return self._say(obstacle, changes=changes)
        # Worse is worse, however few have shown it; that nothing was found means nothing if too few have looked.
        found = self._compare(known, replicates, changes)
        few = self._too_few(known, len(replicates)) if found.passed else ""
        return self._say(few, changes=changes) if few else found

    def _say(self, reason: str, *, note: str = "", changes: tuple[Change, ...] = ()) -> Finding:
        remedy = f"To accept the results of this module as baselines: {self.baseline.command}" if reason else ""
        return Finding(rule=str(self), reason=reason, note=note, changes=changes, remedy=remedy)

    def _compare(self, known: Baseline, replicates: Replicates, changes: tuple[Change, ...]) -> Finding:
        result = comparison.compare(_badness(known.replicates), _badness(replicates), _pairs(known, replicates))
        worse = result.worse(self.false_alarms)
        noticed = self._power(known, len(replicates))
        note = (
            f"{len(replicates)} replicates against {len(known.replicates)}: a fall of {100 * self.margin:g} points is "
            f"noticed in about {100 * noticed:.0f} % of runs, unchanged code fails here in at most "
            f"{100 * self.false_alarms:g} % (p = {result.by_replicates:.2g} by replicates, {result.by_images:.2g} by "
            f"images)"
        )
        expected = "expected results no worse than the baseline's, found worse ones, beyond the noise between seeds"
        return self._say(f"{expected} ({'; '.join(worse)})" if worse else "", note=note, changes=changes)

    def _too_few(self, known: Baseline, now: int) -> str:
        """Why so many replicates cannot tell a fall of the margin from noise; "" if they can."""
        if self._power(known, now) >= self.power:
            return ""
        counts = range(max(now, 1) + 1, MOST_SEEDS + 1)
        needed = next((count for count in counts if self._power(known, count) >= self.power), None)
        more = f"Experiment(seeds=range({needed})), " if needed else ""
        return (
            f"expected enough replicates to notice a fall of {100 * self.margin:g} points in {100 * self.power:g} % of "
            f"runs, found {now}, and {len(known.replicates)} in the baseline, which differ by "
            f"{100 * _deviation(known):.2f} points: too few; {more}a baseline of more replicates or a larger margin "
            f"would do"
        )

    def _power(self, known: Baseline, now: int) -> float:
        before = len(known.replicates)
        if comparison.least_p_value(before, now) > comparison.PERMUTATION_SHARE * self.false_alarms:
            return 0.0  # no result whatever could be told from noise
        # Replicates that happen to agree may still lose images: so few as the margin has vary at least that much.
        least = math.sqrt(self.margin * (1 - self.margin) / known.images)
        deviation = max(_deviation(known), least)
        return comparison.power(self.margin, deviation, baseline=before, found=now, false_alarms=self.false_alarms)


def _obstacle(known: Baseline, replicates: Replicates) -> str:
    """What makes a comparison meaningless; "" if nothing does."""
    if any(not math.isfinite(figure) for figure in (*replicates.accuracies, *replicates.losses)):
        return "expected accuracies and losses that are numbers, found some that are not"
    first = replicates[0]
    now = first.provenance
    differences = [
        f"{name}: {known.settings.get(name, 'nothing')} then, {now.settings.get(name, 'nothing')} now"
        for name in dict.fromkeys([*known.settings, *now.settings])
        if known.settings.get(name) != now.settings.get(name)
    ]
    for what, then, found in (
        ("engine", known.engine, first.engine),
        ("graph", known.graph, now.graph),
        ("training data", known.train_data, now.train_data),
        ("test data", known.test_data, now.test_data),
    ):
        if then != found:
            differences.append(f"{what}: {then[:12]} then, {found[:12]} now")
    if known.images != len(first.labels):
        differences.append(f"test images: {known.images} then, {len(first.labels)} now")
    if differences:
        return f"expected what the baseline was made from, found something else ({'; '.join(differences)})"
    return ""


def _identical(known: Baseline, replicates: Replicates) -> bool:
    """Whether every replicate has its seed's weights, and answers with them as they did."""
    accepted = {each.seed: each for each in known.replicates}
    now = {each.seed: each for each in Baseline.of(replicates).replicates}
    return all(accepted.get(seed) == each for seed, each in now.items()) and all(
        not pair.lost and not pair.gained for pair in _pairs(known, replicates)
    )


def _pairs(known: Baseline, replicates: Iterable[TrainedModel]) -> list[Pair]:
    """The models of seeds that both sides have."""
    found = []
    for model in replicates:
        before = known.right.get(model.trial.seed)
        if before is not None:
            now = model.probabilities.argmax(axis=1) == model.labels
            lost, gained = int((before & ~now).sum()), int((now & ~before).sum())
            found.append(Pair(lost=lost, gained=gained, images=known.images))
    return found


def _badness(models: Sequence[Accepted | TrainedModel]) -> NDArray[np.float64]:
    return comparison.badness([model.accuracy for model in models], [model.loss for model in models])


def _deviation(known: Baseline) -> float:
    accuracies = [accepted.accuracy for accepted in known.replicates]
    return statistics.stdev(accuracies) if len(accuracies) > 1 else math.inf


def _changes(known: Baseline, replicates: Replicates) -> tuple[Change, ...]:
    """What has changed, for reading, verdict or no verdict; nothing on other test images, or without numbers."""
    numbers = all(map(math.isfinite, (*replicates.accuracies, *replicates.losses)))
    first = replicates[0]
    if (known.test_data, known.images) != (first.provenance.test_data, len(first.labels)) or not numbers:
        return ()
    changes = []
    for metric, found in (("accuracy", replicates.accuracies), ("loss", replicates.losses)):
        before = [getattr(accepted, metric) for accepted in known.replicates]
        low, high = comparison.interval(before, found, CONFIDENCE)
        changes.append(_change(metric, before, found, low, high))
    pairs = _pairs(known, replicates)
    if len(pairs) > 1:
        seeds = {accepted.seed: accepted.accuracy for accepted in known.replicates}
        same = [model for model in replicates if model.trial.seed in seeds]
        low, high = comparison.paired_interval(pairs, CONFIDENCE)
        accuracies = [model.accuracy for model in same]
        changes.append(_change(SAME_SEEDS, [seeds[model.trial.seed] for model in same], accuracies, low, high))
    return tuple(changes)


def _change(metric: str, before: Iterable[float], found: Iterable[float], low: float, high: float) -> Change:
    worse = low > 0 if metric == "loss" else high < 0
    return Change(
        metric=metric,
        baseline=statistics.fmean(before),
        found=statistics.fmean(found),
        low=low,
        high=high,
        confidence=CONFIDENCE,
        worse=worse,
    )
