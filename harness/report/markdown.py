"""The results as GitHub-flavoured Markdown, for the summary of a step in GitHub Actions.

What could be taken for Markdown or HTML in a value is written as a character reference. GitHub shows nothing of a
summary over 1 MiB (docs.github.com, "Workflow commands for GitHub Actions", "Adding a job summary"): what does not fit
is left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.report.figures import NOTHING, accuracies, counted, losses, remedy_parts, training
from harness.report.tally import Tally, most_telling, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.report.board import Row
    from harness.verdict import Finding

LIMIT = 1024 * 1024
"""Bytes that GitHub accepts for one step."""

MOST_ROWS = 500
LONGEST = 300
"""Characters of a name or a figure; of reasons ten times as many."""

_HEADER = """
| experiment | setting | engine | accuracy, mean | lowest to highest | loss | training | verdict |
| :-- | :-- | :-- | --: | :-: | --: | --: | :-- |
"""
_SPECIAL = re.compile(r"[\\`*\[\]<>&|~#$@]|:(?=//|[\w+-]+:)|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")
_MARKS = {"passed": "✅ passed", "failed": "❌ failed", "not judged": "not judged"}


def summary(rows: Iterable[Row], *, limit: int = LIMIT) -> str:
    """A verdict, a table of the settings, and why rules failed, with what would accept it.

    Args:
        rows: of the session.
        limit: bytes of the UTF-8 text, at most; "" if there is no room for a word.
    """
    known = list(rows)
    tally = Tally.of(known)
    pieces = [f"## {_MARKS[tally.verdict].split()[0]} {tally}\n" if tally.verdict != "not judged" else f"## {tally}\n"]
    if known:
        pieces += [_table(known), *(_failure(row, finding) for row in known for finding in row.findings)]
    return _fitting([piece for piece in pieces if piece], limit)


def escaped(text: str) -> str:
    """Text that reads as it is, on one line, in a paragraph as in a cell of a table."""
    line = " ".join(text.split())
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", line)


def fenced(code: str) -> str:
    """A block of code, its fence longer than any in the code."""
    longest = max(map(len, re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{code}\n{fence}"


def _table(rows: Sequence[Row]) -> str:
    shown = most_telling(rows, MOST_ROWS)
    lines = [f"| {' | '.join(_cells(row))} |\n" for row in shown]
    left_out = len(rows) - len(shown)
    word = f"\n{counted(left_out, 'more setting')} left out: here are some that failed, and the best.\n"
    return _HEADER + "".join(lines) + (word if left_out else "")


def _cells(row: Row) -> tuple[str, ...]:
    accuracy = accuracies(row)
    return (
        escaped(_short(row.experiment)),
        escaped(_short(row.hyperparameters)),
        escaped(row.engine or NOTHING),
        accuracy.mean,
        accuracy.range or NOTHING,
        losses(row).mean,
        training(row),
        _MARKS[verdict(row)],
    )


def _failure(row: Row, finding: Finding) -> str:
    """Why a rule failed; "" if it did not."""
    if finding.passed:
        return ""
    purpose, command = remedy_parts(finding.remedy)
    name = escaped(_short(f"{row.experiment}[{row.hyperparameters}]"))
    paragraphs = [
        f"**{name}: {escaped(_short(finding.rule))}**",
        escaped(_short(finding.reason, 10)),
        escaped(_short(finding.note, 10)),
        "\n".join(f"- {'worse: ' * change.worse}{escaped(str(change))}" for change in finding.changes),
        escaped(purpose),
        fenced(command) if command else "",
    ]
    return "".join(f"\n{paragraph}\n" for paragraph in paragraphs if paragraph)


def _fitting(pieces: Sequence[str], limit: int) -> str:
    """The pieces that fit, and a word on the others."""
    word = "\n{} left out: the summary of a step has room for {:,} bytes.\n"
    room = limit - len(word.format(counted(len(pieces), "part"), limit).encode()) - 8
    kept = ""
    for index, piece in enumerate(pieces):
        room -= _bytes(piece)
        if room < 0:
            kept += word.format(counted(len(pieces) - index, "part"), limit)
            break
        kept += piece
    return kept if _bytes(kept) <= limit else ""


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "backslashreplace"))


def _short(text: str, times: int = 1) -> str:
    longest = LONGEST * times
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
