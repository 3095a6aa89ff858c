"""What somebody has drawn is checked when it is made or read, and stays as it is."""

from __future__ import annotations

import dataclasses
import json
import re
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Drawing, read_drawings
from harness.canvas.drawing import MOST_POINTS, PEN, THICKEST, THINNEST
from harness.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

LINE = [(0.1, 0.2), (0.3, 0.4)]

PAIRS = "stroke 1: expected points as pairs of numbers, [[x, y], ...], found "
NEAR = "stroke 1: expected points on the canvas, 0 to 1, or near it, found "
LIST = "strokes: expected a list of strokes, found "
WIDTH = "pen: expected a width of 0.005 to 0.3 sides of the canvas, found "
ENTRY = "drawing: expected an object of strokes and pen, found "


def nested(depth: int) -> Any:
    """A list in a list in a list."""
    held: Any = 0.5
    for _ in range(depth):
        held = [held]
    return held


def refusal(*arguments: Any, **options: Any) -> str:
    """The message with which a drawing is refused, all of it."""
    with pytest.raises(DataError) as caught:
        Drawing(*arguments, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("strokes", "message"),
    [
        ([], "drawing: expected at least one stroke, found none; draw something"),
        (None, f"{LIST}None"),
        ("a line", f"{LIST}'a line'"),
        (b"a line", f"{LIST}b'a line'"),
        ({"strokes": [LINE]}, f"{LIST}{{'strokes': [[(0.1, 0.2), (0.3, 0.4)]]}}"),
        (0.5, f"{LIST}0.5"),
        (np.array(0.5), f"{LIST}array(0.5)"),
        ([[]], f"{PAIRS}[]"),
        ([0.1, 0.2], f"{PAIRS}0.1"),
        (LINE, f"{PAIRS}(0.1, 0.2)"),
        ([[(0.1, 0.2, 0.3)]], f"{PAIRS}[(0.1, 0.2, 0.3)]"),
        ([[(0.1,)]], f"{PAIRS}[(0.1,)]"),
        ([[(0.1, 0.2), (0.3,)]], f"{PAIRS}[(0.1, 0.2), (0.3,)]"),
        ([[LINE]], f"{PAIRS}[[(0.1, 0.2), (0.3, 0.4)]]"),
        ([[("0.1", "0.2")]], f"{PAIRS}[('0.1', '0.2')]"),
        ([[("0.1", 0.2)]], f"{PAIRS}[('0.1', 0.2)]"),
        ([[(None, 0.2)]], f"{PAIRS}[(None, 0.2)]"),
        ([[(True, False)]], f"{PAIRS}[(True, False)]"),
        ([[(0.1j, 0.2)]], f"{PAIRS}[(0.1j, 0.2)]"),
        ([[(Fraction(1, 3), 0.2)]], f"{PAIRS}[(Fraction(1, 3), 0.2)]"),
        ([[(Decimal("0.1"), 0.2)]], f"{PAIRS}[(Decimal('0.1'), 0.2)]"),
        ([{0.1: 0.2}], f"{PAIRS}{{0.1: 0.2}}"),
        (["ab"], f"{PAIRS}'ab'"),
        ([[(0.1, 10**40)]], f"{PAIRS}[(0.1, {'1' + 40 * '0'})]"),
        ([[(10**400, 0.1)]], f"{PAIRS}[(1{54 * '0'}..."),
        ([nested(40)], f"{PAIRS}{40 * '['}0.5{14 * ']'}..."),
        ([np.zeros((2, 2), bool)], f"{PAIRS}array([[False, False], [False, False]])"),
        ([np.full((1, 2), 0.5, object)], f"{PAIRS}array([[0.5, 0.5]], dtype=object)"),
        ([np.zeros((1, 2), np.complex64)], f"{PAIRS}array([[0.+0.j, 0.+0.j]], dtype=complex64)"),
        ([np.zeros((1, 2), "U3")], f"{PAIRS}array([['', '']], dtype='<U3')"),
        ([np.zeros((1, 2), "m8[s]")], f"{PAIRS}array([[0, 0]], dtype='timedelta64[s]')"),
        ([np.zeros((0, 2))], f"{PAIRS}array([], shape=(0, 2), dtype=float64)"),
        ([[(float("nan"), 0.1)]], f"{NEAR}(nan, 0.1)"),
        ([[(0.1, float("inf"))]], f"{NEAR}(0.1, inf)"),
        ([[(0.1, 0.2), (2.001, 0.5), (9, 9)]], f"{NEAR}(2.001, 0.5)"),
        ([[(0.5, -1.001)]], f"{NEAR}(0.5, -1.001)"),
        ([[(10**18, 1)]], f"{NEAR}(1e+18, 1)"),
        ([np.full((1, 2), 200, np.uint8)], f"{NEAR}(200, 200)"),
        ([np.full((1, 2), -128, np.int8)], f"{NEAR}(-128, -128)"),
        ([np.full((1, 2), -(2**63))], f"{NEAR}(-9.22337e+18, -9.22337e+18)"),
        ([np.full((1, 2), 2**64 - 1, np.uint64)], f"{NEAR}(1.84467e+19, 1.84467e+19)"),
        ([np.full((1, 2), np.inf, np.float16)], f"{NEAR}(inf, inf)"),
        ([LINE, LINE, [(7, 7)]], f"stroke 3{NEAR[8:]}(7, 7)"),
        (
            [np.zeros((5000, 2)), np.zeros((5001, 2))],
            "drawing: expected at most 10,000 points, found 10,001; draw less",
        ),
    ],
)
def test_what_is_no_drawing_is_refused(strokes: Any, message: str) -> None:
    """The message names the stroke, what was expected, and what was found, on one line however much that is."""
    assert refusal(strokes) == message


