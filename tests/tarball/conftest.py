"""A folder with a model in it, and the tarball made from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import tarball_parts as parts

from harness.tarball.export import pack

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    """A folder that holds the three model files and nothing else."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name, content in parts.model().items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """An entry point."""
    path = tmp_path / "mnist.py"
    path.write_bytes(parts.SCRIPT)
    return path


@pytest.fixture
def tarball(model_dir: Path, script: Path, tmp_path: Path) -> Path:
    """A valid tarball with an entry point."""
    return pack(model_dir, tmp_path / "model.tar.gz", entry_point=script).path
