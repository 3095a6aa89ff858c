"""How the replicates of a setting classified the test images, for the report to show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.report.board import Evidence, Mistake
from harness.report.pictures import Pictures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.result import Replicates


def gather(replicates: Replicates, images: NDArray[Any] | None, *, limit: int = 24) -> Evidence:
    """Count how all replicates confused the classes, and pick the images that they got wrong the most.

    Args:
        replicates: the trained models of one setting.
        images: the test images, (m, ...) in the order of the labels; None if there are none to show.
        limit: how many mistakes to keep, at most.

    Returns:
        The confusion over all replicates, and the images that at least one replicate got wrong, the lowest mean
        probability of the true class first. A mistake has a picture if the images look like pictures, see
        `harness.report.pictures.Pictures.of`.
    """
    labels = replicates[0].labels
    answers = np.stack([model.probabilities.argmax(axis=1) for model in replicates])
    truths = np.stack([model.probabilities[np.arange(len(labels)), labels] for model in replicates])
    means = truths.mean(axis=0, dtype=np.float64)
    wrong = np.flatnonzero((answers != labels).any(axis=0))
    # NaN is the worst there is.
    ranked = wrong[np.argsort(np.nan_to_num(means[wrong], nan=-1.0), kind="stable")]
    pictures = Pictures.of(images, len(labels))
    mistakes = [
        Mistake(
            index=int(index),
            label=int(labels[index]),
            answers={str(m.trial.seed): int(answer) for m, answer in zip(replicates, answers[:, index], strict=True)},
            probability=float(means[index]),
            picture=pictures.data_uri(int(index)) if pictures else "",
        )
        for index in ranked[:limit]
    ]
    return Evidence(
        confusion=_confusion(answers, labels, replicates[0].probabilities.shape[1]), mistakes=tuple(mistakes)
    )


def _confusion(answers: NDArray[Any], labels: NDArray[Any], classes: int) -> tuple[tuple[int, ...], ...]:
    """Counts by true class and answer, over answers (replicates, m) to labels (m,)."""
    pairs = np.broadcast_to(labels, answers.shape) * classes + answers
    counts = np.bincount(pairs.ravel(), minlength=classes * classes).reshape(classes, classes)
    return tuple(tuple(row) for row in counts.tolist())
