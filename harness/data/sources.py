"""What a source of data files is, a directory as one, and the chain that asks one after the other.

A source is a small frozen value with a ``name`` for messages and one method, ``fetch``. It hands over what it has;
whether that is the right file is decided in one place, `fetch_verified`, by its SHA-256.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from harness.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harness.data.cache import Cache

SIZE_LIMIT = 64 * 1024**2
"""No data file is larger, in bytes, packed or unpacked: MNIST's largest is 47 million."""

_GZIP = zlib.MAX_WBITS | 16


class Source(Protocol):
    """Somewhere a data file may come from."""

    @property
    def name(self) -> str:
        """How messages call this source."""

    def fetch(self, file: str) -> bytes:
        """The uncompressed bytes of a file, not yet verified.

        Raises:
            DataError: this source has not got it; the message is the reason alone, the chain adds the source's name.
        """


@dataclass(frozen=True)
class Directory:
    """Files in a directory that the user named, plain or with ``.gz`` at the end of the name; plain wins."""

    directory: Path
    named_by: str

    @property
    def name(self) -> str:
        """How messages call this source."""
        return f"directory {self.directory} (from {self.named_by})"

    def fetch(self, file: str) -> bytes:
        """See `Source.fetch`."""
        plain, packed = self.directory / file, self.directory / f"{file}.gz"
        try:
            if plain.is_file():
                return _read(plain)
            if packed.is_file():
                return gunzip(_read(packed), SIZE_LIMIT)
        except OSError as error:
            raise DataError(f"{file} cannot be read: {error.strerror}") from error
        found = "neither" if self.directory.is_dir() else "no such directory"
        raise DataError(f"expected {plain.name} or {packed.name}, found {found}")


def gunzip(packed: bytes, size_limit: int) -> bytes:
    """Unpack gzip bytes, but never more than ``size_limit`` of them.

    Raises:
        DataError: not gzip, damaged, truncated, or larger than the limit when unpacked.
    """
    unpacking = zlib.decompressobj(_GZIP)
    try:
        data = unpacking.decompress(packed, size_limit + 1)
    except zlib.error as error:
        raise DataError(f"expected gzip data, found {len(packed)} bytes that zlib refuses: {error}") from error
    if len(data) > size_limit:
        raise DataError(f"expected at most {size_limit} bytes of unpacked data, found more")
    if not unpacking.eof:
        raise DataError(f"gzip data is truncated: {len(packed)} bytes do not reach its end")
    return data


def fetch_verified(file: str, sha256: str, sources: Iterable[Source], *, cache: Cache | None, advice: str) -> bytes:
    """The bytes of a file from the first source that has the right ones.

    Args:
        file: the file's name, without ``.gz``.
        sha256: hex digest that the uncompressed bytes must have, whatever the source.
        sources: asked in order.
        cache: asked before all of them, and given what they have; a broken entry is discarded.
        advice: what the user can do when no source is left; ends the message.

    Raises:
        DataError: no source has the file with this digest; the message names each and its reason.
    """
    failures: list[tuple[str, DataError]] = []
    for source in (*([cache] if cache else []), *sources):
        try:
            data = source.fetch(file)
            _verify(data, sha256)
        except DataError as error:
            failures.append((source.name, error))
            if source is cache:
                cache.discard(file)
        else:
            if cache and source is not cache:
                cache.store(file, data)
            return data
    reasons = "\n".join(f"  - {name}: {error}" for name, error in failures)
    raise DataError(f"no source has {file} with SHA-256 {sha256}:\n{reasons}\n{advice}") from (
        failures[-1][1] if failures else None
    )


def _verify(data: bytes, sha256: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise DataError(
            f"has another file under this name: expected SHA-256 {sha256}, found {found} ({len(data)} bytes)"
        )


def _read(path: Path) -> bytes:
    with path.open("rb") as stream:
        data = stream.read(SIZE_LIMIT + 1)
    if len(data) > SIZE_LIMIT:
        raise DataError(f"{path.name}: expected at most {SIZE_LIMIT} bytes, found more")
    return data
