"""Rules about ``code/``: what the container imports and installs when it starts. Read as text; nothing of it is run."""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement

from harness.artifact import CODE, PYTHON, SHAPES, Problem
from harness.tarball.member import printable
from harness.tarball.params import some

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.tarball.member import Member

_SHOWN = 5


def is_script(path: str) -> bool:
    """Whether the container may import this member."""
    return path.startswith(f"{CODE}/") and path.endswith(".py")


def script_functions(member: Member, content: bytes) -> tuple[frozenset[str], list[Problem]]:
    """The functions that a script defines at its top; and why the container's Python could not import it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = ast.parse(content, feature_version=PYTHON)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f" in line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else "nesting too deep"
        found = f"expected Python {PYTHON[0]}.{PYTHON[1]}, which the container has, found {printable(reason)}{line}"
        return frozenset(), [Problem("code-syntax", member.label, found, "mend the script")]
    return frozenset(node.name for node in module.body if isinstance(node, ast.FunctionDef)), []


def requirements_problems(member: Member, content: bytes) -> list[Problem]:
    """Lines that pip could not read; the container installs the file before it serves, and ends where pip does."""
    remedy = "write one requirement a line, as pip reads them"
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        found = f"expected requirements in UTF-8, found: {error}"
        return [Problem("requirements-syntax", member.label, found, remedy)]
    faults = list(_requirement_faults(text))
    return [Problem("requirements-syntax", member.label, fault, remedy) for fault in faults[:_SHOWN]]


def _requirement_faults(text: str) -> Iterator[str]:
    """What is no requirement by PEP 508; options, paths and addresses are pip's own, and passed by."""
    for number, line in enumerate(text.replace("\\\n", "").splitlines(), start=1):
        requirement = line.split(" #")[0].split(" --")[0].strip()
        if not requirement or requirement.startswith(("#", "-", ".", "/")) or "://" in requirement:
            continue
        try:
            Requirement(requirement)
        except InvalidRequirement as error:
            reason = str(error).partition("\n")[0]
            yield f"expected a requirement in line {number}, found {printable(requirement)!r:.60} ({printable(reason)})"


def several_problems(inputs: Iterable[str], functions: frozenset[str]) -> Iterator[Problem]:
    """A model with several inputs needs a script that makes them out of a request."""
    if functions & {"input_fn", "transform_fn"}:
        return
    found = f"expected one input, as AWS's own input_fn takes no more, found {some(inputs)}"
    yield Problem("several-inputs", SHAPES, found, "define input_fn or transform_fn in the entry point")
