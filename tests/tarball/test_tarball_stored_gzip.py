"""The gzip files that are stored, not compressed: read by others as any gzip file, and the same on every machine."""

from __future__ import annotations

import gzip
import io
import itertools
import shutil
import subprocess
import zlib
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.tarball.stored_gzip import BLOCK, StoredGzip

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

EDGES = [size + more for size in (0, BLOCK, 2 * BLOCK, 3 * BLOCK) for more in (-2, -1, 0, 1, 2) if size + more >= 0]
SIZES = st.sampled_from(EDGES) | st.integers(0, 4 * BLOCK)
GZIP = shutil.which("gzip")
needs_gzip = pytest.mark.skipif(GZIP is None, reason="needs the program gzip")


def content_of(size: int) -> bytes:
    """Bytes that do not repeat at any power of two, nor at the length of a block."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def stored(pieces: Iterable[bytes]) -> bytes:
    """The gzip file to which these pieces were written one after the other."""
    file = io.BytesIO()
    with StoredGzip(file) as packed:
        for piece in pieces:
            assert packed.write(piece) == len(piece)
    return file.getvalue()


def cut(content: bytes, places: Iterable[int]) -> list[bytes]:
    """The content in pieces, some of them empty."""
    edges = [0, *sorted(place % (len(content) + 1) for place in places), len(content)]
    return [content[start:end] for start, end in itertools.pairwise(edges)]


def test_writes_these_very_bytes() -> None:
    """Header without a time, a name and a system; one last block with its length twice; CRC-32 and size."""
    assert stored([b"abc"]) == (
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x01\x03\x00\xfc\xffabc\xc2\x41\x24\x35\x03\x00\x00\x00"
    )


def test_writes_an_empty_file() -> None:
    """No content is a block of none."""
    assert stored([]) == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x01\x00\x00\xff\xff" + bytes(8)
    assert gzip.decompress(stored([])) == b""


@settings(deadline=None)
@given(SIZES, st.lists(st.integers(0, 4 * BLOCK), max_size=6))
def test_any_pieces_come_back(size: int, places: list[int]) -> None:
    """Python reads what was written, and how it was cut into pieces leaves no trace."""
    content = content_of(size)
    packed = stored(cut(content, places))
    assert gzip.decompress(packed) == content
    assert packed == stored([content])


@given(st.binary())
def test_any_content_comes_back(content: bytes) -> None:
    """Whatever the bytes, one at a time too."""
    assert gzip.decompress(stored(bytes([byte]) for byte in content)) == content


@pytest.mark.parametrize("size", EDGES)
def test_costs_five_bytes_a_block(size: int) -> None:
    """Nothing but the heads of full blocks and of a last one is added to the content, the header and the checksum."""
    assert len(stored([content_of(size)])) == 10 + size + 5 * (size // BLOCK + 1) + 8


@needs_gzip
def test_the_gzip_program_reads_it(tmp_path: Path) -> None:
    """The program tests and unpacks files that end at, before and after the end of a block."""
    for size in EDGES:
        path = tmp_path / f"{size}.gz"
        path.write_bytes(stored([content_of(size)]))
    files = sorted(tmp_path.iterdir())
    subprocess.run([str(GZIP), "--test", *files], check=True)
    done = subprocess.run([str(GZIP), "--stdout", "--decompress", *files], capture_output=True, check=True)
    assert done.stdout == b"".join(content_of(int(path.stem)) for path in files)


def test_takes_all_that_holds_bytes() -> None:
    """Arrays are written as they lie in memory, and counted in bytes."""
    file = io.BytesIO()
    with StoredGzip(file) as packed:
        assert packed.write(np.ones((2, 3), np.float32)) == 24
        assert packed.write(bytearray(b"ab")) == 2
        assert packed.write(memoryview(b"")) == 0
        assert packed.tell() == 26
    assert gzip.decompress(file.getvalue()) == np.ones(6, np.float32).tobytes() + b"ab"


def test_a_buffer_may_change_once_it_is_written() -> None:
    """A caller that fills one buffer again and again gets the content of each time."""
    file, buffer = io.BytesIO(), bytearray(b"one")
    with StoredGzip(file) as packed:
        packed.write(buffer)
        buffer[:] = b"two!"
        packed.write(buffer)
    assert gzip.decompress(file.getvalue()) == b"onetwo!"


def broken_off(size: int) -> bytes:
    """What is left of a gzip file when its writer fails after so much content."""
    file = io.BytesIO()

    def fail() -> NoReturn:
        with StoredGzip(file) as packed:
            packed.write(content_of(size))
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail()
    return file.getvalue()


@pytest.mark.parametrize("size", [0, 3, BLOCK - 1, BLOCK, 2 * BLOCK + 1])
def test_an_error_leaves_a_file_that_is_seen_to_be_broken(size: int) -> None:
    """What was being written when something failed does not pass for whole, and the error is the caller's."""
    with pytest.raises(EOFError, match="ended before the end-of-stream marker"):
        gzip.decompress(broken_off(size))


@needs_gzip
def test_the_gzip_program_sees_it_too(tmp_path: Path) -> None:
    """A file that an error cut off fails the program's test."""
    path = tmp_path / "cut.gz"
    path.write_bytes(broken_off(BLOCK + 1))
    done = subprocess.run([str(GZIP), "--test", path], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "unexpected end of file" in done.stderr


def test_compresses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No compressor is asked, which could be of any release and kind; Python's own gzip does ask one."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a compressor was called")

    before = stored([content_of(2 * BLOCK)])
    monkeypatch.setattr(zlib, "compressobj", refuse)
    monkeypatch.setattr(zlib, "compress", refuse)
    with pytest.raises(AssertionError, match="a compressor was called"):
        gzip.compress(b"abc", mtime=0)
    with pytest.raises(AssertionError, match="a compressor was called"):
        gzip.GzipFile(fileobj=io.BytesIO(), mode="wb")
    assert stored([content_of(2 * BLOCK)]) == before
