"""Charts, strips and bars: what is drawn where, and what is not drawn."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from report_rows import NAN, failing, many_rows, replicate, row

from harness.report import charts, curves, strips
from harness.report.marks import Points

if TYPE_CHECKING:
    from harness.report.board import Row
    from harness.report.marks import Chart


def learning(*values: tuple[tuple[float, float], ...]) -> Chart | None:
    """A chart of curves."""
    points = [Points(values=curve, style=1, title=f"curve {number}") for number, curve in enumerate(values)]
    return charts.curve_chart(points, title="Accuracy", y_title="share")


def drawn(*rows: Row) -> dict[str, Chart]:
    """The charts of an experiment, by title."""
    return {chart.title: chart for chart in curves.charts(rows, curves.legend(rows))}


def by_learning_rate(*rows: Row) -> Chart:
    """The chart of accuracies over the learning rate."""
    return drawn(*rows)["Test accuracy by learning_rate"]


def test_a_curve_runs_through_its_epochs() -> None:
    """From the left edge to its end on the right, where its shape stands, upwards for a rising accuracy."""
    chart = learning(((1, 0.8), (2, 0.85), (3, 0.9)))
    assert chart
    assert chart.lines[0].path == "M50 210 L215 118 L380 26"
    assert [(dot.x, dot.y, dot.title) for dot in chart.dots] == [(380, 26, "curve 0: 0.9000")]
    assert [tick.label for tick in chart.x_ticks] == ["1", "2", "3"]
    assert [tick.label for tick in chart.y_ticks] == ["0.80", "0.85", "0.90"]
    assert chart.summary == "Accuracy: 1 curve, ending at 0.9000."


def test_epochs_are_whole() -> None:
    """However few epochs there are, no tick stands between two."""
    for last in (1, 2, 3, 7, 10, 300):
        chart = learning(tuple((number, 0.5) for number in range(1, last + 1)))
        assert chart
        labels = [tick.label for tick in chart.x_ticks]
        assert labels
        assert all(re.fullmatch(r"\d+", label) for label in labels), labels


def test_a_single_epoch_is_a_dot() -> None:
    """In the middle, its shape the only thing to see."""
    chart = learning(((1, 0.8),))
    assert chart
    assert [tick.label for tick in chart.x_ticks] == ["1"]
    assert [dot.x for dot in chart.dots] == [215]


def test_what_is_not_a_number_leaves_a_gap() -> None:
    """The pen is lifted there; a curve without any number is not drawn, and a note says so."""
    chart = learning(((1, 0.8), (2, NAN), (3, 0.9), (4, 0.9)), ((1, NAN),))
    assert chart
    assert [re.sub(r"[\d. ]+", "", line.path) for line in chart.lines] == ["MML"]
    assert chart.note == "Not drawn, as they are no numbers: 1 replicate."
    assert learning(((1, NAN),)) is None
    assert learning() is None


def test_losses_far_apart_get_a_logarithmic_axis() -> None:
    """Above a factor of 20; below, and down to 0, the axis is linear."""
    far, near, zero = (learning(((1, 2.0), (2, low))) for low in (0.02, 0.5, 0.0))
    assert far
    assert near
    assert zero
    assert far.y_title == "share, logarithmic"
    assert [tick.label for tick in far.y_ticks] == ["0.03", "0.1", "0.3", "1"]
    assert near.y_title == zero.y_title == "share"


@pytest.mark.parametrize("losses", [(1e-320, 1e-300), (5e-324, 9e299), (0.0, 9e299), (1e299, 1.7e308)])
def test_extreme_losses_are_drawn(losses: tuple[float, float]) -> None:
    """Whatever a loss is, the report is written."""
    chart = learning(tuple(enumerate(losses, 1)))
    assert chart
    assert all(charts.TOP - 1 <= dot.y <= charts.BOTTOM + 1 for dot in chart.dots)


def test_long_curves_are_thinned_and_keep_their_end() -> None:
    """A thousand epochs become two hundred points; the last is the last."""
    chart = learning(tuple((number, 0.5 + number / 4000) for number in range(1, 1001)))
    assert chart
    assert 190 <= chart.lines[0].path.count("L") <= 201
    assert chart.lines[0].path.endswith(f"{chart.dots[0].x:g} {chart.dots[0].y:g}")


def test_accuracies_stand_at_their_hyperparameter() -> None:
    """Every replicate a dot, in its setting's style; a line through the means; ticks at the values that were tried."""
    chart = by_learning_rate(
        row(0.92, 0.94, learning_rate=0.2), row(0.90, learning_rate=0.05), row(0.96, learning_rate=0.3)
    )
    assert [tick.label for tick in chart.x_ticks] == ["0.05", "0.2", "0.3"]
    assert [dot.style for dot in chart.dots] == [1, 1, 2, 3]
    assert [line.path.count("L") for line in chart.lines] == [2]
    assert chart.x_title == "learning_rate"
    assert chart.note == "Every dot is a replicate. The line joins the means."