@pytest.mark.parametrize(
    ("pen", "found"),
    [
        (0, "0"),
        (-0.1, "-0.1"),
        (0.0049, "0.0049"),
        (0.3001, "0.3001"),
        (1, "1"),
        (True, "True"),
        (None, "None"),
        ("0.1", "'0.1'"),
        ([0.1], "[0.1]"),
        (0.1j, "0.1j"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (Fraction(1, 10), "Fraction(1, 10)"),
        (np.array(0.1), "array(0.1)"),
        (10**400, f"1{56 * '0'}..."),
    ],
)
def test_what_is_no_pen_is_refused(pen: Any, found: str) -> None:
    """The message has both ends of what a pen may be."""
    assert refusal([LINE], pen=pen) == f"{WIDTH}{found}"


def test_what_python_does_not_write_down_is_refused() -> None:
    """Nested deeper than it follows, and integers of more digits than it writes."""
    assert refusal([nested(100_000)]) == f"{PAIRS}some list"
    assert refusal([[(10**5000, 0.1)]]) == f"{PAIRS}some list"
    assert refusal([LINE], pen=-(10**5000)) == f"{WIDTH}some int"


@pytest.mark.parametrize("pen", [THINNEST, THICKEST, PEN, np.float64(0.1)])
def test_pens(pen: float) -> None:
    """Both ends are pens, and a pen is a plain number."""
    drawing = Drawing([LINE], pen=pen)
    assert drawing.pen == pen
    assert type(drawing.pen) is float
    assert Drawing([LINE]).pen == PEN


@pytest.mark.parametrize("dtype", [*np.typecodes["AllInteger"], *np.typecodes["Float"]])
def test_numbers_of_any_type_are_points(dtype: str) -> None:
    """What numpy has for integers and floats, as an array of one, becomes float64."""
    drawing = Drawing(np.array([[(0, 1), (1, 2)]], dtype))
    [stroke] = drawing.strokes
    assert stroke.dtype == np.float64
    assert stroke.tolist() == [[0, 1], [1, 2]]


def test_strokes_may_come_one_by_one() -> None:
    """From a generator, as tuples, lists or arrays of different lengths; all points follow each other."""
    drawing = Drawing(one for one in (LINE, np.array(LINE), [[0, 1]]))
    assert [stroke.tolist() for stroke in drawing.strokes] == [[list(at) for at in LINE]] * 2 + [[[0, 1]]]
    assert drawing.points.tolist() == [list(at) for at in (*LINE, *LINE, (0, 1))]


def test_a_pen_may_leave_the_canvas() -> None:
    """By a side in each direction, and no further; and ten thousand points are not too many."""
    corners = [(-1, -1), (2, 2), (-1, 2)]
    assert Drawing([corners]).points.tolist() == [list(corner) for corner in corners]
    for x in (np.nextafter(-1, -2), np.nextafter(2, 3)):
        assert refusal([[(x, 0.5)]]).startswith(NEAR)
    assert len(Drawing([np.zeros((MOST_POINTS, 2))]).points) == MOST_POINTS


def test_a_drawing_stays_as_it_is() -> None:
    """Nothing can be set, written to, or changed through the array that it was made of or the points it gives."""
    given = np.array(LINE)
    drawing = Drawing([given])
    given[:] = 0
    drawing.points[:] = 0
    assert drawing.strokes[0].tolist() == [list(at) for at in LINE]
    with pytest.raises(ValueError, match="read-only"):
        drawing.strokes[0][0, 0] = 1
    for name in ("strokes", "pen"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(drawing, name, ())


positions = st.floats(-1, 2)
drawings = st.builds(
    lambda strokes, pen: Drawing(strokes, pen=pen),
    st.lists(st.lists(st.tuples(positions, positions), min_size=1, max_size=5), min_size=1, max_size=4),
    st.floats(THINNEST, THICKEST),
)


@settings(deadline=None)
@given(drawings)
def test_json_keeps_a_drawing(drawing: Drawing) -> None:
    """Through text and back: the same pen, points within half a ten-thousandth, and nothing changes the second time."""
    text = json.dumps(drawing.to_dict(), allow_nan=False)
    again = Drawing.from_dict(json.loads(text))
    assert again.pen == drawing.pen
    assert [len(stroke) for stroke in again.strokes] == [len(stroke) for stroke in drawing.strokes]
    assert np.abs(again.points - drawing.points).max() <= 0.5e-4 + 1e-12
    assert json.dumps(again.to_dict()) == text


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (None, f"{ENTRY}None"),
        ([LINE], f"{ENTRY}[[(0.1, 0.2), (0.3, 0.4)]]"),
        ({}, f"{ENTRY}{{}}"),
        ({"pen": 0.1}, f"{ENTRY}{{'pen': 0.1}}"),
        ({"strokes": [[[0, 0]]], "colour": 1}, f"{ENTRY}{{'strokes': [[[0, 0]]], 'colour': 1}}"),
        ({"strokes": [[[0, 0]]], "pen": "wide"}, f"{WIDTH}'wide'"),
        ({"strokes": [[[0]]]}, f"{PAIRS}[[0]]"),
    ],
)
def test_what_json_may_not_hold(entry: Any, message: str) -> None:
    """No other names than the two, of which the pen may be left out."""
    with pytest.raises(DataError) as caught:
        Drawing.from_dict(entry)
    assert str(caught.value) == message
    assert Drawing.from_dict({"strokes": [LINE]}).pen == PEN


