"""Pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.tarball.shapes.rule import NOTHING, Family, Found, Given, expect, numbers
from harness.tarball.shapes.windows import (
    CHANNELS_FIRST,
    check_fit,
    check_layout,
    to_channels_first,
    to_layout,
    window_of,
)

if TYPE_CHECKING:
    from harness.artifact import Shape
    from harness.tarball.operators import Settings

POOLING = Family()


def _outputs(settings: Settings) -> int:
    """Builds with oneDNN, such as the wheels, also tell where a maximum was."""
    first = settings["layout"] in ("None", *CHANNELS_FIRST.values())
    return 2 if settings["pool_type"] == "max" and settings["kernel"] and first else 1


@POOLING.add("Pooling", outputs=_outputs)
def _pooling(settings: Settings, given: Given) -> Found:
    [data], convention = given, settings["pooling_convention"]
    expect(settings["pool_type"] != "lp" or settings["p_value"] is not None, "a p_value for pool_type lp", "none")
    expect(convention != "same", "pooling_convention to be valid or full", convention)  # MXNet 1.9.1 fails at it
    numbers(settings, "kernel", least=1)
    numbers(settings, "stride", least=1)
    window = None if settings["global_pool"] else window_of(settings, longer=True)
    if data is None:
        return NOTHING
    expect(len(data) - 2 in CHANNELS_FIRST, "data of 3 to 5 dimensions", data)
    layout = settings.get("layout", "None")
    if window:
        check_layout(layout, len(data) - 2)
    data = to_channels_first(data, layout)
    if window is None:
        counts: Shape = (1,) * (len(data) - 2)
    else:
        check_fit(window, data)
        counts = window.counts(data[2:], full=convention == "full")
    return Found((to_layout((*data[:2], *counts), layout),))


@POOLING.add("Pooling_v1")
def _pooling_v1(settings: Settings, given: Given) -> Found:
    """The one that MXNet had before: in two or three dimensions, and it wants a kernel that it may not use."""
    [data] = given
    expect(data is None or len(data) > 3, "data of 4 or 5 dimensions", data)  # noqa: PLR2004 - these
    return _pooling(settings, given)
