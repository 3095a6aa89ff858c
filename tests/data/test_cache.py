"""The cache: whole files or none, also when processes race, and never a reason to fail."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from harness.data.cache import Cache
from harness.errors import DataError
from harness.storage import cache_directory, write_atomically

WORKER = """
import hashlib, pathlib, sys
from harness.data.cache import Cache
from harness.errors import DataError

cache, seen = Cache(pathlib.Path(sys.argv[1])), set()
for turn in range(30):
    try:
        seen.add(hashlib.sha256(cache.fetch("file")).hexdigest())
    except DataError:
        pass
    cache.store("file", bytes([turn % 2]) * 300_000)
    if turn % 10 == 9:
        cache.discard("file")
cache.store("file", bytes([1]) * 300_000)
print(*seen)
"""


def refuse(number: int) -> OSError:
    """The error that the operating system raises under this number."""
    return OSError(number, os.strerror(number))


def test_the_environment_names_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """BYOM_CACHE_DIR wins over the per-user folder; empty, it counts as not set."""
    monkeypatch.setenv("BYOM_CACHE_DIR", str(tmp_path))
    assert cache_directory() == tmp_path
    monkeypatch.setenv("BYOM_CACHE_DIR", "")
    assert cache_directory() == Path(platformdirs.user_cache_dir("byom-harness"))


def test_what_is_stored_is_fetched(tmp_path: Path) -> None:
    """A cache makes its directory, gives back what it was given, and forgets what is discarded."""
    cache = Cache(tmp_path / "made" / "on demand")
    cache.store("file", b"first")
    cache.store("file", b"second")
    assert cache.fetch("file") == b"second"
    cache.discard("file")
    with pytest.raises(DataError, match=r"^file is not there yet$"):
        cache.fetch("file")


def test_readers_see_the_old_file_until_the_new_one_is_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """At the moment when all new bytes are written and not yet on the disk, a reader still gets the old file."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    seen: list[bytes] = []
    monkeypatch.setattr("os.fsync", lambda _: seen.append(path.read_bytes()))
    write_atomically(path, b"new")
    assert (seen, path.read_bytes()) == ([b"old"], b"new")


@pytest.mark.parametrize("call", ["os.fsync", "os.replace"])
@pytest.mark.parametrize("failure", [refuse(errno.ENOSPC), KeyboardInterrupt()], ids=["disk full", "interrupted"])
def test_a_write_that_fails_leaves_no_trace(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, call: str, failure: BaseException
) -> None:
    """Where a write ends early, the old file stands and the temporary file is gone."""
    (tmp_path / "file").write_bytes(b"old")

    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(call, fail)
    with pytest.raises(type(failure)):
        write_atomically(tmp_path / "file", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]


def test_a_cache_that_cannot_be_used_fails_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where the directory cannot exist, storing and discarding pass, fetching says why, and only the log knows."""
    (tmp_path / "blocked").write_text("a file where the directory would be")
    cache = Cache(tmp_path / "blocked")
    with caplog.at_level(logging.INFO):
        cache.store("file", b"data")
    cache.discard("file")
    assert caplog.messages == [
        f"cache {cache.directory}: file is not kept: [Errno 17] File exists: '{cache.directory}'"
    ]
    with pytest.raises(DataError, match=r"^file cannot be read: Not a directory$"):
        cache.fetch("file")


def test_processes_race_for_one_cache(tmp_path: Path) -> None:
    """Four processes that write, read and discard one file never see a part of it, and leave nothing beside it."""
    command = [sys.executable, "-W", "error", "-c", WORKER, str(tmp_path)]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = [worker.communicate(timeout=120)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 4
    whole = {hashlib.sha256(bytes([value]) * 300_000).hexdigest() for value in (0, 1)}
    seen = {digest for output in outputs for digest in output.split()}
    assert seen
    assert seen <= whole
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert Cache(tmp_path).fetch("file") == bytes([1]) * 300_000
