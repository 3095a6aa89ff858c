"""A data set out of arrays that the user already has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import DataError, DeclarationError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_SPLITS = ("train", "test")


@dataclass(frozen=True, kw_only=True, eq=False)
class ArrayDataset:
    """Arrays in memory as a data set; satisfies `harness.experiment.Dataset`. Compared by identity.

    Attributes:
        name: short name for tables and messages.
        train_data: (n, ...), any real numbers; kept as float32 with their values unchanged, so scale bytes beforehand.
        train_label: (n,), classes as whole numbers from 0; the type is kept.
        test_data: (m, ...), one example shaped as in ``train_data``.
        test_label: (m,).

    Arrays already in their final type are not copied; the data set's own view of them is read-only.

    Raises:
        DeclarationError: the name is empty or not a string.
        DataError: an array is empty, not of finite numbers, or does not fit its companions.
    """

    name: str
    train_data: NDArray[Any] = field(repr=False)
    train_label: NDArray[Any] = field(repr=False)
    test_data: NDArray[Any] = field(repr=False)
    test_label: NDArray[Any] = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise DeclarationError(f"arrays: expected a name for tables and messages, found {self.name!r}")
        for split in _SPLITS:
            self._keep(f"{split}_data", np.float32)
            self._keep(f"{split}_label", None)
            self._check_labels(split)
        train, test = self.train_data.shape[1:], self.test_data.shape[1:]
        if train != test:
            raise DataError(
                f"{self.name}: expected test_data to hold examples of shape {train}, as train_data does, found {test}; "
                f"reshape one of them"
            )

    def load(self) -> dict[str, NDArray[Any]]:
        """The arrays by name, see `harness.experiment.Dataset.load`; read-only."""
        return {key: getattr(self, key) for split in _SPLITS for key in (f"{split}_data", f"{split}_label")}

    def _keep(self, key: str, dtype: type[np.float32] | None) -> None:
        """Replace a field by a read-only array of finite numbers."""
        try:
            array = np.asarray(getattr(self, key))
        except ValueError as error:  # lists of unequal length
            raise DataError(f"{self.name}: expected {key} to be an array of numbers: {error}") from error
        if array.dtype.kind not in "buif":
            raise DataError(f"{self.name}: expected {key} to be an array of real numbers, found type {array.dtype}")
        if not array.size:
            raise DataError(f"{self.name}: {key} is empty (shape {array.shape}); give at least one example")
        with np.errstate(over="ignore"):  # what overflows float32 is reported below, as not finite
            array = array.astype(dtype or array.dtype, copy=False).view()
        bad = array.size - np.count_nonzero(np.isfinite(array))
        if bad:
            raise DataError(
                f"{self.name}: expected {key} to be finite {array.dtype}, found {bad} of {array.size} values that are "
                f"not; clean the data first"
            )
        array.flags.writeable = False
        object.__setattr__(self, key, array)

    def _check_labels(self, split: str) -> None:
        data: NDArray[Any] = getattr(self, f"{split}_data")
        labels: NDArray[Any] = getattr(self, f"{split}_label")
        if data.ndim == 0 or labels.ndim != 1 or len(data) != len(labels):
            raise DataError(
                f"{self.name}: expected one label in {split}_label (n,) for each example in {split}_data (n, ...), "
                f"found shapes {labels.shape} and {data.shape}"
            )
        wrong = labels[(labels < 0) | (labels != np.rint(labels))] if labels.dtype.kind != "b" else labels[:0]
        if wrong.size:
            raise DataError(
                f"{self.name}: expected {split}_label to hold classes as whole numbers from 0, found "
                f"{wrong[0].item()!r}; number the classes 0, 1, 2, ..."
            )


def arrays(
    name: str,
    *,
    train_data: ArrayLike,
    train_label: ArrayLike,
    test_data: ArrayLike,
    test_label: ArrayLike,
) -> ArrayDataset:
    """A data set out of arrays that are already in memory, ready for ``Experiment(dataset=...)``; see `ArrayDataset`.

    Raises:
        DeclarationError: the name is empty or not a string.
        DataError: an array is empty, not of finite numbers, or does not fit its companions.
    """
    return ArrayDataset(  # which makes arrays of them, or says why it cannot
        name=name,
        train_data=train_data,  # type: ignore[arg-type]
        train_label=train_label,  # type: ignore[arg-type]
        test_data=test_data,  # type: ignore[arg-type]
        test_label=test_label,  # type: ignore[arg-type]
    )
