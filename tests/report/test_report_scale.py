"""Axes: ticks are round, few and cover what is drawn, whatever the figures."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.report.scale import Scale, decade_values, round_shares, round_values, spans, tick_labels, widened

FIGURES = st.floats(-1e300, 1e300)


@given(FIGURES, FIGURES)
@example(0.0, 5e-324)
def test_round_values_cover_the_span(one: float, other: float) -> None:
    """Two to seven values in equal steps, from at or below the lowest to at or above the highest."""
    low, high = sorted((one, other))
    values = round_values(low, high)
    slack = 1e-5 * max(abs(low), abs(high), 1e-300)
    assert values[0] <= low + slack
    assert values[-1] >= high - slack
    assert 2 <= len(values) <= 7
    assert all(before < after for before, after in pairwise(values))


@pytest.mark.parametrize(
    ("low", "high", "values"),
    [
        (0.91, 0.979, (0.9, 0.92, 0.94, 0.96, 0.98)),
        (1, 10, (0, 5, 10)),
        (0.0, 0.0, (-1, -0.5, 0, 0.5, 1)),
        (0.5, 0.5, (0.495, 0.5, 0.505)),
    ],
)
def test_round_values_are_round(low: float, high: float, values: tuple[float, ...]) -> None:
    """Steps of 1, 2 or 5; a span of nothing becomes one around it."""
    assert round_values(low, high) == values


@given(st.floats(0, 1), st.floats(0, 1))
def test_axes_of_shares_stay_between_0_and_1(one: float, other: float) -> None:
    """No axis promises an accuracy above 1 or below 0, and none loses a value."""
    low, high = sorted((one, other))
    values = round_shares(low, high)
    assert values[0] >= 0
    assert values[-1] <= 1
    assert values[0] <= low + 1e-5
    assert values[-1] >= high - 1e-5
    assert len(values) >= 2


def test_a_figure_that_is_no_share_is_still_on_the_axis() -> None:
    """Control: the bounds of 0 and 1 hold only for what keeps them."""
    assert round_shares(-0.5, 1.5) == (-0.5, 0, 0.5, 1, 1.5)


@given(st.floats(1e-12, 1e12), st.floats(10, 1e12))
def test_decades_are_few_and_inside(low: float, factor: float) -> None:
    """One to six values within the span, rising."""
    values = decade_values(low, low * factor)
    assert 1 <= len(values) <= 6
    assert all(low * 0.999 <= value <= low * factor * 1.001 for value in values)
    assert all(before < after for before, after in pairwise(values))


def test_decades_thin_out() -> None:
    """1, 2 and 5 over one decade; 1 and 3 over three; powers of ten, then every second of them, over many."""
    assert decade_values(0.1, 1) == (0.1, 0.2, 0.5, 1)
    assert decade_values(0.001, 0.3) == (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
    assert decade_values(1e-4, 1) == (1e-4, 1e-3, 1e-2, 0.1, 1)
    assert decade_values(1e-6, 1) == (1e-6, 1e-4, 1e-2, 1)


def test_positions_run_from_end_to_end() -> None:
    """The ends are where they were asked for, up or down, and a logarithmic middle is a factor, not a difference."""
    assert [Scale(low=0, high=2, start=100, end=0).at(value) for value in (0, 1, 2)] == [100, 50, 0]
    assert Scale(low=0.01, high=1, start=0, end=100, log=True).at(0.1) == 50
    ticks = Scale(low=0, high=1, start=0, end=10).ticks([-1, 0, 0.5, 1, 2])
    assert [(tick.at, tick.label) for tick in ticks] == [(0, "0"), (5, "0.5"), (10, "1")]


def test_labels_have_the_decimals_that_they_need() -> None:
    """Equal steps share their decimals, values of their own keep their own, a minus is a minus."""
    assert tick_labels((0.9, 0.92, 0.94)) == ["0.90", "0.92", "0.94"]
    assert tick_labels((0.25, 0.5, 0.75)) == ["0.25", "0.50", "0.75"]
    assert tick_labels((0.05, 0.2, 0.3)) == ["0.05", "0.2", "0.3"]
    assert tick_labels((-1, 0, 1)) == ["\N{MINUS SIGN}1", "0", "1"]
    assert tick_labels((1e-7, 1e9)) == ["1e\N{MINUS SIGN}07", "1e+09"]
    assert tick_labels(()) == []


def test_only_positive_values_far_apart_span_a_factor() -> None:
    """What makes an axis logarithmic."""
    assert spans([0.05, 0.5], 10)
    assert not spans([0.05, 0.4], 10)
    assert not spans([0, 100], 10)
    assert not spans([-1, 100], 10)
    assert not spans([], 10)
    assert widened(2, 3) == (2, 3)
