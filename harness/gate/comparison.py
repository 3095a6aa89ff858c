"""The statistics of the regression gate: has a training procedure become worse, or were its seeds unlucky?

Trained twice under other seeds, one procedure gives two accuracies; between seeds the notebook's perceptron differs
by 0.2 points. So replicates are compared with replicates, on the same test images (Bouthillier et al. 2021,
"Accounting for variance in machine learning benchmarks"). Two tests share the rate of false alarms:

`permutation_test`, four fifths of the rate. If nothing has changed, it is chance which of all models are called
baseline and which new, so how unusual the difference of the means is follows from counting allocations (Fisher 1935,
Pitman 1937); no distribution is assumed, and the rate is exact. Accuracy and loss are judged together by the largest
of their standardized differences, which keeps the rate for both and uses that they go together (Westfall and Young
1993, "maxT"). Where there are too many allocations to count, a fixed sample of them is, the found one included
(Phipson and Smyth 2010). If both sides used the same seeds, their models are alike, differences are smaller than
among strangers, and the rate of false alarms falls below the stated one.

`paired_test`, one fifth. Models of one seed started from the same weights and saw the same batches; after a change
that is no more than a rounding they differ in a handful of images. For each seed both sides have, the images are
paired: `lost` were right before and are wrong now, `gained` the other way round. McNemar's test (1947) would take the
seeds' images for independent and call any other model a worse one (Dietterich 1998 on what it answers: these two
models, not the procedures behind them). So Student's t over the seeds' net losses is used, whose variance is at least
McNemar's, ``lost + gained``: five seeds that happen to lose one image each are no proof.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

PERMUTATION_SHARE = 0.8
"""Of the rate of false alarms; the rest is the paired test's."""

MOST_ALLOCATIONS = 50_000
"""So many are counted one by one; of more, as many are drawn."""

LEAST_PAIRS = 5

_TIE = 1e-9  # differences of means that are equal but for the order of their sums


@dataclass(frozen=True)
class Pair:
    """Two models of one seed on the same test images.

    Attributes:
        lost: images that the baseline's got right and the new one gets wrong.
        gained: the other way round.
        images: test images in all.
    """

    lost: int
    gained: int
    images: int


@dataclass(frozen=True)
class Comparison:
    """What both tests found.

    Attributes:
        by_replicates: p-value of `permutation_test`.
        by_images: p-value of `paired_test`.
    """

    by_replicates: float
    by_images: float

    def worse(self, false_alarms: float) -> tuple[str, ...]:
        """Which tests call the new models worse, in words, if unchanged code may fail at this rate."""
        found = []
        if self.by_replicates <= PERMUTATION_SHARE * false_alarms:
            found.append(f"replicates against replicates, p = {self.by_replicates:.2g}")
        if self.by_images <= (1 - PERMUTATION_SHARE) * false_alarms:
            found.append(f"image by image with the same seeds, p = {self.by_images:.2g}")
        return tuple(found)


def badness(accuracies: Sequence[float], losses: Sequence[float]) -> NDArray[np.float64]:
    """(replicates, 2): the metrics that are compared, larger is worse.

    Losses count to a ten-thousandth of a nat: what is less is rounding, of a file's or of another processor's.
    """
    return np.stack([-np.asarray(accuracies), np.round(losses, 4)], axis=1)


def compare(baseline: NDArray[np.float64], found: NDArray[np.float64], pairs: Sequence[Pair]) -> Comparison:
    """Both tests, of replicates as `permutation_test` takes them, and of the models of common seeds."""
    return Comparison(permutation_test(baseline, found), paired_test(pairs))


def permutation_test(baseline: NDArray[np.float64], found: NDArray[np.float64]) -> float:
    """P-value of the null hypothesis that both sides come from one procedure, against: ``found`` is larger.

    Args:
        baseline: (n, metrics), one row per replicate; larger is worse.
        found: (m, metrics), the same metrics.

    Returns:
        The share of all allocations of the n + m rows that look at least as bad as the one found.
    """
    together = np.concatenate([found, baseline])
    spread = together.std(axis=0)
    standard = (together - together.mean(axis=0)) / np.where(spread > 0, spread, 1)
    chosen = _allocations(len(together), len(found))
    # The mean of all rows is 0, so the mean of the chosen ones decides the difference.
    worst = (chosen @ standard / len(found)).max(axis=1)
    observed = standard[: len(found)].mean(axis=0).max()
    return float((worst >= observed - _TIE).mean())


