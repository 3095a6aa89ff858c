"""Figures from predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EPSILON = 1e-12  # as mx.metric.CrossEntropy: a confident miss costs 27.6 nats, not infinity


def accuracy(probabilities: NDArray[np.float32], label: NDArray[Any]) -> float:
    """Share of rows of ``probabilities`` (n, classes) whose largest entry is at ``label`` (n,)."""
    return float((probabilities.argmax(axis=1) == label).mean())


def cross_entropy(probabilities: NDArray[np.float32], label: NDArray[Any]) -> float:
    """Mean cross-entropy in nats of ``probabilities`` (n, classes) against ``label`` (n,)."""
    chosen = probabilities[np.arange(len(label)), label.astype(np.int64)].astype(np.float64)
    return float(-np.log(chosen + _EPSILON).mean())
