"""The page: whole, valid and safe, whatever the rows hold; and it says what it leaves out."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from page_reader import Page
from report_rows import EVIL, PIXEL, failing, full_row, many_rows, odd_rows, replicate, row

from harness.report import page
from harness.report.board import Evidence
from harness.verdict import Finding

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.report.board import Row

BOARDS: dict[str, Callable[[], list[Row]]] = {
    "empty": list,
    "full": lambda: [full_row()],
    "odd": odd_rows,
    "many": lambda: many_rows(120),
}


def rendered(*rows: Row, **facts: str) -> Page:
    """The page of some rows, read."""
    return Page(page.render(rows, title="Report", facts=facts))


@pytest.mark.parametrize("board", BOARDS)
def test_the_page_is_well_formed(board: str) -> None:
    """Every tag is closed, no id is given twice, and every link has its target."""
    read = rendered(*BOARDS[board](), run="7f3a")
    assert read.faults == []
    ids = read.values("id")
    assert len(set(ids)) == len(ids)
    assert {link[1:] for link in read.values("href") if link.startswith("#")} <= set(ids)


def test_the_reader_finds_faults() -> None:
    """Control: a tag that is not closed, one that closes another, and an attribute given twice are reported."""
    assert Page("<p><b></p>").faults == ["line 1: </p> closes something else", "p is never closed"]
    assert Page('<p id="a" id="b"></p>').faults == ["line 1: <p> has an attribute twice"]


@pytest.mark.parametrize("board", BOARDS)
def test_the_page_asks_for_nothing_else(board: str) -> None:
    """No script, no address of anything outside, and a policy that would refuse both."""
    html = page.render(BOARDS[board](), title="Report", facts={})
    read = Page(html)
    assert "script" not in {tag for tag, _ in read.elements}
    assert all(source.startswith("data:image/png;base64,") for source in read.values("src"))
    assert all(link.startswith(("#", "data:image/svg+xml,")) for link in read.values("href"))
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", html)
    [policy] = [meta["content"] for meta in read.all("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")


def test_drawings_hold_numbers_only() -> None:
    """No place in a drawing is NaN or infinite, whatever the figures are."""
    read = rendered(*odd_rows())
    places = [value for name in ("d", "x", "y", "cx", "transform", "style") for value in read.values(name)]
    assert len(places) > 100
    assert not [value for value in places if re.search("nan|inf", value)]


def test_nothing_in_a_row_becomes_markup() -> None:
    """Tags, quotes, entities and template braces in every field, in the title and the facts, are shown as they are."""
    html = page.render(odd_rows(), title=EVIL, facts={EVIL: EVIL})
    assert "<script" not in html
    shown = " ".join(EVIL.split())
    assert Page(html).text.count(shown) > 10


def test_a_page_without_rows_says_so() -> None:
    """The headline and the way to get rows."""
    read = rendered()
    assert "No setting of an experiment was run" in read.text
    assert "when it asks for a fixture such as replicates" in read.text
    assert not read.all("table")


def test_the_headline_counts() -> None:
    """Settings, models, and rules that passed and failed, and what ran."""
    text = rendered(full_row(), row(0.9, momentum=0.5), started="today", engine="xla 0.7").text
    assert "1 of 2 settings failed" in text
    assert "settings 2 trained models 4 rules passed 1 rules failed 1 settings not judged 1" in text
    assert "started today engine xla 0.7" in text


def test_a_failed_setting_is_told_in_full_and_open() -> None:
    """Rule, reason, note, changes in numbers and as bars, and the remedy apart from its purpose."""
    read = rendered(full_row(), row(0.9, findings=[Finding(rule="accuracy >= 0.5")], momentum=0.5))
    for words in (
        "failed not worse by 0.5 points found worse ones 3 replicates against 3",
        "accuracy 0.9700 → 0.9500 \N{MINUS SIGN}2.00 points worse",
        "99 % interval \N{MINUS SIGN}3.00 to \N{MINUS SIGN}1.00 points",
        "loss 0.2000 → 0.3000 +0.1000 nats worse",
        "To accept this as the new baseline: pytest --update-baselines",
    ):
        assert words in read.text
    assert [("open" in details) for details in read.all("details")] == [True, False]
    assert len([svg for svg in read.all("svg") if svg.get("class") == "interval worse"]) == 2


def test_a_setting_shows_its_evidence_and_what_was_made() -> None:
    """Confusion in words and numbers, mistakes with their picture, tarball, endpoint, and each replicate."""
    read = rendered(full_row())
    for words in (
        "12 of 200 answers wrong; most often 0 taken for 1, 10 times. Sums over 3 replicates",
        "label 4 answered 9 by 2 of 3 replicates p 0.01, #247",
        "437.2 kB (437,211 bytes)",
        "model-symbol.json code/m.py",
        "Endpoint, simulated account state deleted name byom-e-1 instance type ml.m4.xlarge",
        "seed accuracy loss training 0 0.9500 0.2500 2.0 s",
    ):
        assert words in read.text
    assert [(image["src"], image["alt"]) for image in read.all("img")] == [(PIXEL, "Test image 247, of class 4")]


def test_drawings_have_words() -> None:
    """Every drawing that is not decoration has a role and a sentence; tables have captions; headings skip no level."""
    read = rendered(full_row(), row(0.9, 0.8, learning_rate=0.2))
    drawings = [svg for svg in read.all("svg") if svg.get("aria-hidden") != "true"]
    assert len(drawings) == 8  # an axis, two strips, three charts, two intervals
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in drawings)
    assert "Test accuracy by learning_rate: 5 replicates, at 2 values; the highest mean, 0.9500, at 0.1." in [
        svg["aria-label"] for svg in drawings
    ]
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_many_settings_are_capped_and_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Table, details and curves hold their limits, those that failed among them, and words tell of the others."""
    monkeypatch.setattr(page, "MOST_ROWS", 50)
    monkeypatch.setattr(page, "MOST_DETAILS", 20)
    monkeypatch.setattr(page, "MOST_OPEN", 4)
    read = rendered(*many_rows(1000))
    assert len(read.all("details")) == 20
    assert len([cell for cell in read.all("td") if cell.get("class") == "verdict"]) == 50
    assert "100 of 1,000 settings failed" in read.text
    assert (
        "Shown: learning curves of 8 of 1,000, table rows of 50 of 1,000, details of 20 of 1,000 settings: some that "
        "failed, and those of the highest mean accuracy. All of them are in results.jsonl beside this page."
    ) in read.text
    assert len([details for details in read.all("details") if "open" in details]) == 4
    assert "and 80 more settings" in read.text