def least_p_value(baseline: int, found: int) -> float:
    """The smallest p-value that `permutation_test` can give for so many replicates."""
    return 1 / min(math.comb(baseline + found, found), MOST_ALLOCATIONS)


def paired_test(pairs: Sequence[Pair]) -> float:
    """P-value of the null hypothesis that neither model of a seed tends to be better, against: the new one is worse.

    Fewer than five pairs give 1: where seeds either fare well or fail, three that fail alike are no rarity, and
    Student's t takes them for a proof.
    """
    if len(pairs) < LEAST_PAIRS:
        return 1.0
    from scipy import stats

    mean, error = _paired(pairs)
    if error == 0:  # nothing lost, nothing gained
        return 1.0
    return float(stats.t.sf(mean / error, len(pairs) - 1))


def interval(baseline: Sequence[float], found: Sequence[float], confidence: float) -> tuple[float, float]:
    """Student's interval for the difference of the means, found less baseline, with their pooled variance."""
    from scipy import stats

    degrees = len(baseline) + len(found) - 2
    difference = float(np.mean(found) - np.mean(baseline))
    if degrees < 1:
        return -math.inf, math.inf
    squares = len(baseline) * float(np.var(baseline)) + len(found) * float(np.var(found))
    error = math.sqrt(squares / degrees * (1 / len(baseline) + 1 / len(found)))
    half = error * float(stats.t.isf((1 - confidence) / 2, degrees))
    return difference - half, difference + half


def paired_interval(pairs: Sequence[Pair], confidence: float) -> tuple[float, float]:
    """Student's interval for the mean difference of accuracies within pairs, new less baseline."""
    from scipy import stats

    mean, error = _paired(pairs)
    half = error * float(stats.t.isf((1 - confidence) / 2, len(pairs) - 1)) if error else 0.0
    return -mean - half, -mean + half


def power(fall: float, deviation: float, *, baseline: int, found: int, false_alarms: float) -> float:
    """How often `permutation_test` notices a fall of the mean accuracy, by the noncentral t-distribution.

    With accuracy alone, and half of the test's rate, as if loss saw nothing. It is as good as the deviation, which is
    an estimate of its own.

    Args:
        fall: the true fall, a share of 1.
        deviation: standard deviation of the accuracy between seeds, a share of 1.
        baseline: number of replicates in the baseline.
        found: number of replicates that are compared with it.
        false_alarms: the gate's rate.
    """
    if deviation == 0:
        return 1.0
    from scipy import stats

    degrees = baseline + found - 2
    limit = stats.t.isf(PERMUTATION_SHARE * false_alarms / 2, degrees)
    shift = fall / (deviation * math.sqrt(1 / baseline + 1 / found))
    return float(stats.nct.sf(limit, degrees, shift))


def _paired(pairs: Sequence[Pair]) -> tuple[float, float]:
    """Mean net loss of accuracy over pairs, and its standard error."""
    net = np.array([(pair.lost - pair.gained) / pair.images for pair in pairs])
    flips = sum((pair.lost + pair.gained) / pair.images**2 for pair in pairs) / len(pairs)
    return float(net.mean()), math.sqrt(max(float(net.var(ddof=1)), flips) / len(pairs))


@lru_cache(maxsize=4)
def _allocations(rows: int, chosen: int) -> NDArray[np.float64]:
    """(allocations, rows) of zeros and ones: which rows might have been the new ones; the first is: the first ones."""
    count = math.comb(rows, chosen)
    if count <= MOST_ALLOCATIONS:
        picks = np.array(list(itertools.combinations(range(rows), chosen)))
    else:
        draw = np.random.default_rng(0)  # the same sample in every run: a verdict must not change by itself
        picks = draw.permuted(np.tile(np.arange(rows), (MOST_ALLOCATIONS, 1)), axis=1)[:, :chosen]
        picks[0] = np.arange(chosen)
    result = np.zeros((len(picks), rows))
    np.put_along_axis(result, picks, 1, axis=1)
    return result