def test_a_wide_hyperparameter_gets_a_logarithmic_axis() -> None:
    """From a factor of ten on; 0 among the values keeps it linear."""
    assert by_learning_rate(row(0.9, learning_rate=0.01), row(0.9, learning_rate=0.1)).x_title.endswith("logarithmic")
    assert by_learning_rate(row(0.9, learning_rate=0.0), row(0.9, learning_rate=0.1)).x_title == "learning_rate"


def test_a_grid_gets_a_line_for_each_other_setting() -> None:
    """Lines are named by what else varies, apart enough to read; what never varies is not named."""
    rows = [
        row(0.9 + momentum / 10000 + rate / 100, learning_rate=rate, momentum=momentum, optimizer="sgd")
        for rate in (0.1, 0.2)
        for momentum in (0.0, 0.5, 0.9)
    ]
    chart = by_learning_rate(*rows)
    assert sorted(line.name for line in chart.lines) == ["0.0", "0.5", "0.9"]
    heights = sorted(line.y for line in chart.lines)
    assert all(after - before >= 13 for before, after in pairwise(heights))
    assert "one line for each momentum." in chart.note


def test_a_random_search_gets_no_line() -> None:
    """Means of single settings would make a zigzag; where settings share values there is one line over all."""
    assert by_learning_rate(*(row(0.9, learning_rate=n, hidden=100 - n) for n in range(1, 10))).lines == ()
    shared = [row(0.9, learning_rate=n % 3, hidden=n) for n in range(12)]
    assert len(by_learning_rate(*shared).lines) == 1
    assert by_learning_rate(*shared).note.startswith("Every dot is a replicate. The line joins the means over all")


def test_only_numbers_that_vary_get_a_chart() -> None:
    """Flags, words, constants, settings that were never trained and numbers beyond any float have no axis."""
    fixed = {"batch_size": 10, "huge": 10**400}
    rows = [
        row(0.9, learning_rate=0.1, bias=True, kind="a", **fixed),
        row(0.8, learning_rate=0.2, bias=False, kind="b"),
    ]
    rows.append(row(batch_size=20))
    assert curves.varying(rows) == ["learning_rate"]


def test_eight_settings_have_a_style_and_the_others_are_grey() -> None:
    """Those that failed are among the eight; the note says what grey is."""
    rows = many_rows(30)
    entries = curves.legend(rows)
    assert [entry.style for entry in entries] == list(range(1, 9))
    assert sum(entry.row.passed is False for entry in entries) == 3
    chart = by_learning_rate(*rows)
    assert [dot.style for dot in chart.dots[:22]] == [0] * 22
    assert chart.note.endswith("Grey: settings that have no curve.")
    assert "Drawn: 200 of 300 settings" in by_learning_rate(*many_rows(300)).note


def test_nothing_to_draw_is_no_chart() -> None:
    """Settings that failed before a model was there, histories without epochs, accuracies that are no numbers."""
    assert drawn(row(findings=[failing()], learning_rate=1)) == {}
    bare = row(NAN, learning_rate=1)
    bare.replicates["0"] = replicate(0, NAN, history=())
    assert drawn(bare, row(learning_rate=2)) == {}
    one, other = row(NAN, learning_rate=1), row(NAN, learning_rate=2)
    assert "Test accuracy by learning_rate" not in drawn(one, other)


def test_strips_share_an_axis() -> None:
    """Dots and mean stand where the axis of all settings puts them."""
    found = strips.strip_scale([0.92, 0.98])
    assert found
    scale, ticks = found
    assert [tick.label for tick in ticks] == ["0.92", "0.94", "0.96", "0.98"]
    strip = strips.strip((0.92, 0.98), scale)
    assert strip.dots == (ticks[0].at, ticks[-1].at)
    assert strip.mean == 120
    assert strip.summary == "0.9200, 0.9800"
    assert strips.strip_scale([]) is None


def test_a_strip_of_many_says_how_many() -> None:
    """Of 120 the first hundred are drawn, and the words are a range."""
    scale = strips.Scale(low=0, high=1, start=0, end=1)
    strip = strips.strip([0.5] * 119 + [0.75], scale)
    assert len(strip.dots) == 100
    assert strip.summary == "120 from 0.5000 to 0.7500; the first 100 are drawn"
    assert strips.strip([], scale).mean is None


@pytest.mark.parametrize(("low", "difference", "high"), [(-0.03, -0.02, -0.01), (-1, 0.5, 2), (0, 0, 0)])
def test_bars_keep_zero_in_the_middle(low: float, difference: float, high: float) -> None:
    """So that bars below one another compare; the order of their ends is that of the figures."""
    bar = strips.interval_bar(low, difference, high)
    assert bar
    assert bar.zero == 160
    assert 10 <= bar.low <= bar.found <= bar.high <= 310
    assert math.copysign(1, bar.found - 160) == math.copysign(1, difference) or difference == 0


@pytest.mark.parametrize("figures", [(NAN, 0, 1), (0, NAN, 1), (-math.inf, 0, math.inf)])
def test_bars_need_numbers(figures: tuple[float, float, float]) -> None:
    """An interval without bounds has no bar."""
    assert strips.interval_bar(*figures) is None
