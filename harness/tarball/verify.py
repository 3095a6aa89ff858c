"""Tells whether AWS's MXNet container could serve a ``model.tar.gz``, before anything is uploaded or paid for.

Every rule is looked at, and all problems are reported at once. First the file is judged by its text, without MXNet and
without running any of it. What passes can then be loaded by AWS's own handler, in a process apart (`loading`).

Codes:
    of the archive: unreadable, not-gzip, damaged, truncated, trailing-data, too-large, too-many-members,
    suspicious-ratio.
    of its members: unsafe-path, link, special-file, duplicate-member, path-conflict, case-collision, missing-member,
    not-flat.
    of the graph: symbol-json, symbol-graph, unknown-operator, operator-attribute, graph-shape.
    of its inputs: shapes-json, shapes-entry, shapes-name, several-inputs.
    of its parameters: params-format, missing-parameter, unknown-parameter, parameter-kind, parameter-shape,
    parameter-dtype, parameter-storage, empty-parameter, not-finite.
    of code/: code-syntax, requirements-syntax.
    of loading: load-error, load-crash, load-timeout, not-finite-output.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.artifact import CODE, PARAMETERS, REQUIREMENTS, SHAPES, SYMBOL, Artifact, Problem, Shape
from harness.errors import ArtifactError
from harness.tarball.code import is_script, requirements_problems, script_functions, several_problems
from harness.tarball.extract import extract
from harness.tarball.graph import Graph, read_graph
from harness.tarball.layout import layout_problems, member_problems, missing_problems
from harness.tarball.match import input_problems, parameter_problems, shape_problems
from harness.tarball.member import DamageError, Kind, Member, printable
from harness.tarball.params import Stored, read_parameters
from harness.tarball.reader import members
from harness.tarball.signature import read_shapes
from harness.tarball.unpacked import LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.tarball.loading import Loader

TEXT_LIMIT = 16 << 20
"""Bytes of a symbol, a shapes file or a script, which are read whole: ResNet-152's symbol has 0.3 MB."""

SHOWN = 50
"""Problems that an error message lists; `verify` returns them all."""


def check(path: Path, *, limits: Limits = LIMITS, loader: Loader | None = None) -> None:
    """Raise `ArtifactError` with the path and every problem, one a line, unless `verify` finds none."""
    problems = verify(path, limits=limits, loader=loader)
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
    sound: bool = False
    inputs: Mapping[str, Shape] | None = None
    functions: frozenset[str] = frozenset()
    stored: dict[str, Stored] | None = None

    def read(self, member: Member) -> None:
        """Look at one file, when it is one that the container opens."""
        found: list[Problem] = []
        if member.path == PARAMETERS:
            self.stored, found = read_parameters(member.body, member.size)
        elif member.path in {SYMBOL, SHAPES, f"{CODE}/{REQUIREMENTS}"} or is_script(member.path):
            content = member.body.read(TEXT_LIMIT + 1)
            if len(content) > TEXT_LIMIT:
                found = [_oversized(member)]
            elif member.path == SYMBOL:
                self.graph, found = read_graph(content)
                self.sound = not found
            elif member.path == SHAPES:
                self.inputs, found = read_shapes(content)
            elif is_script(member.path):
                functions, found = script_functions(member, content)
                self.functions |= functions
            else:
                found = requirements_problems(member, content)
        self.problems += found

    def agree(self) -> None:
        """Look at the rules that need more than one file."""
        if self.inputs is not None and len(self.inputs) > 1:
            self.problems += several_problems(self.inputs, self.functions)
        if self.graph is not None and self.inputs is not None:
            self.problems += input_problems(self.graph, self.inputs)
            if self.sound:  # or the same would be said twice
                self.problems += shape_problems(self.graph, self.inputs, self.stored)
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


def _oversized(member: Member) -> Problem:
    codes = {SYMBOL: "symbol-json", SHAPES: "shapes-json", f"{CODE}/{REQUIREMENTS}": "requirements-syntax"}
    found = f"expected at most {TEXT_LIMIT:,} bytes, found {member.size:,}"
    return Problem(codes.get(member.path, "code-syntax"), member.label, found, "check what wrote this file")
