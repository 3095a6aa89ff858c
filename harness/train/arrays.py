"""What training needs of a data set, checked before the first update."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import TrainingError
from harness.train.digests import arrays_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from harness.experiment import Trial


@dataclass(frozen=True)
class Arrays:
    """A data set that fits together; nobody may write to it.

    Attributes:
        train_data: float32 (n, ...).
        train_label: float32 (n,), whole numbers.
        test_data: float32 (m, ...), the same shape per example.
        test_label: float32 (m,), whole numbers.
    """

    train_data: NDArray[np.float32]
    train_label: NDArray[np.float32]
    test_data: NDArray[np.float32]
    test_label: NDArray[np.float32]

    @classmethod
    def from_mapping(cls, name: str, mapping: Mapping[str, NDArray[Any]]) -> Arrays:
        """Check the arrays of the data set ``name`` against each other.

        Raises:
            TrainingError: an array is missing, empty, not finite or not of the length or shape that the others have.
        """
        missing = [key for key in ("train_data", "train_label", "test_data", "test_label") if key not in mapping]
        if missing:
            raise TrainingError(
                f"data set {name}: expected the arrays train_data, train_label, test_data and test_label, "
                f"found no {', '.join(missing)}; see Dataset.load"
            )
        arrays = cls(
            *(_as_float32(name, key, mapping[key]) for key in ("train_data", "train_label", "test_data", "test_label"))
        )
        _check_lengths(name, "train", arrays.train_data, arrays.train_label)
        _check_lengths(name, "test", arrays.test_data, arrays.test_label)
        if arrays.train_data.shape[1:] != arrays.test_data.shape[1:]:
            raise TrainingError(
                f"data set {name}: expected training and test examples of one shape, found "
                f"{arrays.train_data.shape[1:]} and {arrays.test_data.shape[1:]}; preprocess both alike"
            )
        return arrays

    @cached_property
    def train_digest(self) -> str:
        """SHA-256 of the training images and labels."""
        return arrays_digest({"data": self.train_data, "label": self.train_label})

    @cached_property
    def test_digest(self) -> str:
        """SHA-256 of the test images and labels."""
        return arrays_digest({"data": self.test_data, "label": self.test_label})

    def check_trial(self, trial: Trial, contexts: int) -> None:
        """Refuse a batch size that these arrays or that many devices cannot fill.

        Raises:
            TrainingError: more images per batch than there are, or more devices than images in a batch.
        """
        if trial.batch_size > len(self.train_data):
            raise TrainingError(
                f"{trial}: batch_size {trial.batch_size} is more than the {len(self.train_data)} training examples; "
                f"lower it"
            )
        if trial.batch_size < contexts:
            raise TrainingError(
                f"{trial}: batch_size {trial.batch_size} cannot be split over {contexts} devices; raise it or use fewer"
            )

    def check_labels(self, name: str, classes: int) -> None:
        """Refuse labels that are not whole numbers from 0 to ``classes - 1``.

        Raises:
            TrainingError: names the first bad label and where it is.
        """
        for key, label in (("train_label", self.train_label), ("test_label", self.test_label)):
            bad = np.flatnonzero((label < 0) | (label >= classes) | (label != np.floor(label)))
            if bad.size:
                raise TrainingError(
                    f"data set {name}: expected labels to be whole numbers from 0 to {classes - 1}, the classes of the "
                    f"graph's output, found {label[bad[0]]:g} at {key}[{bad[0]}] ({bad.size} in all); mend the labels "
                    f"or give the last layer more outputs"
                )


def _as_float32(name: str, key: str, array: NDArray[Any]) -> NDArray[np.float32]:
    found = np.asarray(array)
    if found.dtype.kind not in "buif":
        raise TrainingError(f"data set {name}: expected {key} to be an array of numbers, found dtype {found.dtype}")
    result: NDArray[np.float32] = np.ascontiguousarray(found, dtype=np.float32)
    if result.size == 0:
        raise TrainingError(f"data set {name}: {key} is empty; give it at least one example")
    if not np.isfinite(result).all():
        where = np.unravel_index(int(np.argmin(np.isfinite(result))), result.shape)
        raise TrainingError(
            f"data set {name}: expected finite numbers in {key}, found {result[where]} at {tuple(map(int, where))}; "
            f"clean the data first"
        )
    result = result.view()
    result.flags.writeable = False  # it is shared by all that train on it, and by tests
    return result


def _check_lengths(name: str, part: str, data: NDArray[Any], label: NDArray[Any]) -> None:
    if data.ndim < 2:  # noqa: PLR2004 - examples and at least one feature
        raise TrainingError(
            f"data set {name}: expected {part}_data of shape (examples, features, ...), found {data.shape}"
        )
    if label.ndim != 1 or len(label) != len(data):
        raise TrainingError(
            f"data set {name}: expected {part}_label of shape ({len(data)},), one per example of {part}_data, "
            f"found {label.shape}"
        )
