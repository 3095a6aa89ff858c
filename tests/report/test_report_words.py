"""Figures, tallies and confusions in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from report_rows import NAN, change, failing, many_rows, mistake, replicate, row

from harness.report import figures
from harness.report.confusion import Confusion, answers_in_words
from harness.report.figures import Spread
from harness.report.tally import Tally, most_telling, verdict
from harness.verdict import Finding

if TYPE_CHECKING:
    from harness.report.board import Row

PASSING = Finding(rule="accuracy >= 0.5")


@pytest.mark.parametrize(
    ("values", "mean", "spread"),
    [
        ((0.5, 0.7), "0.6000", "0.5000 to 0.7000"),
        ((0.5,), "0.5000", ""),
        ((0.5, 0.7, NAN), "0.6000", "0.5000 to 0.7000, 1 not a number"),
        ((0.5, float("inf")), "0.5000", "1 not a number"),
        ((NAN,), "not a number", ""),
        ((), "\N{EN DASH}", ""),
    ],
)
def test_a_spread_is_mean_and_range(values: tuple[float, ...], mean: str, spread: str) -> None:
    """What is not a number is counted, not averaged."""
    assert Spread.of(values).mean == mean
    assert Spread.of(values).range == spread


def test_training_tells_what_was_cached() -> None:
    """Seconds of what was trained now; what came out of the cache took none."""
    setting = row(0.9, 0.9)
    assert figures.training(setting) == "4.0 s"
    setting.replicates["1"] = replicate(1, cached=True)
    assert figures.training(setting) == "2.0 s, 1 cached"
    setting.replicates["0"] = replicate(0, cached=True)
    assert figures.training(setting) == "cached"
    assert figures.training(row()) == "\N{EN DASH}"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (figures.decimal(0.12345), "0.1235"),
        (figures.decimal(0.0), "0.0000"),
        (figures.decimal(0.00001), "1.00e-05"),
        (figures.decimal(1e300), "1.00e+300"),
        (figures.decimal(NAN), "not a number"),
        (figures.probability(0.25), "0.25"),
        (figures.probability(0.004), "0.004"),
        (figures.probability(1e-9), "under 0.001"),
        (figures.probability(0.0), "0.00"),
        (figures.probability(NAN), "not a number"),
        (figures.size(1), "1 byte"),
        (figures.size(999), "999 bytes"),
        (figures.size(437_211), "437.2 kB (437,211 bytes)"),
        (figures.size(5_000_000_000_000), "5000.0 GB (5,000,000,000,000 bytes)"),
        (figures.counted(1, "setting"), "1 setting"),
        (figures.counted(1200, "setting"), "1,200 settings"),
    ],
)
def test_figures_read_well(words: str, expected: str) -> None:
    """Digits that mean something, units, singular and plural."""
    assert words == expected


def test_changes_have_their_unit() -> None:
    """Accuracies, also those of the same seeds, move by points; losses by nats; an interval of nothing is identity."""
    minus = "\N{MINUS SIGN}"
    assert figures.moved(change()) == f"{minus}2.00 points"
    assert figures.moved(change("accuracy of the same seeds")) == f"{minus}2.00 points"
    assert figures.moved(change("loss", baseline=0.2, found=0.3)) == "+0.1000 nats"
    assert figures.moved(change(found=NAN)) == "not a number"
    assert figures.interval(change()) == f"99 % interval {minus}3.00 to {minus}1.00 points"
    assert figures.interval(change(found=0.97, low=0.0, high=0.0)) == "identical"
    assert figures.interval(change(low=NAN)) == "no interval: a figure is not a number"


@pytest.mark.parametrize(
    ("remedy", "parts"),
    [
        ("To accept this: pytest --x", ("To accept this:", "pytest --x")),
        ("pytest -k 'a: b'", ("", "pytest -k 'a: b'")),
        ("To do\nthis: x", ("", "To do\nthis: x")),
        ("", ("", "")),
    ],
)
def test_a_remedy_is_parted_from_its_purpose(remedy: str, parts: tuple[str, str]) -> None:
    """So that copying takes the command alone."""
    assert figures.remedy_parts(remedy) == parts


@pytest.mark.parametrize(
    ("rows", "sentence", "word"),
    [
        ([], "No setting of an experiment was run", "not judged"),
        ([row(0.9)], "1 setting, judged by no rule", "not judged"),
        ([row(0.9, findings=[PASSING])], "The setting passed", "passed"),
        ([row(findings=[failing()])], "The setting failed", "failed"),
        ([row(0.9, findings=[PASSING])] * 3, "All 3 settings passed", "passed"),
        ([row(0.9, findings=[PASSING]), row(0.9)], "1 of 2 settings passed, 1 judged by no rule", "passed"),
        ([row(0.9, findings=[PASSING]), row(findings=[PASSING, failing()])], "1 of 2 settings failed", "failed"),
    ],
)
def test_the_verdict_is_a_sentence(rows: list[Row], sentence: str, word: str) -> None:
    """One failure decides; what no rule has looked at never counts as passed."""
    assert str(Tally.of(rows)) == sentence
    assert Tally.of(rows).verdict == word


def test_the_tally_counts() -> None:
    """Settings, models, cached ones, and rules."""
    setting = row(0.9, 0.8, findings=[PASSING, failing()])
    setting.replicates["1"] = replicate(1, cached=True)
    tally = Tally.of([setting, row(0.9), row(0.9, findings=[PASSING])])
    assert (tally.settings, tally.passed, tally.failed, tally.unjudged) == (3, 1, 1, 1)
    assert (tally.replicates, tally.cached, tally.rules_passed, tally.rules_failed) == (4, 1, 2, 1)
    assert [verdict(row()), verdict(setting)] == ["not judged", "failed"]


def test_the_most_telling_settings_are_failures_and_the_best() -> None:
    """Half the places for those that failed, the others for the highest accuracies, all in their order."""
    rows = many_rows(100)
    kept = [rows.index(known) for known in most_telling(rows, 8)]
    assert kept == [60, 70, 80, 90, 96, 97, 98, 99]
    assert most_telling(rows, 100) == rows
    numberless = [row(NAN), row(0.1), row()]
    assert most_telling(numberless, 1) == [numberless[1]]


def test_failures_fill_what_others_leave() -> None:
    """Control: where nothing passed, every place is a failure's."""
    rows = [row(0.5, findings=[failing()], n=number) for number in range(10)]
    assert len(most_telling(rows, 4)) == 4


