"""Arrays are checked against each other and against the trial before the first update."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.errors import TrainingError
from harness.train.arrays import Arrays

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.experiment import Trial


def mapping(**replaced: Any) -> dict[str, Any]:
    """A small data set that fits together, but for what is replaced."""
    good = {
        "train_data": np.zeros((6, 1, 2, 2), np.float32),
        "train_label": np.array([0, 1, 2, 0, 1, 2]),
        "test_data": np.zeros((3, 1, 2, 2), np.float32),
        "test_label": np.array([0, 1, 2]),
    }
    return {name: value for name, value in {**good, **replaced}.items() if value is not None}


def test_fitting_arrays_become_float32() -> None:
    """Whatever number type the arrays have, training sees contiguous float32."""
    arrays = Arrays.from_mapping("d", mapping(train_data=np.zeros((6, 1, 2, 2), np.float64)))
    assert arrays.train_data.dtype == arrays.train_label.dtype == np.float32


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"test_label": None}, "data set d: expected the arrays .*, found no test_label"),
        ({"train_data": np.zeros((0, 1, 2, 2))}, "train_data is empty"),
        ({"train_label": np.zeros(5)}, r"expected train_label of shape \(6,\), one per example .*found \(5,\)"),
        ({"train_label": np.zeros((6, 1))}, r"expected train_label of shape \(6,\).*found \(6, 1\)"),
        ({"test_data": np.zeros((3, 1, 3, 3))}, r"one shape, found \(1, 2, 2\) and \(1, 3, 3\)"),
        ({"train_data": np.zeros(6)}, r"expected train_data of shape \(examples, features, ...\), found \(6,\)"),
        ({"test_data": np.full((3, 1, 2, 2), np.nan)}, r"finite numbers in test_data, found nan at \(0, 0, 0, 0\)"),
        ({"train_data": np.array([["a"] * 2] * 6)}, "expected train_data to be an array of numbers, found dtype <U1"),
    ],
)
def test_what_does_not_fit_is_named(replaced: dict[str, Any], message: str) -> None:
    """Each misfit is one error that says which array, what was expected and what was found."""
    with pytest.raises(TrainingError, match=message):
        Arrays.from_mapping("d", mapping(**replaced))


@pytest.mark.parametrize(("label", "found"), [(3, "3"), (-1, "-1"), (0.5, "0.5")])
def test_a_label_outside_the_classes_is_named(label: float, found: str) -> None:
    """The first bad label, where it stands and how many there are; labels up to the last class pass."""
    arrays = Arrays.from_mapping("d", mapping(train_label=np.array([0, 1, label, 0, 1, label])))
    with pytest.raises(TrainingError, match=rf"from 0 to 2, .*found {found} at train_label\[2\] \(2 in all\)"):
        arrays.check_labels("d", 3)
    Arrays.from_mapping("d", mapping()).check_labels("d", 3)


def test_a_batch_larger_than_the_data_is_refused(make_trial: Callable[..., Trial]) -> None:
    """More images per batch than there are, and fewer than there are devices, are errors."""
    arrays = Arrays.from_mapping("d", mapping())
    arrays.check_trial(make_trial(batch_size=6), 1)
    with pytest.raises(TrainingError, match="batch_size 7 is more than the 6 training examples"):
        arrays.check_trial(make_trial(batch_size=7), 1)
    with pytest.raises(TrainingError, match="batch_size 2 cannot be split over 3 devices"):
        arrays.check_trial(make_trial(batch_size=2), 3)
