"""MXNet's parameter container as records, any field of which may be wrong: read from a valid file, written as it is."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import tarball_parts as parts

V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
NAMES = {number: name for name, number in parts.DTYPES.items()}
SIZES = {0: 4, 1: 8, 2: 2, 3: 1, 4: 4, 5: 1, 6: 8, 7: 1, 12: 2}
"""Bytes of a value by type flag."""


@dataclass
class Record:
    """One array as it is stored, every field free to be wrong.

    Attributes:
        name: with its prefix.
        shape: dimensions, as many as `dimensions` says or not.
        flag: type of the values.
        data: what follows, values and all.
        extra: what stands between storage type and shape, and between type and values.
    """

    name: bytes
    shape: tuple[int, ...]
    flag: int
    data: bytes
    magic: int = V2
    storage: int = 0
    context: tuple[int, int] = (1, 0)
    dimensions: int | None = None
    extra: tuple[bytes, bytes] = (b"", b"")

    def bytes(self) -> bytes:
        """As MXNet writes it."""
        count = len(self.shape) if self.dimensions is None else self.dimensions
        head = struct.pack("<II", self.magic, self.storage & 0xFFFFFFFF) + self.extra[0]
        if self.magic == V1:
            head = head[:4]
        shape = struct.pack(f"<i{len(self.shape)}q", count, *self.shape)
        return head + shape + struct.pack("<iii", *self.context, self.flag) + self.extra[1] + self.data

    @property
    def values(self) -> np.ndarray[Any, Any]:
        """The array of a valid record, free to be changed."""
        return np.frombuffer(self.data, NAMES[self.flag]).reshape(self.shape).copy()

    def hold(self, array: np.ndarray[Any, Any]) -> None:
        """Have these values, in their type and shape."""
        self.shape, self.flag, self.data = array.shape, parts.DTYPES[array.dtype.name], array.tobytes()


def read(content: bytes) -> list[Record]:
    """The records of a valid file with dense arrays."""
    (count,), at, records = struct.unpack_from("<Q", content, 16), 24, []
    for _ in range(count):
        (dimensions,) = struct.unpack_from("<i", content, at + 8)
        shape = struct.unpack_from(f"<{dimensions}q", content, at + 12)
        at += 12 + 8 * dimensions
        (flag,) = struct.unpack_from("<i", content, at + 8)
        size = math.prod(shape) * SIZES[flag]
        records.append(Record(b"", shape, flag, content[at + 12 : at + 12 + size]))
        at += 12 + size
    at += 8
    for record in records:
        (length,) = struct.unpack_from("<Q", content, at)
        record.name = content[at + 8 : at + 8 + length]
        at += 8 + length
    return records


def written(records: list[Record], *, arrays: int | None = None, names: int | None = None, magic: int = 0x112) -> bytes:
    """The file of these records, with the counts they have or others."""
    count = len(records) if arrays is None else arrays
    labels = b"".join(struct.pack("<Q", len(record.name)) + record.name for record in records)
    body = b"".join(record.bytes() for record in records)
    return (
        struct.pack("<QQQ", magic, 0, count)
        + body
        + struct.pack("<Q", len(records) if names is None else names)
        + labels
    )
