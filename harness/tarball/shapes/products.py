"""Products of tensors, and looking up rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.tarball.shapes.rule import NOTHING, Family, Found, Given, axis_of, expect

if TYPE_CHECKING:
    from harness.artifact import Shape
    from harness.tarball.operators import Settings

PRODUCTS = Family()


@PRODUCTS.add("dot", inputs=2)
def _dot(settings: Settings, given: Given) -> Found:
    """The last dimension of one with the first of the other; the other way round where transposed."""
    left, right = given
    if left is None or right is None:
        return NOTHING
    turned = settings["transpose_a"] or settings["transpose_b"]
    expect(left[1:] or right[1:] or not turned, "more than 1 dimension to transpose", f"{left} and {right}")
    rest, inner = (left[1:], left[0]) if settings["transpose_a"] else (left[:-1], left[-1])
    other_rest, other = (right[:-1], right[-1]) if settings["transpose_b"] else (right[1:], right[0])
    expect(inner == other, f"dimensions of one size to multiply along, of {left} and {right}", f"{inner} and {other}")
    return Found((rest + other_rest or (1,),))


@PRODUCTS.add("batch_dot", inputs=2)
def _batch_dot(settings: Settings, given: Given) -> Found:
    left, right = given
    if left is None or right is None:
        return NOTHING
    same = len(left) == len(right) > 2 and left[:-2] == right[:-2]  # noqa: PLR2004 - matrices
    expect(same, f"as many matrices on the right as in {left}", right)
    rows, inner = left[:-3:-1] if settings["transpose_a"] else left[-2:]
    other, columns = right[:-3:-1] if settings["transpose_b"] else right[-2:]
    expect(inner == other, f"matrices that can be multiplied, of {left} and {right}", f"{inner} and {other}")
    return Found(((*left[:-2], rows, columns),))


@PRODUCTS.of_data("one_hot")
def _one_hot(settings: Settings, indices: Shape) -> Shape:
    expect(settings["depth"] > 0, "a depth above 0", settings["depth"])
    return (*indices, settings["depth"])


@PRODUCTS.add("take", inputs=2)
def _take(settings: Settings, given: Given) -> Found:
    data, indices = given
    if data is None or indices is None:
        return NOTHING
    axis = axis_of(settings["axis"], data)
    return Found(((*data[:axis], *indices, *data[axis + 1 :]),))
