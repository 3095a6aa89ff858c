"""Packs a model into a ``model.tar.gz`` whose bytes depend on its content alone."""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from harness.artifact import CODE, MODEL_FILES, Artifact
from harness.errors import ArtifactError
from harness.tarball.member import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

COMPRESSION = 6
"""Fixed, as it decides the bytes. Float weights shrink by a tenth at any level; higher ones only take longer."""

FILE_MODE = 0o644


def pack(model_dir: Path, target: Path, *, entry_point: Path | None = None) -> Artifact:
    """Write the three model files, and the entry point under ``code/``, to `target`; an older file there is replaced.

    Equal contents give equal bytes with one zlib, whatever the times, owners, modes and order on disk. The file appears
    whole or not at all.

    Raises:
        ArtifactError: `model_dir` does not hold exactly the three model files, or something cannot be read or written.
    """
    try:
        sources = _sources(model_dir, entry_point)
        sha256, size = _write(sources, target)
    except (OSError, ValueError, tarfile.TarError) as error:
        raise ArtifactError(
            f"{target}: expected to pack {model_dir}, found: {error}; check paths and free space"
        ) from error
    return Artifact(path=target, sha256=sha256, size=size, members=tuple(sources))


def _sources(model_dir: Path, entry_point: Path | None) -> dict[str, Path]:
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
    if entry_point is not None:
        if not entry_point.is_file():
            raise ArtifactError(f"{entry_point}: expected a script as entry point, found no file; check the path")
        sources[f"{CODE}/{entry_point.name}"] = entry_point
    return sources


def _names(names: Iterable[str]) -> str:
    return ", ".join(printable(name) for name in sorted(names))


def _write(sources: Mapping[str, Path], target: Path) -> tuple[str, int]:
    """Write beside the target and move into place; gives the SHA-256 and the size in bytes."""
    handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w+b") as file:
            _compress(sources, file)
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


def _compress(sources: Mapping[str, Path], file: BinaryIO) -> None:
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=COMPRESSION, fileobj=file, mtime=0) as packed,
        tarfile.open(mode="w", fileobj=packed, format=tarfile.USTAR_FORMAT, encoding="utf-8") as tar,
    ):
        for name, path in sources.items():
            with path.open("rb") as source:
                tar.addfile(_header(name, os.fstat(source.fileno()).st_size), source)


def _header(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = FILE_MODE
    info.mtime = info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info
