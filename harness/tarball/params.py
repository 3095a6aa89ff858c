"""Reads MXNet's parameter container, bounded and without MXNet: names, shapes, types, whether values are finite.

The format is that of ``NDArray::Save`` and ``Load`` in ``src/ndarray/ndarray.cc`` (MXNet 1.9.1), little endian::

    uint64 0x112, uint64 reserved, uint64 count, count arrays, uint64 count, count names (uint64 length, bytes)
    array: uint32 0xF993FAC9, int32 storage, [storage shape], shape, context, int32 type, [index types, shapes], values
    shape: int32 dimensions, int64 each
    context: int32 device type, int32 device number
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.artifact import PARAMETERS, Problem, Shape
from harness.tarball.unpacked import CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.tarball.member import Readable

LIST_MAGIC = 0x112
V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA

MAX_ARRAYS = 100_000
"""The largest published MXNet models hold about a thousand."""

MAX_DIMENSIONS = 32
"""NumPy's limit; MXNet's operators stop far below."""

MAX_VALUES = 2**31 - 1
"""MXNet's wheels are built with 32-bit tensor sizes."""

MAX_NAME = 4096

_SAVE = "write it with MXNet's save_checkpoint"
_SHOWN = 5


class Dtype(NamedTuple):
    """A ``type_flag`` of mshadow: its name, bytes a value, and for floats the exponent that means NaN or infinity."""

    name: str
    size: int
    exponent: int = 0


DTYPES = {
    0: Dtype("float32", 4, 0x7F80_0000),
    1: Dtype("float64", 8, 0x7FF0_0000_0000_0000),
    2: Dtype("float16", 2, 0x7C00),
    3: Dtype("uint8", 1),
    4: Dtype("int32", 4),
    5: Dtype("int8", 1),
    6: Dtype("int64", 8),
    7: Dtype("bool", 1),
    12: Dtype("bfloat16", 2, 0x7F80),
}

_AUXILIARY_ARRAYS = {0: 0, 1: 1, 2: 2}
"""Index arrays by storage type: dense, row-sparse, compressed rows."""


@dataclass(frozen=True)
class Stored:
    """One array of the container.

    Attributes:
        shape: () when the array was never given values.
        dtype: as NumPy calls it.
        infinite: how many values are infinite.
        nan: how many are no numbers.
        sparse: whether only some rows or values are stored.
    """

    shape: Shape
    dtype: str
    infinite: int
    nan: int = 0
    sparse: bool = False

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape) if self.shape else 0


class _FormatError(ValueError):
    """The container breaks its format; the text says where."""


class _Source:
    """The member's bytes with the count of those left, so that nothing is believed that cannot be there."""

    def __init__(self, body: Readable, size: int) -> None:
        self._body = body
        self.left = size

    def take(self, size: int, what: str) -> bytes:
        if size > self.left:
            raise _FormatError(f"expected {size:,} bytes of {what}, found {self.left:,} until the end of the file")
        self.left -= size
        return self._body.read(size)

    def number(self, code: str, what: str) -> int:
        (value,) = struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}"), what))
        return int(value)

    def shape(self, what: str, dimensions: int | None = None, code: str = "q") -> Shape:
        count = self.number("i", what) if dimensions is None else dimensions
        if not 0 <= count <= MAX_DIMENSIONS:
            raise _FormatError(f"expected 0 to {MAX_DIMENSIONS} dimensions in {what}, found {count:,}")
        shape = tuple(self.number(code, what) for _ in range(count))
        if any(size < 0 for size in shape):
            raise _FormatError(f"expected no negative dimension in {what}, found {shape}")
        return shape

    def dtype(self, what: str) -> Dtype:
        flag = self.number("i", what)
        if flag not in DTYPES:
            raise _FormatError(f"expected one of the type numbers {sorted(DTYPES)} in {what}, found {flag}")
        return DTYPES[flag]

    def values(self, count: int, dtype: Dtype, what: str) -> tuple[int, int]:
        """Pass over `count` values; gives how many of them are infinite, and how many NaN."""
        if count > MAX_VALUES:
            raise _FormatError(f"expected at most {MAX_VALUES:,} values in {what}, found {count:,}")
        if count * dtype.size > self.left:
            expected = f"{count:,} values of {dtype.name}"
            raise _FormatError(f"expected {expected} in {what}, found {self.left:,} bytes until the end of the file")
        infinite, nan, left = 0, 0, count * dtype.size
        while left:
            chunk = self.take(min(left, CHUNK), what)
            left -= len(chunk)
            if dtype.exponent:
                bits = np.frombuffer(chunk, dtype=f"<u{dtype.size}")
                magnitude = bits & bits.dtype.type((1 << (8 * dtype.size - 1)) - 1)
                infinite += int(np.count_nonzero(magnitude == dtype.exponent))
                nan += int(np.count_nonzero(magnitude > dtype.exponent))
        return infinite, nan


