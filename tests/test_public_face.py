"""What the project shows: its list of exports, its tree of errors, and a docstring on everything public."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import harness
from harness import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(harness.__file__).parent

EXPORTS = [
    "AccuracyFloor",
    "ArtifactCeiling",
    "ClassFloor",
    "Constant",
    "ConstantRate",
    "CosineDecay",
    "Dataset",
    "Drawing",
    "Experiment",
    "HarnessError",
    "Hyperparameters",
    "LossCeiling",
    "MSRAPrelu",
    "MultiStepDecay",
    "Normal",
    "NotWorse",
    "One",
    "Orthogonal",
    "PolynomialDecay",
    "StepDecay",
    "TrainingTimeRatio",
    "Uniform",
    "Xavier",
    "Zero",
    "arrays",
    "grid",
    "load_artifact",
    "mnist",
    "read_drawings",
]

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def drawn_tree(docstring: str) -> dict[str, str | None]:
    """Each error drawn in a docstring, and the one it hangs from."""
    parents: dict[str, str | None] = {}
    above: dict[int, str] = {}
    for line in docstring.splitlines():
        found = re.match(r"(?P<branch>[ │├└─]*)(?P<name>[A-Z]\w*Error)\b", line)
        if found:
            depth = (len(found["branch"]) - 4) // 4
            above[depth] = found["name"]
            parents[found["name"]] = above[depth - 1] if depth else None
    return parents


def error_classes() -> dict[str, type[Exception]]:
    """The classes of `harness.errors`."""
    return {name: value for name, value in vars(errors).items() if inspect.isclass(value)}


def undocumented(path: Path) -> Iterator[str]:
    """Public names of a module without a docstring; what a name with an underscore or a function holds is private."""
    tree = ast.parse(path.read_bytes())
    if ast.get_docstring(tree) is None:
        yield path.name
    yield from (f"{path.name}:{node.lineno} {node.name}" for node in public(tree) if ast.get_docstring(node) is None)


def public(within: ast.Module | ast.ClassDef) -> Iterator[Definition]:
    """Public classes, functions and methods; of an overloaded one the implementation."""
    for node in within.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            if any(isinstance(mark, ast.Name) and mark.id == "overload" for mark in node.decorator_list):
                continue
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node)


def test_exports_are_this_list() -> None:
    """What an experiment module may import changes on purpose only, and is sorted."""
    assert harness.__all__ == EXPORTS
    assert sorted(harness.__all__) == harness.__all__


@pytest.mark.parametrize("name", EXPORTS)
def test_exports_exist_and_say_what_they_are(name: str) -> None:
    """Each name can be imported, and a user who asks ``help()`` of it is told something."""
    value = getattr(importlib.import_module("harness"), name)
    assert inspect.getdoc(value)


def test_nothing_else_looks_exported() -> None:
    """Besides the list, ``harness`` holds its own submodules and names with an underscore."""
    others = {name for name in vars(harness) if not name.startswith("_") and name not in EXPORTS} - {"annotations"}
    assert {name for name in others if not inspect.ismodule(getattr(harness, name))} == set()


def test_every_error_is_in_the_drawn_tree() -> None:
    """The tree in the module's docstring and the classes below it are the same set."""
    assert errors.__doc__ is not None
    assert drawn_tree(errors.__doc__).keys() == error_classes().keys()


@pytest.mark.parametrize("name", sorted(error_classes()))
def test_errors_derive_as_drawn(name: str) -> None:
    """The first base of each error is the one it hangs from in the drawing; the root is a plain Exception."""
    parent = drawn_tree(str(errors.__doc__))[name]
    assert error_classes()[name].__bases__[0].__name__ == (parent or "Exception")


def test_errors_that_are_also_others_say_so() -> None:
    """The drawing tells what else an error is, and it is that."""
    line = next(line for line in str(errors.__doc__).splitlines() if "GateError" in line)
    assert "(also an AssertionError)" in line
    assert issubclass(errors.GateError, AssertionError)


def test_the_reader_of_the_drawing_sees_a_wrong_branch() -> None:
    """Control: a drawing that hangs an error elsewhere gives another parent."""
    drawn = str(errors.__doc__)
    moved = drawn.replace("    │   └── DeviceError", "    ├── DeviceError    ")
    assert drawn_tree(drawn)["DeviceError"] == "TrainingError"
    assert drawn_tree(moved)["DeviceError"] == "HarnessError"


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_everything_public_has_a_docstring(path: Path) -> None:
    """Modules, classes, functions and methods without an underscore say what they are for."""
    assert list(undocumented(path)) == []


def test_a_missing_docstring_is_found(tmp_path: Path) -> None:
    """Control: of a module, a class, a method and a function; private and overloaded ones do not count."""
    path = tmp_path / "bare.py"
    path.write_text(
        "class Public:\n    def method(self): ...\n    def _private(self): ...\n"
        "class _Private:\n    def method(self): ...\n"
        "@overload\ndef function(x: int): ...\n"
        "def function(x):\n    def inner(): ...\n",
        encoding="utf-8",
    )
    assert list(undocumented(path)) == ["bare.py", "bare.py:1 Public", "bare.py:2 method", "bare.py:8 function"]
