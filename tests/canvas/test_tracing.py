"""A picture traced into strokes gives the strokes it was drawn with, and the benchmark draws and counts as it says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from benchmarks import tracing
from benchmarks.tracing import resampled, thinned, trace
from harness import Drawing
from harness.canvas.picture import mnist_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

TURN = np.linspace(0, 2 * np.pi, 60)

SHAPES = {
    "line": [[(0.2, 0.2), (0.8, 0.7)]],
    "hook": [[(0.3, 0.1), (0.3, 0.8), (0.7, 0.8)]],
    "ring": [np.stack([0.5 + 0.3 * np.sin(TURN), 0.5 + 0.4 * np.cos(TURN)], axis=1)],
    "eight": [np.stack([0.5 + 0.25 * np.sin(2 * TURN), 0.5 + 0.4 * np.cos(TURN)], axis=1)],
    "six": [[(0.5, 0.1), *np.stack([0.5 - 0.2 * np.cos(TURN), 0.7 + 0.2 * np.sin(TURN)], axis=1)]],
    "cross": [[(0.5, 0.1), (0.5, 0.9)], [(0.1, 0.5), (0.9, 0.5)]],
    "tee": [[(0.1, 0.1), (0.9, 0.1)], [(0.5, 0.1), (0.5, 0.9)]],
    "two lines": [[(0.2, 0.1), (0.2, 0.9)], [(0.8, 0.1), (0.8, 0.9)]],
}
"""What somebody draws with as few strokes as can be."""


def traced(shape: str, pen: float = 0.1) -> tuple[NDArray[np.float64], ...]:
    """The strokes of the picture of a drawing."""
    return trace(mnist_picture(Drawing(SHAPES[shape], pen=pen)))


def farthest(these: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """From any of these points to the nearest of the others."""
    return float(np.hypot(*(these[:, None] - others[None]).T).min(axis=0).max())


def picture_of(*rows: str) -> NDArray[np.float32]:
    """A picture written down, ink as ``#``, in the middle of 28 x 28."""
    picture = np.zeros((28, 28), np.float32)
    for number, row in enumerate(rows, 8):
        picture[number, 8 : 8 + len(row)] = [character == "#" for character in row]
    return picture


@pytest.mark.parametrize("shape", SHAPES)
def test_a_trace_has_as_few_strokes(shape: str) -> None:
    """Where lines meet, those that go on straight are one stroke; an eight may be two rings."""
    assert len(traced(shape)) == {"eight": 2}.get(shape, len(SHAPES[shape]))


def test_lines_that_meet_would_be_strokes(monkeypatch: pytest.MonkeyPatch) -> None:
    """If nothing were straight enough, a cross would be four strokes or more."""
    monkeypatch.setattr(tracing, "STRAIGHT", -2)
    assert len(traced("cross")) >= 4


@pytest.mark.parametrize("pen", [0.06, 0.1, 0.15])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_trace_is_what_was_drawn(shape: str, pen: float) -> None:
    """What is traced lies on what was drawn, and all that was drawn is traced; but corners are rounded."""
    found = _fitted(np.concatenate(traced(shape, pen)))
    drawn = _fitted(np.concatenate([resampled(np.array(stroke, float), 0.005) for stroke in SHAPES[shape]]))
    assert max(farthest(found, drawn), farthest(drawn, found)) < 1.5


