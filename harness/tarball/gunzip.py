"""Unpacks gzip by zlib itself, which looks at all of a header.

`gzip.GzipFile` passes over reserved flags and the checksum of a header, at which the gzip program stops: the file would
be valid here and useless there.
"""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

    from _typeshed import WriteableBuffer

CHUNK = 1 << 16
"""Compressed bytes that are looked at a time."""

_MAGIC = b"\x1f\x8b"
_GZIP = 16 + zlib.MAX_WBITS  # to zlib: expect gzip's header and trailer


class NotGzipError(ValueError):
    """Where a gzip member should begin, something else does; the text shows its first bytes."""


class Gunzip(io.RawIOBase):
    """The content of one gzip member or of several in a row, zeros behind them ignored (RFC 1952, section 2.2).

    Reading raises `NotGzipError`, `zlib.error` for damage, and EOFError where the file ends within a member.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._input = b""
        self._member: zlib._Decompress | None = None
        self._first = True

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a part of the buffer; 0 at the end of the last member."""
        room = memoryview(buffer).cast("B")
        while member := self._member or self._begin():
            if content := self._inflate(member, len(room)):
                room[: len(content)] = content
                return len(content)
        return 0

    def _begin(self) -> zlib._Decompress | None:
        """The next member, if there is one."""
        padding = b"" if self._first else b"\0"
        self._input = self._input.lstrip(padding)
        while len(self._input) < len(_MAGIC) and (more := self._file.read(CHUNK)):
            self._input = (self._input + more).lstrip(padding)
        self._first = False
        if self._input and not self._input.startswith(_MAGIC):
            raise NotGzipError(f"{self._input[:4]!r}")
        self._member = zlib.decompressobj(_GZIP) if self._input else None
        return self._member

    def _inflate(self, member: zlib._Decompress, size: int) -> bytes:
        """Some content of the member, at most so much; b"" when it has just ended."""
        while True:
            content = member.decompress(self._input, size)
            if member.eof:
                self._input, self._member = member.unused_data, None
                return content
            self._input = member.unconsumed_tail
            if content:
                return content
            self._input = self._input or self._file.read(CHUNK)
            if not self._input:
                raise EOFError
