"""What the reader hands to the rules: one value per member of an archive, and the error that ends a damaged one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from harness.errors import ArtifactError

if TYPE_CHECKING:
    from harness.artifact import Problem

PART_LIMIT = 255
"""Bytes in one component of a path: NAME_MAX of every file system that Linux containers run on."""

DEPTH_LIMIT = 32
"""Folders inside folders: a virtual environment under ``code/`` has about ten."""

LABEL_LIMIT = 200
"""Letters of a name that a message shows."""


_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Letters that steer a terminal or the direction of writing, and halves of letters: how Python reads stray bytes."""


def printable(text: str) -> str:
    """The text with control characters and undecodable bytes escaped: what a hostile file says reaches a terminal."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def shown(name: str) -> str:
    """A name out of a file, safe to print, and cut where it would fill the screen."""
    return printable(name[:LABEL_LIMIT]) + ("..." if len(name) > LABEL_LIMIT else "")


class Kind(Enum):
    """What a member is, as far as the rules care."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    SPECIAL = "device, fifo or sparse file"


class Readable(Protocol):
    """The content of a member: bytes, in order, once."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, fewer only at the end of the member."""


@dataclass(frozen=True)
class Member:
    """One member of an archive.

    Attributes:
        name: as stored, without the slash that ends the name of anything but a file.
        kind: file, folder, or something that a model has no use for.
        size: bytes of content; 0 for all but files.
        body: the content, readable until the next member is asked for.
    """

    name: str
    kind: Kind
    size: int
    body: Readable = field(compare=False, repr=False)

    @cached_property
    def path(self) -> str:
        """The name without a leading ``./``, doubled slashes and the like; "" for the top folder itself.

        The SageMaker SDK and ``tar -C folder .`` write such names, and the container's extraction drops the same parts.
        """
        return "/".join(part for part in self.name.split("/") if part not in {"", "."})

    @property
    def label(self) -> str:
        """The name, as it can be shown."""
        return shown(self.name)

    def escape(self) -> str:
        """Why this name must not become a path on disk, in words; "" when it may.

        The folder ``/`` is the top itself: ``repack_model`` in ``sagemaker/utils.py`` (2.257) writes one.
        """
        parts = self.path.split("/")
        longest = max(len(part.encode("utf-8", "surrogatepass")) for part in parts)
        rules = (
            (self.name.startswith("/") and self.path, "an absolute path"),
            (".." in parts, "a path with '..'"),
            (not self.path and self.kind is not Kind.FOLDER, "an empty name"),
            (self.kind is Kind.FILE and self.name.endswith(("/", "/.")), "a file with the name of a folder"),
            (_UNFIT.search(self.name), "a name with control characters or bytes that are not UTF-8"),
            (longest > PART_LIMIT, f"a name of more than {PART_LIMIT} bytes"),
            (len(parts) > DEPTH_LIMIT, f"a path of more than {DEPTH_LIMIT} folders"),
        )
        return next((reason for broken, reason in rules if broken), "")


class DamageError(ArtifactError):
    """An archive that cannot be read any further.

    Attributes:
        problem: what is wrong.
        complete: whether every member had been read by then.
    """

    def __init__(self, problem: Problem, *, complete: bool = False) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.complete = complete
