"""What convolution and pooling have in common: a window that moves over one, two or three dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harness.tarball.shapes.rule import expect, numbers

if TYPE_CHECKING:
    from harness.artifact import Shape
    from harness.tarball.operators import Settings

CHANNELS_FIRST = {1: "NCW", 2: "NCHW", 3: "NCDHW"}
"""Dimensions that a window moves over to the layout that MXNet takes unless told."""

CHANNELS_LAST = {"NWC": 1, "NHWC": 2, "NDHWC": 3}


class Window(NamedTuple):
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

    def counts(self, sizes: Shape, *, full: bool = False) -> Shape:
        """How many windows there are along each dimension: those that fit, or (full) those that begin within."""
        measures = zip(sizes, self.pad, self.extent, self.stride, strict=True)
        rests = [(size + 2 * pad - extent, stride) for size, pad, extent, stride in measures]
        return tuple(1 + (-(-rest // stride) if full else rest // stride) for rest, stride in rests)

    def stretched(self, sizes: Shape, adjustments: Shape, target: Shape) -> Shape:
        """What a window makes that is laid down at every element instead, for a transposed convolution.

        Raises:
            MisfitError: a target, or an adjustment, that MXNet could not come to.
        """
        measures = zip(sizes, self.extent, self.stride, strict=True)
        whole = tuple((size - 1) * stride + extent for size, extent, stride in measures)
        if any(target):
            reached = all(size <= most for size, most in zip(target, whole, strict=True))
            expect(reached, f"a target_shape of at most {whole}", target)
            adjustments = tuple((most - size) % 2 for size, most in zip(target, whole, strict=True))
        adjustments = adjustments or (0,) * len(sizes)
        below = all(more < stride for more, stride in zip(adjustments, self.stride, strict=True))
        expect(below, f"adj smaller than the stride, {self.stride}", adjustments)
        if any(target):
            return target
        return tuple(most - 2 * pad + more for most, pad, more in zip(whole, self.pad, adjustments, strict=True))


def window_of(settings: Settings, *, longer: bool = False) -> Window:
    """The window of a node.

    Args:
        settings: of the node.
        longer: whether what goes with the kernel may be longer than it, and only its beginning counts.

    Raises:
        MisfitError: measures that do not fit together.
    """
    kernel = numbers(settings, "kernel", least=1)
    count = len(kernel)
    expect(count in CHANNELS_FIRST, "a kernel of 1 to 3 numbers", kernel)
    least = {"stride": 1, "dilate": 1, "pad": 0, "adj": 0, "target_shape": 0}
    given = {name: numbers(settings, name, least[name]) for name in least if name in settings}
    if longer:
        given = {name: measure[:count] for name, measure in given.items()}
    for name, measure in given.items():
        expect(len(measure) in (0, count), f"a {name} of {count} numbers, as the kernel", measure)
    check_layout(settings.get("layout", "None"), count)
    ones, zeros = (1,) * count, (0,) * count
    stride, dilate, pad = (given.get(name) for name in ("stride", "dilate", "pad"))
    return Window(kernel, stride or ones, pad or zeros, dilate or ones)


def check_layout(layout: str, count: int) -> None:
    """Refuse a layout of another number of dimensions.

    Raises:
        MisfitError: there are others than windows move over.
    """
    possible = ("None", CHANNELS_FIRST[count], *(name for name, number in CHANNELS_LAST.items() if number == count))
    expect(layout in possible, f"layout to be {' or '.join(possible)}", layout)


def check_fit(window: Window, data: Shape) -> None:
    """Refuse data, channels first, that a window cannot move over.

    Raises:
        MisfitError: the data has another number of dimensions, or is smaller than the window.
    """
    expect(len(data) == len(window.kernel) + 2, f"data of {len(window.kernel) + 2} dimensions", data)
    padded = tuple(size + 2 * pad for size, pad in zip(data[2:], window.pad, strict=True))
    fits = all(extent <= size for extent, size in zip(window.extent, padded, strict=True))
    expect(fits, f"padded data not smaller than the window, {window.extent}", padded)


def to_channels_first(shape: Shape, layout: str) -> Shape:
    """A shape in some layout, with the channels as its second dimension."""
    return (shape[0], shape[-1], *shape[1:-1]) if layout in CHANNELS_LAST and shape else shape


def to_layout(shape: Shape, layout: str) -> Shape:
    """The way back."""
    return (shape[0], *shape[2:], shape[1]) if layout in CHANNELS_LAST else shape
