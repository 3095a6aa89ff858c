"""The picture of a drawing: as MNIST made its own, whatever was drawn; and as the notebook's page makes it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from harness import Drawing, mnist
from harness.canvas.picture import BOX, MAPPINGS, SIDE, THICKEST, THINNEST, _centred, _ink, mnist_picture
from harness.canvas.picture import notebook_picture as notebook

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from numpy.typing import NDArray

LEVEL = 1.01 / 255
"""What rounding may do to a pixel: half a level of grey is decided by the last bit of a coordinate."""

quickly = settings(deadline=None, max_examples=60)

coordinate = st.integers(0, 1000).map(lambda number: number / 1000)
stroke = st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=8)
strokes = st.lists(stroke, min_size=1, max_size=4)
pens = st.integers(5, 300).map(lambda number: number / 1000)
drawings = st.builds(lambda given, pen: Drawing(given, pen=pen), strokes, pens)


def extent(drawing: Drawing) -> NDArray[np.float64]:
    """Width and height of what the pen's middle has drawn, in sides of the canvas."""
    extent: NDArray[np.float64] = np.ptp(drawing.points, axis=0)
    return extent


some = drawings.filter(lambda drawing: extent(drawing).max() > 0)
"""What is more than a dot."""


def width_of(drawing: Drawing) -> float:
    """Pixels that the pen is wide in the picture."""
    return float(np.clip(BOX * drawing.pen / (extent(drawing).max() + drawing.pen), THINNEST, THICKEST))


def inked(picture: NDArray[np.float32]) -> list[NDArray[np.intp]]:
    """Columns and rows that have ink."""
    return [np.flatnonzero(picture.any(axis=axis)) for axis in (0, 1)]


def centre(picture: NDArray[np.float32]) -> NDArray[np.float64]:
    """Row and column of the centre of mass."""
    mass = picture.astype(float)
    middle: NDArray[np.float64] = np.array([mass.sum(axis=axis) @ np.arange(SIDE) for axis in (1, 0)]) / mass.sum()
    return middle


def changed(drawing: Drawing, scale: float = 1, shift: Sequence[float] = (0, 0)) -> Drawing:
    """The same, drawn elsewhere and in another size, with a pen to match."""
    return Drawing([one * scale + shift for one in drawing.strokes], pen=drawing.pen * scale)


