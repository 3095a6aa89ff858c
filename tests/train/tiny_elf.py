"""Shared objects of a few hundred bytes: enough for whoever reads what they need, not for the loader."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ADDRESS = 0x10000
"""Where the file's first byte would be mapped: what an address is and what an offset is must not be confused."""


def tiny_elf(needed: Sequence[str]) -> bytes:
    """A 64-bit shared object with one ``DT_NEEDED`` entry for each name."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in needed)
    offsets = [1 + sum(len(name.encode()) + 1 for name in needed[:index]) for index in range(len(needed))]
    dynamic_at = 64 + 3 * 56
    strings_at = dynamic_at + 16 * (len(needed) + 3)
    # The last entry does not count: what follows DT_NULL is what tools that rewrite files have left over.
    entries = [*((1, offset) for offset in offsets), (5, ADDRESS + strings_at), (0, 0), (1, 0)]
    dynamic = b"".join(struct.pack("<qQ", *entry) for entry in entries)
    size = strings_at + len(strings)
    header = struct.pack("<4sBBB9xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 3, 62, 1, 0, 64, 0, 0, 64, 56, 3, 0, 0, 0)
    # Of type PT_NULL: its other fields mean nothing, though they look as if they did.
    unused = struct.pack("<IIQQQQQQ", 0, 4, 8, ADDRESS, ADDRESS, size, size, 1)
    load = struct.pack("<IIQQQQQQ", 1, 4, 0, ADDRESS, ADDRESS, size, size, 4096)
    where = struct.pack(
        "<IIQQQQQQ", 2, 4, dynamic_at, ADDRESS + dynamic_at, ADDRESS + dynamic_at, len(dynamic), len(dynamic), 8
    )
    return header + unused + load + where + dynamic + strings


def write_tiny_elf(path: Path, *needed: str) -> Path:
    """Write one, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tiny_elf(needed))
    return path
