"""Unpacks a tarball that `verify` has passed, the way the container finds it under ``/opt/ml/model``."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from harness.errors import ArtifactError
from harness.tarball.member import Kind, Member
from harness.tarball.reader import members
from harness.tarball.unpacked import CHUNK, LIMITS, Limits

FILE_MODE = 0o644
FOLDER_MODE = 0o755


def extract(path: Path, directory: Path, *, limits: Limits = LIMITS) -> None:
    """Unpack `path` as `directory`, which must not exist yet or be empty: all of it, or nothing.

    Files get mode 0644 and folders 0755, whatever the tarball says; links, devices and names that lead outside are
    refused here too, as the file may have changed since it was verified. The content is not checked again.

    Raises:
        ArtifactError: the tarball breaks these rules or cannot be read, or `directory` cannot be written.
    """
    try:
        if directory.is_symlink() or (directory.exists() and any(directory.iterdir())):
            raise ArtifactError(
                f"{directory}: expected a new or empty folder to unpack into, found content; name another"
            )
        directory.parent.mkdir(parents=True, exist_ok=True)
        # Built beside its place and moved there: nobody can put a link into a folder of mode 0700 with a random name.
        building = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
        try:
            for member in members(path, limits=limits):
                _unpack(member, building)
            building.chmod(FOLDER_MODE)
            building.replace(directory)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    except OSError as error:
        raise ArtifactError(f"{path}: expected to unpack it into {directory}, found: {error}") from error


def _unpack(member: Member, top: Path) -> None:
    if reason := member.escape():
        raise ArtifactError(
            f"expected a name inside the model's folder, found {reason}: {member.label}; verify it first"
        )
    place = top / member.path
    if member.kind is Kind.FOLDER:
        _folder(place, top)
    elif member.kind is Kind.FILE:
        _folder(place.parent, top)
        with place.open("xb") as file:
            while chunk := member.body.read(CHUNK):
                file.write(chunk)
            os.fchmod(file.fileno(), FILE_MODE)
    else:
        raise ArtifactError(f"expected files and folders, found a {member.kind.value}: {member.label}; verify it first")


def _folder(place: Path, top: Path) -> None:
    """Make a folder and its parents; ``Path.mkdir`` would leave the parents' mode to the umask."""
    if place == top or place.is_dir():
        return
    _folder(place.parent, top)
    place.mkdir()
    place.chmod(FOLDER_MODE)
