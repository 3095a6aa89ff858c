"""What `pack` writes, and what it leaves behind when it cannot."""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tarball_parts as parts
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.artifact import MODEL_FILES
from harness.errors import ArtifactError
from harness.tarball.export import pack
from harness.tarball.verify import verify


def test_packs_the_three_files_flat(model_dir: Path, tmp_path: Path) -> None:
    """The members are the three model files at the top, with the content they had."""
    artifact = pack(model_dir, tmp_path / "model.tar.gz")
    with tarfile.open(artifact.path) as tar:
        content = {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]
    assert content == parts.model()
    assert artifact.members == MODEL_FILES == tuple(content)


def test_puts_the_entry_point_under_code(model_dir: Path, script: Path, tmp_path: Path) -> None:
    """An entry point becomes `code/` and its file name, after the model."""
    artifact = pack(model_dir, tmp_path / "model.tar.gz", entry_point=script)
    assert artifact.members == (*MODEL_FILES, "code/mnist.py")


def test_reports_digest_and_size_of_the_file(tarball: Path, model_dir: Path, script: Path, tmp_path: Path) -> None:
    """Digest and size are those of the bytes on disk, and a second file of the same content has them too."""
    artifact = pack(model_dir, tmp_path / "again.tar.gz", entry_point=script)
    content = artifact.path.read_bytes()
    assert artifact.sha256 == hashlib.sha256(content).hexdigest()
    assert artifact.size == len(content)
    assert content == tarball.read_bytes()


def test_writes_headers_that_say_nothing_of_the_machine(tarball: Path) -> None:
    """Time, owner and mode in the tar are fixed, and the gzip header has neither a time nor a name."""
    head = tarball.read_bytes()[:10]
    assert head[3:8] == bytes(5)
    with tarfile.open(tarball) as tar:
        fields = {(info.mtime, info.uid, info.gid, info.uname, info.gname, info.mode, info.type) for info in tar}
    assert fields == {(0, 0, 0, "", "", 0o644, tarfile.REGTYPE)}


@settings(deadline=None, max_examples=30)
@given(
    times=st.lists(st.integers(0, 2**33), min_size=3, max_size=3),
    modes=st.lists(st.sampled_from([0o400, 0o644, 0o600, 0o777]), min_size=3, max_size=3),
    order=st.permutations(MODEL_FILES),
)
def test_packing_is_repeatable(times: list[int], modes: list[int], order: list[str]) -> None:
    """Equal content gives equal bytes, whatever the times, modes and order in which the files were made."""
    model = parts.model()
    with tempfile.TemporaryDirectory() as name:
        reference, changed = Path(name, "a"), Path(name, "b")
        for folder, names in ((reference, MODEL_FILES), (changed, order)):
            folder.mkdir()
            for member in names:
                (folder / member).write_bytes(model[member])
        for member, time, mode in zip(order, times, modes, strict=True):
            os.utime(changed / member, (time, time))
            (changed / member).chmod(mode)
        artifacts = [pack(folder, Path(name, f"{folder.name}.tar.gz")) for folder in (reference, changed)]
        assert artifacts[0].path.read_bytes() == artifacts[1].path.read_bytes()


@pytest.mark.parametrize("member", MODEL_FILES)
def test_another_content_gives_another_digest(model_dir: Path, tarball: Path, member: str, tmp_path: Path) -> None:
    """Negative control of repeatability: another number in any file changes the tarball."""
    place = model_dir / member
    place.write_bytes(place.read_bytes().replace(b"5", b"6").replace(b"\0\0\x80\xbf", b"\0\0\x80\xbe"))
    artifact = pack(model_dir, tmp_path / "changed.tar.gz", entry_point=tmp_path / "mnist.py")
    assert artifact.path.read_bytes() != tarball.read_bytes()


def test_packs_files_larger_than_any_buffer(model_dir: Path, tmp_path: Path) -> None:
    """A file of several megabytes arrives whole."""
    content = np.random.default_rng(0).bytes((3 << 20) + 17)
    (model_dir / MODEL_FILES[1]).write_bytes(content)
    artifact = pack(model_dir, tmp_path / "model.tar.gz")
    with tarfile.open(artifact.path) as tar:
        assert tar.extractfile(MODEL_FILES[1]).read() == content  # type: ignore[union-attr]


def test_replaces_an_older_tarball(model_dir: Path, tmp_path: Path) -> None:
    """The target may exist: it is replaced, readable by all."""
    target = tmp_path / "model.tar.gz"
    target.write_bytes(b"old")
    pack(model_dir, target)
    assert verify(target) == []
    assert target.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("member", MODEL_FILES)
def test_refuses_an_incomplete_model(model_dir: Path, member: str, tmp_path: Path) -> None:
    """A missing file is named, and no tarball appears."""
    (model_dir / member).unlink()
    with pytest.raises(ArtifactError, match=f"expected the files .*, found no {member}; save it first"):
        pack(model_dir, tmp_path / "model.tar.gz")
    assert not (tmp_path / "model.tar.gz").exists()


def test_refuses_more_than_the_model(model_dir: Path, tmp_path: Path) -> None:
    """Whatever else lies in the folder is named instead of packed or silently left out."""
    (model_dir / "notes.txt").touch()
    (model_dir / ".ipynb_checkpoints").mkdir()
    with pytest.raises(ArtifactError, match=r"alone, found also \.ipynb_checkpoints, notes\.txt; remove the rest"):
        pack(model_dir, tmp_path / "model.tar.gz")


def test_refuses_an_entry_point_that_is_not_there(model_dir: Path, tmp_path: Path) -> None:
    """A wrong path to the entry point is told apart from a broken model."""
    with pytest.raises(ArtifactError, match=r"absent\.py: expected a script as entry point, found no file"):
        pack(model_dir, tmp_path / "model.tar.gz", entry_point=tmp_path / "absent.py")


@pytest.mark.parametrize("folder", ["absent", "model/model-symbol.json"])
def test_errors_of_the_system_become_ours(model_dir: Path, folder: str) -> None:
    """A target that cannot be written gives one error of ours with the system's as its cause."""
    with pytest.raises(ArtifactError, match="expected to pack") as caught:
        pack(model_dir, model_dir.parent / folder / "model.tar.gz")
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize("name", ["é" * 51 + ".py", "x" * 101 + ".py"])
def test_refuses_a_name_that_the_format_cannot_hold(model_dir: Path, name: str, tmp_path: Path) -> None:
    """USTAR names end at 100 bytes: the writer says so, and leaves no half-written file."""
    script = tmp_path / name
    script.write_bytes(parts.SCRIPT)
    with pytest.raises(ArtifactError, match="expected to pack"):
        pack(model_dir, tmp_path / "model.tar.gz", entry_point=script)
    assert {path.name for path in tmp_path.iterdir()} == {"model", name}


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_leaves_nothing_behind_on_failure(
    model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """When writing fails or is interrupted, the old tarball is untouched and no temporary file stays."""
    target = tmp_path / "model.tar.gz"
    target.write_bytes(b"old")

    def interrupted(*_: object) -> None:
        raise error

    monkeypatch.setattr(tarfile.TarFile, "addfile", interrupted)
    with pytest.raises((ArtifactError, KeyboardInterrupt)):
        pack(model_dir, target)
    assert target.read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"model", "model.tar.gz"}