def test_recorded_drawings_are_read(tmp_path: Path) -> None:
    """By what they show, in the order of the file."""
    path = tmp_path / "drawn.json"
    path.write_text('{"7": [{"pen": 0.1, "strokes": [[[0, 1]]]}, {"strokes": [[[1, 0]], [[0, 0]]]}], "x": []}')
    held = read_drawings(str(path))
    assert list(held) == ["7", "x"]
    assert [(drawing.pen, len(drawing.strokes)) for drawing in held["7"]] == [(0.1, 1), (PEN, 2)]
    assert held["x"] == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"expected recorded drawings as JSON, found Expecting value: line 1 column 1 \(char 0\)"),
        ("{'7': []}", "expected recorded drawings as JSON, found Expecting property name .*"),
        ("\udcff", "expected recorded drawings as JSON, found 'utf-8' codec can't decode byte 0xff .*"),
        ("[" * 100_000, "expected recorded drawings as JSON, found maximum recursion depth exceeded .*"),
        ("1" * 5000, r"expected recorded drawings as JSON, found Exceeds the limit \(4300 digits\) .*"),
        ("[]", r"expected an object of lists of drawings, found \[\]"),
        ('{"7": {"strokes": []}}', r"expected an object of lists of drawings, found \{'7': \{'strokes': \[\]\}\}"),
        ('{"7": [3]}', "'7', drawing 1: drawing: expected an object of strokes and pen, found 3"),
        (
            '{"6": [{"strokes": [[[0, 0]]]}], "7": [{"strokes": [[[0, 0]]]}, {"strokes": [[[0, 0]], [[NaN, 0]]]}]}',
            r"'7', drawing 2: stroke 2: expected points on the canvas, 0 to 1, or near it, found \(nan, 0\)",
        ),
        ('{"a\\nb": [{"strokes": []}]}', r"'a\\nb', drawing 1: drawing: expected at least one stroke, found none; .*"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str, message: str) -> None:
    """The file, and in it the label, the drawing's number and the stroke."""
    path = tmp_path / "drawn.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(DataError) as caught:
        read_drawings(path)
    assert re.fullmatch(f"{re.escape(str(path))}: {message}", str(caught.value)), str(caught.value)


def test_a_label_stands_once(tmp_path: Path) -> None:
    """Of two lists under one label, JSON's reader would keep the last, and say nothing."""
    path = tmp_path / "twice.json"
    path.write_text('{"7": [], "8": [], "7": []}', encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_drawings(path)
    assert str(caught.value) == (
        f"{path}: expected recorded drawings as JSON, found '7' twice; put the drawings of one label into one list"
    )


@pytest.mark.parametrize("name", ["nowhere.json", ".", "a\0b"])
def test_what_is_no_file_is_named(tmp_path: Path, name: str) -> None:
    """It is not there, it is a folder, or nothing can be called so."""
    with pytest.raises(DataError, match="expected recorded drawings as JSON, found ") as caught:
        read_drawings(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
