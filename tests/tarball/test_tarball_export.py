"""What `pack` writes, and what it leaves behind when it cannot."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import tarball_parts as parts
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.artifact import MODEL_FILES, SHAPES, SYMBOL
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


def test_puts_requirements_under_code(model_dir: Path, script: Path, tmp_path: Path) -> None:
    """What the container installs gets the name that it looks for, whatever the file was called here, and no change."""
    wanted = tmp_path / "serving.in"
    wanted.write_bytes(b"gluonnlp==0.10.0  # for the vocabulary\r\n")
    artifact = pack(model_dir, tmp_path / "model.tar.gz", entry_point=script, requirements=wanted)
    assert artifact.members == (*MODEL_FILES, "code/mnist.py", "code/requirements.txt")
    with tarfile.open(artifact.path) as tar:
        assert tar.extractfile("code/requirements.txt").read() == wanted.read_bytes()  # type: ignore[union-attr]
    assert verify(artifact.path) == []


def test_requirements_need_no_entry_point(model_dir: Path, tmp_path: Path) -> None:
    """The SageMaker SDK may add the script later."""
    wanted = tmp_path / "requirements.txt"
    wanted.touch()
    artifact = pack(model_dir, tmp_path / "model.tar.gz", requirements=wanted)
    assert artifact.members == (*MODEL_FILES, "code/requirements.txt")


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


def respelled(content: bytes) -> bytes:
    """The same JSON as another program would write it: keys backwards, other white space, escapes for letters."""
    return json.dumps(backwards(json.loads(content)), indent="\t", separators=(" ,", ":  ")).encode() + b"\r\n"


def backwards(value: Any) -> Any:
    """The document with the keys of all its objects in the opposite order."""
    if isinstance(value, dict):
        return {key: backwards(value[key]) for key in reversed(value)}
    return [backwards(item) for item in value] if isinstance(value, list) else value


def test_the_spelling_of_json_does_not_matter(model_dir: Path, tmp_path: Path) -> None:
    """MXNet's releases write one graph with other white space and in another order: it is one model."""
    symbol = (model_dir / SYMBOL).read_bytes().replace(b"fc_weight", "größe".encode())
    (model_dir / SYMBOL).write_bytes(symbol)
    one = pack(model_dir, tmp_path / "one.tar.gz")
    for name in (SYMBOL, SHAPES):
        content = (model_dir / name).read_bytes()
        (model_dir / name).write_bytes(respelled(content))
        assert (model_dir / name).read_bytes() != content
    assert pack(model_dir, tmp_path / "other.tar.gz").sha256 == one.sha256


def test_no_compressor_has_a_say(model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever zlib Python was built with, the bytes are the same, as it is asked for checksums alone."""
    before = pack(model_dir, tmp_path / "before.tar.gz")

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a compressor was called")

    for module, name in ((zlib, "compressobj"), (zlib, "compress"), (gzip, "compress"), (gzip, "GzipFile")):
        monkeypatch.setattr(module, name, refuse)
    with pytest.raises(AssertionError, match="a compressor"), tarfile.open(tmp_path / "x.tar.gz", mode="w:gz"):
        pass
    assert pack(model_dir, tmp_path / "after.tar.gz").sha256 == before.sha256


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


def test_refuses_requirements_that_are_not_there(model_dir: Path, script: Path, tmp_path: Path) -> None:
    """A wrong path to the requirements is named as such, and no tarball appears."""
    target = tmp_path / "model.tar.gz"
    with pytest.raises(ArtifactError, match=r"absent\.txt: expected a file of requirements, found no file; check"):
        pack(model_dir, target, entry_point=script, requirements=tmp_path / "absent.txt")
    assert not target.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"MLP", "expected JSON in UTF-8, found: Expecting value"),
        (b"", "expected JSON in UTF-8, found: Expecting value"),
        (b'{"nodes": [], "nodes": []}', "expected JSON in UTF-8, found: the key 'nodes' twice in one object"),
        (b"[" * 100_000, "expected JSON in UTF-8, found: "),
    ],
    ids=["text", "nothing", "a key twice", "deep"],
)
@pytest.mark.parametrize("name", [SYMBOL, SHAPES])
def test_refuses_what_is_no_json(name: str, content: bytes, reason: str, model_dir: Path, tmp_path: Path) -> None:
    """It cannot be written in one way, and nobody could load it: the file is named, and no tarball appears."""
    (model_dir / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"{name}: {reason}.*; save the model again\Z"):
        pack(model_dir, tmp_path / "model.tar.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("name", [SYMBOL, SHAPES])
def test_refuses_documents_that_no_model_has(
    name: str, model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON is read whole, so it has a limit; at the limit it passes, and the other files have none."""
    size = max((model_dir / other).stat().st_size for other in MODEL_FILES) + 100
    content = (model_dir / name).read_bytes()
    (model_dir / name).write_bytes(content + b" " * (size - len(content)))
    monkeypatch.setattr("harness.tarball.export.DOCUMENT_LIMIT", size)
    pack(model_dir, tmp_path / "model.tar.gz")
    monkeypatch.setattr("harness.tarball.export.DOCUMENT_LIMIT", size - 1)
    with pytest.raises(ArtifactError, match=f"{name}: expected at most {size - 1:,} bytes, found more; check what"):
        pack(model_dir, tmp_path / "again.tar.gz")
    assert not (tmp_path / "again.tar.gz").exists()


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
