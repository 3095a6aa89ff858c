"""docs/drawing.md: its figures are the benchmark's, its example is what runs in the notebook's experiment."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness import Drawing

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "drawing.md").read_text(encoding="utf-8")
RESULTS = json.loads((ROOT / "benchmarks" / "results" / "drawn_digits.json").read_text(encoding="utf-8"))


def figures(document: str) -> dict[str, list[str]]:
    """Percentages in the table of accuracies, by how it was drawn."""
    rows = re.findall(r"^\| ([\w -]+?) \| ([\d.]+) % \| ([\d.]+) % \|$", document, re.MULTILINE)
    return {name.removesuffix(" pen"): list(values) for name, *values in rows}


def expected(results: dict[str, Any]) -> dict[str, list[str]]:
    """The same from the benchmark's results, for those that the document shows."""
    return {
        name: [f"{100 * found[mapping]['accuracy']:.1f}" for mapping in ("mnist", "notebook")]
        for name, found in results["variants"].items()
        if name != "in a hurry"
    }


def test_figures_are_the_benchmarks() -> None:
    """Every row of the table, and the accuracy on the original pictures."""
    assert figures(DOCUMENT) == expected(RESULTS)
    assert f"it reads {100 * RESULTS['originals']['accuracy']:.1f} %" in DOCUMENT


def test_another_figure_would_be_noticed() -> None:
    """Control: one digit changed, and the table differs."""
    [row] = re.findall(r"^\| smaller .*$", DOCUMENT, re.MULTILINE)
    assert figures(DOCUMENT.replace(row, row.replace("9", "8"))) != expected(RESULTS)


def test_the_example_is_the_experiments() -> None:
    """What the document shows stands in the experiment that CI runs, line by line."""
    [example] = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    experiment = (ROOT / "experiments" / "test_mnist_mlp.py").read_text(encoding="utf-8")
    lines = [line for line in example.splitlines() if line and not line.startswith(("import", "from"))]
    assert [line for line in lines if line not in experiment.splitlines()] == []


def test_the_seven_is_one() -> None:
    """The drawing that is written down in the document can be made."""
    [code] = re.findall(r"`Drawing\((\[\[.*?\]\])\)`", DOCUMENT)
    assert Drawing(json.loads(code)).points.shape == (3, 2)


@pytest.mark.parametrize("name", re.findall(r"`(?:python -m )(benchmarks\.\w+)`", DOCUMENT))
def test_named_benchmarks_exist(name: str) -> None:
    """What the document tells to run is there."""
    assert (ROOT / f"{name.replace('.', '/')}.py").is_file()
