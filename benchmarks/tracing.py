"""A picture of a digit traced into strokes of a pen: what a hand could have drawn to make it.

The picture is enlarged, cut at half its ink, and thinned to lines of one pixel; the lines' graph becomes paths, which
go straight on where lines meet.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Pixel = tuple[int, int]
    Graph = dict[Pixel, set[Pixel]]
    Piece = list[Pixel]
    End = tuple[int, int]  # number of a piece; 0 for where it begins, -1 for where it ends

FINENESS = 6
"""A pixel is enlarged to so many by so many."""

AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""The eight neighbours clockwise from the north, as row and column."""

SPUR = 1.0
"""A dead end that leaves a meeting of lines is no stroke where it is shorter than so many half widths of the line."""

STRAIGHT = -0.5
"""Lines are one stroke across a meeting where the cosine between them is at most this: a bend of 60 degrees."""

SMOOTHING = 0.5
"""Standard deviation, in pixels of the picture, of what evens out the steps of the enlarged pixels."""


def trace(picture: NDArray[np.float32]) -> tuple[NDArray[np.float64], ...]:
    """The strokes of a picture, ink 1 on 0; none if nothing is half black.

    Returns:
        Each (n, 2): x to the right and y downwards, in pixels from the picture's corner, a sixth of one apart. A stroke
        of one point is a dot.
    """
    from scipy import ndimage

    ink = enlarged(picture) > 0.5
    graph = _graph(thinned(ink))
    half_widths = ndimage.distance_transform_edt(ink)
    _prune(graph, half_widths)
    pieces = list(_pieces(graph))
    return tuple(map(_smoothed, _strokes(pieces, _links(pieces, half_widths))))


def resampled(stroke: NDArray[np.float64], spacing: float) -> NDArray[np.float64]:
    """Points on a stroke that are as good as `spacing` apart along it, both ends among them."""
    path = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(stroke, axis=0).T))])
    if path[-1] == 0:
        return stroke[:1]
    places = np.linspace(0, path[-1], max(1, round(path[-1] / spacing)) + 1)
    return np.stack([np.interp(places, path, along) for along in stroke.T], axis=1)


def enlarged(picture: NDArray[np.float32]) -> NDArray[np.float64]:
    """By cubic splines, with a margin of nothing."""
    from scipy import ndimage

    result: NDArray[np.float64] = ndimage.zoom(
        picture.astype(np.float64), FINENESS, order=3, mode="grid-constant", grid_mode=True
    )
    return result


