"""IDX, the format of the MNIST files: read and written without trusting a header.

A file is two zero bytes, a byte for the element type, a byte for the number of dimensions, one big-endian uint32 per
dimension, then the elements in C order, big-endian. Source: the foot of http://yann.lecun.com/exdb/mnist/.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

ELEMENT_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""The header's third byte and the numpy type it stands for."""

_CODES = {np.dtype(numpy_type): code for code, numpy_type in ELEMENT_TYPES.items()}
_LARGEST_SIDE = 2**32 - 1
_MOST_DIMENSIONS = 32  # numpy 1.26 makes no array with more
_FETCH_AGAIN = "the file is damaged or no IDX file; fetch it again"


def read_idx(data: bytes) -> NDArray[Any]:
    """The array that an IDX file holds.

    Args:
        data: the whole file, uncompressed.

    Returns:
        An array of 1 to 32 dimensions in native byte order. Arrays of single bytes are a read-only view of ``data``;
        others are copies.

    Raises:
        DataError: bad magic, or fewer or more bytes than the header announces. The header is compared with the length
            before anything is allocated.
    """
    element, shape, start = _header(data)
    expected = start + math.prod(shape) * element.itemsize
    if len(data) != expected:
        amount = "truncated" if len(data) < expected else "too long"
        raise DataError(
            f"IDX data is {amount}: the header says shape {shape} of {element.name}, so {expected} bytes were "
            f"expected, found {len(data)}; {_FETCH_AGAIN}"
        )
    try:
        array = np.frombuffer(data, element, offset=start).reshape(shape)
    except ValueError as error:  # a side of 0 lets the others be larger than numpy can address
        raise DataError(f"IDX data of shape {shape}: numpy cannot hold it ({error}); {_FETCH_AGAIN}") from error
    return array.astype(element.newbyteorder("="), copy=False)


def write_idx(array: NDArray[Any]) -> bytes:
    """The IDX file that holds an array; `read_idx` gives the array back.

    Args:
        array: uint8, int8, int16, int32, float32 or float64, in any byte order, with 1 to 32 dimensions.

    Raises:
        DataError: IDX has no code for the array's type, or no room for its shape.
    """
    found: np.dtype[Any] = array.dtype
    code = _CODES.get(found.newbyteorder(">"))
    if code is None:
        known = ", ".join(element.name for element in _CODES)
        raise DataError(f"IDX: expected elements of type {known}, found {found.name}; convert with .astype()")
    if not 1 <= array.ndim <= _MOST_DIMENSIONS or max(array.shape) > _LARGEST_SIDE:
        raise DataError(
            f"IDX: expected 1 to {_MOST_DIMENSIONS} dimensions of at most {_LARGEST_SIDE} each, found shape "
            f"{array.shape}; reshape the array"
        )
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(found.newbyteorder(">"), copy=False).tobytes()


def _header(data: bytes) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Element type, shape, and the offset of the first element."""
    magic = data[:4]
    plausible = len(magic) == 4 and magic[:2] == b"\0\0" and magic[2] in ELEMENT_TYPES  # noqa: PLR2004 - the magic's length
    if not plausible or not 1 <= magic[3] <= _MOST_DIMENSIONS:
        codes = ", ".join(f"{code:02x}" for code in ELEMENT_TYPES)
        raise DataError(
            f"IDX data: expected a magic number of 00 00, a type ({codes}) and 01 to {_MOST_DIMENSIONS:02x} "
            f"dimensions, found {magic.hex(' ') or 'no bytes'}; {_FETCH_AGAIN} "
            f"(a .gz file begins 1f 8b: unpack it first)"
        )
    start = 4 + 4 * magic[3]
    if len(data) < start:
        raise DataError(
            f"IDX data is truncated: expected a header of {start} bytes for {magic[3]} dimensions, found {len(data)} "
            f"bytes; {_FETCH_AGAIN}"
        )
    return np.dtype(ELEMENT_TYPES[magic[2]]), struct.unpack_from(f">{magic[3]}I", data, 4), start
