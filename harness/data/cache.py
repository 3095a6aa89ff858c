"""Files kept for this user between runs, safe when several processes fill the same cache.

``BYOM_CACHE_DIR`` names another place than the operating system's per-user cache folder.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataError

_LOG = logging.getLogger(__name__)


def cache_directory() -> Path:
    """The harness's cache: ``BYOM_CACHE_DIR``, else ``byom-harness`` in the per-user cache folder. It may not exist."""
    chosen = os.environ.get("BYOM_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("byom-harness"))


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that every reader, at any moment, sees the old file or the whole new one.

    The bytes go to a temporary file of their own in the same directory (made if missing), reach the disk, and are then
    renamed over ``path``.

    Raises:
        OSError: the directory or the file cannot be written; the temporary file is removed and ``path`` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - the call whose atomicity this function is about
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


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
