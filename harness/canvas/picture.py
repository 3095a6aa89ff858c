"""The picture of 28 x 28 pixels that a model is shown of a drawing: made as MNIST's were, or as the notebook's.

MNIST's authors (http://yann.lecun.com/exdb/mnist) tell what they did: each digit was scaled into 20 x 20 pixels with
its aspect ratio kept, which smoothed its edges into levels of grey, and moved within 28 x 28 pixels until its centre
of mass was in the middle.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from harness.canvas.drawing import Drawing

SIDE = 28
"""Pixels of a picture's side."""

BOX = 20
"""Pixels of the side of the box into which MNIST fits a digit."""

CENTRE = 14
"""Index of the row and of the column where MNIST's centres of mass are: in its test images they are spread evenly from
13.5 to 14.5, so the authors moved whole pixels."""

THINNEST, THICKEST = 1.8, 3.0
"""Pixels that a pen is wide in a picture. In MNIST's test images it is 2.4 at the median: ink by length of trace.

The authors say nothing of it: NIST's writers had pens of one kind, and boxes to fill. On a page a small digit would be
all pen, and a large one a hair; ``benchmarks/drawn_digits.py`` says what that costs."""

_DOT = 1e-9
"""Sides of the canvas: what extends no further than that is a dot, and has no size to be fitted."""

_TIE = 1e-6
"""Pixels: a drawing that is symmetric lies half-way between two places. Rounding must not choose between them."""

_AT_ONCE = 256
"""Segments whose distances are held in memory together."""


def mnist_picture(drawing: Drawing) -> NDArray[np.float32]:
    """A drawing as MNIST would have it: float32 (28, 28), ink 1 on 0, fitted into 20 x 20, centred by mass.

    The strokes are fitted, not a picture of them, so nothing is lost by resampling: wherever the drawing is on its
    canvas, and however large, the picture is the same. The pen is kept as wide as pens are in MNIST.
    """
    low, high = drawing.points.min(axis=0), drawing.points.max(axis=0)
    longest = float((high - low).max())
    width = float(np.clip(BOX * drawing.pen / (longest + drawing.pen), THINNEST, THICKEST))
    scale = (BOX - width) / longest if longest > _DOT else 0.0
    corner = (BOX - (high - low) * scale) / 2
    strokes = [(stroke - low) * scale + corner for stroke in drawing.strokes]
    return _centred(_ink(_segments(strokes), width / 2))


def notebook_picture(drawing: Drawing) -> NDArray[np.float32]:
    """A drawing as the notebook's page sends it: float32 (28, 28) of hard 0 and 1, where it was drawn, as it was drawn.

    Each position of the mouse, and nothing between two of them, blackens two by two pixels, one column further to the
    right than it is; the pen is always as wide.
    """
    picture = np.zeros((SIDE, SIDE), np.float32)
    columns, rows = np.floor(drawing.points * SIDE).astype(int).T
    is_on_canvas = (columns >= 0) & (columns < SIDE) & (rows >= 0) & (rows < SIDE)
    for down, right in itertools.product((0, 1), (1, 2)):
        below, beside = rows[is_on_canvas] + down, columns[is_on_canvas] + right
        fits = (below < SIDE) & (beside < SIDE)
        picture[below[fits], beside[fits]] = 1
    return picture


MAPPINGS: dict[str, Callable[[Drawing], NDArray[np.float32]]] = {"mnist": mnist_picture, "notebook": notebook_picture}
"""How a drawing becomes a picture, by name."""


def _segments(strokes: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Both ends of every straight piece, (n, 2, 2); a dot is a piece that ends where it begins."""
    return np.concatenate([np.stack([stroke[:-1], stroke[1:]], axis=1) for stroke in map(_at_least_two, strokes)])


def _at_least_two(stroke: NDArray[np.float64]) -> NDArray[np.float64]:
    return stroke if len(stroke) > 1 else np.concatenate([stroke, stroke])


def _ink(segments: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """How much of each pixel a round pen has covered, float64 (20, 20) in [0, 1]."""
    distance = np.sqrt(_squared_distances(segments)).reshape(BOX, BOX)
    # What a half-plane covers of a pixel-wide window at that distance from its edge: no pen is thinner than a pixel.
    return np.clip(radius + 0.5 - distance, 0, 1)


def _squared_distances(segments: NDArray[np.float64]) -> NDArray[np.float64]:
    """From the middle of every pixel to the nearest segment, (400,)."""
    places = np.arange(BOX) + 0.5
    pixels = np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2)
    nearest = np.full(len(pixels), np.inf)
    for start in range(0, len(segments), _AT_ONCE):
        begin, end = segments[start : start + _AT_ONCE].transpose(1, 0, 2)
        along = end - begin
        length = (along**2).sum(axis=1)
        towards = pixels @ along.T - (begin * along).sum(axis=1)
        share = np.clip(towards / np.maximum(length, np.finfo(float).tiny), 0, 1)
        from_begin = (pixels**2).sum(axis=1)[:, None] - 2 * pixels @ begin.T + (begin**2).sum(axis=1)
        squares = from_begin - share * (2 * towards - share * length)
        nearest = np.minimum(nearest, squares.min(axis=1))
    return nearest.clip(min=0)


def _centred(box: NDArray[np.float64]) -> NDArray[np.float32]:
    """Moved by whole pixels until its centre of mass is in the middle, but never over the edge."""
    picture = np.zeros((SIDE, SIDE), np.float32)
    middles = (box.sum(axis=1 - axis) @ np.arange(BOX) / box.sum() for axis in (0, 1))  # a pen always leaves some ink
    top, left = (int(np.clip(np.ceil(CENTRE - middle - 0.5 - _TIE), 0, SIDE - BOX)) for middle in middles)
    picture[top : top + BOX, left : left + BOX] = np.rint(box * 255) / 255  # MNIST has 256 levels of grey
    return picture
