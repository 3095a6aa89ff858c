"""Rules as values: limits that let pass, refuse, and say why."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from trained_models import model_with, replicates_of

from harness import AccuracyFloor, ArtifactCeiling, ClassFloor, Experiment, LossCeiling, TrainingTimeRatio
from harness.artifact import Artifact
from harness.errors import DeclarationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.result import Replicates

NAN = float("nan")


def replicates_with(experiment: Experiment, **fields: list[float]) -> Replicates:
    """Replicates under the seeds 0, 1, ... with these figures, each a list of one number per seed."""
    count = len(next(iter(fields.values())))
    figures = [{name: values[seed] for name, values in fields.items()} for seed in range(count)]
    return replicates_of([model_with(experiment, seed, **figure) for seed, figure in enumerate(figures)])  # type: ignore[arg-type]


def test_floor_lets_the_exact_minimum_pass(experiment: Experiment) -> None:
    """At least means at least: equality passes, the next smaller float does not."""
    floor = AccuracyFloor(0.95)
    assert floor.reason(replicates_with(experiment, accuracy=[0.95, 1])) is None
    assert floor.reason(replicates_with(experiment, accuracy=[0.95, float(np.nextafter(0.95, 0))])) is not None


def test_floor_names_every_replicate_below_it(experiment: Experiment) -> None:
    """The reason holds the minimum, how many had to reach it, and the seeds that did not, but no other."""
    assert AccuracyFloor(0.95).reason(replicates_with(experiment, accuracy=[0.9, 0.96, 0.5])) == (
        "expected accuracy of at least 0.95 from each of 3 replicates, found 0.9000 (seed 0), 0.5000 (seed 2)"
    )


def test_ceiling_lets_the_exact_maximum_pass(experiment: Experiment) -> None:
    """At most means at most, and the reason names who is above."""
    ceiling = LossCeiling(0.1)
    assert ceiling.reason(replicates_with(experiment, loss=[0.1, 0])) is None
    assert ceiling.reason(replicates_with(experiment, loss=[0.05, 0.2])) == (
        "expected loss of at most 0.1 from each of 2 replicates, found 0.2000 (seed 1)"
    )


def test_class_floor_finds_the_one_class_that_fails(experiment: Experiment) -> None:
    """Half of the threes wrong is 5 points of accuracy, and a class that no accuracy floor of 0.9 would see."""
    threes = [index for index in range(1000) if index % 10 == 3]
    good, bad = model_with(experiment, 0), model_with(experiment, 1, threes[:50])
    replicates = replicates_of([good, bad])
    assert AccuracyFloor(0.9).reason(replicates) is None
    assert ClassFloor(0.5).reason(replicates) is None
    assert ClassFloor(0.6).reason(replicates) == (
        "expected accuracy of each class of at least 0.6 from each of 2 replicates, found class 3: 0.5000 (seed 1)"
    )


@pytest.mark.parametrize(
    ("rule", "figure"), [(AccuracyFloor(0), "accuracy"), (LossCeiling(1e300), "loss"), (TrainingTimeRatio(1e9, 1), "")]
)
def test_what_is_not_a_number_passes_no_rule(
    experiment: Experiment, rule: AccuracyFloor | LossCeiling | TrainingTimeRatio, figure: str
) -> None:
    """NaN compares false with everything: it must not slip under a rule, however wide."""
    if figure:
        replicates = replicates_with(experiment, **{figure: [NAN]})
    else:
        model = model_with(experiment, 0)
        history = tuple(dataclasses.replace(epoch, seconds=NAN) for epoch in model.history)
        replicates = replicates_of([dataclasses.replace(model, history=history)])
    reason = rule.reason(replicates)
    assert reason is not None
    assert "nan" in reason


def test_time_is_a_ratio_of_medians_per_epoch(experiment: Experiment) -> None:
    """Epochs of one second against a reference of a quarter are a ratio of 4."""
    replicates = replicates_with(experiment, accuracy=[0.9, 0.9])
    assert TrainingTimeRatio(4, 0.25).reason(replicates) is None
    assert TrainingTimeRatio(3.9, 0.25).reason(replicates) == (
        "expected an epoch to take at most 3.9 times the reference of 0.25 s, found 4 times (1 s)"
    )


def test_time_of_another_run_is_no_measurement(experiment: Experiment) -> None:
    """Models out of the cache were timed on another day: their ratio is refused, whatever it is."""
    fresh, cached = model_with(experiment, 0), model_with(experiment, 1, cached=True)
    reason = TrainingTimeRatio(100, 1).reason(replicates_of([fresh, cached]))
    assert reason == (
        "expected models that were trained in this run, beside the reference, found seeds 1 from the cache; "
        "run with --retrain"
    )


def test_artifact_ceiling_counts_bytes() -> None:
    """A tarball of exactly the maximum passes, one byte more does not."""
    packed = Artifact(Path("model.tar.gz"), "0" * 64, 1_000, ())
    assert ArtifactCeiling(1_000).reason(packed) is None
    assert ArtifactCeiling(999).reason(packed) == "expected a tarball of at most 999 bytes, found 1,000"


@pytest.mark.parametrize("rule", [AccuracyFloor, ClassFloor])
@pytest.mark.parametrize("minimum", [95, 1.0001, -0.1, NAN, math.inf])
def test_floors_refuse_what_is_no_share(rule: Callable[[float], object], minimum: float) -> None:
    """A percentage would fail everything and a negative floor nothing: both are refused when declared."""
    with pytest.raises(DeclarationError, match=rf"found {minimum}; write 0\.95 for 95 %"):
        rule(minimum)


@pytest.mark.parametrize("rule", [LossCeiling, ArtifactCeiling, lambda value: TrainingTimeRatio(1, value)])
@pytest.mark.parametrize("maximum", [0, -1, NAN, math.inf])
def test_ceilings_refuse_what_is_no_positive_number(rule: Callable[[float], object], maximum: float) -> None:
    """An infinite ceiling would let everything pass."""
    with pytest.raises(DeclarationError, match=f"expected a number above 0, .*, found {maximum}"):
        rule(maximum)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (AccuracyFloor(0.955), "accuracy >= 0.955"),
        (LossCeiling(0.15), "loss <= 0.15"),
        (ClassFloor(0.9), "accuracy of each class >= 0.9"),
        (TrainingTimeRatio(40, 0.01), "training time ratio <= 40"),
        (ArtifactCeiling(500_000), "artifact <= 500,000 bytes"),
    ],
)
def test_rules_say_themselves_in_words(rule: object, words: str) -> None:
    """The words of a rule are what the table shows."""
    assert str(rule) == words
