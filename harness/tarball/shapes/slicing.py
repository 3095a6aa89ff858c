"""Operators that take a part of a tensor, or repeat it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.tarball.shapes.rule import (
    MOST_DIMENSIONS,
    NOTHING,
    Family,
    Found,
    Given,
    axis_of,
    expect,
    numbers,
    shown,
)

if TYPE_CHECKING:
    from harness.artifact import Shape
    from harness.tarball.operators import Settings

SLICING = Family()


@SLICING.of_data("slice")
def _slice(settings: Settings, data: Shape) -> Shape:
    """A range of the first dimensions, None for an end that is left open; negative steps go backward."""
    begins, ends, steps = settings["begin"], settings["end"], settings["step"]
    expect(len(begins) <= len(data), f"at most {len(data)} numbers in begin", begins)
    expect(len(ends) == len(begins), f"{len(begins)} numbers in end, as in begin", ends)
    expect(len(steps) in (0, len(begins)), f"{len(begins)} numbers in step, as in begin", steps)
    steps = steps or (1,) * len(begins)
    ranges = zip(data, begins, ends, steps, strict=False)
    sizes = tuple(_length(*one) for one in ranges)
    return sizes + data[len(sizes) :]


def _length(size: int, begin: int | None, end: int | None, step: int | None) -> int:
    step = 1 if step is None else step
    expect(step, "a step other than 0", step)
    taken = range(*slice(begin, end, step).indices(size))
    expect(taken, f"a range within {size}", f"{begin}:{end}:{step}")
    return len(taken)


@SLICING.of_data("slice_axis")
def _slice_axis(settings: Settings, data: Shape) -> Shape:
    axis = axis_of(settings["axis"], data)
    size, begin, end = data[axis], settings["begin"], settings["end"]
    begin += size if begin < 0 else 0
    end = size if end is None else end + (size if end < 0 else 0)
    expect(0 <= begin < end <= size, f"begin and end within {size}", (settings["begin"], settings["end"]))
    return (*data[:axis], end - begin, *data[axis + 1 :])


@SLICING.add("slice_like", inputs=2)
def _slice_like(settings: Settings, given: Given) -> Found:
    data, like = given
    if data is None or like is None:
        return NOTHING
    chosen = numbers(settings, "axes")
    if not chosen:
        expect(len(data) == len(like), f"a tensor of {len(data)} dimensions to be like", like)
    axes = {axis_of(axis, data) for axis in chosen} or set(range(len(data)))
    expect(all(axis < len(like) for axis in axes), f"axes of a tensor of shape {shown(like)} to be like", chosen)
    fits = all(like[axis] <= data[axis] for axis in axes)
    expect(fits, f"a tensor no larger than {shown(data)} to be like", like)
    return Found((tuple(like[axis] if axis in axes else size for axis, size in enumerate(data)),))


@SLICING.of_data("tile")
def _tile(settings: Settings, data: Shape) -> Shape:
    repeats = numbers(settings, "reps", least=1)
    expect(len(repeats) <= MOST_DIMENSIONS, f"reps of at most {MOST_DIMENSIONS} numbers", repeats)
    most = max(len(repeats), len(data))
    data, repeats = ((1,) * (most - len(shape)) + shape for shape in (data, repeats))
    return tuple(size * times for size, times in zip(data, repeats, strict=True))


@SLICING.of_data("repeat")
def _repeat(settings: Settings, data: Shape) -> Shape:
    times, axis = settings["repeats"], settings["axis"]
    expect(times > 0, "repeats above 0", times)
    if axis is None:
        return (math.prod(data) * times,)
    axis = axis_of(axis, data)
    return (*data[:axis], data[axis] * times, *data[axis + 1 :])


@SLICING.of_data("Pad")
def _pad(settings: Settings, data: Shape) -> Shape:
    """All dimensions but batch and channels can be padded, before and behind."""
    widths = numbers(settings, "pad_width", least=0)
    expect(len(data) in (4, 5), "data of 4 or 5 dimensions", data)
    expect(len(widths) == 2 * len(data), f"a pad_width of {2 * len(data)} numbers", widths)
    expect(not any(widths[:4]), "a pad_width that begins with four 0", widths)
    pairs = zip(widths[::2], widths[1::2], data, strict=True)
    fits = settings["mode"] != "reflect" or all(max(before, behind) < size for before, behind, size in pairs)
    expect(fits, f"a reflection narrower than the data, {shown(data)}", widths)
    return tuple(size + sum(widths[2 * axis : 2 * axis + 2]) for axis, size in enumerate(data))
