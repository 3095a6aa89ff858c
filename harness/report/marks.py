"""What a chart is made of: lines and dots, and the styles that tell them apart.

A style is a number, from 1 to `STYLES`. `templates/style.css` gives each a colour and a dash, and `SHAPES` a shape, so
that none is told by colour alone. 0 is the neutral one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.figures import is_number

if TYPE_CHECKING:
    from harness.report.scale import Tick

SHAPES = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",  # circle
    "M-3.6-3.6h7.2v7.2h-7.2z",  # square
    "M0-4.8L4.6 3.4H-4.6z",  # triangle
    "M0-5L5 0L0 5L-5 0z",  # diamond
    "M0 4.8L4.6-3.4H-4.6z",  # triangle that points down
    "M-1.4-4.6h2.8v3.2h3.2v2.8h-3.2v3.2h-2.8v-3.2h-3.2v-2.8h3.2z",  # plus
    "M0-5.8L1.6-1.6L5.8 0L1.6 1.6L0 5.8L-1.6 1.6L-5.8 0L-1.6-1.6z",  # star
    "M-1.7-5.2h3.4v10.4h-3.4z",  # upright bar
)
STYLES = len(SHAPES)


def shape(style: int) -> str:
    """SVG path data of a style's shape, around (0, 0)."""
    return SHAPES[max(0, style - 1)]


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A place in a chart, with a shape at it.

    Attributes:
        x: from the left.
        y: from the top.
        style: number of its style; 0 for the neutral one.
        title: what it is, in words.
    """

    x: float
    y: float
    style: int
    title: str

    @property
    def shape(self) -> str:
        """SVG path data, around (0, 0)."""
        return shape(self.style)


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line in a chart.

    Attributes:
        path: SVG path data.
        style: number of its style; 0 for the neutral one.
        title: what it is, in words.
        name: what stands beside its end, or "".
        x: where the name begins.
        y: the name's base line.
    """

    path: str
    style: int
    title: str
    name: str = ""
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Lines and dots between two axes.

    Attributes:
        title: what the chart shows.
        x_title: of the axis below.
        y_title: of the axis on the left.
        summary: the chart in a sentence, for those who cannot see it.
        x_ticks: of the axis below.
        y_ticks: of the axis on the left.
        lines: drawn first.
        dots: drawn above the lines.
        note: how to read it, or "".
    """

    title: str
    x_title: str
    y_title: str
    summary: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    dots: tuple[Dot, ...]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Points:
    """One series of a chart, before it has a place.

    Attributes:
        values: x and y; those that are no numbers leave a gap.
        style: number of its style; 0 for the neutral one.
        title: what it is, in words.
        name: what stands beside a line's end, or "".
    """

    values: tuple[tuple[float, float], ...]
    style: int
    title: str
    name: str = ""

    @property
    def finite(self) -> list[tuple[float, float]]:
        """The values that can be drawn."""
        return [pair for pair in self.values if all(map(is_number, pair))]
