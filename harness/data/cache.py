"""Data files kept for this user between runs, safe when several processes fill the same cache."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import DataError
from harness.storage import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cache:
    """A source that can also be written to.

    A cache is a convenience: `store` and `discard` never fail, they leave the cache as it is.
    """

    directory: Path

    @property
    def name(self) -> str:
        """How messages call this source."""
        return f"cache {self.directory}"

    def fetch(self, file: str) -> bytes:
        """The file's bytes.

        Raises:
            DataError: the file is not there, or cannot be read.
        """
        try:
            return (self.directory / file).read_bytes()
        except FileNotFoundError as error:
            raise DataError(f"{file} is not there yet") from error
        except OSError as error:
            raise DataError(f"{file} cannot be read: {error.strerror}") from error

    def store(self, file: str, data: bytes) -> None:
        """Keep a file for the next time, if that can be done."""
        try:
            write_atomically(self.directory / file, data)
        except OSError as error:
            # Next time it is fetched again, which is slow and not wrong: no reason to fail a run, nor to warn in it.
            _LOG.info("%s: %s is not kept: %s", self.name, file, error)

    def discard(self, file: str) -> None:
        """Remove a broken file, if that can be done.

        Another process may have put a good file in its place meanwhile: then that is removed, and stored again by
        whoever next needs it.
        """
        with contextlib.suppress(OSError):
            (self.directory / file).unlink()