def read_parameters(body: Readable, size: int) -> tuple[dict[str, Stored] | None, list[Problem]]:
    """The arrays by their full name (``arg:NAME`` or ``aux:NAME``); None, and why, when MXNet could not load them."""
    source = _Source(body, size)
    try:
        return _read(source), []
    except _FormatError as error:
        return None, [Problem("params-format", PARAMETERS, str(error), _SAVE)]


def _read(source: _Source) -> dict[str, Stored]:
    magic = source.number("Q", "the file's magic number")
    if magic != LIST_MAGIC:
        raise _FormatError(f"expected MXNet's magic number {LIST_MAGIC:#x} at the start, found {magic:#x}")
    source.number("Q", "the reserved field")
    arrays = [_array(source, f"array {index}") for index in range(_count(source, "arrays"))]
    names = [_name(source, index) for index in range(_count(source, "names"))]
    if len(names) != len(arrays):
        raise _FormatError(f"expected a name for each of {len(arrays)} arrays, found {len(names)} names")
    if source.left:
        raise _FormatError(f"expected the file to end after the names, found {source.left:,} more bytes")
    if repeated := [name for name, times in Counter(names).items() if times > 1]:
        raise _FormatError(f"expected each name once, found more of {some(repeated)}")
    return dict(zip(names, arrays, strict=True))


def _count(source: _Source, what: str) -> int:
    count = source.number("Q", f"the number of {what}")
    if count > MAX_ARRAYS:
        raise _FormatError(f"expected at most {MAX_ARRAYS:,} {what}, found {count:,}")
    return count


def _name(source: _Source, index: int) -> str:
    length = source.number("Q", f"the length of name {index}")
    if length > MAX_NAME:
        raise _FormatError(f"expected name {index} to have at most {MAX_NAME:,} bytes, found {length:,}")
    content = source.take(length, f"name {index}")
    try:
        name = content.decode()
    except UnicodeDecodeError:
        raise _FormatError(f"expected name {index} in UTF-8, found {content!r:.60}") from None
    if not name.startswith(("arg:", "aux:")):
        # load_params in mxnet/model.py splits at the colon, and drops what is neither.
        raise _FormatError(f"expected names that start with arg: or aux:, found {name!r:.60}")
    return name


def _array(source: _Source, what: str) -> Stored:
    magic = source.number("I", what)
    if magic == V3:
        raise _FormatError(f"expected {what} saved with NumPy shapes off, as the container reads it so, found them on")
    storage, storage_shape = 0, None
    if magic == V2:
        storage = source.number("i", what)
        if storage not in _AUXILIARY_ARRAYS:
            raise _FormatError(f"expected storage type 0, 1 or 2 in {what}, found {storage}")
        storage_shape = source.shape(what) if storage else None
    # Before V1 there was no magic number: its place held the number of dimensions, of 32 bits each.
    shape = source.shape(what) if magic in {V1, V2} else source.shape(what, magic, "I")
    if not shape:
        return Stored((), "float32", 0)
    source.take(8, what)  # the device it was on; MXNet loads to the CPU when that one is absent
    dtype = source.dtype(what)
    indices = [(source.dtype(what), source.shape(what)) for _ in range(_AUXILIARY_ARRAYS[storage])]
    infinite, nan = source.values(math.prod(shape if storage_shape is None else storage_shape), dtype, what)
    for index_dtype, index_shape in indices:
        source.values(math.prod(index_shape), index_dtype, what)
    return Stored(shape, dtype.name, infinite, nan, sparse=bool(storage))


def some(names: Iterable[str]) -> str:
    """The first few of the names in quotes, and how many more there are."""
    return listed([f"{name!r:.60}" for name in sorted(names)])


def listed(texts: Sequence[str]) -> str:
    """The first few of the texts, and how many more there are."""
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more
