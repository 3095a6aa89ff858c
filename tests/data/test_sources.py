"""The chain of sources: order, verification, the cache in front, and what is said when nothing is left."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import re
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data import sources
from harness.data.cache import Cache
from harness.data.sources import Directory, fetch_verified, gunzip
from harness.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import FakeSource

GOOD, BAD = b"the right bytes", b"other bytes"
SHA256 = hashlib.sha256(GOOD).hexdigest()


def fetch(*chain: sources.Source, cache: Cache | None = None) -> bytes:
    """The file under test through a chain."""
    return fetch_verified("file", SHA256, chain, cache=cache, advice="Do this.")


def test_the_first_good_source_wins(fake_source: type[FakeSource]) -> None:
    """Sources are asked in order, past those without the file or with a wrong one, and no further than needed."""
    chain = [
        fake_source("empty"),
        fake_source("wrong", {"file": BAD}),
        fake_source("right", {"file": GOOD}),
        fake_source("spare", {"file": GOOD}),
    ]
    assert fetch(*chain) == GOOD
    assert [len(source.asked) for source in chain] == [1, 1, 1, 0]


def test_the_cache_answers_first_and_keeps_what_was_fetched(tmp_path: Path, fake_source: type[FakeSource]) -> None:
    """A file is fetched from its source once; the second time nobody but the cache is asked."""
    source, cache = fake_source("right", {"file": GOOD}), Cache(tmp_path)
    assert [fetch(source, cache=cache), fetch(source, cache=cache)] == [GOOD, GOOD]
    assert source.asked == ["file"]


@pytest.mark.parametrize("broken", [b"", GOOD[:-1], BAD], ids=["empty", "truncated", "other"])
def test_a_broken_cache_entry_heals(tmp_path: Path, fake_source: type[FakeSource], broken: bytes) -> None:
    """An entry with the wrong digest is replaced from the next source."""
    (tmp_path / "file").write_bytes(broken)
    assert fetch(fake_source("right", {"file": GOOD}), cache=Cache(tmp_path)) == GOOD
    assert (tmp_path / "file").read_bytes() == GOOD


def test_a_broken_cache_entry_is_discarded_when_nothing_heals_it(tmp_path: Path) -> None:
    """Without another source the broken entry is refused by name, and gone the next time."""
    (tmp_path / "file").write_bytes(BAD)
    with pytest.raises(DataError, match=f"cache {re.escape(str(tmp_path))}: has another file under this name"):
        fetch(cache=Cache(tmp_path))
    with pytest.raises(DataError, match="file is not there yet"):
        fetch(cache=Cache(tmp_path))


def test_wrong_bytes_never_reach_the_cache(tmp_path: Path, fake_source: type[FakeSource]) -> None:
    """What a source hands over is verified before it is kept."""
    with pytest.raises(DataError):
        fetch(fake_source("wrong", {"file": BAD}), cache=Cache(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_an_unusable_cache_does_not_fail_the_fetch(tmp_path: Path, fake_source: type[FakeSource]) -> None:
    """Where nothing can be kept, the file still comes from its source."""
    (tmp_path / "blocked").write_text("a file where the directory would be")
    assert fetch(fake_source("right", {"file": GOOD}), cache=Cache(tmp_path / "blocked")) == GOOD


def test_no_source_left_names_every_source_and_reason(tmp_path: Path, fake_source: type[FakeSource]) -> None:
    """The error lists each source with its own reason, the digests, and ends with what to do."""
    with pytest.raises(DataError) as caught:
        fetch(fake_source("shop"), fake_source("attic", {"file": BAD}), cache=Cache(tmp_path))
    assert str(caught.value) == (
        f"no source has file with SHA-256 {SHA256}:\n"
        f"  - cache {tmp_path}: file is not there yet\n"
        f"  - shop: is a fake without this file\n"
        f"  - attic: has another file under this name: expected SHA-256 {SHA256}, found "
        f"{hashlib.sha256(BAD).hexdigest()} (11 bytes)\n"
        f"Do this."
    )
    assert str(caught.value.__cause__).startswith("has another file")


@pytest.mark.parametrize("names", [["file"], ["file.gz"], ["file", "file.gz"]], ids=" and ".join)
def test_a_directory_holds_plain_or_packed_files(tmp_path: Path, names: list[str]) -> None:
    """A file is read plain or unpacked from .gz, and where there are both the plain one counts."""
    for name in names:
        packed = BAD if len(names) > 1 else GOOD
        (tmp_path / name).write_bytes(gzip.compress(packed) if name.endswith(".gz") else GOOD)
    assert Directory(tmp_path, "directory=").fetch("file") == GOOD


def test_a_directory_says_what_it_lacks(tmp_path: Path) -> None:
    """A missing file, a missing directory and one too large to be data are told apart."""
    with pytest.raises(DataError, match=r"^expected file or file\.gz, found neither$"):
        Directory(tmp_path, "directory=").fetch("file")
    with pytest.raises(DataError, match=r"^expected file or file\.gz, found no such directory$"):
        Directory(tmp_path / "nowhere", "directory=").fetch("file")
    with (tmp_path / "file").open("wb") as stream:
        stream.truncate(sources.SIZE_LIMIT + 1)  # sparse: it takes no room on the disk
    with pytest.raises(DataError, match=r"^file: expected at most 67108864 bytes, found more$"):
        Directory(tmp_path, "directory=").fetch("file")


def test_a_directory_translates_the_systems_errors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file that may not be read is a DataError with the system's reason."""
    (tmp_path / "file").write_bytes(GOOD)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(DataError, match=r"^file cannot be read: Permission denied$"):
        Directory(tmp_path, "directory=").fetch("file")


@given(st.binary(max_size=200))
def test_gzip_round_trip(data: bytes) -> None:
    """What gzip packs is unpacked, up to and including the limit."""
    assert gunzip(gzip.compress(data), len(data)) == data


@given(st.binary(max_size=100), st.booleans())
def test_hostile_gzip_raises_nothing_but_data_errors(data: bytes, with_magic: bool) -> None:
    """Bytes that are no gzip, or only begin like it, are refused in our own words."""
    with contextlib.suppress(DataError):
        gunzip(b"\x1f\x8b\x08\x00" * with_magic + data, 1000)


def test_gzip_refusals() -> None:
    """Truncated, damaged and too large are told apart."""
    packed = gzip.compress(GOOD)
    with pytest.raises(DataError, match=f"^gzip data is truncated: {len(packed) - 1} bytes do not reach its end$"):
        gunzip(packed[:-1], 1000)
    with pytest.raises(DataError, match=r"^expected gzip data, found 11 bytes that zlib refuses: "):
        gunzip(BAD, 1000)
    with pytest.raises(DataError, match=r"^expected at most 14 bytes of unpacked data, found more$"):
        gunzip(packed, len(GOOD) - 1)


def test_a_gzip_bomb_is_unpacked_no_further_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is handed to zlib, so that 100 MB of zeros never exist in memory."""
    bomb, produced = gzip.compress(bytes(10**8)), []
    real = zlib.decompressobj

    class Watched:
        def __init__(self, wbits: int) -> None:
            self._real = real(wbits)

        def decompress(self, data: bytes, most: int) -> bytes:
            produced.append(most)
            return self._real.decompress(data, most)

    monkeypatch.setattr(zlib, "decompressobj", Watched)
    with pytest.raises(DataError, match="expected at most 1000 bytes"):
        gunzip(bomb, 1000)
    assert produced == [1001]
