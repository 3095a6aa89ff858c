"""Mutants of valid tarballs, in classes; each is made anew, byte for byte, from its class and its number."""

from __future__ import annotations

import random
from dataclasses import dataclass

from harness.artifact import PARAMETERS, SHAPES, SYMBOL
from mutants.archive_bytes import EDITS, HEADERS, LAYERS, FileMutator, Mutator, on_file, on_gzip, on_tar, packed
from mutants.archive_members import BOMBS, MEMBERS, NAMES, SPECIAL
from mutants.json_text import on_text
from mutants.other_files import HARMLESS, SCRIPTS, SHAPE_EDITS
from mutants.parameters import RECORDS, VALUES
from mutants.seed_models import SCRIPT, SEEDS, Files, tarred
from mutants.symbols import ATTRIBUTES, GRAPHS


def _archives(mutators: dict[str, FileMutator]) -> dict[str, Mutator]:
    """Mutators of files as mutators of the whole."""
    return {name: _archive(mutator) for name, mutator in mutators.items()}


def _archive(mutator: FileMutator) -> Mutator:
    return lambda draw, files: packed(tarred(mutator(draw, files)))


def _bytes_of(name: str) -> dict[str, FileMutator]:
    return {edit: on_file(name, function) for edit, function in EDITS.items()}


FILES: dict[str, dict[str, FileMutator]] = {
    "symbol: bytes": _bytes_of(SYMBOL),
    "symbol: text": on_text(SYMBOL),
    "symbol: graph": GRAPHS,
    "symbol: attributes": ATTRIBUTES,
    "parameters: bytes": _bytes_of(PARAMETERS),
    "parameters: fields": RECORDS,
    "parameters: values": VALUES,
    "shapes: bytes": _bytes_of(SHAPES),
    "shapes: text": {name: edit for name, edit in on_text(SHAPES).items() if name != "broad"},
    "shapes: entries": SHAPE_EDITS,
    "scripts": _bytes_of(SCRIPT) | SCRIPTS,
}
"""Classes whose mutants are a proper tar.gz of changed files."""


def several_changes(draw: random.Random, files: Files) -> Files:
    """Two or three small changes of meaning, in different files or in one."""
    chosen = ["symbol: graph", "symbol: attributes", "parameters: fields", "parameters: values", "shapes: entries"]
    for kind in draw.sample(chosen, draw.randint(2, 3)):
        try:
            files = draw.choice(list(FILES[kind].values()))(draw, files)
        except Exception:  # noqa: BLE001, S112 - the change before this one left nothing for it to change
            continue
    return files


CLASSES: dict[str, dict[str, Mutator]] = {
    "harmless": HARMLESS,
    "gzip: bytes": {edit: on_gzip(function) for edit, function in EDITS.items()},
    "gzip: layer": {edit: on_gzip(function) for edit, function in LAYERS.items()},
    "tar: bytes": {edit: on_tar(function) for edit, function in EDITS.items()},
    "tar: headers": HEADERS,
    "members: names": NAMES,
    "members: places": MEMBERS,
    "members: links and devices": SPECIAL,
    "members: bombs": BOMBS,
    **{kind: _archives(mutators) for kind, mutators in FILES.items()},
    "several changes": _archives({"several_changes": several_changes}),
}
"""Class to its mutators by name."""


@dataclass(frozen=True)
class Mutant:
    """A file that may be anything.

    Attributes:
        kind: its class.
        number: what makes it anew, with the class.
        mutator: what changed it.
        model: the seed model that it was.
        content: the bytes of the file.
    """

    kind: str
    number: int
    mutator: str
    model: str
    content: bytes

    def __str__(self) -> str:
        return f"({self.kind!r}, {self.number}): {self.mutator} of {self.model}"


def mutant(kind: str, number: int) -> Mutant:
    """The mutant of this number: mutators take turns, and so do the models."""
    mutators, models = list(CLASSES[kind]), list(SEEDS)
    turn, place = divmod(number, len(mutators))
    name, model = mutators[place], models[(turn + place) % len(models)]
    draw = random.Random(f"{kind} {number}")  # noqa: S311 - the same each time is the point
    return Mutant(kind, number, name, model, CLASSES[kind][name](draw, dict(SEEDS[model])))
