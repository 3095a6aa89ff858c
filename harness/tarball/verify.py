"""Tells whether AWS's MXNet container could serve a ``model.tar.gz``, before anything is uploaded or paid for.

Every rule is looked at, and all problems are reported at once. Nothing of the tarball is run, nor is MXNet imported.

Codes:
    of the archive: unreadable, not-gzip, damaged, truncated, trailing-data, too-large, too-many-members,
    suspicious-ratio.
    of its members: unsafe-path, link, special-file, duplicate-member, path-conflict, case-collision, missing-member,
    not-flat.
    of their content: symbol-json, symbol-graph, shapes-json, shapes-entry, shapes-name, params-format,
    missing-parameter, unknown-parameter, parameter-kind, empty-parameter, not-finite, code-syntax.
"""

from __future__ import annotations

import ast
import hashlib
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.artifact import CODE, PARAMETERS, SHAPES, SYMBOL, Artifact, Problem
from harness.errors import ArtifactError
from harness.tarball.extract import extract
from harness.tarball.graph import Graph, read_graph, read_shapes
from harness.tarball.layout import layout_problems, member_problems, missing_problems
from harness.tarball.match import input_problems, parameter_problems
from harness.tarball.member import DamageError, Kind, Member, printable
from harness.tarball.params import Stored, read_parameters
from harness.tarball.reader import members
from harness.tarball.unpacked import LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.tarball.loading import Loader

TEXT_LIMIT = 16 << 20
"""Bytes of a symbol, a shapes file or a script, which are read whole: ResNet-152's symbol has 0.3 MB."""

SHOWN = 50
"""Problems that an error message lists; `verify` returns them all."""


def check(path: Path, *, limits: Limits = LIMITS) -> None:
    """Raise `ArtifactError` with the path and every problem, one a line, unless the tarball can be served."""
    problems = verify(path, limits=limits)
    if problems:
        count = f"{len(problems):,} problem{'s' if len(problems) > 1 else ''}"
        shown = [f"  {problem}" for problem in problems[:SHOWN]]
        if len(problems) > SHOWN:
            shown.append(f"  and {len(problems) - SHOWN:,} more")
        lines = "\n".join(shown)
        where = printable(str(path))
        raise ArtifactError(
            f"{where}: expected a tarball that SageMaker's MXNet container can serve, found {count}:\n{lines}"
        )


def load_artifact(path: Path | str) -> Artifact:
    """A ``model.tar.gz`` that exists already, as the fixture ``artifact`` gives one.

    Raises:
        ArtifactError: the container could not serve it; see `check`.
    """
    path = Path(path)
    check(path)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    names = tuple(member.path for member in members(path) if member.kind is Kind.FILE)
    return Artifact(path=path, sha256=sha256, size=path.stat().st_size, members=names)


def verify(path: Path, *, limits: Limits = LIMITS, loader: Loader | None = None) -> list[Problem]:
    """Every reason why the container could not serve this file; an empty list when it can.

    Without a loader, the file is read and judged by its text alone, and nothing is raised. With one, a file in which
    nothing was found is unpacked and loaded by AWS's handler as well.

    Raises:
        ArtifactError: the loader cannot be started here, or there is no room to unpack.
    """
    problems = inspect(members(path, limits=limits))
    if problems or loader is None:
        return problems
    with tempfile.TemporaryDirectory(prefix="byom-verify-") as folder:
        extract(path, Path(folder) / "model", limits=limits)
        return loader.problems(Path(folder) / "model")


@dataclass
class _Contents:
    """What was understood of the model files so far."""

    problems: list[Problem] = field(default_factory=list)
    graph: Graph | None = None
    inputs: frozenset[str] | None = None
    stored: dict[str, Stored] | None = None

    def read(self, member: Member) -> None:
        """Look at one file, when it is one that the container opens."""
        found: list[Problem] = []
        if member.path == PARAMETERS:
            self.stored, found = read_parameters(member.body, member.size)
        elif member.path in {SYMBOL, SHAPES} or _is_script(member.path):
            content = member.body.read(TEXT_LIMIT + 1)
            if len(content) > TEXT_LIMIT:
                found = [_oversized(member)]
            elif member.path == SYMBOL:
                self.graph, found = read_graph(content)
            elif member.path == SHAPES:
                self.inputs, found = read_shapes(content)
            else:
                found = _script_problems(member, content)
        self.problems += found

    def agree(self) -> None:
        """Look at the rules that need more than one file."""
        if self.graph is not None and self.inputs is not None:
            self.problems += input_problems(self.graph, self.inputs)
            if self.stored is not None:
                self.problems += parameter_problems(self.graph, self.inputs, self.stored)


def inspect(archive: Iterable[Member]) -> list[Problem]:
    """The rules applied to members, wherever they come from; a `DamageError` on the way becomes its problem."""
    problems: list[Problem] = []
    seen: list[Member] = []
    contents = _Contents()
    complete = True
    damage = []
    try:
        for member in archive:
            seen.append(member)
            problems += member_problems(member)
            if member.kind is Kind.FILE:
                contents.read(member)
    except DamageError as error:
        damage, complete = [error.problem], error.complete
    problems += layout_problems(seen)
    if complete:  # of a file that breaks off nobody knows what it lacks
        problems += missing_problems(seen)
    contents.agree()
    return damage + problems + contents.problems


def _is_script(path: str) -> bool:
    return path.startswith(f"{CODE}/") and path.endswith(".py")


def _oversized(member: Member) -> Problem:
    codes = {SYMBOL: "symbol-json", SHAPES: "shapes-json"}
    found = f"expected at most {TEXT_LIMIT:,} bytes, found {member.size:,}"
    return Problem(codes.get(member.path, "code-syntax"), member.label, found, "check what wrote this file")


def _script_problems(member: Member, content: bytes) -> list[Problem]:
    """The container imports the entry point when it starts: a script that does not parse stops it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f" in line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else "nesting too deep"
        return [
            Problem("code-syntax", member.label, f"expected Python, found {printable(reason)}{line}", "mend the script")
        ]
    return []