def test_few_settings_are_all_shown() -> None:
    """Control: below the limits nothing is left out, and no word says so."""
    assert "Shown:" not in rendered(*many_rows(8)).text


def test_many_replicates_and_rules_are_capped() -> None:
    """The list of replicates ends after 25, and rules that merely passed are folded."""
    setting = row(*[0.9] * 30, findings=[Finding(rule=f"rule {number}") for number in range(8)] + [failing()])
    read = rendered(setting)
    assert "The first 25 of 30 replicates." in read.text
    assert "8 more rules passed rule 0 rule 1" in read.text
    assert "Drawn: at most 20 replicates of a setting." in read.text


def test_a_confusion_of_many_classes_is_a_list() -> None:
    """A hundred classes make no table of ten thousand cells."""
    setting = row(0.9)
    counts = tuple(tuple(int(label == answer) for answer in range(100)) for label in range(100))
    setting.evidence = Evidence(confusion=((0, 3, *[0] * 98), *counts[1:]), mistakes=())
    read = rendered(setting)
    assert "100 classes are too many for a matrix; these are the 1 most frequent confusions" in read.text
    assert len(read.all("td")) < 50


def test_all_right_is_said() -> None:
    """Without an error the confusion says that, and there is no heading of mistakes."""
    setting = row(1.0)
    setting.evidence = Evidence(confusion=((5, 0), (0, 5)), mistakes=())
    text = rendered(setting).text
    assert "No test image was classified wrong." in text
    assert "Worst-classified" not in text


def test_replicates_come_in_the_order_of_their_seeds() -> None:
    """Two workers may have sent them in any order."""
    setting = row()
    setting.replicates = {str(seed): replicate(seed, 0.5 + seed / 100) for seed in (11, 2, 5)}
    assert re.search(r"training 2 0\.5200 .* 5 0\.5500 .* 11 0\.6100 ", rendered(setting).text)