def _fitted(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """In pixels of a box of 18, wherever and however large they were."""
    low, high = points.min(axis=0), points.max(axis=0)
    fitted: NDArray[np.float64] = (points - (low + high) / 2) * 18 / (high - low).max()
    return fitted


def test_a_ring_is_closed() -> None:
    """The stroke ends where it begins."""
    [stroke] = traced("ring")
    assert np.array_equal(stroke[0], stroke[-1])


def test_a_dot_is_a_point() -> None:
    """A blot becomes a stroke that goes hardly anywhere, in its middle."""
    [stroke] = trace(mnist_picture(Drawing([[(0.3, 0.3)]])))
    assert np.abs(stroke - 14).max() < 1


def test_nothing_has_no_strokes() -> None:
    """Nor has what is less than half black."""
    assert trace(np.full((28, 28), 0.4, np.float32)) == ()


FRAYED = ("##      ##", "##########", "##########", "##      ##")
THORNY = (*["    ##    "] * 6, "##########", "##########")


def test_frayed_ends_are_no_strokes() -> None:
    """A line whose ends are split is one stroke."""
    assert len(trace(picture_of(*FRAYED))) == 1


def test_a_thorn_is_a_stroke() -> None:
    """What stands out farther than half a line's width is kept."""
    assert len(trace(picture_of(*THORNY))) == 2


def test_frayed_ends_would_be_strokes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the rule there would be more."""
    monkeypatch.setattr(tracing, "SPUR", 0)
    assert len(trace(picture_of(*FRAYED))) == 3


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_thinned_is_thin_and_connected_alike(shape: str) -> None:
    """No two by two pixels are left, and as many lines and holes as before."""
    from scipy import ndimage

    ink = tracing.enlarged(mnist_picture(Drawing(SHAPES[shape], pen=0.1))) > 0.5
    thin = thinned(ink)
    assert not (thin[1:, 1:] & thin[1:, :-1] & thin[:-1, 1:] & thin[:-1, :-1]).any()
    assert not (thin & ~ink).any()
    for before, after, neighbours in ((ink, thin, np.ones((3, 3))), (~ink, ~thin, None)):
        assert ndimage.label(before, neighbours)[1] == ndimage.label(after, neighbours)[1]


def test_points_are_resampled_evenly() -> None:
    """Both ends stay, and the points lie as good as the spacing apart."""
    points = resampled(np.array([(0.0, 0.0), (3.0, 0.0), (3.0, 4.0)]), 0.65)
    assert np.array_equal(points[[0, -1]], [(0, 0), (3, 4)])
    assert np.hypot(*np.diff(points, axis=0).T)[0] == pytest.approx(7 / 11)


@pytest.mark.parametrize("points", [[(1.0, 2.0)], [(1.0, 2.0), (1.0, 2.0)]])
def test_a_dot_is_resampled_to_a_point(points: list[tuple[float, float]]) -> None:
    """However often it was reported."""
    assert np.array_equal(resampled(np.array(points), 0.5), [(1, 2)])


@pytest.fixture(scope="module")
def benchmark_module() -> Any:
    """The benchmark; it loads the harness's training."""
    from benchmarks import drawn_digits

    return drawn_digits


def test_every_drawing_is_on_the_canvas(benchmark_module: Any) -> None:
    """All ink of all kinds of drawings, and what is off-centre touches an edge."""
    traces = [traced(shape) for shape in SHAPES] * 3
    for kind in benchmark_module.HANDS:
        for drawing in benchmark_module.drawings(kind, traces, seed=1):
            low, high = drawing.points.min() - drawing.pen / 2, drawing.points.max() + drawing.pen / 2
            assert low > -1e-9
            assert high < 1 + 1e-9
            assert kind != "off-centre" or min(low, 1 - high) < 0.002


def test_drawings_are_of_the_sizes_told(benchmark_module: Any) -> None:
    """The longer side with the ink, of the sides of the canvas."""
    for kind, side in (("as it is", 0.7), ("off-centre", 0.7), ("larger", 0.95), ("smaller", 0.4)):
        [drawing] = benchmark_module.drawings(kind, [traced("six")], seed=0)
        assert np.ptp(drawing.points, axis=0).max() + drawing.pen == pytest.approx(side, abs=0.003)


def test_a_digit_is_drawn_alike_however_many_there_are(benchmark_module: Any) -> None:
    """Chance depends on the seed, the kind and the digit alone; on the seed it does depend."""
    some, more = ([traced("six")] * count for count in (2, 3))
    one, two, other = (
        benchmark_module.drawings("anyhow", traces, seed)[1].points
        for traces, seed in ((some, 0), (more, 0), (some, 1))
    )
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_the_page_is_asked_over_http(benchmark_module: Any) -> None:
    """The answer's digit is the likeliest, and the ink is that of the picture the model was shown."""
    from harness.canvas.picture import MAPPINGS
    from harness.canvas.server import About, Page, PageServer

    shown = []

    def ask(picture: NDArray[np.float32]) -> Any:
        shown.append(picture)
        return np.eye(10)[3 + len(shown)]

    drawing = Drawing(SHAPES["six"])
    with PageServer(Page(ask, About(source="a test"))) as page:
        found = [benchmark_module.answer(page.url, drawing, mapping) for mapping in MAPPINGS]
        with pytest.raises(AssertionError, match="expected one of mnist, notebook, found 'cubist'"):
            benchmark_module.answer(page.url, drawing, "cubist")
    assert [digit for digit, _ in found] == [4, 5]
    for (_, ink), picture in zip(found, shown, strict=True):
        assert ink == pytest.approx(float(picture.sum()), abs=1)


def test_an_interval_is_wilsons(benchmark_module: Any) -> None:
    """Eight of ten, by the formula with 1.96 standard deviations: 0.4902 to 0.9433."""
    found = benchmark_module.score(np.arange(10) % 8, np.arange(10))
    assert found == {"right": 8, "accuracy": 0.8, "interval": [0.4902, 0.9433]}


def test_the_results_are_told_as_found(benchmark_module: Any) -> None:
    """The table in the repository is made of the figures beside it, and keeps what is promised of it."""
    results = benchmark_module.RESULTS
    record = json.loads((results / "drawn_digits.json").read_text(encoding="utf-8"))
    assert (results / "drawn_digits.md").read_text(encoding="utf-8") == benchmark_module.text(record) + "\n"
    assert record["digits"] >= 500
    assert record["variants"].keys() == benchmark_module.HANDS.keys()
    for kind, found in record["variants"].items():
        assert found["mnist"]["accuracy"] >= 0.93, kind
        assert found["mnist"]["accuracy"] > found["notebook"]["accuracy"], kind
