"""The style: legible in light, dark and print, and a look for every style of the charts."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from harness.report.marks import SHAPES, STYLES, shape

STYLE = (resources.files("harness.report") / "templates" / "style.css").read_text("utf-8")
PRINT = (resources.files("harness.report") / "templates" / "print.css").read_text("utf-8")

TEXT = [
    *((ink, paper) for ink in ("ink", "quiet", "link", "bad") for paper in ("page", "surface")),
    *(("good", "good-plate"), ("bad", "bad-plate"), ("none", "none-plate"), ("quiet", "sunken"), ("ink", "sunken")),
]
"""Text and what it stands on: WCAG 2.2, 1.4.3, level AA."""

GRAPHICS = [*((f"s{style}", "surface") for style in range(STYLES + 1)), ("mark", "page"), ("mark", "surface")]
"""Lines and dots and what they are drawn on: WCAG 2.2, 1.4.11, level AA."""


def schemes() -> dict[str, dict[str, str]]:
    """The variables of each scheme."""
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    [printed] = re.findall(r":root \{(.*?)\}", PRINT, re.DOTALL)
    return {
        name: dict(re.findall(r"--([\w-]+): (#\w{6}|\d+%);", text))
        for name, text in {"light": light, "dark": dark, "print": printed}.items()
    }


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG defines it."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio, from 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def mixed(colour: str, paper: str, share: float) -> str:
    """A colour painted over another."""
    pairs = [(int(colour[place : place + 2], 16), int(paper[place : place + 2], 16)) for place in (1, 3, 5)]
    return "#" + "".join(f"{round(share * above + (1 - share) * below):02x}" for above, below in pairs)


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_contrast_is_enough(scheme: str) -> None:
    """Text reaches 4.5 to 1, lines and dots 3 to 1, also a count on the strongest shade of the confusion."""
    colours = schemes()[scheme]
    low = [pair for pair in TEXT if contrast(colours[pair[0]], colours[pair[1]]) < 4.5]
    low += [pair for pair in GRAPHICS if contrast(colours[pair[0]], colours[pair[1]]) < 3]
    assert low == []
    strongest = mixed(colours["heat"], colours["surface"], int(colours["heat-most"][:-1]) / 100)
    assert contrast(colours["ink"], strongest) >= 4.5


def test_contrast_is_measured() -> None:
    """Control: black on white is 21, and grey on white is too little."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") < 4.5


def test_every_scheme_has_every_colour() -> None:
    """A colour that only one scheme has would stay light in the dark."""
    light, dark, printed = schemes().values()
    assert light.keys() == dark.keys() == printed.keys()
    assert set(re.findall(r"var\(--([\w-]+)", STYLE)) - light.keys() == {
        *("sans", "mono", "style", "classes", "digits", "heat-share")
    }


def test_every_style_of_a_chart_has_a_look() -> None:
    """Its own shape, and from the second on its own dash; the neutral one has a shape too."""
    assert len(set(SHAPES)) == STYLES
    assert shape(0) == SHAPES[0]
    dashes = re.findall(r"\.curve\.s(\d) \{ stroke-dasharray: ([\d. ]+);", STYLE)
    assert [int(style) for style, _ in dashes] == list(range(2, STYLES + 1))
    assert len({dash for _, dash in dashes}) == STYLES - 1
