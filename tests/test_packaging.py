"""What ships: every file that the package reads while it runs is in its wheel."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "harness"
[PATTERNS] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
    "package-data"
].values()


def left_out(patterns: list[str]) -> list[str]:
    """Files beside the modules that no pattern takes along; setuptools' `*` ends at a folder."""
    files = [path.relative_to(PACKAGE) for path in PACKAGE.rglob("*") if path.is_file()]
    others = [path for path in files if "__pycache__" not in path.parts and path.suffix != ".py"]
    return sorted(
        str(path)
        for path in others
        if not any(fnmatch(str(path), one) and one.count("/") == len(path.parents) - 1 for one in patterns)
    )


def test_every_file_ships() -> None:
    """Templates, the page, schemas: whatever lies in the package and is no module."""
    assert left_out(PATTERNS) == []


def test_a_file_that_is_left_out_is_named() -> None:
    """Control: without its pattern the page does not ship, and is named."""
    assert "canvas/page/page.js" in left_out([one for one in PATTERNS if not one.startswith("canvas")])
