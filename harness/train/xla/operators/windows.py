"""What convolution and pooling have in common: a window that moves over one or two dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.train.xla.attributes import Attribute, Settings, choice, integers, misfit, unsupported

if TYPE_CHECKING:
    from harness.artifact import Shape

LAYOUTS = {"NCW": 1, "NCHW": 2}
"""Layout to dimensions that a window moves over."""

KERNEL = integers(least=1)
STRIDE = integers((), least=1)
PAD = integers((), least=0)
LAYOUT: Attribute = choice("None", *LAYOUTS, default="None")


@dataclass(frozen=True)
class Windows:
    """A window's measures, a number for each dimension that it moves over.

    Attributes:
        kernel: its size.
        stride: how far it moves.
        pad: how many elements are added on both sides of the data.
        dilate: distance between its elements.
    """

    kernel: Shape
    stride: Shape
    pad: Shape
    dilate: Shape

    @property
    def extent(self) -> Shape:
        """From its first element to its last."""
        return tuple((size - 1) * dilate + 1 for size, dilate in zip(self.kernel, self.dilate, strict=True))


def windows(settings: Settings) -> Windows:
    """The window of a node.

    Raises:
        TrainingError: measures that do not fit together, or more dimensions than are supported.
    """
    kernel, node = settings.kernel, settings.node
    if len(kernel) not in LAYOUTS.values():
        raise unsupported(node, f"kernel={kernel}", expected="1 or 2 numbers")
    measures = {"stride": settings.stride, "pad": settings.pad, "dilate": getattr(settings, "dilate", ())}
    for name, measure in measures.items():
        if measure and len(measure) != len(kernel):
            raise misfit(node, f"a {name} of {len(kernel)} numbers, as the kernel", measure)
    if settings.layout != "None" and LAYOUTS[settings.layout] != len(kernel):
        raise misfit(node, f"a kernel of {LAYOUTS[settings.layout]} numbers for layout {settings.layout}", kernel)
    ones = (1,) * len(kernel)
    return Windows(
        kernel=kernel,
        stride=measures["stride"] or ones,
        pad=measures["pad"] or (0,) * len(kernel),
        dilate=measures["dilate"] or ones,
    )


def check_fit(settings: Settings, window: Windows, data: Shape) -> None:
    """Refuse data that a window cannot move over.

    Raises:
        TrainingError: the data has another number of dimensions, or is smaller than the window.
    """
    if len(data) != len(window.kernel) + 2:
        raise misfit(settings.node, f"data of {len(window.kernel) + 2} dimensions", data)
    padded = tuple(size + 2 * pad for size, pad in zip(data[2:], window.pad, strict=True))
    if any(extent > size for extent, size in zip(window.extent, padded, strict=True)):
        raise misfit(settings.node, f"data not smaller than the window, {window.extent}", padded)
