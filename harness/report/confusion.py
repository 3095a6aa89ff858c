"""Which classes were taken for which: the confusion of a setting as a table, and in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.figures import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.board import Mistake

MOST_CLASSES = 30
"""Classes of the largest matrix that is drawn."""

MOST_PAIRS = 20
"""Confusions that are listed in place of a larger one."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """An entry of the matrix.

    Attributes:
        count: how often.
        right: whether it lies on the diagonal.
        heat: the share, from 0 to 1, of the strongest shade; logarithmic, as a few confusions dwarf the others.
    """

    count: int
    right: bool
    heat: float


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Images of one class that were taken for another.

    Attributes:
        label: their class.
        answer: the class that they were taken for.
        count: how often.
    """

    label: int
    answer: int
    count: int

    def __str__(self) -> str:
        times = {1: "once", 2: "twice"}.get(self.count, f"{self.count:,} times")
        return f"{self.label} taken for {self.answer}, {times}"


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """What the page shows of a confusion matrix.

    Attributes:
        cells: row by row; empty if there are more than `MOST_CLASSES` classes.
        pairs: the most frequent confusions, first the most frequent.
        classes: how many there are.
        total: answers.
        wrong: wrong answers.
    """

    cells: tuple[tuple[Cell, ...], ...]
    pairs: tuple[Pair, ...]
    classes: int
    total: int
    wrong: int

    @classmethod
    def of(cls, counts: Sequence[Sequence[int]]) -> Confusion:
        """From counts, row: true class, column: answer."""
        found = [
            Pair(label=label, answer=answer, count=count)
            for label, row in enumerate(counts)
            for answer, count in enumerate(row)
            if count and label != answer
        ]
        pairs = sorted(found, key=lambda pair: -pair.count)
        strongest = pairs[0].count if pairs else 1
        return cls(
            cells=_cells(counts, strongest) if len(counts) <= MOST_CLASSES else (),
            pairs=tuple(pairs[:MOST_PAIRS]),
            classes=len(counts),
            total=sum(map(sum, counts)),
            wrong=sum(pair.count for pair in pairs),
        )

    @property
    def digits(self) -> int:
        """Of the largest count."""
        return len(str(max((cell.count for row in self.cells for cell in row), default=0)))

    def __str__(self) -> str:
        """The most frequent confusion in words."""
        if not self.pairs:
            return "No test image was classified wrong."
        return f"{self.wrong:,} of {counted(self.total, 'answer')} wrong; most often {self.pairs[0]}."


def answers_in_words(mistake: Mistake) -> str:
    """What replicates took an image for: ``answered 9 by 3 of 4 replicates``."""
    wrong = [answer for answer in mistake.answers.values() if answer != mistake.label]
    replicates = counted(len(mistake.answers), "replicate")
    ranked = sorted(set(wrong), key=lambda answer: (-wrong.count(answer), answer))
    if len(ranked) == 1 and len(wrong) == len(mistake.answers) > 1:
        return f"answered {ranked[0]} by all {replicates}"
    counts = ", ".join(f"{answer} by {wrong.count(answer)}" for answer in ranked)
    return f"answered {counts} of {replicates}"


def _cells(counts: Sequence[Sequence[int]], strongest: int) -> tuple[tuple[Cell, ...], ...]:
    return tuple(
        tuple(
            Cell(
                count=count,
                right=label == answer,
                heat=0.0 if label == answer else round(math.log1p(count) / math.log1p(strongest), 2),
            )
            for answer, count in enumerate(row)
        )
        for label, row in enumerate(counts)
    )
