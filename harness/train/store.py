"""Trained models kept between runs, each under the digest of everything that decides it.

An entry is one file: a line of JSON with the length and the SHA-256 of the rest, then numpy's ``.npz`` without pickles.
It appears whole or not at all, whichever processes write it; what does not match its digest is discarded. The entries
used longest ago go when all together take more than the limit.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import zipfile
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
        return self._path(key).exists()

    def get(self, key: str) -> Stored | None:
        """The model of a key; None if there is none.

        Raises:
            DamagedEntryError: the entry cannot be read as it was written; it has been removed.
        """
        path = self._path(key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        try:
            stored = _unpacked(content)
        except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
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
        write_atomically(self._path(key), _packed(stored))
        self._shrink(keep=self._path(key))

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{SUFFIX}"

    def _shrink(self, keep: Path) -> None:
        entries = []
        for path in self.folder.glob(f"*{SUFFIX}"):
            with contextlib.suppress(OSError):  # another process has removed it
                status = path.stat()
                entries.append((status.st_mtime_ns, path.name, status.st_size, path))
        total = sum(size for _, _, size, _ in entries)
        for _, _, size, path in sorted(entries):
            if total <= self._limit:
                return
            if path != keep:
                with contextlib.suppress(OSError):
                    path.unlink()
                total -= size


def _packed(stored: Stored) -> bytes:
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
    header = {"size": len(payload), "sha256": hashlib.sha256(payload).hexdigest()}
    return json.dumps(header).encode() + b"\n" + payload


def _unpacked(content: bytes) -> Stored:
    line, _, payload = content.partition(b"\n")
    header = json.loads(line)
    if header != {"size": len(payload), "sha256": hashlib.sha256(payload).hexdigest()}:
        raise ValueError(f"expected the bytes that {line[:120]!r} tells of, found {len(payload)} others")
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