def test_confusions_are_ranked() -> None:
    """The most frequent first, the diagonal left out, shades from 0 to 1 by logarithm."""
    confusion = Confusion.of(((50, 1, 0), (9, 40, 0), (2, 0, 30)))
    assert [str(pair) for pair in confusion.pairs] == [
        *("1 taken for 0, 9 times", "2 taken for 0, twice", "0 taken for 1, once")
    ]
    assert str(confusion) == "12 of 132 answers wrong; most often 1 taken for 0, 9 times."
    assert [[cell.heat for cell in cells] for cells in confusion.cells] == [[0, 0.3, 0], [1, 0, 0], [0.48, 0, 0]]
    assert confusion.digits == 2
    assert str(Confusion.of(((5, 0), (0, 5)))) == "No test image was classified wrong."


def test_large_confusions_have_no_matrix() -> None:
    """Thirty classes are drawn, thirty-one are not; their most frequent confusions are kept."""
    assert Confusion.of([[1] * 30] * 30).cells
    large = Confusion.of([[1] * 31] * 31)
    assert large.cells == ()
    assert len(large.pairs) == 20


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"0": 9, "1": 9, "2": 4}, "answered 9 by 2 of 3 replicates"),
        ({"0": 9, "1": 7, "2": 9, "3": 4}, "answered 9 by 2, 7 by 1 of 4 replicates"),
        ({"0": 9, "1": 9}, "answered 9 by all 2 replicates"),
        ({"0": 9}, "answered 9 by 1 of 1 replicate"),
    ],
)
def test_answers_are_told_by_their_number(answers: dict[str, int], words: str) -> None:
    """What replicates took the image for, the most frequent first; right answers are in the total alone."""
    assert answers_in_words(mistake(answers=answers)) == words
