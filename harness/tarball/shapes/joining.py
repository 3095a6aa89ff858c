"""Operators that join tensors or take them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.tarball.shapes.rule import NOTHING, Family, Found, Given, axis_of, expect, shown

if TYPE_CHECKING:
    from harness.tarball.operators import Settings

JOINING = Family()


def _named_count(settings: Settings) -> int:
    return int(settings["num_args"])


@JOINING.add("Concat", inputs=_named_count)
def _concat(settings: Settings, given: Given) -> Found:
    known = [shape for shape in given if shape is not None]
    if not known:
        return NOTHING
    axis = axis_of(settings["dim"], known[0])
    first = (*known[0][:axis], *known[0][axis + 1 :])
    for shape in known:
        same = len(shape) == len(known[0]) and (*shape[:axis], *shape[axis + 1 :]) == first
        expect(same, f"inputs that differ from {shown(known[0])} in dimension {axis} alone", shape)
    if len(known) < len(given):
        return NOTHING
    return Found(((*first[:axis], sum(shape[axis] for shape in known), *first[axis:]),))


@JOINING.add("stack", inputs=_named_count)
def _stack(settings: Settings, given: Given) -> Found:
    """All inputs have one shape."""
    known = next((shape for shape in given if shape is not None), None)
    if known is None:
        return NOTHING
    axis = settings["axis"]
    expect(-len(known) - 1 <= axis <= len(known), f"an axis of {len(known) + 1} dimensions", axis)
    axis %= len(known) + 1
    for shape in given:
        expect(shape in (None, known), f"inputs of shape {shown(known)}", shape)
    return Found(((*known[:axis], len(given), *known[axis:]),))


@JOINING.add("SliceChannel", outputs=lambda settings: settings["num_outputs"])
def _slice_channel(settings: Settings, given: Given) -> Found:
    """Equal parts along a dimension, an output each."""
    [data], count = given, settings["num_outputs"]
    expect(count > 0, "num_outputs above 0", count)
    if data is None:
        return NOTHING
    axis = axis_of(settings["axis"], data)
    size = data[axis] // count
    expect(size * count == data[axis], f"a dimension {axis} that {count:,} divides", data)
    if settings["squeeze_axis"]:
        expect(size == 1, f"a dimension {axis} of {count:,}", data)
        return Found(((*data[:axis], *data[axis + 1 :]),))
    return Found(((*data[:axis], size, *data[axis + 1 :]),))


@JOINING.add("UpSampling", inputs=lambda settings: 2 if settings["sample_type"] == "bilinear" else settings["num_args"])
def _up_sampling(settings: Settings, given: Given) -> Found:
    """Rows and columns repeated; further inputs are brought to the size of the first."""
    scale = settings["scale"]
    expect(scale > 0, "a scale above 0", scale)
    data = given[0]
    if data is None:
        return NOTHING
    expect(len(data) == 4, "data of 4 dimensions", data)  # noqa: PLR2004 - batch, channels, height, width
    height, width = data[2] * scale, data[3] * scale
    if settings["sample_type"] == "bilinear":
        size = 2 * scale - scale % 2
        return Found(((*data[:2], height, width),), {1: (data[1], 1, size, size)})
    known = [shape for shape in given if shape is not None]
    for shape in known:
        same = len(shape) == len(data) and not height % shape[2] and not width % shape[3]
        expect(same, f"data whose height and width divide {height} and {width}", shape)
    if len(known) < len(given):
        return NOTHING
    channels = sum(shape[1] for shape in known)
    if settings["multi_input_mode"] == "sum":
        channels = data[1]
        expect(all(shape[1] == channels for shape in known), f"inputs of {channels} channels to add", known[-1])
    return Found(((data[0], channels, height, width),))
