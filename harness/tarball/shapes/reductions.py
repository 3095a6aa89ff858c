"""Operators that make fewer numbers out of many, and those that share one out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.tarball.shapes.rule import NOTHING, Family, Found, Given, axis_of, expect, numbers, shown

if TYPE_CHECKING:
    from harness.artifact import Shape
    from harness.tarball.operators import Settings

REDUCTIONS = Family()


def _axes(settings: Settings, name: str, data: Shape) -> set[int]:
    """Which axes go; without any, all do."""
    given: Shape = () if settings[name] is None else numbers(settings, name)
    expect(len(given) <= len(data), f"at most {len(data)} axes", given)
    axes = {axis_of(axis, data) for axis in given}
    expect(len(axes) == len(given), "distinct axes", given)
    everything = set(range(len(data)))
    if not axes:
        return everything
    return everything - axes if settings.get("exclude") else axes


def _reduced(data: Shape, axes: set[int], *, keep: bool) -> Shape:
    if keep:
        return tuple(1 if axis in axes else size for axis, size in enumerate(data))
    # MXNet has no tensors without a dimension.
    return tuple(size for axis, size in enumerate(data) if axis not in axes) or (1,)


@REDUCTIONS.of_data("sum", "mean", "max", "min", "prod", "nansum", "nanprod", "norm")
def _reduce(settings: Settings, data: Shape) -> Shape:
    if "ord" in settings:
        expect(settings["ord"] in (1, 2), "ord to be 1 or 2", settings["ord"])
    return _reduced(data, _axes(settings, "axis", data), keep=settings["keepdims"])


@REDUCTIONS.of_data("argmax", "argmin")
def _extreme(settings: Settings, data: Shape) -> Shape:
    axis = settings["axis"]
    axes = set(range(len(data))) if axis is None or len(data) == 1 else {axis_of(axis, data)}
    return _reduced(data, axes, keep=settings["keepdims"])


@REDUCTIONS.of_data("argmax_channel")
def _extreme_channel(settings: Settings, data: Shape) -> Shape:
    del settings
    return (data[0], *data[2:]) if data[1:] else (1,)


@REDUCTIONS.add("pick", inputs=2)
def _pick(settings: Settings, given: Given) -> Found:
    """The index may keep the dimension along which it picks."""
    data, index = given
    if data is None:
        return NOTHING
    axis = settings["axis"]
    expect(axis is not None, "an axis", axis)
    axes = {0} if len(data) == 1 else {axis_of(axis, data)}
    kept = index is not None and len(index) == len(data)
    return Found((_reduced(data, axes, keep=settings["keepdims"]),), {1: _reduced(data, axes, keep=kept)})


@REDUCTIONS.of_data("broadcast_axis")
def _broadcast_axis(settings: Settings, data: Shape) -> Shape:
    axes, sizes = numbers(settings, "axis", least=0), numbers(settings, "size", least=1)
    expect(len(axes) == len(sizes) <= len(data), f"as many axes as sizes, at most {len(data)}", f"{len(axes)} axes")
    target = list(data)
    for axis, size in zip(axes, sizes, strict=True):
        expect(target[axis_of(axis, data)] == 1, f"axes of size 1 of data of shape {shown(data)}", axes)
        target[axis] = size
    return tuple(target)


@REDUCTIONS.of_data("broadcast_to")
def _broadcast_to(settings: Settings, data: Shape) -> Shape:
    """A 0 keeps a dimension."""
    target = numbers(settings, "shape", least=0)
    expect(len(target) == len(data), f"a shape of {len(data)} dimensions", target)
    target = tuple(size or kept for size, kept in zip(target, data, strict=True))
    return _stretched(data, target)


@REDUCTIONS.add("broadcast_like", inputs=2)
def _broadcast_like(settings: Settings, given: Given) -> Found:
    data, like = given
    if data is None or like is None:
        return NOTHING
    if None in (settings["lhs_axes"], settings["rhs_axes"]):
        expect(len(data) == len(like), f"a tensor of {len(data)} dimensions to be like", like)
        return Found((_stretched(data, like),))
    ours, theirs = numbers(settings, "lhs_axes"), numbers(settings, "rhs_axes")
    expect(len(ours) == len(theirs) > 0, f"{len(theirs)} lhs_axes, as rhs_axes", ours)
    expect(len(ours) <= len(data), f"at most {len(data)} axes", ours)
    pairs = zip(ours, theirs, strict=True)
    target = {axis_of(one, data): like[axis_of(other, like)] for one, other in pairs}
    expect(all(data[axis] == 1 for axis in target), f"lhs_axes of size 1 of data of shape {shown(data)}", ours)
    return Found((tuple(target.get(axis, size) for axis, size in enumerate(data)),))


def _stretched(data: Shape, target: Shape) -> Shape:
    fits = all(size in (1, new) for size, new in zip(data, target, strict=True))
    expect(fits, f"data that can be broadcast to {shown(target)}", data)
    return target
