"""Codes are for programs: each is documented, and none is documented that does not exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

from harness.tarball import verify

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "harness" / "tarball").glob("*.py"))


def raised() -> set[str]:
    """Every code that a problem is made with: the first argument of `Problem` and `fail`, and the tables of codes."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    direct = re.findall(r'(?:\bProblem|\bfail)\(\s*"([a-z]+(?:-[a-z]+)*)"', text)
    tables = re.findall(r'(?:: \(|: |get\([^"]*)\s*"([a-z]+(?:-[a-z]+)+)"', text)
    return {*direct, *tables}


def test_every_code_is_in_the_manual() -> None:
    """The table of docs/tarballs.md has the codes that the source raises, and those alone."""
    manual = (ROOT / "docs" / "tarballs.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z-]+)` \|", manual, re.MULTILINE)) == raised()


def test_every_code_is_in_the_module() -> None:
    """So has the docstring of `verify`."""
    _, _, listed = (verify.__doc__ or "").partition("Codes:")
    assert {word.strip() for part in re.findall(r":([^:.]*)\.", listed) for word in part.split(",")} == raised()


def test_the_manuals_figures_are_those_measured() -> None:
    """The table of mutants is that of the last run, and its promise is kept: nothing was called valid wrongly."""
    record = json.loads((ROOT / "benchmarks/results/tarball_mutants.json").read_text(encoding="utf-8"))
    manual = (ROOT / "docs" / "tarballs.md").read_text(encoding="utf-8")
    for name, row in [*record["classes"].items(), ("all", record["all"])]:
        loading = sum(row[code] for code in row if code.startswith("load-") or code == "not-finite-output")
        figures = (row["mutants"], row["text"], loading, row["valid"], row["violations"])
        assert f"| {name} | {' | '.join(f'{figure:,}' for figure in figures)} |" in manual
    assert record["all"]["mutants"] >= 10_000
    assert record["all"]["violations"] == 0
