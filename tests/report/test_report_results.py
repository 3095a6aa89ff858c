"""JSON Lines, Markdown and the files: what programs, GitHub and the disk get."""

from __future__ import annotations

import json
import os
import re
import stat
from typing import TYPE_CHECKING, Any

import pytest
from markdown_it import MarkdownIt
from page_reader import Page
from report_rows import EVIL, change, failing, full_row, many_rows, odd_rows, row

from harness.errors import HarnessError
from harness.report import jsonlines, markdown, write
from harness.verdict import Finding

if TYPE_CHECKING:
    from pathlib import Path

    from harness.report.board import Row


def refuse(literal: str) -> None:
    """For json.loads: what is no JSON."""
    raise AssertionError(literal)


def parsed(*rows: Row) -> list[dict[str, Any]]:
    """The lines of some rows, read strictly."""
    text = jsonlines.lines(rows)
    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def rendered(*rows: Row, limit: int = markdown.LIMIT) -> Page:
    """The summary of some rows as HTML; raw HTML in it would be let through."""
    html = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")
    return Page(html.render(markdown.summary(rows, limit=limit)).replace("<hr />", "").replace("<br />", ""))


def test_every_replicate_and_setting_is_a_line() -> None:
    """In their order, each of its kind, with the fields that the docstring names."""
    entries = parsed(full_row(), row(0.5, momentum=0.9))
    assert [entry["kind"] for entry in entries] == ["replicate"] * 3 + ["setting", "replicate", "setting"]
    named = set(re.findall(r"``(\w+)``", jsonlines.__doc__ or ""))
    assert {name for entry in entries for name in entry} <= named
    replicate, setting = entries[0], entries[3]
    assert replicate["settings"] == {"learning_rate": 0.1}
    assert (replicate["seed"], replicate["accuracy"], replicate["passed"]) == (0, 0.95, False)
    assert replicate["history"][2]["number"] == 3
    assert replicate["artifact"] == setting["artifact"]["sha256"] == "0" * 64
    assert [finding["passed"] for finding in setting["findings"]] == [True, False]
    assert setting["findings"][1]["changes"][0]["difference"] == pytest.approx(-0.02)
    assert setting["confusion"] == [[90, 10], [2, 98]]
    assert "picture" not in setting["mistakes"][0]
    assert (entries[5]["passed"], entries[5]["artifact"], entries[5]["mistakes"]) == (None, None, None)


def test_odd_rows_are_strict_json() -> None:
    """What is not a number is null, everything is ASCII, and no value breaks a line."""
    text = jsonlines.lines(odd_rows())
    assert text.isascii()
    assert len(text.split("\n")) == len(text.splitlines()) + 1
    entries = parsed(*odd_rows())
    numberless = [entry for entry in entries if entry["experiment"] == "numberless" and entry["kind"] == "replicate"]
    assert [entry["accuracy"] for entry in numberless] == [0.9, None, None, None]
    assert next(entry for entry in entries if entry["experiment"] == "evil")["hyperparameters"] == EVIL
    assert jsonlines.lines([]) == ""


def test_the_strict_reader_refuses_nan() -> None:
    """Control: what the standard library would have written is found."""
    with pytest.raises(AssertionError, match="NaN"):
        json.loads(json.dumps(float("nan")), parse_constant=refuse)


def test_the_summary_is_a_verdict_a_table_and_reasons() -> None:
    """As GitHub would show it, with the remedy as a block of code."""
    read = rendered(full_row(), row(0.5, momentum=0.9), row(0.8, findings=[Finding(rule="trains")], momentum=0.1))
    assert read.faults == []
    assert "1 of 3 settings failed" in read.text
    assert "mnist learning_rate=0.1 xla 0.9500 0.9400 to 0.9600 0.2500 6.0 s" in read.text
    assert "mnist[learning_rate=0.1]: not worse by 0.5 points found worse ones 3 replicates against 3" in read.text
    assert "worse: accuracy 0.9700 -> 0.9500, -2.00 points" in read.text
    assert len(read.all("pre")) == 1
    assert "To accept this as the new baseline: pytest --update-baselines" in read.text
    assert [len(read.all(tag)) for tag in ("tr", "td")] == [4, 24]


def test_nothing_in_a_row_becomes_markdown() -> None:
    """Pipes, backticks, tags, stars, links and line breaks are shown as they are, and make no cell, link or code."""
    setting = row(0.5, experiment="evil")
    setting.hyperparameters = setting.engine = EVIL
    setting.findings = [
        failing(rule=EVIL, reason=EVIL, note=EVIL, changes=(change(EVIL),), remedy=f"```\n{EVIL}\n````")
    ]
    read = rendered(setting)
    assert read.faults == []
    assert {tag for tag, _ in read.elements} == {
        *("h2", "table", "thead", "tbody", "tr", "th", "td", "p", "strong", "ul", "li", "pre", "code")
    }
    assert len(read.all("td")) == 8
    assert read.text.count(" ".join(EVIL.split())) == 8


