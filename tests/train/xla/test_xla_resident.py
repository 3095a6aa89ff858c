"""The data on the device: as narrow as possible, and the same numbers to the bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIXELS = np.arange(300 * 4, dtype=np.float32).reshape(300, 1, 2, 2) % 256


def resident_of(train: NDArray[Any], test: NDArray[Any], batch: int = 7) -> Any:
    """The data in the form for the device."""
    from harness.train.arrays import Arrays
    from harness.train.xla.resident import resident

    arrays = Arrays(
        train.astype(np.float32),
        np.zeros(len(train), np.float32),
        test.astype(np.float32),
        np.arange(len(test), dtype=np.float32),
    )
    return resident(arrays, batch)


@pytest.mark.parametrize("scale", [255, 1])
def test_pixels_are_kept_as_bytes_and_come_back_to_the_bit(scale: int) -> None:
    """Both usual forms of pictures, 0 to 1 and 0 to 255: all 256 values survive the way through a compiled program."""
    import jax

    examples = PIXELS / np.float32(scale)
    kept = resident_of(examples, examples[:5])
    assert kept.train.dtype == np.uint8
    decoded = jax.jit(lambda resident: resident.decode(resident.train))(kept)
    np.testing.assert_array_equal(np.asarray(decoded), examples)


@pytest.mark.parametrize(
    "value", [0.5, -1 / 255, 256 / 255, 1e30, np.nextafter(np.float32(3 / 255), np.float32(1))], ids=str
)
@pytest.mark.parametrize("part", ["train", "test"])
def test_anything_else_is_kept_as_it_is(value: float, part: str) -> None:
    """One number that is no pixel, however near and in whichever part, and all stay float32."""
    import jax

    train, test = (PIXELS / np.float32(255)).copy(), (PIXELS[:5] / np.float32(255)).copy()
    (train if part == "train" else test)[-1, 0, 1, 1] = value
    kept = resident_of(train, test)
    assert kept.train.dtype == kept.test.dtype == np.float32
    np.testing.assert_array_equal(np.asarray(jax.jit(lambda resident: resident.decode(resident.train))(kept)), train)


def test_the_last_test_batch_is_filled_up() -> None:
    """Graphs take whole batches: what is missing comes from the start."""
    kept = resident_of(PIXELS, PIXELS[:10], batch=7)
    assert kept.test.shape == (2, 7, 1, 2, 2)
    assert kept.test_label.tolist() == [[0, 1, 2, 3, 4, 5, 6], [7, 8, 9, 0, 1, 2, 3]]
