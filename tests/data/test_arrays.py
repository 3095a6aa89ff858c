"""Arrays that the user already has, as a data set: accepted as they are, or refused when declared."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.data.arrays import arrays
from harness.errors import DataError, DeclarationError

if TYPE_CHECKING:
    from harness.experiment import Dataset

GOOD = {
    "train_data": np.arange(12, dtype=np.float32).reshape(3, 2, 2),
    "train_label": np.array([0, 1, 1], np.int8),
    "test_data": np.ones((2, 2, 2), np.float32),
    "test_label": np.array([1, 0], np.int64),
}


def test_good_arrays_are_handed_on() -> None:
    """Arrays of the right kind are neither copied nor changed, and the data set's view cannot be written to."""
    dataset: Dataset = arrays("mine", **GOOD)
    loaded = dataset.load()
    assert dataset.name == "mine"
    assert set(loaded) == set(GOOD)
    for key, array in loaded.items():
        assert np.shares_memory(array, GOOD[key])
        assert array.dtype == GOOD[key].dtype
        assert not array.flags.writeable
        assert GOOD[key].flags.writeable


def test_other_numbers_become_float32() -> None:
    """Lists, bytes and doubles serve as data with their values unchanged; labels keep their type."""
    loaded = arrays(
        "mine", train_data=[[1, 2]], train_label=[True], test_data=np.array([[255, 0.5]]), test_label=[3.0]
    ).load()
    assert {array.dtype for key, array in loaded.items() if key.endswith("data")} == {np.dtype(np.float32)}
    assert (loaded["train_data"].tolist(), loaded["test_data"].tolist()) == ([[1, 2]], [[255, 0.5]])
    assert (loaded["train_label"].dtype, loaded["test_label"].dtype) == (np.bool_, np.float64)


def test_a_data_set_is_a_small_value() -> None:
    """It can be hashed and compared, by identity, and its repr does not print the arrays."""
    one, other = arrays("mine", **GOOD), arrays("mine", **GOOD)
    assert one == one  # noqa: PLR0124 - equality is what is tested
    assert one != other
    assert len({one, other}) == 2
    assert repr(one) == "ArrayDataset(name='mine')"


@pytest.mark.parametrize("name", ["", "  ", None, 3])
def test_a_name_is_needed(name: Any) -> None:
    """A data set without a name would be a hole in every table."""
    words = re.escape(f"arrays: expected a name for tables and messages, found {name!r}")
    with pytest.raises(DeclarationError, match=f"^{words}$"):
        arrays(name, **GOOD)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("train_data", [[1], [2, 3]], "expected train_data to be an array of numbers: setting an array element"),
        ("train_data", ["a", "b", "c"], "expected train_data to be an array of real numbers, found type <U1"),
        ("train_data", None, "expected train_data to be an array of real numbers, found type object"),
        ("train_data", np.zeros(3, complex), "found type complex128"),
        ("train_data", np.zeros((0, 2, 2)), "train_data is empty (shape (0, 2, 2)); give at least one example"),
        ("train_data", np.full((3, 2, 2), np.nan), "to be finite float32, found 12 of 12 values that are not; clean"),
        ("train_data", np.full((3, 2, 2), 1e300), "to be finite float32, found 12 of 12 values that are not; clean"),
        (
            "train_data",
            np.zeros((4, 2, 2)),
            "one label in train_label (n,) for each example in train_data (n, ...), found shapes (3,) and (4, 2, 2)",
        ),
        ("test_data", 1.0, "for each example in test_data (n, ...), found shapes (2,) and ()"),
        (
            "test_data",
            np.zeros((2, 4)),
            "expected test_data to hold examples of shape (2, 2), as train_data does, found (4,); reshape one of them",
        ),
        ("train_label", np.zeros((3, 1)), "found shapes (3, 1) and (3, 2, 2)"),
        (
            "train_label",
            [0, 1, -1],
            "expected train_label to hold classes as whole numbers from 0, found -1; number the",
        ),
        ("test_label", [0, 0.5], "expected test_label to hold classes as whole numbers from 0, found 0.5; number the"),
        ("test_label", [0, np.inf], "expected test_label to be finite float64, found 1 of 2 values that are not"),
    ],
)
def test_bad_arrays_are_refused_when_declared(key: str, value: Any, words: str) -> None:
    """Each way in which arrays do not make a data set is a DataError that names the array and what was found."""
    with pytest.raises(DataError, match=re.escape(words)) as caught:
        arrays("mine", **{**GOOD, key: value})
    assert str(caught.value).startswith("mine: ")
