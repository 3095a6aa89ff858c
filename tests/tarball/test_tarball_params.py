"""The reader of MXNet's parameter container, on files written by hand."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import tarball_parts as parts
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.tarball.params import Stored, read_parameters, some

VALID = parts.parameters(parts.arrays())


def read(content: bytes) -> dict[str, Stored]:
    """What a valid container holds."""
    stored, problems = read_parameters(io.BytesIO(content), len(content))
    assert problems == []
    assert stored is not None
    return stored


def fault(content: bytes) -> str:
    """What is wrong with a container."""
    stored, (problem,) = read_parameters(io.BytesIO(content), len(content))
    assert stored is None
    assert problem.code == "params-format"
    assert str(problem).isprintable()
    return problem.found


def one(blob: bytes) -> bytes:
    """A container of one array."""
    return parts.container([blob], ["arg:a"])


def dense(*, magic: int = 0xF993FAC9, storage: int = 0, shape: tuple[int, ...] = (1,), flag: int = 0) -> bytes:
    """An array of four zero bytes with the given header."""
    return struct.pack("<Ii", magic, storage) + parts.shape_bytes(shape) + struct.pack("<iii", 1, 0, flag) + bytes(4)


def test_reads_names_shapes_and_types() -> None:
    """Every array comes back under its full name."""
    assert read(VALID)["arg:fc_weight"] == Stored((3, 5), "float32", 0)
    assert list(read(VALID)) == list(parts.arrays())


@pytest.mark.parametrize("dtype", parts.DTYPES)
def test_reads_every_type(dtype: str) -> None:
    """Each of MXNet's types has its own width."""
    array = np.arange(6).astype(dtype).reshape(2, 3)
    assert read(parts.parameters({"arg:a": array, "aux:b": array})) == {
        "arg:a": Stored((2, 3), dtype, 0),
        "aux:b": Stored((2, 3), dtype, 0),
    }


def test_reads_bfloat16() -> None:
    """NumPy has no such type, so its bits are looked at."""
    head = struct.pack("<Ii", 0xF993FAC9, 0) + parts.shape_bytes((3,)) + struct.pack("<iii", 1, 0, 12)
    assert read(one(head + struct.pack("<HHH", 0x3F80, 0x7F80, 0xFFC0))) == {"arg:a": Stored((3,), "bfloat16", 1, 1)}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_counts_values_that_are_not_finite(dtype: str) -> None:
    """Both infinities count, and NaN by itself; the largest and the smallest finite numbers do not."""
    limits = np.finfo(dtype)
    values = [np.nan, -np.nan, np.inf, -np.inf, limits.max, limits.min, limits.smallest_subnormal, 0.0]
    found = read(parts.parameters({"arg:a": np.array(values, dtype)}))["arg:a"]
    assert (found.infinite, found.nan) == (2, 2)


def test_finds_a_lone_nan_in_a_large_array() -> None:
    """Arrays are read in pieces; none is left out."""
    array = np.zeros(700_001, np.float32)
    array[-1] = np.nan
    assert read(parts.parameters({"arg:a": array}))["arg:a"].nan == 1


def test_reads_older_arrays() -> None:
    """Version 1 has no storage type; before it the place of the magic number held the number of dimensions."""
    tail = struct.pack("<iii", 1, 0, 0) + bytes(24)
    version_1 = struct.pack("<I", 0xF993FAC8) + parts.shape_bytes((2, 3)) + tail
    oldest = struct.pack("<III", 2, 2, 3) + tail
    assert read(one(version_1)) == read(one(oldest)) == {"arg:a": Stored((2, 3), "float32", 0)}


def test_reads_arrays_without_values() -> None:
    """An array that was never filled ends after its shape."""
    blob = struct.pack("<Ii", 0xF993FAC9, 0) + parts.shape_bytes(())
    stored = read(parts.container([blob, parts.array_bytes(np.ones(2, np.float32))], ["arg:a", "arg:b"]))
    assert [array.size for array in stored.values()] == [0, 2]


