"""Schedules multiply the learning rate as MXNet's schedulers set it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import ConstantRate, CosineDecay, MultiStepDecay, PolynomialDecay, StepDecay
from harness.errors import DeclarationError
from harness.train import compat

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.schedule import Schedule

UPDATES = 3000

SHARES = st.floats(0, 1)
RATES = st.floats(0.001, 1)
WARMUPS = st.tuples(st.just(0) | st.integers(1, 500), SHARES)
"""Length in updates, and what it begins from."""


def assert_same(schedule: Schedule, scheduler: Any, rate: float) -> None:
    """MXNet asks its scheduler in every update, one after the other; so does this."""
    for update in range(1, UPDATES + 1):
        expected = scheduler(update)
        assert math.isclose(rate * schedule.factor(update, 1), expected, rel_tol=1e-9, abs_tol=1e-15), update


def ours(warming: tuple[int, float]) -> dict[str, Any]:
    """A warm-up as schedules take it."""
    return {"warmup_updates": warming[0], "warmup_begin": warming[1]}


def theirs_of(rate: float, warming: tuple[int, float]) -> dict[str, Any]:
    """The same as MXNet's schedulers take it, with the learning rate that it ends at."""
    return {"base_lr": rate, "warmup_steps": warming[0], "warmup_begin_lr": warming[1] * rate}


@given(RATES, WARMUPS, st.integers(1, 4000), st.floats(0.01, 1), st.floats(0, 0.5))
@settings(deadline=None, max_examples=15)
def test_step_decay_is_mxnets_factor(
    rate: float, warming: tuple[int, float], updates: int, decay: float, stop: float
) -> None:
    """Warm-up, steps and the floor agree in thousands of updates."""
    mx = compat.mxnet()
    schedule = StepDecay(decay=decay, updates=updates, stop=stop, **ours(warming))
    theirs = mx.lr_scheduler.FactorScheduler(updates, decay, stop_factor_lr=stop * rate, **theirs_of(rate, warming))
    assert_same(schedule, theirs, rate)


@given(RATES, WARMUPS, st.lists(st.integers(1, 4000), min_size=1, max_size=6, unique=True), st.floats(0.01, 1))
@settings(deadline=None, max_examples=15)
def test_multi_step_decay_is_mxnets_multi_factor(
    rate: float, warming: tuple[int, float], steps: list[int], decay: float
) -> None:
    """Warm-up and steps agree in thousands of updates."""
    mx = compat.mxnet()
    schedule = MultiStepDecay(decay=decay, updates=sorted(steps), **ours(warming))
    theirs = mx.lr_scheduler.MultiFactorScheduler(sorted(steps), decay, **theirs_of(rate, warming))
    assert_same(schedule, theirs, rate)


@given(RATES, WARMUPS, st.integers(501, 4000), st.floats(0.5, 4), SHARES)
@settings(deadline=None, max_examples=15)
def test_polynomial_decay_is_mxnets_poly(
    rate: float, warming: tuple[int, float], updates: int, power: float, final: float
) -> None:
    """Warm-up, decay and what remains after it agree in thousands of updates."""
    mx = compat.mxnet()
    schedule = PolynomialDecay(power=power, updates=updates, final=final, **ours(warming))
    theirs = mx.lr_scheduler.PolyScheduler(updates, pwr=power, final_lr=final * rate, **theirs_of(rate, warming))
    assert_same(schedule, theirs, rate)


@given(RATES, WARMUPS, st.integers(501, 4000), SHARES)
@settings(deadline=None, max_examples=15)
def test_cosine_decay_is_mxnets_cosine(rate: float, warming: tuple[int, float], updates: int, final: float) -> None:
    """Warm-up, decay and what remains after it agree in thousands of updates."""
    mx = compat.mxnet()
    schedule = CosineDecay(updates=updates, final=final, **ours(warming))
    theirs = mx.lr_scheduler.CosineScheduler(updates, final_lr=final * rate, **theirs_of(rate, warming))
    assert_same(schedule, theirs, rate)


def test_a_constant_rate_warms_up_as_mxnets() -> None:
    """It is MXNet's scheduler with a factor of 1."""
    mx = compat.mxnet()
    theirs = mx.lr_scheduler.FactorScheduler(1000, 1, **theirs_of(0.5, (300, 0.1)))
    assert_same(ConstantRate(warmup_updates=300, warmup_begin=0.1), theirs, 0.5)


def test_a_difference_of_one_update_would_be_seen() -> None:
    """Control: the same schedule, one update later, is not MXNet's."""
    theirs = compat.mxnet().lr_scheduler.CosineScheduler(1000, base_lr=1)
    with pytest.raises(AssertionError):
        assert_same(CosineDecay(updates=1001), theirs, 1)


