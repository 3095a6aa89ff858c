"""Writes the reports of a session to disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.report import jsonlines, markdown, page
from harness.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from harness.report.board import Row

TITLE = "Experiment report"
PAGE = "index.html"
RESULTS = "results.jsonl"


def write_report(directory: Path, rows: Iterable[Row], *, facts: Mapping[str, str], title: str = TITLE) -> Path:
    """Write ``index.html`` and ``results.jsonl``, each whole or not at all; the folder is made if it is missing.

    Args:
        directory: where to.
        rows: of the session.
        facts: what ran, and when: label to text.
        title: of the page.

    Returns:
        The path of the page.

    Raises:
        HarnessError: the folder or a file cannot be written.
    """
    known = list(rows)
    index = directory / PAGE
    files = {
        directory / RESULTS: _encoded(jsonlines.lines(known)),
        index: _encoded(page.render(known, title=title, facts=facts)),
    }
    try:
        for path, content in files.items():
            write_atomically(path, content)
    except OSError as error:
        raise HarnessError(
            f"report: expected to write {PAGE} and {RESULTS} to {directory}, found {_why(error)}; "
            f"name a folder that can be written, on a disk with room"
        ) from error
    return index


def append_step_summary(path: Path, rows: Iterable[Row]) -> None:
    """Add the summary to the file that GitHub Actions names in ``GITHUB_STEP_SUMMARY``, as far as there is room in it.

    Raises:
        HarnessError: the file cannot be written.
    """
    try:
        used = path.stat().st_size if path.exists() else 0
        apart = "\n\n" if used else ""
        text = markdown.summary(rows, limit=markdown.LIMIT - used - len(apart))
        with path.open("ab") as stream:
            stream.write(_encoded(apart + text if text else ""))
    except OSError as error:
        raise HarnessError(
            f"step summary: expected to append to {path}, found {_why(error)}; "
            f"unset GITHUB_STEP_SUMMARY, or let it name a file that can be written"
        ) from error


def _encoded(text: str) -> bytes:
    """UTF-8; half a surrogate pair, which a file name can leave in a string, is spelled out."""
    return text.encode("utf-8", "backslashreplace")


def _why(error: OSError) -> str:
    return error.strerror or str(error)
