"""Which libraries a shared object needs: what the loader reads of it, without loading it.

Layouts are those of the ELF-64 object file format, version 1.5, and of ``elf.h``.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_IDENTITY = b"\x7fELF\x02\x01"  # 64 bits, little-endian: every Linux that MXNet has wheels for
_PROGRAM_HEADERS = struct.Struct("<32xQ14xHH")  # Elf64_Ehdr: e_phoff, e_phentsize, e_phnum
_PROGRAM_HEADER = struct.Struct("<I4xQQ8xQ16x")  # Elf64_Phdr: p_type, p_offset, p_vaddr, p_filesz
_DYNAMIC_ENTRY = struct.Struct("<qQ")  # Elf64_Dyn: d_tag, d_un
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NULL, _DT_NEEDED, _DT_STRTAB = 0, 1, 5


@dataclass(frozen=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


def needed(library: Path) -> tuple[str, ...]:
    """The names in a library's ``DT_NEEDED`` entries, in the loader's order.

    Only the pages that hold them are read. A file that is no such library needs nothing: whoever loads it hears from
    the loader what is wrong with it.

    Raises:
        OSError: the file cannot be read.
    """
    with library.open("rb") as file:
        try:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image:
                return tuple(_needed(image)) if image[: len(_IDENTITY)] == _IDENTITY else ()
        except (ValueError, OverflowError, struct.error):  # an empty file, a truncated one, one that is something else
            return ()


def _needed(image: mmap.mmap) -> Iterator[str]:
    segments = list(_segments(image))
    entries = [entry for segment in segments if segment.kind == _PT_DYNAMIC for entry in _dynamic(image, segment)]
    for address in (value for tag, value in entries if tag == _DT_STRTAB):
        strings = _file_offset(segments, address)
        for start in (strings + value for tag, value in entries if tag == _DT_NEEDED):
            yield _string(image, start)


def _segments(image: mmap.mmap) -> Iterator[_Segment]:
    start, size, count = _PROGRAM_HEADERS.unpack_from(image)
    for index in range(count):
        yield _Segment(*_PROGRAM_HEADER.unpack_from(image, start + index * size))


def _dynamic(image: mmap.mmap, segment: _Segment) -> Iterator[tuple[int, int]]:
    for offset in range(segment.offset, segment.offset + segment.size, _DYNAMIC_ENTRY.size):
        tag, value = _DYNAMIC_ENTRY.unpack_from(image, offset)
        if tag == _DT_NULL:
            return
        yield tag, value


def _string(image: mmap.mmap, start: int) -> str:
    end = image.find(b"\0", start)
    if end < start:
        raise ValueError(f"expected a string that ends at {start:#x}, found none")
    return image[start:end].decode()


def _file_offset(segments: list[_Segment], address: int) -> int:
    """Where in the file lies what the loader maps to an address."""
    for segment in segments:
        if segment.kind == _PT_LOAD and segment.address <= address < segment.address + segment.size:
            return segment.offset + address - segment.address
    raise ValueError(f"expected address {address:#x} in a loaded segment, found none that holds it")
