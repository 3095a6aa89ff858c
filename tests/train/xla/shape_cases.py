"""Random cases of the operators that move numbers, and of those that reduce them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from elementwise_cases import SEEDS, SIZES, of_one, shapes
from hypothesis import strategies as st
from mxnet_reference import Case

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import SearchStrategy

    from harness.artifact import Shape


def some_axis(draw: st.DrawFn, data: Shape) -> int:
    """Counted from the front or from the back."""
    return draw(st.integers(-len(data), len(data) - 1))


def coded(draw: st.DrawFn, data: Shape) -> list[int]:
    """A target for a Reshape that keeps, merges and splits dimensions, in MXNet's codes."""
    codes: list[int] = []
    rest = list(data)
    while rest:
        kind = draw(st.sampled_from(["keep", "size", "merge", "split", "others"]))
        if kind == "merge" and len(rest) > 1:
            codes.append(-3)
            del rest[:2]
        elif kind == "split":
            first = draw(st.sampled_from([size for size in range(1, rest[0] + 1) if rest[0] % size == 0]))
            pair = [first, rest.pop(0) // first]
            free = draw(st.integers(0, 2))
            codes += [-4, *(-1 if position == free else size for position, size in enumerate(pair))]
        elif kind == "others":
            codes.append(-2)
            rest = []
        else:
            size = rest.pop(0)
            codes.append(0 if kind == "keep" else size)
    return codes


@st.composite
def reshape(draw: st.DrawFn) -> Case:
    """All of MXNet's codes; -1 only where MXNet 1.9.1 finds it, which is not behind a -2 or a -4."""
    data, reverse = draw(shapes()), draw(st.booleans())
    if draw(st.booleans()):
        target = [0] * draw(st.integers(0, len(data) - 1)) + [-1]
    else:
        target = coded(draw, data[::-1] if reverse else data)
    codes = target[::-1] if reverse else target
    return Case("Reshape", {"shape": tuple(codes), "reverse": reverse}, {"data": data}, draw(SEEDS))


@st.composite
def transpose(draw: st.DrawFn) -> Case:
    """All orders, and none given."""
    data = draw(shapes())
    axes = draw(st.one_of(st.just(()), st.permutations(range(len(data))).map(tuple)))
    return Case("transpose", {"axes": axes}, {"data": data}, draw(SEEDS))


@st.composite
def expand_dims(draw: st.DrawFn) -> Case:
    """Everywhere."""
    data = draw(shapes(1, 3))
    return Case("expand_dims", {"axis": draw(st.integers(-len(data) - 1, len(data)))}, {"data": data}, draw(SEEDS))


@st.composite
def squeeze(draw: st.DrawFn) -> Case:
    """All dimensions of size 1, or some of them."""
    data = tuple(draw(st.lists(st.sampled_from([1, 1, 2, 3]), min_size=1, max_size=4)))
    ones = [axis for axis, size in enumerate(data) if size == 1]
    attributes = {}
    if ones and draw(st.booleans()):
        attributes["axis"] = tuple(draw(st.lists(st.sampled_from(ones), min_size=1, unique=True)))
    return Case("squeeze", attributes, {"data": data}, draw(SEEDS))


@st.composite
def concat(draw: st.DrawFn) -> Case:
    """One to three inputs."""
    data, count = draw(shapes()), draw(st.integers(1, 3))
    axis = some_axis(draw, data)
    inputs = {}
    for given in ["data", "other", "third"][:count]:
        shape = list(data)
        shape[axis] = draw(SIZES)
        inputs[given] = tuple(shape)
    return Case("Concat", {"dim": axis}, inputs, draw(SEEDS))


@st.composite
def slice_channel(draw: st.DrawFn) -> Case:
    """Parts of a size of their own, or of size 1 and without that dimension."""
    data, parts = list(draw(shapes(2))), draw(st.integers(1, 3))
    axis, squeezed = some_axis(draw, tuple(data)), draw(st.booleans())
    data[axis] = parts if squeezed else parts * draw(st.integers(1, 2))
    attributes = {"num_outputs": parts, "axis": axis, "squeeze_axis": squeezed}
    return Case("SliceChannel", attributes, {"data": tuple(data)}, draw(SEEDS))


@st.composite
def slice_axis(draw: st.DrawFn) -> Case:
    """Ends counted from the front or from the back, or left open."""
    data = draw(shapes())
    axis = some_axis(draw, data)
    size = data[axis]
    begin = draw(st.integers(0, size - 1))
    end = draw(st.integers(begin + 1, size))
    attributes = {
        "axis": axis,
        "begin": draw(st.sampled_from([begin, begin - size])),
        "end": draw(st.sampled_from([end, end - size if end < size else None])),
    }
    return Case("slice_axis", attributes, {"data": data}, draw(SEEDS))


@st.composite
def reduction(draw: st.DrawFn, name: str) -> Case:
    """No, one or several axes; what they are or all others."""
    data = draw(shapes())
    axes = draw(st.lists(st.integers(0, len(data) - 1), unique=True))
    signed = tuple(axis - len(data) if draw(st.booleans()) else axis for axis in axes)
    attributes = {
        "axis": draw(st.sampled_from([signed, signed[0] if len(signed) == 1 else signed])),
        "keepdims": draw(st.booleans()),
        "exclude": draw(st.booleans()),
    }
    return Case(name, attributes, {"data": data}, draw(SEEDS))


@st.composite
def softmax(draw: st.DrawFn, name: str) -> Case:
    """Any axis; warmer and colder."""
    data = draw(shapes())
    attributes: dict[str, object] = {"axis": some_axis(draw, data)}
    if draw(st.booleans()):
        attributes["temperature"] = draw(st.sampled_from([0.5, 2.5]))
    return Case(name, attributes, {"data": data}, draw(SEEDS))


MOVING: Mapping[str, SearchStrategy[Case]] = {
    "Concat": concat(),
    "Flatten": of_one("Flatten"),
    "Reshape": reshape(),
    "SliceChannel": slice_channel(),
    "expand_dims": expand_dims(),
    "slice_axis": slice_axis(),
    "squeeze": squeeze(),
    "transpose": transpose(),
}

REDUCING: Mapping[str, SearchStrategy[Case]] = {
    **{name: reduction(name) for name in ("sum", "mean", "max", "min")},
    **{name: softmax(name) for name in ("softmax", "log_softmax")},
}
