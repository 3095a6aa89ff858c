"""Packs a model into a ``model.tar.gz`` whose bytes depend on its content alone."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from harness.artifact import CODE, MODEL_FILES, REQUIREMENTS, SHAPES, SYMBOL, Artifact
from harness.errors import ArtifactError
from harness.tarball.documents import DOCUMENT_LIMIT, canonical, parse
from harness.tarball.member import printable
from harness.tarball.stored_gzip import StoredGzip

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FILE_MODE = 0o644


def pack(
    model_dir: Path, target: Path, *, entry_point: Path | None = None, requirements: Path | None = None
) -> Artifact:
    """Write the three model files and, under ``code/``, a script to `target`; an older file there is replaced.

    Equal models give equal bytes on any machine, whatever the times, owners, modes and order on disk, the spelling of
    the JSON, and the compression library (`stored_gzip`). The file appears whole or not at all.

    Args:
        model_dir: a folder with exactly the three model files.
        target: the ``model.tar.gz``.
        entry_point: the script that the container imports.
        requirements: what the container installs before; packed as ``code/requirements.txt``.

    Raises:
        ArtifactError: `model_dir` holds something else, a file of it is no JSON, or one cannot be read or written.
    """
    try:
        sources = _sources(model_dir, entry_point, requirements)
        sha256, size = _write(sources, target)
    except (OSError, ValueError, tarfile.TarError) as error:
        raise ArtifactError(
            f"{target}: expected to pack {model_dir}, found: {error}; check paths and free space"
        ) from error
    return Artifact(path=target, sha256=sha256, size=size, members=tuple(sources))


def _sources(model_dir: Path, entry_point: Path | None, requirements: Path | None) -> dict[str, Path]:
    """Member names and where their content is, in the order of the tarball."""
    found = {entry.name for entry in model_dir.iterdir()}
    if missing := [name for name in MODEL_FILES if not (model_dir / name).is_file()]:
        raise ArtifactError(
            f"{model_dir}: expected the files {_names(MODEL_FILES)}, found no {_names(missing)}; save it first"
        )
    if more := found - set(MODEL_FILES):
        raise ArtifactError(
            f"{model_dir}: expected {_names(MODEL_FILES)} alone, found also {_names(more)}; remove the rest"
        )
    sources = {name: model_dir / name for name in MODEL_FILES}
    for path, name, what in (
        (entry_point, entry_point and entry_point.name, "a script as entry point"),
        (requirements, REQUIREMENTS, "a file of requirements"),
    ):
        if path is None:
            continue
        if not path.is_file():
            raise ArtifactError(f"{path}: expected {what}, found no file; check the path")
        sources[f"{CODE}/{name}"] = path
    return sources


def _names(names: Iterable[str]) -> str:
    return ", ".join(printable(name) for name in sorted(names))


def _write(sources: Mapping[str, Path], target: Path) -> tuple[str, int]:
    """Write beside the target and move into place; gives the SHA-256 and the size in bytes."""
    handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w+b") as file:
            _fill(sources, file)
            file.flush()
            os.fchmod(handle, FILE_MODE)
            os.fsync(handle)
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return sha256, size


def _fill(sources: Mapping[str, Path], file: BinaryIO) -> None:
    with (
        StoredGzip(file) as packed,
        tarfile.open(mode="w", fileobj=packed, format=tarfile.USTAR_FORMAT, encoding="utf-8") as tar,
    ):
        for name, path in sources.items():
            with path.open("rb") as source:
                if name in {SYMBOL, SHAPES}:
                    content = _canonical(path, source.read(DOCUMENT_LIMIT + 1))
                    tar.addfile(_header(name, len(content)), io.BytesIO(content))
                else:
                    tar.addfile(_header(name, os.fstat(source.fileno()).st_size), source)


def _canonical(path: Path, content: bytes) -> bytes:
    """MXNet's releases differ in the white space and in the order of keys that they write."""
    if len(content) > DOCUMENT_LIMIT:
        raise ArtifactError(f"{path}: expected at most {DOCUMENT_LIMIT:,} bytes, found more; check what wrote it")
    document, fault = parse(content)
    if fault:
        raise ArtifactError(f"{path}: {fault}; save the model again")
    return canonical(document)


def _header(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = FILE_MODE
    info.mtime = info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info