@pytest.mark.parametrize(
    ("in_epochs", "in_updates"),
    [
        (StepDecay(decay=0.5, epochs=2), StepDecay(decay=0.5, updates=20)),
        (MultiStepDecay(decay=0.5, epochs=[2, 3]), MultiStepDecay(decay=0.5, updates=[20, 30])),
        (PolynomialDecay(epochs=4), PolynomialDecay(updates=40)),
        (CosineDecay(epochs=4, warmup_epochs=1), CosineDecay(updates=40, warmup_updates=10)),
        (ConstantRate(warmup_epochs=2), ConstantRate(warmup_updates=20)),
        (CosineDecay(epochs=4, warmup_updates=10), CosineDecay(updates=40, warmup_epochs=1)),
    ],
)
def test_epochs_are_so_many_updates(in_epochs: Schedule, in_updates: Schedule) -> None:
    """Lengths in epochs are lengths in updates once it is known how many an epoch has."""
    for update in range(1, 60):
        assert in_epochs.factor(update, 10) == in_updates.factor(update, 10)


def test_steps_are_taken_between_epochs() -> None:
    """The first update of the next epoch is the first with the next factor."""
    schedule = StepDecay(decay=0.5, epochs=1)
    assert [schedule.factor(update, 10) for update in (1, 10, 11, 20, 21)] == [1, 1, 0.5, 0.5, 0.25]


def test_a_warm_up_beyond_the_decay_leaves_the_end() -> None:
    """Where units differ nobody can tell beforehand: what remains after the warm-up is the final factor."""
    schedule = CosineDecay(epochs=1, warmup_updates=20, final=0.25)
    assert [schedule.factor(update, 10) for update in (10, 19, 20, 500)] == [0.5, 0.95, 0.25, 0.25]


def test_the_default_changes_nothing() -> None:
    """A factor of exactly one, from the first update on."""
    assert {ConstantRate().factor(update, 7) for update in range(1, 1000)} == {1.0}


@pytest.mark.parametrize(
    "schedule",
    [
        StepDecay(decay=0.5, epochs=2),
        MultiStepDecay(decay=0.5, epochs=[2, 3]),
        PolynomialDecay(epochs=4),
        CosineDecay(epochs=4),
        ConstantRate(warmup_epochs=1),
    ],
)
def test_schedules_are_values(schedule: Schedule) -> None:
    """They hash and compare by content, as trials are looked up by them, and tell what they are."""
    same = eval(repr(schedule))  # noqa: S307 - the text is the schedule's own
    assert len({schedule, same, ConstantRate()}) == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: StepDecay(decay=1.5, epochs=1),
            "StepDecay: expected decay, a number above 0 and at most 1, found 1.5",
        ),
        (lambda: StepDecay(decay=0, epochs=1), "StepDecay: expected decay, a number above 0 and at most 1, found 0"),
        (lambda: StepDecay(decay="0.5", epochs=1), "StepDecay: expected decay, .* found '0.5'"),
        (lambda: StepDecay(decay=0.5), "StepDecay: expected either epochs or updates, found neither"),
        (lambda: StepDecay(decay=0.5, epochs=1, updates=1), "StepDecay: expected either epochs or updates, found both"),
        (lambda: StepDecay(decay=0.5, epochs=1.5), "expected epochs, a whole number of at least 0, found 1.5"),
        (lambda: StepDecay(decay=0.5, updates=-1), "expected updates, a whole number of at least 0, found -1"),
        (lambda: StepDecay(decay=0.5, epochs=1, stop=2), "expected stop, a number from 0 to 1, found 2"),
        (lambda: MultiStepDecay(decay=0.5), "MultiStepDecay: expected either epochs or updates, found neither"),
        (lambda: MultiStepDecay(decay=0.5, epochs=3), "expected epochs, a list of whole numbers, found 3"),
        (lambda: MultiStepDecay(decay=0.5, epochs=[3, 3]), r"expected epochs in increasing order, found \(3, 3\)"),
        (lambda: MultiStepDecay(decay=0.5, updates=[0]), "expected updates, a whole number of at least 1, found 0"),
        (lambda: PolynomialDecay(epochs=1, power=0), "expected power, a finite number above 0, found 0"),
        (lambda: PolynomialDecay(epochs=1, power=math.inf), "expected power, a finite number above 0, found inf"),
        (PolynomialDecay, "PolynomialDecay: expected either epochs or updates, found neither"),
        (lambda: CosineDecay(epochs=1, final=-0.1), "expected final, a number from 0 to 1, found -0.1"),
        (lambda: CosineDecay(epochs=2, warmup_epochs=2), "expected warmup_epochs below epochs=2, found 2"),
        (lambda: CosineDecay(updates=9, warmup_updates=10), "expected warmup_updates below updates=9, found 10"),
        (
            lambda: ConstantRate(warmup_epochs=1, warmup_updates=1),
            "ConstantRate: expected the warm-up in epochs or in updates, found both",
        ),
        (lambda: ConstantRate(warmup_updates=True), "expected warmup_updates, a whole number .*, found True"),
        (lambda: ConstantRate(warmup_begin=math.nan), "expected warmup_begin, a number from 0 to 1, found nan"),
    ],
)
def test_bad_schedules_are_refused(make: Callable[[], Schedule], message: str) -> None:
    """Each value is checked when the schedule is made."""
    with pytest.raises(DeclarationError, match=message):
        make()
