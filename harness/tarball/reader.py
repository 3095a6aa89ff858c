"""Opens a ``model.tar.gz`` and yields its members, within limits and without trusting a byte of it.

Decompression is zlib's (`gunzip`), and header parsing the standard library's (`tarfile.TarInfo.frombuf`). The walk from
header to header is neither: `tarfile.TarFile` takes a damaged header in the middle for the end of the archive, reads
extended headers of any size into memory, and in older patch releases of Python loops for ever on a negative size
(CVE-2025-8194).
"""

from __future__ import annotations

import re
import tarfile
from itertools import count
from typing import TYPE_CHECKING

from harness.tarball.member import Kind, Member
from harness.tarball.unpacked import CHUNK, LIMITS, Limits, Unpacked, fail

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK = tarfile.BLOCKSIZE

NAME_LIMIT = 1024
"""Letters; PATH_MAX of Linux is 4,096 bytes, with the folder that the model is unpacked into."""

EXTENDED_LIMIT = 1 << 16
"""Bytes of one extended header: a name, a link's target, times and attributes, several times over."""

OWNER_LIMIT = 2**32 - 1
TIME_LIMIT = 2**34
"""Seconds since 1970: the year 2514. Programs that unpack give up on numbers that the system has no room for."""

_PLAIN = {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE}
_LINKS = {tarfile.LNKTYPE, tarfile.SYMTYPE}
_WITHOUT_BODY = _LINKS | {tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE}
_PAX = {tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE}
_GNU_NAMES = {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
_EXTENDED = _PAX | _GNU_NAMES | {tarfile.XGLTYPE}
_SPARSE = "GNU.sparse"
_DECIDING = {"path", "size", _SPARSE}
_NUMBER_FIELDS = ((100, 108), (108, 116), (116, 124), (124, 136), (136, 148), (148, 156), (329, 337), (337, 345))
"""Where a header has mode, user, group, size, time, checksum and the numbers of a device (POSIX.1-2008, pax)."""

_OCTAL = re.compile(rb" *[0-7]*[ \0]*")
"""Programs differ in what else they take for a number: Python reads ``1_0`` as 8."""

_BINARY = (0x80, 0xFF)
"""The first byte of a number in base 256, as GNU tar writes large ones."""

_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{0,20})?", re.ASCII)
_NUMBERS = {"uid": OWNER_LIMIT, "gid": OWNER_LIMIT, "mtime": TIME_LIMIT, "atime": TIME_LIMIT, "ctime": TIME_LIMIT}