def test_an_array_from_a_gpu_reads_the_same() -> None:
    """The device that an array was on does not matter."""
    blob = parts.array_bytes(np.ones(2, np.float32)).replace(struct.pack("<ii", 1, 0), struct.pack("<ii", 2, 3), 1)
    assert read(one(blob)) == {"arg:a": Stored((2,), "float32", 0)}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "expected 8 bytes of the file's magic number, found 0 until the end of the file"),
        (b"PK\3\4" + bytes(20), "expected MXNet's magic number 0x112 at the start, found 0x4034b50"),
        (VALID[:12], "expected 8 bytes of the reserved field, found 4 until the end of the file"),
        (VALID[:72], "expected 15 values of float32 in array 0, found 8 bytes until the end of the file"),
        (VALID[:-1], "expected 17 bytes of name 5, found 16 until the end of the file"),
        (VALID + b"\0", "expected the file to end after the names, found 1 more bytes"),
        (struct.pack("<QQQ", 0x112, 0, 2**63), "expected at most 100,000 arrays, found 9,223,372,036,854,775,808"),
        (parts.container([], []) + b"x", "expected the file to end after the names, found 1 more bytes"),
        (parts.container([dense()], []), "expected a name for each of 1 arrays, found 0 names"),
        (parts.container([dense()], ["weight"]), "expected names that start with arg: or aux:, found 'weight'"),
        (parts.container([dense()], ["opt:a"]), "expected names that start with arg: or aux:, found 'opt:a'"),
        (parts.container([dense()] * 2, ["arg:a"] * 2), "expected each name once, found more of 'arg:a'"),
        (one(dense())[:-5] + b"\xff" * 5, r"expected name 0 in UTF-8, found b'\xff\xff\xff\xff\xff'"),
        (one(dense(magic=0xF993FACA)), "expected array 0 saved with NumPy shapes off, as the container reads it so"),
        (one(dense(storage=3)), "expected storage type 0, 1 or 2 in array 0, found 3"),
        (one(dense(magic=77)), "expected 0 to 32 dimensions in array 0, found 77"),
        (one(dense(shape=(1,) * 33)), "expected 0 to 32 dimensions in array 0, found 33"),
        (one(dense(shape=(-1,))), "expected no negative dimension in array 0, found (-1,)"),
        (one(dense(shape=(2**62,) * 32)), "expected "),
        (one(dense(flag=8)), "expected one of the type numbers [0, 1, 2, 3, 4, 5, 6, 7, 12] in array 0, found 8"),
    ],
)
def test_refuses_a_broken_container(content: bytes, expected: str) -> None:
    """Each fault is described with what was expected there and what was found."""
    assert fault(content).startswith(expected)


def test_refuses_a_name_of_any_length() -> None:
    """A length is not believed before it is read."""
    content = one(dense())[:-13] + struct.pack("<Q", 1 << 40)
    assert fault(content) == "expected name 0 to have at most 4,096 bytes, found 1,099,511,627,776"


def test_a_long_list_is_cut() -> None:
    """Five names stand for any number of them."""
    assert some(["b", "a"]) == "'a', 'b'"
    assert some(map(str, range(9))) == "'0', '1', '2', '3', '4' and 4 more"


@settings(deadline=None)
@given(st.binary() | st.binary().map(lambda tail: VALID[:24] + tail))
def test_any_bytes_give_a_verdict(content: bytes) -> None:
    """Junk never raises."""
    stored, problems = read_parameters(io.BytesIO(content), len(content))
    assert (stored is None) == bool(problems)


@settings(deadline=None, max_examples=300)
@given(st.integers(0, len(VALID) - 1), st.integers(1, 255))
def test_any_flipped_byte_gives_a_verdict(place: int, bits: int) -> None:
    """A byte changed anywhere never raises."""
    content = bytearray(VALID)
    content[place] ^= bits
    stored, problems = read_parameters(io.BytesIO(content), len(content))
    assert (stored is None) == bool(problems)


@given(st.integers(0, len(VALID) - 1))
def test_any_cut_is_refused(length: int) -> None:
    """No beginning of a container passes for a whole one."""
    fault(VALID[:length])
