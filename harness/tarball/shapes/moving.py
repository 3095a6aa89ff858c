"""Operators that give a tensor another shape."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.tarball.shapes.rule import MOST_DIMENSIONS, NOTHING, Family, Found, Given, axis_of, expect, numbers, shown

if TYPE_CHECKING:
    from harness.artifact import Shape
    from harness.tarball.operators import Settings

MOVING = Family()


@MOVING.of_data("Flatten")
def _flatten(settings: Settings, data: Shape) -> Shape:
    del settings
    return data[0], math.prod(data[1:])


class _Target:
    """Where a Reshape leads: sizes, and MXNet's codes.

    0 keeps a dimension, -1 is what is left over, -2 keeps all others, -3 makes one of two, -4 two of one.
    """

    def __init__(self, source: Shape, codes: Shape) -> None:
        self._source, self._codes = list(source[::-1]), list(codes[::-1])  # taken from the end
        self.sizes: list[int] = []
        self.free: int | None = None

    def lead(self) -> None:
        """Find the sizes, 1 for the one that is left over."""
        count = len(self._codes)
        special = {0: self._keep, -2: self._keep_others, -3: self._merge, -4: self._split}
        while self._codes:
            code = self._codes.pop()
            if code in special:
                special[code]()
                continue
            if code == -1:
                expect(self.free is None, "at most one -1 in shape", "two")
                # Behind a -2 or a -4 this is another place than that of the -1: so it is in MXNet 1.9.1.
                self.free = count - len(self._codes) - 1
            self.sizes.append(max(code, 1))
            del self._source[-1:]

    def _next(self, code: int) -> int:
        expect(self._source, f"a dimension for {code} in shape", "none")
        return self._source.pop()

    def _keep(self) -> None:
        self.sizes.append(self._next(0))

    def _keep_others(self) -> None:
        self.sizes += self._source[::-1]
        self._source.clear()

    def _merge(self) -> None:
        self.sizes.append(self._next(-3) * self._next(-3))

    def _split(self) -> None:
        whole = self._next(-4)
        expect(len(self._codes) > 1, "two sizes for -4 in shape", self._codes)
        codes = first, second = self._codes.pop(), self._codes.pop()
        expect(codes != (-1, -1) and min(codes) >= -1 and 0 not in codes, "two sizes for -4, at most one -1", codes)
        first = whole // second if first == -1 else first
        second = whole // first if second == -1 and first else second
        expect(first * second == whole, f"two sizes that make {whole} for -4 in shape", (first, second))
        self.sizes += first, second


@MOVING.of_data("Reshape")
def _reshape(settings: Settings, data: Shape) -> Shape:
    codes, turned = numbers(settings, "shape", least=-4), slice(None, None, -1 if settings["reverse"] else 1)
    if not codes:
        return _reshape_of_old(settings, data)
    target = _Target(data[turned], codes[turned])
    target.lead()
    return _filled(data, target.sizes, target.free)[turned]


def _reshape_of_old(settings: Settings, data: Shape) -> Shape:
    """What there was before `shape`: a 0 is what is left over."""
    sizes = list(numbers(settings, "target_shape", least=0))
    expect(sizes, "a shape", "none")
    if settings["keep_highest"]:
        sizes[0] = data[0]
    expect(sizes.count(0) < 2, "at most one 0 in target_shape", sizes)  # noqa: PLR2004 - more than one
    free = sizes.index(0) if 0 in sizes else None
    return _filled(data, [size or 1 for size in sizes], free)


def _filled(data: Shape, sizes: list[int], free: int | None) -> Shape:
    """With what is left over in its place."""
    expect(len(sizes) <= MOST_DIMENSIONS, f"at most {MOST_DIMENSIONS} dimensions", len(sizes))
    elements = math.prod(data)
    if free is not None and free < len(sizes):
        sizes[free] = elements // math.prod(sizes)
    expect(math.prod(sizes) == elements, f"a shape of {elements:,} elements", tuple(sizes))
    return tuple(sizes)


@MOVING.of_data("expand_dims")
def _expand_dims(settings: Settings, data: Shape) -> Shape:
    axis = settings["axis"]
    expect(-len(data) - 1 <= axis <= len(data), f"an axis of {len(data) + 1} dimensions", axis)
    axis %= len(data) + 1
    return (*data[:axis], 1, *data[axis:])


@MOVING.of_data("squeeze")
def _squeeze(settings: Settings, data: Shape) -> Shape:
    """Without dimensions of size 1: some, or all."""
    ones = {axis for axis, size in enumerate(data) if size == 1}
    if settings["axis"] is not None:
        given = numbers(settings, "axis")
        expect(len(given) <= len(data), f"at most {len(data)} axes", given)
        axes = {axis_of(axis, data) for axis in given}
        expect(len(axes) == len(given) and axes <= ones, f"distinct axes of size 1 of shape {shown(data)}", given)
        ones = axes
    # MXNet has no tensors without a dimension.
    return tuple(size for axis, size in enumerate(data) if axis not in ones) or (1,)


@MOVING.of_data("transpose")
def _transpose(settings: Settings, data: Shape) -> Shape:
    """Dimensions in another order; without axes, in the reverse one."""
    axes = numbers(settings, "axes", least=0)
    if not axes:
        return data[::-1]
    expect(len(axes) == len(data), f"axes that order {len(data)} dimensions", axes)
    expect(sorted(axes) == list(range(len(data))), f"axes that order {len(data)} dimensions", axes)
    return tuple(data[axis] for axis in axes)


@MOVING.of_data("SwapAxis")
def _swap(settings: Settings, data: Shape) -> Shape:
    one, other = axis_of(settings["dim1"], data), axis_of(settings["dim2"], data)
    sizes = list(data)
    sizes[one], sizes[other] = data[other], data[one]
    return tuple(sizes)


@MOVING.add("_zeros", "_ones", "_full", inputs=0)
def _constant(settings: Settings, given: Given) -> Found:
    """A 0 stands for a size that its readers tell, such as the batch of a recurrent network's first state."""
    del given
    shape = numbers(settings, "shape")
    return Found((shape,)) if shape and min(shape) > 0 else NOTHING
