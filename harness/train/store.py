"""Trained models kept between runs, each under the digest of everything that decides it.

An entry is one file: a line of JSON with its key and the length and SHA-256 of the rest, then numpy's ``.npz`` without
pickles. It appears whole or not at all, whichever processes write it; what does not match its digest, or lies under
another key than its own, is discarded. The entries used longest ago go when all together take more than the limit.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import stat
import time
import zipfile
import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.result import Checkpoint, Epoch
from harness.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

LIMIT = 2**30
"""Bytes that all entries together may take; one of the notebook's perceptron takes 1.2 MB."""

SUFFIX = ".model"

ABANDONED = 3600
"""Seconds after which the temporary file of a writer is one that was killed; writing takes less than one."""

_UNREADABLE = (
    *(ValueError, LookupError, TypeError, AttributeError, RuntimeError, OSError, EOFError),
    *(zipfile.BadZipFile, zlib.error),
)


class DamagedEntryError(Exception):
    """An entry whose content is not what was written."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What is kept of a trained model.

    Attributes:
        checkpoint: the weights.
        history: one entry per epoch.
        probabilities: float32 (m, classes), as MXNet predicted them from the reloaded checkpoint.
        engine_probabilities: the same, as the engine itself predicted them.
    """

    checkpoint: Checkpoint
    history: tuple[Epoch, ...]
    probabilities: NDArray[Any]
    engine_probabilities: NDArray[Any]


class Store:
    """A folder of trained models, safe to share between processes."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.folder = folder
        self._limit = limit

    def holds(self, key: str) -> bool:
        """Whether there is an entry; it may still turn out to be damaged."""
        return _status(self._path(key)) is not None

    def get(self, key: str) -> Stored | None:
        """The model of a key; None if there is none that can be read.

        Raises:
            DamagedEntryError: the entry is not what was written for this key; it has been removed.
        """
        path = self._path(key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        try:
            stored = _unpacked(key, content)
        except _UNREADABLE as error:
            with contextlib.suppress(OSError):
                path.unlink()
            raise DamagedEntryError(f"{path.name}: {error}") from error
        with contextlib.suppress(OSError):
            os.utime(path)  # used now: the last to go
        return stored

    def put(self, key: str, stored: Stored) -> None:
        """Keep a model, and let go of others if that makes too many.

        Raises:
            OSError: the folder cannot be written; nothing is left of the attempt.
        """
        write_atomically(self._path(key), _packed(key, stored))
        self._sweep()
        self._shrink(keep=self._path(key))

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{SUFFIX}"

    def _shrink(self, keep: Path) -> None:
        """Remove the entries used longest ago until the rest fits; the one to keep stays, were it alone too large."""
        found = [(status, path) for path in self.folder.glob(f"*{SUFFIX}") if (status := _status(path))]
        total = sum(status.st_size for status, _ in found)
        for status, path in sorted(found, key=lambda entry: (entry[0].st_mtime_ns, entry[1].name)):
            if total <= self._limit:
                return
            if path != keep and _removed(path):
                total -= status.st_size

    def _sweep(self) -> None:
        """Remove what writers left behind that were killed."""
        for path in self.folder.glob(f".*{SUFFIX}.*.tmp"):
            status = _status(path)
            if status and status.st_mtime < time.time() - ABANDONED:
                _removed(path)


def _status(path: Path) -> os.stat_result | None:
    """Of a plain file; None if there is none, or no longer, or nobody may look."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _removed(path: Path) -> bool:
    """Whether a file is gone, be it that another process has removed it."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _packed(key: str, stored: Stored) -> bytes:
    checkpoint = stored.checkpoint
    about = {
        "symbol_json": checkpoint.symbol_json,
        "data_shapes": checkpoint.data_shapes,
        "history": [asdict(epoch) for epoch in stored.history],
        "parameters": list(checkpoint.parameters),
        "auxiliary": list(checkpoint.auxiliary),
    }
    # By number, as names of parameters need not be names of files.
    arrays = [*checkpoint.parameters.values(), *checkpoint.auxiliary.values()]
    arrays += [stored.probabilities, stored.engine_probabilities]
    stream = io.BytesIO()
    np.savez(stream, *arrays, about=np.frombuffer(json.dumps(about).encode(), np.uint8))
    payload = stream.getvalue()
    return _header(key, payload) + b"\n" + payload


def _header(key: str, payload: bytes) -> bytes:
    return json.dumps({"key": key, "size": len(payload), "sha256": hashlib.sha256(payload).hexdigest()}).encode()


def _unpacked(key: str, content: bytes) -> Stored:
    line, _, payload = content.partition(b"\n")
    if line != _header(key, payload):
        raise ValueError(f"expected what was written under this key, found {line[:60]!r} and {len(payload)} bytes")
    with np.load(io.BytesIO(payload), allow_pickle=False) as members:
        about: Mapping[str, Any] = json.loads(members["about"].tobytes())
        names = [*about["parameters"], *about["auxiliary"]]
        arrays = [members[f"arr_{number}"] for number in range(len(names) + 2)]
    count = len(about["parameters"])
    return Stored(
        checkpoint=Checkpoint(
            symbol_json=about["symbol_json"],
            parameters=dict(zip(names[:count], arrays, strict=False)),
            auxiliary=dict(zip(names[count:], arrays[count:], strict=False)),
            data_shapes=tuple((name, tuple(shape)) for name, shape in about["data_shapes"]),
        ),
        history=tuple(Epoch(**epoch) for epoch in about["history"]),
        probabilities=arrays[-2],
        engine_probabilities=arrays[-1],
    )