class _Body:
    """The content of one member."""

    def __init__(self, stream: Unpacked, size: int) -> None:
        self._stream = stream
        self._left = size

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; raises `DamageError` when the archive ends before the member does."""
        wanted = min(size, self._left)
        data = self._stream.read(wanted)
        if len(data) < wanted:
            fail("truncated", f"expected {self._left:,} more bytes of a member, found {len(data):,}")
        self._left -= wanted
        return data

    def skip(self) -> None:
        """Pass over what is left."""
        while self._left:
            self.read(CHUNK)


def members(path: Path, *, limits: Limits = LIMITS) -> Iterator[Member]:
    """The members of a tar.gz in their order, each to be read before the next is asked for.

    Formats: POSIX ustar and pax, GNU with long names, old V7. Raises `DamageError` where the archive cannot be read on.
    """
    try:
        if not path.is_file():  # a fifo would block
            if path.is_dir():
                fail("unreadable", "expected a file, found a folder", "name the model.tar.gz in it")
            found = "something that is no regular file, such as a pipe" if path.exists() else "nothing there"
            fail("unreadable", f"expected a file, found {found}", "check the path")
        with path.open("rb") as raw:
            yield from _walk(Unpacked(raw, path.stat().st_size, limits), limits)
    except OSError as error:
        fail("unreadable", f"expected to open the file, found: {error.strerror}", "check the path and its permissions")


def _walk(stream: Unpacked, limits: Limits) -> Iterator[Member]:
    extended: dict[str, str] = {}
    pending = False
    for number in count(1):
        info = _header(stream)
        if info is None:
            if pending:
                fail("damaged", "expected a member after an extended header, found the end of the archive")
            break
        if number > limits.headers:
            found = f"expected at most {limits.headers:,} headers, found more"
            fail("too-many-members", found, "pack only what the model needs")
        if info.type in _EXTENDED:
            extended |= _extended(info, stream)
            pending |= info.type != tarfile.XGLTYPE
            continue
        length = _length(info, extended)
        stream.allow(length)
        body = _Body(stream, length)
        kind = _kind(info, extended)
        yield Member(_name(info, extended, kind), kind, length, body)
        body.skip()
        stream.read(-length % BLOCK)
        extended, pending = {}, False
    _finish(stream)


def _header(stream: Unpacked) -> tarfile.TarInfo | None:
    """The next header, or None at the first of the two zero blocks that end an archive."""
    block = stream.read(BLOCK)
    if len(block) < BLOCK:
        fail("truncated", f"expected a tar header of {BLOCK} bytes, found {len(block)} bytes and the end")
    if not any(block):
        return None
    for start, end in _NUMBER_FIELDS:
        if block[start] not in _BINARY and not _OCTAL.fullmatch(block, start, end):
            fail("damaged", f"expected a number in octal digits in a tar header, found {block[start:end]!r}")
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError, ArithmeticError) as error:
        fail("damaged", f"expected a tar header, found: {error}")
    if info.size < 0:
        fail("damaged", f"expected a size of 0 or more in a tar header, found {info.size}")
    for what, value, most in (
        ("user", info.uid, OWNER_LIMIT),
        ("group", info.gid, OWNER_LIMIT),
        ("time", info.mtime, TIME_LIMIT),
    ):
        least = -most if what == "time" else 0
        if not least <= value <= most:
            fail("damaged", f"expected a {what} from {least:,} to {most:,} in a tar header, found {value}")
    return info


def _name(info: tarfile.TarInfo, extended: dict[str, str], kind: Kind) -> str:
    name = extended.get("path", info.name)
    if kind is not Kind.FILE:
        name = name.rstrip("/")
    if len(name) > NAME_LIMIT:
        fail("damaged", f"expected names of at most {NAME_LIMIT:,} letters, found one of {len(name):,}")
    return name


def _length(info: tarfile.TarInfo, extended: dict[str, str]) -> int:
    """Bytes of content that follow the header: the same rule as ``TarInfo._proc_builtin``."""
    if info.type in _WITHOUT_BODY:
        return 0
    size = extended.get("size", str(info.size))
    if not (size.isascii() and size.isdecimal() and len(size) < len(str(1 << 64))):
        fail("damaged", f"expected a size of 0 or more in an extended header, found {size!r:.40}")
    return int(size)


def _kind(info: tarfile.TarInfo, extended: dict[str, str]) -> Kind:
    if info.type == tarfile.DIRTYPE:
        return Kind.FOLDER
    if info.type in _LINKS:
        return Kind.LINK
    return Kind.FILE if info.type in _PLAIN and _SPARSE not in extended else Kind.SPECIAL


def _extended(info: tarfile.TarInfo, stream: Unpacked) -> dict[str, str]:
    """What a header says of the next member, as far as it decides anything here."""
    if info.size > EXTENDED_LIMIT:
        fail("damaged", f"expected an extended header of at most {EXTENDED_LIMIT:,} bytes, found {info.size:,}")
    body = _Body(stream, info.size)
    content = body.read(info.size)
    stream.read(-info.size % BLOCK)
    if info.type in _GNU_NAMES:
        name = content.split(b"\0")[0].decode("utf-8", "surrogateescape")
        return {"path": name} if info.type == tarfile.GNUTYPE_LONGNAME else {}
    records = {_SPARSE if key.startswith(_SPARSE) else key: value for key, value in _records(content).items()}
    for key in records.keys() & _NUMBERS.keys():
        if not (_NUMBER.fullmatch(records[key]) and abs(float(records[key])) <= _NUMBERS[key]):
            fail("damaged", f"expected a number up to {_NUMBERS[key]:,} as {key}, found {records[key]!r:.40}")
    decisive = {key: value for key, value in records.items() if key in _DECIDING}
    if info.type == tarfile.XGLTYPE and decisive:
        fail("damaged", f"expected a global header without names and sizes, found one with {', '.join(decisive)}")
    return decisive


def _records(content: bytes) -> dict[str, str]:
    """Pax records, ``LENGTH KEY=VALUE`` and a line feed each (POSIX.1-2008, pax, "pax Extended Header")."""
    records = {}
    while content:
        digits, space, _ = content.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) <= len(str(EXTENDED_LIMIT)) else 0
        key, equals, value = content[len(digits) + 1 : length].partition(b"=")
        if not (space and equals and value.endswith(b"\n") and length <= len(content)):
            fail("damaged", f"expected records of a length, a key and a value in a pax header, found {content!r:.40}")
        records[key.decode("utf-8", "surrogateescape")] = value[:-1].decode("utf-8", "surrogateescape")
        content = content[length:]
    return records


def _finish(stream: Unpacked) -> None:
    """Read to the end: the second zero block, padding, and the checksum of the gzip stream."""
    stream.complete = True
    if len(stream.read(BLOCK - 1)) < BLOCK - 1:
        fail("truncated", "expected two zero blocks at the end of the tar, found one", complete=True)
    while data := stream.read(CHUNK):
        if any(data):
            fail("trailing-data", "expected zeros after the end of the tar, found more data", complete=True)