@pytest.mark.parametrize(
    "text", ["_a_", "__a__", "a_b", "~~a~~", "#1", "1. a", "@you", ":+1:", "&copy;", "\\|", "$x$", "a|b"]
)
def test_escaped_text_reads_as_it_is(text: str) -> None:
    """In a cell as in a paragraph; a name with an underscore inside stays legible in the source."""
    html = MarkdownIt("commonmark").enable("table").enable("strikethrough")
    for source in (f"x {markdown.escaped(text)}", f"| a |\n| - |\n| x {markdown.escaped(text)} |"):
        read = Page(html.render(source))
        assert read.text.endswith(f"x {text}")
        assert not {"em", "strong", "a", "s", "code"} & {tag for tag, _ in read.elements}
    assert markdown.escaped("learning_rate=0.1") == "learning_rate=0.1"
    assert markdown.escaped("a\n\tb") == "a b"


def test_the_summary_keeps_to_its_limit() -> None:
    """Many settings, long names and long reasons: the text fits, ends with a word, and breaks no block of code."""
    long = failing(reason="r" * 9000, remedy="pytest\n" * 2000)
    rows = [row(0.5, experiment="e" * 400, findings=[long], note=number) for number in range(200)]
    text = markdown.summary(rows)
    assert 900_000 < len(text.encode()) <= 1024 * 1024
    assert re.search(r"\n\d+ parts left out: the summary of a step has room for 1,048,576 bytes\.\n$", text)
    assert text.count("```") % 2 == 0
    assert len(markdown.summary(rows, limit=3000).encode()) <= 3000


def test_a_long_table_is_cut_with_a_word() -> None:
    """500 rows, and what they are."""
    text = markdown.summary(many_rows(700))
    assert text.count("| search |") == 500
    assert "200 more settings left out: here are some that failed, and the best." in text
    assert "left out" not in markdown.summary(many_rows(20))


def test_a_summary_without_rows_or_room() -> None:
    """A line that says so; nothing where not even that fits."""
    assert markdown.summary([]) == "## No setting of an experiment was run\n"
    assert markdown.summary([full_row()], limit=40) == ""
    assert markdown.summary([], limit=-5) == ""


def test_both_files_are_written(tmp_path: Path) -> None:
    """Into a folder that is made, over what was there, and nothing else beside them."""
    folder = tmp_path / "new" / "report"
    index = write.write_report(folder, [row(0.1)], facts={})
    assert write.write_report(folder, iter(odd_rows()), facts={"run": "7f3a"}) == index == folder / "index.html"
    assert sorted(path.name for path in folder.iterdir()) == ["index.html", "results.jsonl"]
    page = index.read_text("utf-8")
    assert "7f3a" in page
    assert "\\udc80" in page  # half a surrogate pair, spelled out
    assert len((folder / "results.jsonl").read_text("ascii").splitlines()) == len(parsed(*odd_rows()))
    assert Page(page).faults == []


def test_the_title_can_be_chosen(tmp_path: Path) -> None:
    """It stands above the headline."""
    assert "Nightly" in write.write_report(tmp_path, [], facts={}, title="Nightly").read_text("utf-8")


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    """A file in the way of the folder: what was expected, what was found, what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(
        HarnessError,
        match=r"expected to write index.html and results.jsonl to .*file, found File exists; name a folder that can be "
        r"written",
    ):
        write.write_report(tmp_path / "file", [], facts={})


def test_the_step_summary_is_appended(tmp_path: Path) -> None:
    """What another tool wrote stays, a paragraph apart."""
    path = tmp_path / "summary.md"
    write.append_step_summary(path, [])
    path.write_text("before", encoding="utf-8")
    write.append_step_summary(path, [full_row()])
    text = path.read_text("utf-8")
    assert text.startswith("before\n\n## ")
    assert text.endswith("```\n")


def test_the_step_summary_leaves_room_for_what_is_there(tmp_path: Path) -> None:
    """GitHub counts the whole file, and shows nothing of one that is too large."""
    path = tmp_path / "summary.md"
    path.write_bytes(b"x" * (markdown.LIMIT - 2000))
    write.append_step_summary(path, many_rows(100))
    assert markdown.LIMIT - 2000 < path.stat().st_size <= markdown.LIMIT
    path.write_bytes(b"x" * markdown.LIMIT)
    write.append_step_summary(path, many_rows(100))
    assert path.stat().st_size == markdown.LIMIT


def test_a_step_summary_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    """A folder in its place: what was expected, what was found, what to do."""
    with pytest.raises(
        HarnessError, match=r"expected to append to .*, found Is a directory; unset GITHUB_STEP_SUMMARY"
    ):
        write.append_step_summary(tmp_path, [])


def test_a_failed_write_leaves_the_old_page(tmp_path: Path) -> None:
    """A folder that has become read-only still holds the report before."""
    index = write.write_report(tmp_path, [row(0.1)], facts={"run": "first"})
    if os.geteuid() == 0:
        index.unlink()
        index.mkdir()  # root may write anywhere, but not over a folder
        with pytest.raises(HarnessError, match="Is a directory"):
            write.write_report(tmp_path, [], facts={})
        return
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(HarnessError, match="Permission denied"):
        write.write_report(tmp_path, [], facts={})
    assert "first" in index.read_text("utf-8")
