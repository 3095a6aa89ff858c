"""The statistics of the regression gate, against brute force, the literature's formulas and scipy's own tests."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from harness.gate import comparison
from harness.gate.comparison import Pair

FIGURES = st.floats(-1, 1, allow_subnormal=False).map(lambda value: round(value, 3))


@given(arrays.arrays(float, (4, 2), elements=FIGURES), arrays.arrays(float, (3, 2), elements=FIGURES))
def test_the_permutation_test_counts_allocations(baseline: np.ndarray, found: np.ndarray) -> None:
    """The p-value is the share of all 35 ways to choose three of seven rows that look at least as bad."""
    rows = np.concatenate([found, baseline])
    spread = [max(float(rows[:, metric].std()), 1e-300) for metric in (0, 1)]

    def badness(chosen: tuple[int, ...]) -> float:
        rest = [row for row in range(7) if row not in chosen]
        gaps = [
            (rows[list(chosen), metric].mean() - rows[rest, metric].mean()) / spread[metric]
            if np.ptp(rows[:, metric])
            else 0
            for metric in (0, 1)
        ]
        return max(gaps)

    observed = badness((0, 1, 2))
    worse = sum(badness(chosen) >= observed - 1e-6 for chosen in itertools.combinations(range(7), 3))
    assert comparison.permutation_test(baseline, found) == pytest.approx(worse / 35)


def test_one_metric_gives_scipys_p_value() -> None:
    """Scipy counts the same allocations for a difference of means."""
    from scipy import stats

    draw = np.random.default_rng(1)
    baseline, found = draw.normal(size=8), draw.normal(loc=0.8, size=5)
    result = stats.permutation_test(
        (found, baseline), lambda a, b: a.mean() - b.mean(), alternative="greater", n_resamples=np.inf
    )
    mine = comparison.permutation_test(baseline[:, None], found[:, None])
    assert mine == pytest.approx(result.pvalue)


def test_many_allocations_are_sampled_always_alike() -> None:
    """For 30 replicates not all 593,775 allocations are counted; the answer is near scipy's, and never changes."""
    from scipy import stats

    draw = np.random.default_rng(2)
    baseline, found = draw.normal(size=24), draw.normal(loc=0.9, size=6)
    p_value = comparison.permutation_test(baseline[:, None], found[:, None])
    assert p_value == comparison.permutation_test(baseline[:, None], found[:, None])
    assert p_value == pytest.approx(stats.ttest_ind(found, baseline, alternative="greater").pvalue, abs=0.01)
    assert comparison.least_p_value(24, 6) == 1 / comparison.MOST_ALLOCATIONS


def test_no_p_value_is_below_the_least() -> None:
    """The worst result that three against two can be is one of ten allocations."""
    worst = comparison.permutation_test(np.array([[0.0], [0.1], [0.2]]), np.array([[9.0], [8.0]]))
    assert worst == comparison.least_p_value(3, 2) == pytest.approx(1 / 10)


def test_a_metric_that_never_varies_says_nothing() -> None:
    """Equal figures everywhere are no division by zero, and no evidence."""
    assert comparison.permutation_test(np.full((4, 2), 0.5), np.full((3, 2), 0.5)) == 1


def test_better_results_are_never_worse() -> None:
    """Only one side counts: a leap forward has a p-value of 1."""
    assert comparison.permutation_test(np.array([[5.0], [6.0], [7.0]]), np.array([[1.0], [2.0]])) == pytest.approx(1)


def test_pairs_give_students_p_value_where_seeds_differ_more_than_images() -> None:
    """With large differences between seeds the test is scipy's one-sample t-test of the net losses."""
    from scipy import stats

    net = [40, 10, 25, -5, 31]
    pairs = [Pair(lost=max(n, 0), gained=max(-n, 0), images=1000) for n in net]
    expected = stats.ttest_1samp([n / 1000 for n in net], 0, alternative="greater").pvalue
    assert comparison.paired_test(pairs) == pytest.approx(expected)


def test_images_bound_the_error_from_below() -> None:
    """Five seeds that lose one image each agree perfectly; McNemar's variance keeps that from being a proof."""
    pairs = [Pair(lost=1, gained=0, images=10_000)] * 5
    assert comparison.paired_test(pairs) == pytest.approx(_student(math.sqrt(5), 4))
    assert comparison.paired_test(pairs) > 0.01


def _student(value: float, degrees: int) -> float:
    from scipy import stats

    return float(stats.t.sf(value, degrees))


@pytest.mark.parametrize(
    "pairs", [[], [Pair(lost=9, gained=0, images=10)] * 4, [Pair(lost=0, gained=0, images=10)] * 5]
)
def test_too_few_pairs_or_no_difference_are_no_evidence(pairs: list[Pair]) -> None:
    """Nothing to estimate a variance from, or nothing to explain: the p-value is 1."""
    assert comparison.paired_test(pairs) == 1


def test_intervals_are_students() -> None:
    """The unpaired interval is scipy's, with pooled variance; the paired one is centred on the loss of accuracy."""
    from scipy import stats

    before, now = [0.97, 0.972, 0.969, 0.971], [0.965, 0.969, 0.966]
    expected = stats.ttest_ind(now, before).confidence_interval(0.99)
    assert comparison.interval(before, now, 0.99) == pytest.approx((expected.low, expected.high))
    low, high = comparison.paired_interval(
        [Pair(lost=30, gained=10, images=1000), Pair(lost=25, gained=5, images=1000)], 0.99
    )
    assert (low + high) / 2 == pytest.approx(-0.02)
    assert comparison.interval([0.9], [0.8], 0.99) == (-math.inf, math.inf)


def test_power_agrees_with_simulation() -> None:
    """The formula's power for one metric is what 2,000 simulated comparisons reach, give or take their own noise."""
    draw = np.random.default_rng(3)
    false_alarms, share = 0.01, comparison.PERMUTATION_SHARE
    told = comparison.power(0.005, 0.003, baseline=16, found=6, false_alarms=false_alarms)
    noticed = np.mean(
        [
            comparison.permutation_test(draw.normal(0, 0.003, (16, 1)), draw.normal(0.005, 0.003, (6, 1)))
            <= share * false_alarms / 2
            for _ in range(300)
        ]
    )
    assert told == pytest.approx(noticed, abs=0.1)


def test_power_grows_with_the_fall_and_with_replicates() -> None:
    """More to see, or more that look: more is noticed; without noise, everything."""

    def noticed(fall: float = 0.005, found: int = 6) -> float:
        return comparison.power(fall, 0.003, baseline=16, found=found, false_alarms=0.01)

    assert noticed(0.002) < noticed() < noticed(0.01)
    assert noticed(found=4) < noticed() < noticed(found=12)
    assert comparison.power(0.001, 0, baseline=16, found=6, false_alarms=0.01) == 1
