"""The same model gives the same tarball: whoever packs it, wherever, whenever, with whichever Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.tarball.export import pack

if TYPE_CHECKING:
    from collections.abc import Iterator

PACK = """
import os, sys, time, types
from pathlib import Path

package = types.ModuleType("harness")  # without what its __init__ imports: this Python may have no numpy
package.__path__ = [sys.argv[1]]
sys.modules["harness"] = package
from harness.tarball.export import pack

folder, user, umask = Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4], 8)
if user >= 0:
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
os.umask(umask)
time.tzset()
packed = pack(folder / "model", folder / "out" / "model.tar.gz", entry_point=folder / "mnist.py")
print(packed.sha256, os.getuid(), time.tzname[0], *sys.version_info[:2], oct(packed.path.stat().st_mode & 0o777))
"""
"""Needs the standard library alone, so that any Python can run it; says who, where and what packed."""

NOBODY = 65534


@pytest.fixture
def folder(model_dir: Path, script: Path) -> Iterator[Path]:
    """The model and its script where every user finds them."""
    with tempfile.TemporaryDirectory(prefix="byom-repeatable-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copytree(model_dir, folder / "model")
        shutil.copy(script, folder / "mnist.py")
        (folder / "out").mkdir()
        (folder / "out").chmod(0o777)
        yield folder


def packed_by(
    python: str, folder: Path, *, user: int = -1, umask: str = "022", zone: str = "UTC", times: int = 0
) -> list[str]:
    """Packs in another process: the tarball's SHA-256, and the circumstances as that process saw them."""
    import harness

    for path in folder.rglob("*"):
        os.utime(path, (times, times))
    command = [python, "-I", "-c", PACK, harness.__path__[0], str(folder), str(user), umask]
    done = subprocess.run(command, env={"TZ": zone}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (folder / "out" / "model.tar.gz").unlink()
    return done.stdout.split()


def other_python() -> str:
    """A Python of the other minor version that the project runs on, or ""."""
    minor = 12 if sys.version_info[:2] == (3, 11) else 11
    places = [
        Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob(f"versions/3.{minor}*/bin/python3.{minor}")
    ]
    for candidate in (shutil.which(f"python3.{minor}"), *map(str, *places)):
        if candidate and subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return candidate
    return ""


@pytest.fixture
def expected(folder: Path) -> str:
    """The SHA-256 of the tarball that this process packs."""
    packed = pack(folder / "model", folder / "out" / "here.tar.gz", entry_point=folder / "mnist.py")
    return packed.sha256


def test_time_zone_umask_and_dates_do_not_matter(folder: Path, expected: str) -> None:
    """Another process, half a world and thirty years away, packs the same bytes."""
    far = packed_by(sys.executable, folder, umask="077", zone="XYZ-12:45", times=946_684_800)
    assert far[0] == expected
    assert far[2] == "XYZ"
    assert far[-1] == "0o644"  # whatever the umask: a tarball that its owner alone can read is of no use to CI


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_the_user_does_not_matter(folder: Path, expected: str) -> None:
    """A user without a name packs the same bytes."""
    digest, user, *_ = packed_by(sys.executable, folder, user=NOBODY)
    assert (digest, user) == (expected, str(NOBODY))


@pytest.mark.skipif(not other_python(), reason="needs both python3.11 and python3.12")
def test_the_python_does_not_matter(folder: Path, expected: str) -> None:
    """The project's other Python, with its own tarfile, json and zlib, packs the same bytes."""
    digest, _, _, major, minor, _ = packed_by(other_python(), folder)
    assert digest == expected
    assert (int(major), int(minor)) != sys.version_info[:2]


def test_another_model_would_be_seen(folder: Path, expected: str) -> None:
    """Control: one number in the graph changes what the other process gives."""
    symbol = folder / "model" / "model-symbol.json"
    symbol.write_bytes(symbol.read_bytes().replace(b'"3"', b'"4"'))
    assert packed_by(sys.executable, folder)[0] != expected
