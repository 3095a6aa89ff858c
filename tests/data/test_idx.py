"""IDX files: what is written is read back, and nothing but a DataError comes out of hostile bytes."""

from __future__ import annotations

import contextlib
import math
import re
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.idx import ELEMENT_TYPES, read_idx, write_idx
from harness.errors import DataError


@st.composite
def idx_arrays(draw: st.DrawFn) -> np.ndarray:
    """Small arrays of every type that IDX knows, in either byte order, sides of 0 included."""
    element = np.dtype(draw(st.sampled_from(list(ELEMENT_TYPES.values())))).newbyteorder(draw(st.sampled_from("<>")))
    shape = draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    size = math.prod(shape) * element.itemsize
    return np.frombuffer(draw(st.binary(min_size=size, max_size=size)), element).reshape(shape)


@given(idx_arrays())
def test_round_trip(array: np.ndarray) -> None:
    """Any array that IDX can hold comes back with its shape, its type in native order, and its bits."""
    back = read_idx(write_idx(array))
    assert (back.shape, back.dtype) == (array.shape, array.dtype.newbyteorder("="))
    assert back.astype(array.dtype).tobytes() == array.tobytes()


@given(st.binary(max_size=64))
def test_random_bytes_raise_nothing_but_data_errors(data: bytes) -> None:
    """Bytes that are no IDX file at all are refused in our own words."""
    with contextlib.suppress(DataError):
        read_idx(data)


@given(
    st.sampled_from(list(ELEMENT_TYPES)),
    st.lists(st.one_of(st.integers(0, 3), st.integers(0, 2**32 - 1)), max_size=40),
    st.binary(max_size=40),
)
def test_hostile_headers_raise_nothing_but_data_errors(code: int, shape: list[int], body: bytes) -> None:
    """A plausible header before a body that does not fit it is refused, or the body fits it exactly."""
    with contextlib.suppress(DataError):
        array = read_idx(struct.pack(f">HBB{len(shape)}I", 0, code, len(shape), *shape) + body)
        assert list(array.shape) == shape
        assert array.nbytes == len(body)


def test_bytes_of_the_format() -> None:
    """The layout is that of the MNIST files: magic 00000803, three big-endian sides, then the pixels."""
    assert write_idx(np.array([[[1, 2]], [[3, 4]]], np.uint8)).hex() == "0000080300000002000000010000000201020304"
    assert write_idx(np.array([7, 8], np.uint8)).hex() == "00000801000000020708"


def test_bytes_are_not_copied() -> None:
    """Reading 47 MB of images makes a view, not a second 47 MB."""
    data = write_idx(np.arange(6, dtype=np.uint8))
    assert np.shares_memory(read_idx(data), np.frombuffer(data, np.uint8))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            b"",
            "expected a magic number of 00 00, a type (08, 09, 0b, 0c, 0d, 0e) and 01 to 20 dimensions, found no bytes",
        ),
        (
            b"\x1f\x8b\x08\x00rest",
            "found 1f 8b 08 00; the file is damaged or no IDX file; fetch it again (a .gz file begins",
        ),
        (b"\0\0\x0a\x01\0\0\0\0", "found 00 00 0a 01;"),
        (b"\0\0\x08\x00", "found 00 00 08 00;"),
        (b"\0\0\x08\x21", "found 00 00 08 21;"),
        (b"\0\0\x08", "found 00 00 08;"),
        (
            b"\0\0\x08\x03\0\0\0\2",
            "IDX data is truncated: expected a header of 16 bytes for 3 dimensions, found 8 bytes",
        ),
        (
            b"\0\0\x08\x01\0\0\0\3ab",
            "truncated: the header says shape (3,) of uint8, so 11 bytes were expected, found 10",
        ),
        (
            b"\0\0\x08\x01\0\0\0\3abcd",
            "too long: the header says shape (3,) of uint8, so 11 bytes were expected, found 12",
        ),
    ],
)
def test_refusals_say_what_was_expected_and_found(data: bytes, words: str) -> None:
    """Bad magic, truncated and oversize files are told apart, with figures, and each message says what to do."""
    with pytest.raises(DataError, match=re.escape(words)) as caught:
        read_idx(data)
    assert "fetch it again" in str(caught.value)


@pytest.mark.parametrize("shape", [(2**32 - 1,) * 3, (0, *(2**32 - 1,) * 3)])
def test_huge_announcements_allocate_nothing(shape: tuple[int, ...]) -> None:
    """A header that announces more than any memory holds is refused by arithmetic, also where a side of 0 hides it."""
    with pytest.raises(DataError, match="IDX data"):
        read_idx(struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros(2, np.uint16), "expected elements of type uint8, int8, int16, int32, float32, float64, found uint16"),
        (np.zeros(2, bool), "found bool; convert with .astype()"),
        (np.zeros((), np.uint8), "expected 1 to 32 dimensions of at most 4294967295 each, found shape (); reshape"),
        (np.broadcast_to(np.uint8(0), (2**32,)), "found shape (4294967296,)"),
    ],
)
def test_arrays_without_an_idx_form_are_refused(array: np.ndarray, words: str) -> None:
    """What the format cannot say is refused when written, not when somebody reads it."""
    with pytest.raises(DataError, match=re.escape(words)):
        write_idx(array)
