"""What variables say of their own shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.tarball.operators import operator

if TYPE_CHECKING:
    from harness.artifact import Shape
    from harness.tarball.node import Node

Declared = tuple[int, ...]
"""A shape in which 0 stands for a size that is not known; () for no shape at all."""

_SHAPE = "__shape__"


def declared(variable: Node) -> Declared:
    """What ``mx.sym.var(shape=...)`` said.

    Raises:
        ValueError: it is no shape; in words.
    """
    text = variable.attributes.get(_SHAPE, "None")
    reader = operator("sum")  # whose attribute `axis` is text of the same kind
    try:
        sizes = reader.attributes["axis"].parse(text) if reader else None
    except ValueError:
        sizes = (None,)
    if sizes is None:
        return ()
    if None in sizes:
        raise ValueError(f"expected {_SHAPE} to be a tuple of whole numbers, found {text!r:.60}")
    return tuple(max(size, 0) for size in sizes)


def fits(known: Declared, shape: Shape) -> bool:
    """Whether a shape agrees with one of which sizes may be unknown."""
    return len(known) == len(shape) and all(size in (0, new) for size, new in zip(known, shape, strict=True))