def same(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Whether pictures are the same but for rounding."""
    return float(np.abs(one - other).max()) <= LEVEL


@quickly
@given(drawings, st.sampled_from(sorted(MAPPINGS)))
def test_a_picture_is_what_the_model_takes(drawing: Drawing, mapping: str) -> None:
    """28 x 28 of float32, in the 256 levels of grey that MNIST has."""
    picture = MAPPINGS[mapping](drawing)
    assert picture.shape == (SIDE, SIDE)
    assert picture.dtype == np.float32
    levels = np.rint(picture * 255)
    assert np.array_equal(picture, (levels / 255).astype(np.float32))
    assert levels.min() >= 0
    assert levels.max() <= 255


@quickly
@given(some)
def test_the_longer_side_fills_the_box(drawing: Drawing) -> None:
    """Ink on 20 rows or columns, and on no more of either, one beside the other from first to last."""
    spans = [places[-1] - places[0] + 1 for places in inked(mnist_picture(drawing))]
    assert spans[int(extent(drawing).argmax())] == max(spans) == BOX


@quickly
@given(some)
def test_the_shape_is_kept(drawing: Drawing) -> None:
    """The shorter side is as long as the longer one's scale makes it, and the pen is as wide both ways.

    A pixel has ink if its middle is within half a pixel of ink: less than two rows more than the ink is high, and at
    round tips a fifth of one less.
    """
    width = width_of(drawing)
    long, short = int(extent(drawing).argmax()), int(extent(drawing).argmin())
    expected = extent(drawing)[short] * (BOX - width) / extent(drawing)[long] + width
    places = inked(mnist_picture(drawing))[short]
    assert expected - 0.25 <= places[-1] - places[0] + 1 <= min(expected + 2, BOX)


@quickly
@given(drawings, st.tuples(coordinate, coordinate))
def test_where_it_is_drawn_does_not_matter(drawing: Drawing, shift: tuple[float, float]) -> None:
    """Up to a whole side of the canvas away, and partly beyond its edge."""
    assert same(mnist_picture(changed(drawing, shift=shift)), mnist_picture(drawing))


@quickly
@given(drawings, st.integers(100, 1000))
def test_how_large_it_is_drawn_does_not_matter(drawing: Drawing, thousandths: int) -> None:
    """A tenth as large, with a pen to match, is the same picture."""
    scale = max(thousandths / 1000, 0.005 / drawing.pen)
    assert same(mnist_picture(changed(drawing, scale)), mnist_picture(drawing))


@quickly
@given(drawings, st.randoms(use_true_random=False))
def test_how_it_is_drawn_does_not_matter(drawing: Drawing, chance: Random) -> None:
    """Which stroke comes first, and at which end it begins."""
    shuffled = [one[:: chance.choice((1, -1))] for one in drawing.strokes]
    chance.shuffle(shuffled)
    assert same(mnist_picture(Drawing(shuffled, pen=drawing.pen)), mnist_picture(drawing))


@quickly
@given(drawings, st.data())
def test_how_often_the_pen_is_looked_at_does_not_matter(drawing: Drawing, data: st.DataObject) -> None:
    """More points on the same straight pieces, near corners or far from them, add nothing."""
    shares = st.lists(st.floats(0, 1), max_size=4).map(sorted)
    denser = [
        np.array([one[0], *(point for piece in itertools.pairwise(one) for point in _along(piece, data.draw(shares)))])
        for one in drawing.strokes
    ]
    assert same(mnist_picture(Drawing(denser, pen=drawing.pen)), mnist_picture(drawing))


def _along(
    piece: tuple[NDArray[np.float64], NDArray[np.float64]], shares: Sequence[float]
) -> list[NDArray[np.float64]]:
    """Points on a straight piece, and its end."""
    begin, end = piece
    return [begin + share * (end - begin) for share in shares] + [end]


@pytest.mark.parametrize("shape", ["ring", "cross", "line", "dot"])
def test_what_is_symmetric_keeps_its_place(shape: str) -> None:
    """Its middle is half-way between two pixels, wherever it is drawn: rounding does not choose one of them."""
    turn = np.linspace(0, 2 * np.pi, 41)
    drawn = {
        "ring": [np.stack([0.2 * np.cos(turn), 0.3 * np.sin(turn)], axis=1)],
        "cross": [np.array([(-0.2, -0.2), (0.2, 0.2)]), np.array([(-0.2, 0.2), (0.2, -0.2)])],
        "line": [np.array([(0, 0), (0.3, 0.1)])],
        "dot": [np.zeros((1, 2))],
    }[shape]
    shifts = np.random.default_rng(3).uniform(0.3, 0.7, size=(50, 2))
    pictures = [mnist_picture(Drawing([one + shift for one in drawn])) for shift in shifts]
    assert all(same(picture, pictures[0]) for picture in pictures)


def test_the_notebooks_picture_is_not_the_same_everywhere() -> None:
    """Control: what the tests above hold against each other can differ; the notebook's mapping fits nothing."""
    drawing = Drawing([[(0.2, 0.2), (0.4, 0.4), (0.4, 0.3)]])
    other = changed(drawing, 2), changed(drawing, shift=(0.3, 0)), Drawing([[(0.2, 0.2), (0.3, 0.3), (0.4, 0.4)]])
    assert not any(same(notebook(one), notebook(drawing)) for one in other)
    assert not same(mnist_picture(Drawing([[(0.2, 0.2), (0.4, 0.4)]])), mnist_picture(drawing))


@quickly
@given(some)
def test_the_centre_of_mass_is_in_the_middle(drawing: Drawing) -> None:
    """Within half a pixel of index 14, or as near as a box of 20 can be that must not leave the picture.

    Levels of grey are rounded after the picture is centred, which moves its centre by a hundredth.
    """
    picture = mnist_picture(drawing)
    for middle, places in zip(centre(picture), reversed(inked(picture)), strict=True):
        if len(places) == BOX:  # else nobody sees where the box is
            assert abs(middle - 14) <= 0.51 or places[0] == (0 if middle > 14 else SIDE - BOX)


BOXES = npst.arrays(np.uint8, (BOX, BOX), elements=st.integers(0, 255), fill=st.just(0)).filter(np.any)


@quickly
@given(BOXES)
def test_a_box_is_moved_as_far_as_it_goes(levels: NDArray[np.uint8]) -> None:
    """By whole pixels, nothing lost, the centre of mass at 13.5 to 14.5 unless the box is at the picture's edge."""
    picture = _centred(levels / 255)
    places = [place for place in itertools.product(range(9), range(9)) if _is_at(picture, levels / 255, *place)]
    assert any(all(map(_is_as_near_as_can_be, centre(picture), place)) for place in places)


def _is_as_near_as_can_be(middle: float, place: int) -> bool:
    """Whether a centre of mass is in the middle, or the box is where it can be moved no nearer."""
    return abs(middle - 14) < 0.5 + 1e-5 or place == (0 if middle > 14 else SIDE - BOX)


def _is_at(picture: NDArray[np.float32], box: NDArray[np.float64], top: int, left: int) -> bool:
    """Whether the box is there, and nothing else anywhere."""
    expected = np.zeros((SIDE, SIDE), np.float32)
    expected[top : top + BOX, left : left + BOX] = box
    return np.array_equal(picture, expected)


@pytest.mark.parametrize(("level", "expected"), [(0.4, 0), (0.6, 1), (254.4, 254), (254.6, 255)])
def test_grey_is_the_nearest_of_mnists(level: float, expected: int) -> None:
    """MNIST has 256 levels."""
    assert np.rint(_centred(np.full((BOX, BOX), level / 255)) * 255).max() == expected


@quickly
@given(
    npst.arrays(np.float64, st.tuples(st.integers(1, 6), st.just(2), st.just(2)), elements=st.floats(0, BOX)),
    st.floats(0.9, 1.5),
    st.floats(0.9, 1.5),
)
def test_a_thicker_pen_covers_no_less(segments: NDArray[np.float64], one: float, other: float) -> None:
    """No pixel gets lighter, as long as the same lines are drawn."""
    thin, thick = sorted((one, other))
    assert (_ink(segments, thick) >= _ink(segments, thin) - 1e-12).all()


def test_a_thicker_pen_may_cover_less_of_the_box() -> None:
    """Fitted, a thicker pen has shorter lines: what is scribbled full gets rounder corners; a line has more ink."""
    scribble = [(x, y) for x in np.linspace(0.1, 0.9, 30) for y in (0.1, 0.9)]
    thin, thick = (mnist_picture(Drawing([scribble], pen=pen)).sum() for pen in (0.005, 0.3))
    assert thick < thin
    inks = [mnist_picture(Drawing([[(0.1, 0.5), (0.9, 0.5)]], pen=pen)).sum() for pen in (0.005, 0.08, 0.1, 0.12, 0.3)]
    assert inks == sorted(inks)


@pytest.mark.parametrize(("pen", "expected"), [(0.005, 1.8), (0.05, 1.8), (0.1, 20 / 9), (0.12, 2.6087), (0.3, 3.0)])
@pytest.mark.parametrize("is_upright", [False, True])
def test_pens_are_as_wide_as_mnists(pen: float, expected: float, is_upright: bool) -> None:
    """As wide as it was drawn, beside how large, but not thinner than 1.8 pixels nor thicker than 3."""
    ends = [(0.1, 0.5), (0.9, 0.5)]
    picture = mnist_picture(Drawing([[end[::-1] for end in ends] if is_upright else ends], pen=pen))
    across = picture if is_upright else picture.T
    assert across[SIDE // 2].sum() == pytest.approx(expected, abs=0.01)


def test_edges_are_smooth() -> None:
    """A slanted line has many levels of grey, as MNIST's have; the notebook's page draws in black alone."""
    drawing = Drawing([[(0.1, 0.2), (0.9, 0.7)]])
    assert len(np.unique(mnist_picture(drawing))) > 10
    assert np.unique(notebook(drawing)).tolist() == [0, 1]


FINE = 16
"""Places on a pixel's side where the exact picture looks for ink."""


def exact(drawing: Drawing) -> NDArray[np.float64]:
    """How much of each pixel of the box the pen covers: the share of 256 places in it."""
    width, low, high = width_of(drawing), drawing.points.min(axis=0), drawing.points.max(axis=0)
    scale = (BOX - width) / (high - low).max()
    places = (np.arange(BOX * FINE) + 0.5) / FINE
    at = np.stack(np.meshgrid(places, places), axis=-1)
    is_ink = np.zeros(at.shape[:2], bool)
    for one in drawing.strokes:
        line = (one - low) * scale + (BOX - (high - low) * scale) / 2
        for begin, end in itertools.pairwise(line if len(line) > 1 else [line[0], line[0]]):
            along = end - begin
            share = ((at - begin) @ along / max(along @ along, 1e-12)).clip(0, 1)
            is_ink |= np.hypot(*np.moveaxis(at - begin - share[..., None] * along, -1, 0)) <= width / 2
    shares: NDArray[np.float64] = is_ink.reshape(BOX, FINE, BOX, FINE).mean(axis=(1, 3))
    return shares


def boxed(drawing: Drawing) -> NDArray[np.float64]:
    """The picture's box, wherever the exact one fits best."""
    picture, wanted = mnist_picture(drawing).astype(float), exact(drawing)
    boxes = [picture[top : top + BOX, left : left + BOX] for top in range(9) for left in range(9)]
    return min(boxes, key=lambda box: float(np.abs(box - wanted).sum()))


@settings(quickly, max_examples=25)
@given(st.tuples(coordinate, coordinate), st.tuples(coordinate, coordinate), pens)
def test_a_line_has_the_ink_that_it_covers(begin: tuple[float, float], end: tuple[float, float], pen: float) -> None:
    """Each pixel is as grey as the share of it that is covered, but for 0.09 at slants and round ends."""
    drawing = Drawing([[begin, end]], pen=pen)
    if extent(drawing).max() > 0:
        assert np.abs(boxed(drawing) - exact(drawing)).max() < 0.09


@settings(quickly, max_examples=20)
@given(some)
def test_a_drawing_has_the_ink_that_it_covers(drawing: Drawing) -> None:
    """All ink together is 0.95 to 1.17 times the area; where two lines share a pixel it has the darker one's ink alone.

    Of 1,000 random drawings the farthest were 0.969 and 1.115, and a pixel was off by 0.50 at most; a dot alone reaches
    1.15.
    """
    found, wanted = boxed(drawing), exact(drawing)
    assert 0.95 < found.sum() / wanted.sum() < 1.17
    assert np.abs(found - wanted).max() < 0.55


DOT = mnist_picture(Drawing([[(0.5, 0.5)]]))

ODD: dict[str, Any] = {
    "a dot": [[(0.3, 0.3)]],
    "a dot that stays": [[(0.3, 0.3)] * 5],
    "dots at one place": [[(0.3, 0.3)], [(0.3, 0.3)]],
    "a line across": [[(0.2, 0.5), (0.8, 0.5)]],
    "a line down": [[(0.2, 0.2), (0.2, 0.9)]],
    "two dots far apart": [[(-1, -1)], [(2, 2)]],
    "off the canvas": [[(-1, -0.5), (-0.2, -0.9)]],
    "denormal": [[(5e-324, 0), (1e-310, 3e-320)]],
    "hardly more than a dot": [[(0.5, 0.5), (0.5 + 1e-9, 0.5)]],
    "tiny": [[(0.5, 0.5), (0.5 + 1e-6, 0.5 + 2e-6)]],
    "all points that may be": [np.random.default_rng(5).random((10_000, 2))],
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("pen", [0.005, 0.09, 0.3])
def test_odd_drawings_have_pictures(name: str, pen: float) -> None:
    """There is black ink with its middle in the middle, and numpy has nothing to complain of."""
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        picture = mnist_picture(Drawing(ODD[name], pen=pen))
    assert picture.max() > 0.6
    assert np.abs(centre(picture) - 14).max() < 0.51


@pytest.mark.parametrize("name", ["a dot", "a dot that stays", "dots at one place", "denormal"])
def test_a_dot_is_a_blot(name: str) -> None:
    """As wide as the thickest pen, round, in the middle; it has no size that could be fitted."""
    picture = mnist_picture(Drawing(ODD[name]))
    assert np.array_equal(picture, DOT)
    assert picture.sum() == pytest.approx(np.pi * (THICKEST / 2) ** 2, rel=0.05)
    assert np.array_equal(picture, picture.T)


def test_what_is_tiny_is_drawn_large() -> None:
    """A millionth of the canvas, or all of it, with a pen that is thick beside either."""
    drawing = Drawing([np.array([(0.1, 0.1), (0.9, 0.3), (0.2, 0.9)])], pen=0.3)
    tiny = Drawing([one * 1e-6 + 0.4 for one in drawing.strokes])
    assert same(mnist_picture(tiny), mnist_picture(drawing))


def test_ten_thousand_points_are_a_line() -> None:
    """If they lie on one."""
    points = np.linspace((0.1, 0.2), (0.9, 0.7), 10_000)
    assert same(mnist_picture(Drawing([points])), mnist_picture(Drawing([points[[0, -1]]])))


def page_of_the_notebook(positions: Sequence[tuple[float, float]]) -> NDArray[np.float32]:
    """What the notebook's page makes of each position that the mouse reports on its canvas of 140 pixels."""
    data = [0.0] * (SIDE * SIDE)
    for x, y in positions:
        column, row = int(np.floor(x * 0.2)) + 1, int(np.floor(y * 0.2))
        for right, down in ((0, 0), (1, 0), (0, 1), (1, 1)):
            if column + right < SIDE and row + down < SIDE:
                data[(row + down) * SIDE + column + right] = 1
    return np.array(data, np.float32).reshape(SIDE, SIDE)


on_canvas = st.integers(0, 4 * 140 - 1).map(lambda quarters: quarters / 4)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(on_canvas, on_canvas), min_size=1, max_size=30), st.integers(1, 5), pens)
def test_the_notebooks_mapping_is_the_notebooks(positions: list[tuple[float, float]], count: int, pen: float) -> None:
    """Pixel by pixel what its page would send, however the positions make strokes, and whatever the pen."""
    points = np.array(positions) / 140
    drawn = [part for part in np.array_split(points, count) if len(part)]
    assert np.array_equal(notebook(Drawing(drawn, pen=pen)), page_of_the_notebook(positions))


def test_every_place_of_the_notebooks_canvas() -> None:
    """All positions of whole pixels, each alone: no rounding at the borders of the picture's pixels."""
    for x in range(140):
        position = (float(x), float(139 - x))
        drawing = Drawing([[(x / 140, (139 - x) / 140)]])
        assert np.array_equal(notebook(drawing), page_of_the_notebook([position])), position


def test_the_notebooks_page_hears_nothing_beside_its_canvas() -> None:
    """Where the pen has left it nothing is drawn; at its edges half of the four pixels are lost."""
    beside = [(-0.01, 0.5), (1, 0.5), (0.5, 1), (0.5, -0.3), (1.5, 1.5)]
    assert not notebook(Drawing([beside])).any()
    assert notebook(Drawing([[(0.999, 0.5)]])).sum() == 0
    assert notebook(Drawing([[(0.96, 0.5)]])).sum() == 2
    assert notebook(Drawing([[(0.5, 0.999)]])).sum() == 2


@pytest.fixture(scope="module")
def digits_of_mnist() -> NDArray[np.float32]:
    """MNIST's test images, (10000, 28, 28)."""
    images: NDArray[np.float32] = mnist().load()["test_data"][:, 0]
    return images


def test_mnists_digits_fill_the_box(digits_of_mnist: NDArray[np.float32]) -> None:
    """20 pixels is the longer side of 9,997 of 10,000; the others lack a pixel."""
    spans = [max(places[-1] - places[0] + 1 for places in inked(picture)) for picture in digits_of_mnist]
    assert np.bincount(spans)[-2:].tolist() == [3, 9997]
    assert len(np.bincount(spans)) == BOX + 1


def test_mnists_digits_are_centred_by_whole_pixels(digits_of_mnist: NDArray[np.float32]) -> None:
    """Rows and columns of all centres of mass are at 13.5 to 14.5, and evenly spread there."""
    for axis in (1, 2):
        profile = digits_of_mnist.sum(axis=3 - axis, dtype=float)
        middles = (profile * np.arange(SIDE)).sum(axis=1) / profile.sum(axis=1)
        assert (middles.min(), middles.max()) == pytest.approx((13.5, 14.5), abs=2e-4)
        assert np.quantile(middles, [0.25, 0.5, 0.75]) == pytest.approx([13.75, 14, 14.25], abs=0.02)


def test_a_digit_of_mnist_is_where_ours_would_be(digits_of_mnist: NDArray[np.float32]) -> None:
    """Cut out and centred by us, all of 1,000 are where the authors have put them."""
    digits = digits_of_mnist[:1000]
    kept = 0
    for picture in digits:
        columns, rows = inked(picture)
        top, left = (min(places[0], SIDE - BOX) for places in (rows, columns))
        kept += np.array_equal(_centred(picture[top : top + BOX, left : left + BOX].astype(float)), picture)
    assert kept == len(digits)
