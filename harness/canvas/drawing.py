"""What somebody has drawn, as strokes of a pen: from the page, from a file, or written down in a test."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

PEN = 0.09
"""Width of a pen, in sides of the canvas: about as thick as digits of MNIST are when one draws large."""

THINNEST, THICKEST = 0.005, 0.3
"""Widths that a pen may have."""

MOST_POINTS = 10_000
"""Points in one drawing: minutes of scribbling."""

REACH = 1.0
"""How far off the canvas a point may be, in its sides: in what others have recorded. The page stays on its canvas."""

_SHORT = 60
"""Characters of something that a message quotes."""


@dataclass(frozen=True, init=False, eq=False)
class Drawing:
    """Strokes on a square canvas.

    Args:
        strokes: each an array-like of shape (n, 2), n of at least 1: x to the right and y downwards, in sides of the
            canvas, so the canvas is from 0 to 1. One point is a dot.
        pen: how wide the pen draws, in sides of the canvas.

    Attributes:
        strokes: float64, (n, 2) each, read-only.
        pen: as given.

    Raises:
        DataError: no stroke, one of another shape, a point that is no number or far off the canvas, too many
            points, or no such pen.
    """

    strokes: tuple[NDArray[np.float64], ...]
    pen: float

    def __init__(self, strokes: Iterable[ArrayLike], *, pen: float = PEN) -> None:
        checked = tuple(_stroke(number, stroke) for number, stroke in enumerate(_listed(strokes), 1))
        if not checked:
            raise DataError("drawing: expected at least one stroke, found none; draw something")
        points = sum(map(len, checked))
        if points > MOST_POINTS:
            raise DataError(f"drawing: expected at most {MOST_POINTS:,} points, found {points:,}; draw less")
        object.__setattr__(self, "strokes", checked)
        object.__setattr__(self, "pen", _pen(pen))

    @property
    def points(self) -> NDArray[np.float64]:
        """All points of all strokes, (n, 2)."""
        return np.concatenate(self.strokes)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; positions to a ten-thousandth of the canvas."""
        return {"pen": self.pen, "strokes": [np.round(stroke, 4).tolist() for stroke in self.strokes]}

    @classmethod
    def from_dict(cls, entry: Any) -> Drawing:
        """The inverse of `to_dict`.

        Raises:
            DataError: it is none.
        """
        if not isinstance(entry, dict) or not {"strokes"} <= entry.keys() <= {"strokes", "pen"}:
            raise DataError(f"drawing: expected an object of strokes and pen, found {short(entry)}")
        return cls(entry["strokes"], pen=entry.get("pen", PEN))


def read_drawings(path: str | Path) -> dict[str, tuple[Drawing, ...]]:
    """Recorded drawings by what they show: JSON, ``{"7": [{"pen": 0.07, "strokes": [[[x, y], ...], ...]}, ...]}``.

    The page saves a file like that.

    Raises:
        DataError: there is no such file, or it holds something else; names the entry.
    """
    try:
        held = json.loads(Path(path).read_bytes(), object_pairs_hook=_once)
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: expected recorded drawings as JSON, found {error}") from error
    if not isinstance(held, dict) or not all(isinstance(drawings, list) for drawings in held.values()):
        raise DataError(f"{path}: expected an object of lists of drawings, found {short(held)}")
    return {label: tuple(_entries(f"{path}: {label!r}", drawings)) for label, drawings in held.items()}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; JSON's reader would take the last of several that are called the same, and lose the others."""
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name!r} twice; put the drawings of one label into one list")
    return dict(pairs)


def _entries(where: str, drawings: list[Any]) -> Iterable[Drawing]:
    for number, entry in enumerate(drawings, 1):
        try:
            yield Drawing.from_dict(entry)
        except DataError as error:
            raise DataError(f"{where}, drawing {number}: {error}") from error


def _listed(strokes: Any) -> list[Any]:
    is_array_without_length = getattr(strokes, "shape", None) == ()
    if isinstance(strokes, str | bytes | dict) or not hasattr(strokes, "__iter__") or is_array_without_length:
        raise DataError(f"strokes: expected a list of strokes, found {short(strokes)}")
    return list(strokes)


def _stroke(number: int, points: Any) -> NDArray[np.float64]:
    expected = f"stroke {number}: expected points as pairs of numbers, [[x, y], ...]"
    try:
        stroke = np.array(points)
    except (TypeError, ValueError) as error:
        raise DataError(f"{expected}, found {short(points)}") from error
    if stroke.ndim != 2 or stroke.shape[1] != 2 or len(stroke) == 0 or stroke.dtype.kind not in "iuf":  # noqa: PLR2004
        raise DataError(f"{expected}, found {short(points)}")
    off = ~(np.abs(stroke - 0.5) <= 0.5 + REACH).all(axis=1)  # what is no number is nowhere
    if off.any():
        x, y = stroke[off][0].tolist()
        raise DataError(f"stroke {number}: expected points on the canvas, 0 to 1, or near it, found ({x:g}, {y:g})")
    stroke = stroke.astype(np.float64)
    stroke.flags.writeable = False
    return stroke


def _pen(width: Any) -> float:
    if not isinstance(width, int | float) or not THINNEST <= width <= THICKEST:  # no boolean is either, and no NaN
        raise DataError(f"pen: expected a width of {THINNEST} to {THICKEST} sides of the canvas, found {short(width)}")
    return float(width)


def short(found: Any) -> str:
    """What was found instead, on one line of at most 60 characters."""
    try:
        text = " ".join(repr(found).split())
    except (RecursionError, ValueError):  # nested too deep, or an integer of more digits than Python writes
        text = f"some {type(found).__name__}"
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 3]}..."
