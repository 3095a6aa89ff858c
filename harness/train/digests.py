"""SHA-256 of what decides a training: arrays, checkpoints, sources."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.result import Checkpoint


def weights_digest(checkpoint: Checkpoint) -> str:
    """SHA-256 over names, types, shapes and bytes of a checkpoint's arrays."""
    named = {f"arg:{name}": value for name, value in checkpoint.parameters.items()}
    return arrays_digest(named | {f"aux:{name}": value for name, value in checkpoint.auxiliary.items()})


def arrays_digest(named: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 over names, types, shapes and bytes of arrays, in the order of the mapping."""
    result = hashlib.sha256()
    for name, array in named.items():
        result.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        result.update(np.ascontiguousarray(array).data)
    return result.hexdigest()


def digest_of(content: bytes) -> str:
    """SHA-256, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def sources_digest(places: Iterable[Path]) -> str:
    """SHA-256 over the Python files in some places, files or folders, by their relative names."""
    result = hashlib.sha256()
    for place in places:
        for path in source_files(place):
            content = path.read_bytes()
            result.update(f"{path.relative_to(place.parent)} {len(content)}\n".encode() + content)
    return result.hexdigest()


def source_files(place: Path) -> list[Path]:
    """The Python files in a place, a file or a folder."""
    return sorted(place.rglob("*.py")) if place.is_dir() else [place]
