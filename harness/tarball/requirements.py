"""Rules about ``code/requirements.txt``, which the container installs with pip before it serves."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from harness.artifact import Problem
from harness.tarball.member import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.tarball.member import Member

_SHOWN = 5
_PLACE = re.compile(r"^\.|^[^;@\s]*[/\\]|://|\$\{")
"""A path, an address, or a variable of the environment in one."""

_COMMENT = re.compile(r"(?:^|\s+)#.*$")


def requirements_problems(member: Member, content: bytes) -> list[Problem]:
    """Lines that pip could not read."""
    remedy = "write one requirement a line, as pip reads them"
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"expected requirements in UTF-8, found: {error}"
        return [Problem("requirements-syntax", member.label, found, remedy)]
    return [Problem("requirements-syntax", member.label, fault, remedy) for fault in islice(_faults(text), _SHOWN)]


def _faults(text: str) -> Iterator[str]:
    """What is no requirement by PEP 508; options, paths and addresses are pip's own affair, and passed by."""
    for number, line in _joined(text):
        requirement = _COMMENT.sub("", line).split(" --")[0].strip()
        if not requirement or requirement.startswith("-") or _PLACE.search(requirement):
            continue
        try:
            Requirement(requirement)
        except (ValueError, RecursionError) as error:  # of packaging's own errors each is a ValueError
            reason = printable(str(error).partition("\n")[0])
            yield f"expected a requirement in line {number}, found {printable(requirement)!r:.60} ({reason:.100})"


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """Lines, those that end in a backslash with what follows them, by the number of their first, as pip joins them."""
    first, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        first = first or number
        if line.endswith("\\") and not _COMMENT.search(line):
            parts.append(line.rstrip("\\"))
            continue
        yield first, "".join([*parts, line])
        first, parts = 0, []
    if parts:
        yield first, "".join(parts)
