"""The calibration of the regression gate: its draws are what they say, and the documented table is its last run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def calibration() -> Any:
    """The module; it loads JAX."""
    from benchmarks import gate_calibration

    return gate_calibration


@pytest.fixture(scope="module")
def pool(calibration: Any) -> Any:
    """Forty models of 2,000 images, 3 % wrong, with a loss that tells them apart."""
    numbers = np.random.default_rng(0)
    share = numbers.beta(9.7, 0.3, size=2000)
    right = numbers.random((40, 2000)) < share
    return calibration.Models(right, 0.1 + np.arange(40) / 1000)


def test_drawn_models_are_different_ones(calibration: Any, pool: Any) -> None:
    """No model is on both sides of a comparison."""
    baseline, new = calibration.drawn_from(pool)(np.random.default_rng(1))
    assert (len(baseline), len(new)) == (24, 6)
    assert not set(baseline.loss) & set(new.loss)


def test_models_in_turn_are_used_once(calibration: Any, pool: Any) -> None:
    """The second comparison begins where the first ended, and there is none without models."""
    draw = calibration.in_turn(pool)
    baseline, new = draw(np.random.default_rng(1))
    assert (len(baseline), len(new)) == (24, 6)
    assert not set(baseline.loss) & set(new.loss)
    second = draw(np.random.default_rng(1))
    assert not {*baseline.loss, *new.loss} & {*second[0].loss, *second[1].loss}


def test_same_seeds_stand_in_the_same_order(calibration: Any, pool: Any) -> None:
    """The new models are those of the baseline's first six seeds."""
    accepted = pool[slice(0, 24)]
    baseline, new = calibration.same_seeds(accepted, pool)(np.random.default_rng(1))
    assert baseline.loss[:6].tolist() == new.loss.tolist()


def test_simulated_models_are_like_the_pools(calibration: Any, pool: Any) -> None:
    """Accuracy and its spread between seeds are about the pool's, whatever the shape of the shifts."""
    for shifts in calibration.SHIFTS.values():
        draw, numbers = calibration.simulated(pool, shifts), np.random.default_rng(2)
        accuracy = np.concatenate([draw(numbers)[0].accuracy for _ in range(20)])
        assert accuracy.mean() == pytest.approx(pool.accuracy.mean(), abs=0.003)
        assert accuracy.std() == pytest.approx(pool.accuracy.std(), rel=0.4)


def test_flipped_models_answer_as_the_baselines_but_for_a_few(calibration: Any, pool: Any) -> None:
    """At most as many images differ as are drawn anew."""
    baseline, new = calibration.flipped(pool, 30)(np.random.default_rng(3))
    differing = (baseline.right[:6] != new.right).sum(axis=1)
    assert 0 < differing.max() <= 30


def test_a_fall_is_of_so_many_images(calibration: Any, pool: Any) -> None:
    """Half a point of 2,000 images are ten in every model, and the models drawn are left as they were."""
    fallen = pool.with_fall(0.005, np.random.default_rng(4))
    assert (pool.right.sum(axis=1) - fallen.right.sum(axis=1)).tolist() == [10] * 40
    assert (fallen.loss == pool.loss).all()


def test_a_row_counts_what_the_gate_calls_worse(calibration: Any, pool: Any) -> None:
    """Nothing is alarmed at when both sides are one model; a large fall always is."""
    same = lambda _: (pool[slice(0, 24)], pool[slice(0, 6)])  # noqa: E731
    row = calibration.row("same", pool, 5, same)
    assert row.noticed["0"] == 0
    assert row.noticed["0.005"] == 1


def test_the_documented_table_is_the_last_run() -> None:
    """docs/gates.md shows the figures that the command has written, all of them."""
    from benchmarks import gate_calibration

    record = json.loads((ROOT / "benchmarks" / "results" / "gate_calibration.json").read_text(encoding="utf-8"))
    assert gate_calibration.table(record) in (ROOT / "docs" / "gates.md").read_text(encoding="utf-8")


def test_the_last_run_keeps_the_rate_of_false_alarms() -> None:
    """At most 1 % over all comparisons in which nothing changed, and no kind of them is above that beyond chance."""
    from scipy import stats

    record = json.loads((ROOT / "benchmarks" / "results" / "gate_calibration.json").read_text(encoding="utf-8"))
    alarms = [round(row["noticed"]["0"] * row["comparisons"]) for row in record]
    counts = [row["comparisons"] for row in record]
    assert sum(alarms) <= 0.01 * sum(counts)
    for found, count in zip(alarms, counts, strict=True):
        assert stats.binomtest(found, count, 0.01, alternative="greater").pvalue > 0.05
