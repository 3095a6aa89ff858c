"""The data set as it lies on the device: once for all trials, and no wider than it has to be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.train.arrays import Arrays
    from harness.train.xla.operators.operator import Array

_SCALES = (255.0, 1.0)
"""What whole numbers of one byte were divided by: pictures come as 0 to 1 in 255ths, or as they are."""

_BLOCK = 256
"""Examples looked at together: few enough to stay in the processor's cache, and to stop early if they are no bytes."""


class Resident(NamedTuple):
    """Arrays that every trial reads.

    Attributes:
        train: uint8 or float32 (n, ...).
        train_label: float32 (n,).
        test: uint8 or float32 (batches, batch, ...), the last batch filled up with examples from the start.
        test_label: float32 (batches, batch).
        factors: float32 (2,), whose sum a byte is multiplied by. XLA may make of a division by 255 a multiplication by
            the reciprocal, which is off by a rounding. The first factor has so few digits that its product with a byte
            is exact, the second is the rest: together they round as the division does.
    """

    train: Any
    train_label: Any
    test: Any
    test_label: Any
    factors: Any

    def decode(self, stored: Array) -> Array:
        """Examples in float32, to the bit as they came; on the device."""
        if stored.dtype != jnp.uint8:
            return stored
        number = stored.astype(jnp.float32)
        return number * self.factors[0] + number * self.factors[1]


def resident(arrays: Arrays, batch: int) -> Resident:
    """The arrays in the form in which they are put on the device, still in the host's memory.

    A byte takes a quarter of the memory of a float32, and converting it inside the program costs nothing that could be
    measured.
    """
    train, test, scale = _narrowed(arrays.train_data, arrays.test_data)
    batches = -(-len(test) // batch)  # graphs take full batches
    filled = np.resize(np.arange(len(test)), (batches, batch))
    return Resident(train, arrays.train_label, test[filled], arrays.test_label[filled], _factors(scale))


def _factors(scale: float) -> NDArray[np.float32]:
    first = np.array(1 / scale, np.float32).view(np.uint32) & np.uint32(0xFFFF0000)  # 8 of its 24 digits
    exact = float(first.view(np.float32))
    return np.array([exact, 1 / scale - exact], np.float32)


def _narrowed(train: NDArray[np.float32], test: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Both in the narrowest form that gives back exactly these numbers, and what its bytes are divided by."""
    for scale in _SCALES:
        narrow = _bytes(train, scale), _bytes(test, scale)
        if narrow[0] is not None and narrow[1] is not None:
            return narrow[0], narrow[1], scale
    return train, test, 1.0


def _bytes(examples: NDArray[np.float32], scale: float) -> NDArray[np.uint8] | None:
    """The bytes that, divided by ``scale`` in float32, are these examples; None if there are none."""
    meaning = np.arange(256, dtype=np.float32) / np.float32(scale)
    stored = np.empty(examples.shape, np.uint8)
    for start in range(0, len(examples), _BLOCK):
        block = examples[start : start + _BLOCK]
        if block.min() < meaning[0] or block.max() > meaning[-1]:
            return None
        codes = (block * np.float32(scale) + np.float32(0.5)).astype(np.uint8)
        if not np.array_equal(meaning[codes], block):
            return None
        stored[start : start + _BLOCK] = codes
    return stored
