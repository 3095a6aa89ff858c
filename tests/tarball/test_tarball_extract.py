"""Extraction: what arrives on disk, and that nothing ever arrives anywhere else."""

from __future__ import annotations

import os
import tarfile
import tempfile
from pathlib import Path

import pytest
import tarball_parts as parts
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ArtifactError
from harness.tarball.extract import extract


def tree(top: Path) -> dict[str, bytes]:
    """Every file below `top` and its content."""
    return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}


def test_unpacks_what_was_packed(tarball: Path, tmp_path: Path) -> None:
    """The files arrive with their content, in a folder made for them."""
    extract(tarball, tmp_path / "deep" / "served")
    assert tree(tmp_path / "deep" / "served") == parts.model() | {"code/mnist.py": parts.SCRIPT}


def test_modes_do_not_depend_on_tarball_or_umask(tmp_path: Path) -> None:
    """Files get 0644 and folders 0755, whatever the headers and the umask say."""
    before = [parts.entry("code", type=tarfile.DIRTYPE, mode=0o7777)]
    path = parts.write(tmp_path / "m.tar.gz", {"code/a/b.py": b"", "run": b"x"}, before=before)
    old = os.umask(0o077)
    try:
        extract(path, tmp_path / "served")
    finally:
        os.umask(old)
    modes = {str(path.relative_to(tmp_path)): path.stat().st_mode & 0o7777 for path in (tmp_path / "served").rglob("*")}
    assert modes == {"served/code": 0o755, "served/code/a": 0o755, "served/code/a/b.py": 0o644, "served/run": 0o644}
    assert (tmp_path / "served").stat().st_mode & 0o7777 == 0o755


def test_takes_names_as_the_sdk_writes_them(tmp_path: Path) -> None:
    """The folder `/`, names with `./` and repeated folders are the same places as without."""
    folders = [parts.entry(name, type=tarfile.DIRTYPE) for name in ("/", "./", "./code", "code/")]
    path = parts.write(tmp_path / "m.tar.gz", {"./a": b"1", "code//b.py": b"2"}, before=folders)
    extract(path, tmp_path / "served")
    assert tree(tmp_path / "served") == {"a": b"1", "code/b.py": b"2"}


def test_accepts_an_empty_folder_and_no_other(tarball: Path, tmp_path: Path) -> None:
    """An empty folder is filled; one with content is refused and left as it was."""
    place = tmp_path / "served"
    place.mkdir()
    extract(tarball, place)
    before = tree(place)
    with pytest.raises(
        ArtifactError, match="expected a new or empty folder to unpack into, found content; name another"
    ):
        extract(tarball, place)
    assert tree(place) == before


def test_refuses_a_link_as_destination(tarball: Path, tmp_path: Path) -> None:
    """A link in place of the folder would lead elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "served").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtifactError, match="expected a new or empty folder"):
        extract(tarball, tmp_path / "served")
    assert not any((tmp_path / "elsewhere").iterdir())


HOSTILE = {
    "parent": parts.entry("../escaped"),
    "inner parent": parts.entry("code/../../escaped"),
    "absolute": parts.entry("/tmp/escaped"),  # noqa: S108
    "symlink": parts.entry("escaped", type=tarfile.SYMTYPE, linkname=".."),
    "hard link": parts.entry("escaped", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
    "fifo": parts.entry("escaped", type=tarfile.FIFOTYPE),
    "device": parts.entry("escaped", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    "line feed": parts.entry("esca\nped"),
    "twice": parts.entry("a"),
    "file as folder": parts.entry("a/b"),
}


@pytest.mark.parametrize("info", HOSTILE.values(), ids=HOSTILE)
def test_refuses_hostile_members_and_leaves_nothing(tmp_path: Path, info: tarfile.TarInfo) -> None:
    """Members that a model has no use for end the extraction, and what was unpacked before them is gone."""
    path = parts.write(tmp_path / "m.tar.gz", {}, before=[parts.entry("a"), info])
    with pytest.raises(ArtifactError, match="expected"):
        extract(path, tmp_path / "served")
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.tar.gz"]


@pytest.mark.parametrize("length", [0, 30, -9, -200])
def test_a_damaged_tarball_leaves_nothing(tarball: Path, tmp_path: Path, length: int) -> None:
    """A tarball that breaks off is not unpacked by half."""
    broken = tmp_path / "broken" / "m.tar.gz"
    broken.parent.mkdir()
    broken.write_bytes(tarball.read_bytes()[:length])
    with pytest.raises(ArtifactError):
        extract(broken, broken.parent / "served")
    assert [entry.name for entry in broken.parent.iterdir()] == ["m.tar.gz"]


PIECES = st.sampled_from(["..", ".", "", "a", "b", "code", "/", "\\", "C:", "~", "a\0b", "é", "x" * 300])
NAMES = st.lists(PIECES, min_size=1, max_size=5).map("/".join)
TYPES = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, TYPES, NAMES), max_size=5))
def test_never_writes_outside(members: list[tuple[str, bytes, str]]) -> None:
    """Whatever the names, kinds and targets of links, everything new lies inside the folder asked for."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        headers = [parts.entry(member, type=kind, linkname=target) for member, kind, target in members]
        path = parts.write(top / "m.tar.gz", {}, before=headers)
        try:
            extract(path, top / "inner" / "served")
        except ArtifactError:
            assert {str(entry.relative_to(top)) for entry in top.rglob("*")} <= {"m.tar.gz", "inner"}
        else:
            outside = {entry for entry in top.rglob("*") if not entry.is_relative_to(top / "inner" / "served")}
            assert {entry.name for entry in outside} == {"m.tar.gz", "inner"}
            assert not any(entry.is_symlink() or entry.is_fifo() for entry in top.rglob("*"))
