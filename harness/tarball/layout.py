"""Rules about the members of a tarball as a whole: names, kinds, places. Pure: values in, problems out."""

from __future__ import annotations

from collections import defaultdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness.artifact import MODEL_FILES, Problem
from harness.tarball.member import Kind, Member

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PACK = "pack with harness.tarball.export, or with `tar -czf model.tar.gz -C FOLDER .`"


def member_problems(member: Member) -> Iterator[Problem]:
    """Rules that one member breaks by itself: what the extraction of it could do to the machine."""
    if reason := member.escape():
        yield Problem("unsafe-path", member.label, f"expected a name inside the model's folder, found {reason}", _PACK)
    if member.kind is Kind.LINK:
        yield Problem("link", member.label, "expected files and folders, found a link", "pack the file it points to")
    if member.kind is Kind.SPECIAL:
        yield Problem(
            "special-file", member.label, f"expected files and folders, found a {member.kind.value}", "leave it out"
        )


def layout_problems(members: Sequence[Member]) -> Iterator[Problem]:
    """Rules about members that get in each other's way when the container unpacks them into one folder."""
    seen: dict[str, Member] = {}
    for member in members:
        if member.escape():
            continue
        first = seen.setdefault(member.path, member)
        if first is not member and not first.kind is member.kind is Kind.FOLDER:
            found = f"expected each path once, found {first.label!r} and {member.label!r}"
            yield Problem(
                "duplicate-member", member.label, found, "keep one of them: which one wins is up to the reader"
            )
    yield from _conflicts(seen)
    yield from _collisions(seen)


def _ancestors(path: str) -> list[str]:
    return [str(parent) for parent in PurePosixPath(path).parents][:-1]


def _conflicts(seen: dict[str, Member]) -> Iterator[Problem]:
    blocked = {parent for path in seen for parent in _ancestors(path) if parent in seen}
    for path in sorted(blocked):
        if seen[path].kind is not Kind.FOLDER:
            found = f"expected a folder, as other members lie in it, found a {seen[path].kind.value}"
            yield Problem("path-conflict", seen[path].label, found, "rename one of them")


def _collisions(seen: dict[str, Member]) -> Iterator[Problem]:
    spellings = defaultdict(set)
    for path in seen:
        for place in (path, *_ancestors(path)):
            spellings[place.casefold()].add(place)
    for places in spellings.values():
        if len(places) > 1:
            names = sorted(places)
            found = f"expected names that differ in more than case, found {' and '.join(map(repr, names))}"
            yield Problem("case-collision", names[0], found, "rename one: macOS and Windows keep only one of them")


def missing_problems(members: Sequence[Member]) -> Iterator[Problem]:
    """The three files that ``default_model_fn`` of the container opens, where it opens them.

    Source: ``sagemaker_mxnet_serving_container/default_inference_handler.py`` (1.5.5), ``DEFAULT_MODEL_FILENAMES``.
    """
    files = {member.path: member for member in members if member.kind is Kind.FILE}
    folders = {member.path for member in members if member.kind is Kind.FOLDER}
    for name in MODEL_FILES:
        if name in files:
            continue
        nested = [member for path, member in files.items() if path.endswith(f"/{name}")]
        if nested:
            found = f"not flat: expected {name} at the top of the tarball, found it inside a folder"
            yield Problem("not-flat", nested[0].label, found, _PACK)
        else:
            found = "found a folder of that name" if name in folders else "found none"
            yield Problem("missing-member", name, f"expected this file at the top of the tarball, {found}", _PACK)
