"""Writes gzip files whose bytes depend on their content alone, on every machine.

zlib, zlib-ng and the others compress the same bytes to different ones, and so do two releases of zlib: the digest of a
tarball would say who packed it. The blocks written here are stored, not compressed (RFC 1951, section 3.2.4): that
leaves nothing to choose. Trained weights would shrink by a tenth only.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType
    from typing import BinaryIO

    from _typeshed import ReadableBuffer as Buffer

BLOCK = 0xFFFF
"""Bytes of content in a stored block, at most: its length has 16 bits."""

_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""RFC 1952, section 2.3: deflate, no name, no time, no operating system."""


class StoredGzip(io.RawIOBase):
    """A file to write to, as a context: what is written comes out as one gzip member."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._checksum, self._size = 0, 0
        self._pending = bytearray()

    def __enter__(self) -> Self:
        """Write the header."""
        self._file.write(_HEADER)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is left, and the checksum; after an error, leave the file as it is: broken, and seen to be."""
        if error is None:
            self._block(self._pending, last=True)
            self._file.write(struct.pack("<II", self._checksum, self._size & 0xFFFFFFFF))

    def write(self, data: Buffer, /) -> int:
        """Add content."""
        content = memoryview(data).cast("B")
        self._checksum = zlib.crc32(content, self._checksum)
        self._size += len(content)
        self._pending += content
        whole = len(self._pending) - len(self._pending) % BLOCK
        with memoryview(self._pending) as view:
            for start in range(0, whole, BLOCK):
                self._block(view[start : start + BLOCK], last=False)
        del self._pending[:whole]
        return len(content)

    def tell(self) -> int:
        """Bytes of content so far; `tarfile` asks."""
        return self._size

    def _block(self, content: bytes | bytearray | memoryview, *, last: bool) -> None:
        self._file.write(struct.pack("<BHH", last, len(content), len(content) ^ 0xFFFF))
        self._file.write(content)
