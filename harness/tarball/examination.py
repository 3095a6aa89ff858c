"""One walk through an archive: every rule looked at, every problem kept, what was understood kept with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.artifact import CODE, PARAMETERS, REQUIREMENTS, SHAPES, SYMBOL, Problem, Shape
from harness.tarball.code import is_script, script_names, several_problems
from harness.tarball.documents import DOCUMENT_LIMIT
from harness.tarball.graph import Graph, read_graph
from harness.tarball.layout import layout_problems, member_problems, missing_problems
from harness.tarball.match import input_problems, parameter_problems, shape_problems
from harness.tarball.member import DamageError, Kind, Member
from harness.tarball.params import Stored, read_parameters
from harness.tarball.requirements import requirements_problems
from harness.tarball.signature import read_shapes
from harness.tarball.types import type_problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CODE_LIMIT = 512 << 10
"""Bytes of scripts that are parsed, in all: it may take a thousand times the memory, and two seconds."""

REQUIREMENTS_LIMIT = 64 << 10
"""Bytes of a file of requirements: each line is parsed by a grammar."""


@dataclass
class Contents:
    """What was understood of the files that the container opens.

    Attributes:
        problems: rules that their content breaks.
        graph: of the symbol; None if there is none that MXNet could load.
        sound: whether nothing is wrong with the graph by itself.
        inputs: shape by name of the data, as ``model-shapes.json`` has them.
        names: what scripts in ``code/`` bind at their top.
        stored: parameters by full name.
        read_paths: of the files that were looked at.
        parsed: bytes of scripts that were looked at.
    """

    problems: list[Problem] = field(default_factory=list)
    graph: Graph | None = None
    sound: bool = False
    inputs: Mapping[str, Shape] | None = None
    names: frozenset[str] = frozenset()
    stored: dict[str, Stored] | None = None
    read_paths: set[str] = field(default_factory=set)
    parsed: int = 0

    def read(self, member: Member) -> None:
        """Look at one file, when it is one that the container opens, and the first of its path."""
        if member.path in self.read_paths:
            return
        self.read_paths.add(member.path)
        found: list[Problem] = []
        if member.path == PARAMETERS:
            self.stored, found = read_parameters(member.body, member.size)
        elif member.path in {SYMBOL, SHAPES, f"{CODE}/{REQUIREMENTS}"} or is_script(member.path):
            limit = _limit(member)
            content = member.body.read(limit + 1)
            if len(content) > limit:
                found = [_oversized(member, limit)]
            elif member.path == SYMBOL:
                self.graph, found = read_graph(content)
                self.sound = not found
            elif member.path == SHAPES:
                self.inputs, found = read_shapes(content)
            elif is_script(member.path):
                self.parsed += len(content)
                if self.parsed <= CODE_LIMIT:
                    names, found = script_names(member, content)
                    self.names |= names
            else:
                found = requirements_problems(member, content)
        self.problems += found

    def agree(self) -> None:
        """Look at the rules that need more than one file."""
        if self.inputs is not None and len(self.inputs) > 1 and self.parsed <= CODE_LIMIT:
            self.problems += several_problems(self.inputs, self.names)
        if self.graph is not None and self.inputs is not None:
            self.problems += input_problems(self.graph, self.inputs)
            if self.sound:  # or the same would be said twice
                self.problems += shape_problems(self.graph, self.inputs, self.stored)
                self.problems += type_problems(self.graph, self.inputs)
            if self.stored is not None:
                self.problems += parameter_problems(self.graph, self.inputs, self.stored)


@dataclass(frozen=True)
class Examination:
    """What was found in an archive.

    Attributes:
        problems: every rule that it breaks.
        members: as far as it could be read.
        contents: what was understood of the files that the container opens.
    """

    problems: list[Problem]
    members: list[Member]
    contents: Contents


def examine(archive: Iterable[Member]) -> Examination:
    """The rules applied to members, wherever they come from; a `DamageError` on the way becomes its problem."""
    problems: list[Problem] = []
    seen: list[Member] = []
    contents = Contents()
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
    return Examination(damage + problems + contents.problems, seen, contents)


def _limit(member: Member) -> int:
    if member.path in {SYMBOL, SHAPES}:
        return DOCUMENT_LIMIT
    return CODE_LIMIT if is_script(member.path) else REQUIREMENTS_LIMIT


def _oversized(member: Member, limit: int) -> Problem:
    codes = {SYMBOL: "symbol-json", SHAPES: "shapes-json", f"{CODE}/{REQUIREMENTS}": "requirements-syntax"}
    found = f"expected at most {limit:,} bytes, found {member.size:,}"
    return Problem(codes.get(member.path, "code-syntax"), member.label, found, "check what wrote this file")
