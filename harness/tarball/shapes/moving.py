"""Operators that give a tensor another shape."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.tarball.shapes.rule import MOST_DIMENSIONS, Family, axis_of, expect, numbers, shown

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

    def lead(self) -> list[int]:
        """The sizes, -1 for one that is left over."""
        while self._codes:
            code = self._codes.pop()
            {0: self._keep, -2: self._keep_others, -3: self._merge, -4: self._split}.get(code, lambda: None)()
            if code == -1 or code > 0:
                self.sizes.append(code)
                del self._source[-1:]
        return self.sizes

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
        expect(codes != (-1, -1) and 0 not in codes, "two sizes for -4 in shape, at most one of them -1", codes)
        first = whole // second if first == -1 else first
        second = whole // first if second == -1 else second
        expect(first * second == whole, f"two sizes that make {whole} for -4 in shape", (first, second))
        self.sizes += first, second


@MOVING.of_data("Reshape")
def _reshape(settings: Settings, data: Shape) -> Shape:
    codes, turned = numbers(settings, "shape", least=-4), slice(None, None, -1 if settings["reverse"] else 1)
    sizes = _Target(data[turned], codes[turned]).lead()
    expect(len(sizes) <= MOST_DIMENSIONS, f"at most {MOST_DIMENSIONS} dimensions", len(sizes))
    elements, known = math.prod(data), math.prod(size for size in sizes if size != -1)
    left = elements // known if known else 0
    target = tuple(left if size == -1 else size for size in sizes)[turned]
    expect(sizes.count(-1) <= 1 and math.prod(target) == elements, f"a shape of {elements:,} elements", codes)
    return target


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
    axes = numbers(settings, "axes")
    if not axes:
        return data[::-1]
    expect(len(axes) == len(data), f"axes that order {len(data)} dimensions", axes)
    order = [axis_of(axis, data) for axis in axes]
    expect(len(set(order)) == len(data), f"axes that order {len(data)} dimensions", axes)
    return tuple(data[axis] for axis in order)


@MOVING.of_data("SwapAxis")
def _swap(settings: Settings, data: Shape) -> Shape:
    one, other = axis_of(settings["dim1"], data), axis_of(settings["dim2"], data)
    sizes = list(data)
    sizes[one], sizes[other] = data[other], data[one]
    return tuple(sizes)