def thinned(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Lines one pixel wide, connected as the ink is.

    The first algorithm of Z. Guo and R. W. Hall, "Parallel thinning with two-subiteration algorithms", Communications
    of the ACM 32 (3), 1989, which looks up each pixel's eight neighbours.
    """
    held = np.pad(ink, 1)
    size = -1
    while size != (size := int(held.sum())):
        for goes in _GOES:
            codes = sum(
                np.roll(held, (-down, -right), axis=(0, 1)).astype(np.uint8) << bit
                for bit, (down, right) in enumerate(AROUND)
            )
            held &= ~goes[codes]
    return held[1:-1, 1:-1]


def _goes(*, is_first: bool) -> NDArray[np.bool_]:
    """Whether a pixel goes in one of the two passes, by its neighbours as bits in the order of `AROUND`: (256,)."""
    n, ne, e, se, s, sw, w, nw = (np.arange(256) >> bit & 1 == 1 for bit in range(8))
    lines = sum((~a & (b | c)).astype(int) for a, b, c in ((n, ne, e), (e, se, s), (s, sw, w), (w, nw, n)))
    one_way = sum((a | b).astype(int) for a, b in ((nw, n), (ne, e), (se, s), (sw, w)))
    other_way = sum((a | b).astype(int) for a, b in ((n, ne), (e, se), (s, sw), (w, nw)))
    neighbours = np.minimum(one_way, other_way)
    stays = (s | sw | ~nw) & w if is_first else (n | ne | ~se) & e
    goes: NDArray[np.bool_] = (lines == 1) & (neighbours >= 2) & (neighbours <= 3) & ~stays
    return goes


_GOES = (_goes(is_first=True), _goes(is_first=False))


def _graph(skeleton: NDArray[np.bool_]) -> Graph:
    """Pixels and their neighbours; diagonal ones only where no third pixel connects the two anyway."""
    pixels = {(row, column) for row, column in np.argwhere(skeleton).tolist()}
    beside = {pixel: pixels & _moved(pixel, AROUND[::2]) for pixel in pixels}
    return {
        pixel: beside[pixel]
        | {other for other in pixels & _moved(pixel, AROUND[1::2]) if not beside[pixel] & beside[other]}
        for pixel in pixels
    }


def _moved(pixel: Pixel, ways: Sequence[Pixel]) -> set[Pixel]:
    return {(pixel[0] + down, pixel[1] + right) for down, right in ways}


def _prune(graph: Graph, half_widths: NDArray[np.float64]) -> None:
    """Take away dead ends that are no strokes, the shortest first, as the next may then be the end of a stroke."""
    while spurs := [piece for piece in _pieces(graph) if _is_spur(graph, piece, half_widths)]:
        for pixel in min(spurs, key=_length)[1:]:
            for other in graph.pop(pixel):
                if other in graph:
                    graph[other].remove(pixel)


def _is_spur(graph: Graph, piece: Piece, half_widths: NDArray[np.float64]) -> bool:
    if len(graph[piece[0]]) < len(graph[piece[-1]]):
        piece.reverse()
    is_dead_end = len(graph[piece[0]]) > 2 and len(graph[piece[-1]]) == 1
    return is_dead_end and _length(piece) < SPUR * half_widths[piece[0]]


def _length(piece: Piece) -> float:
    return sum(math.dist(*pair) for pair in itertools.pairwise(piece))


def _pieces(graph: Graph) -> Iterator[Piece]:
    """Every line between two pixels that are no middle of one; then the rings."""
    walked: set[Pixel] = set()
    knots = [pixel for pixel, others in graph.items() if len(others) != 2]
    begun: set[tuple[Pixel, Pixel]] = set()
    for knot in knots:
        if not graph[knot]:
            yield [knot]
        for first in graph[knot]:
            if (knot, first) not in begun:
                piece = _walk(graph, knot, first)
                begun |= {(knot, first), (piece[-1], piece[-2])}
                walked.update(piece)
                yield piece
    for pixel in graph.keys() - walked - set(knots):
        if pixel not in walked:
            ring = _walk(graph, pixel, min(graph[pixel]))
            walked.update(ring)
            yield ring


def _walk(graph: Graph, start: Pixel, first: Pixel) -> Piece:
    """On until lines meet, one ends, or a ring is closed."""
    piece = [start, first]
    while len(graph[piece[-1]]) == 2 and piece[-1] != start:
        piece += graph[piece[-1]] - {piece[-2]}
    return piece


def _links(pieces: Sequence[Piece], half_widths: NDArray[np.float64]) -> dict[End, End]:
    """Which end goes on in which, the straightest first."""
    meetings: defaultdict[Pixel, list[End]] = defaultdict(list)
    for number, piece in enumerate(pieces):
        for side in (0, -1):
            meetings[piece[side]].append((number, side))
    links: dict[End, End] = {}
    for pixel, ends in meetings.items():
        reach = 1 + int(2 * half_widths[pixel])  # lines bend close to where they meet
        ways = {end: _direction(pieces[end[0]][:: 1 + 2 * end[1]], reach) for end in ends}
        pairs = [(float(ways[a] @ ways[b]), a, b) for a, b in itertools.combinations(ends, 2) if a[0] != b[0]]
        for cosine, a, b in sorted(pairs):
            if cosine <= STRAIGHT and not {a, b} & links.keys():
                links |= {a: b, b: a}
    return links


def _direction(piece: Piece, reach: int) -> NDArray[np.float64]:
    """From where a piece begins, as a vector of length 1."""
    way = np.subtract(piece[min(reach, len(piece) - 1)], piece[0]).astype(np.float64)
    return way / max(float(np.hypot(*way)), 1.0)


def _strokes(pieces: Sequence[Piece], links: dict[End, End]) -> Iterator[Piece]:
    """Pieces put together, each once: from the loose ends on, then what has none."""
    left = set(range(len(pieces)))
    every = [(number, side) for number in range(len(pieces)) for side in (0, -1)]
    for start in sorted(every, key=lambda end: end in links):
        stroke: Piece = []
        end: End | None = start
        while end is not None and end[0] in left:
            number, side = end
            left.remove(number)
            stroke += pieces[number][:: 1 + 2 * side][bool(stroke) :]
            end = links.get((number, -1 - side))
        if stroke:
            yield stroke


def _smoothed(stroke: Piece) -> NDArray[np.float64]:
    """In pixels of the picture; ends stay where they are."""
    from scipy import ndimage

    points = (np.array(stroke, np.float64)[:, ::-1] + 0.5) / FINENESS
    is_ring = len(stroke) > 1 and stroke[0] == stroke[-1]
    if is_ring:
        points = points[:-1]
    even = ndimage.gaussian_filter1d(points, SMOOTHING * FINENESS, axis=0, mode="wrap" if is_ring else "nearest")
    if is_ring:
        return np.concatenate([even, even[:1]])
    even[[0, -1]] = points[[0, -1]]
    result: NDArray[np.float64] = even
    return result
