"""Layers with weights: their parameters follow from their data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.tarball.shapes.rule import NOTHING, Family, Found, Given, expect
from harness.tarball.shapes.windows import check_fit, to_channels_first, to_layout, window_of

if TYPE_CHECKING:
    from harness.artifact import Shape
    from harness.tarball.operators import Settings

LAYERS = Family()


def _inputs(settings: Settings) -> int:
    return 2 if settings["no_bias"] else 3


def _with_bias(settings: Settings, size: int, weight: Shape) -> dict[int, Shape]:
    return {1: weight} if settings["no_bias"] else {1: weight, 2: (size,)}


@LAYERS.add("FullyConnected", inputs=_inputs)
def _fully_connected(settings: Settings, given: Given) -> Found:
    data, hidden = given[0], settings["num_hidden"]
    expect(hidden > 0, "num_hidden above 0", hidden)
    if data is None:
        return NOTHING
    flat = settings["flatten"]
    features = math.prod(data[1:]) if flat else data[-1]
    output = (data[0], hidden) if flat else (*data[:-1], hidden)
    return Found((output,), _with_bias(settings, hidden, (hidden, features)))


@LAYERS.add("Convolution", inputs=_inputs)
def _convolution(settings: Settings, given: Given) -> Found:
    window, filters, groups = window_of(settings), settings["num_filter"], settings["num_group"]
    expect(filters > 0, "num_filter above 0", filters)
    if given[0] is None:
        return NOTHING
    data = to_channels_first(given[0], settings["layout"])
    check_fit(window, data)
    found = f"{data[1]} channels and {filters} filters"
    expect(groups and not data[1] % groups and not filters % groups, f"whole numbers of both in {groups} groups", found)
    counts = window.counts(data[2:])
    weight = to_layout((filters, data[1] // groups, *window.kernel), settings["layout"])
    output = to_layout((data[0], filters, *counts), settings["layout"])
    return Found((output,), _with_bias(settings, filters, weight))


@LAYERS.add("Deconvolution", inputs=_inputs)
def _deconvolution(settings: Settings, given: Given) -> Found:
    window, filters, groups = window_of(settings), settings["num_filter"], settings["num_group"]
    expect(filters > 0, "num_filter above 0", filters)
    if given[0] is None:
        return NOTHING
    data = to_channels_first(given[0], settings["layout"])
    expect(len(data) == len(window.kernel) + 2, f"data of {len(window.kernel) + 2} dimensions", data)
    found = f"{data[1]} channels and {filters} filters"
    expect(groups and not data[1] % groups and not filters % groups, f"whole numbers of both in {groups} groups", found)
    expect(len(window.kernel) < 3 or set(window.dilate) == {1}, "no dilate in 3 dimensions", window.dilate)  # noqa: PLR2004
    sizes = window.stretched(data[2:], settings["adj"], settings["target_shape"])
    weight = to_layout((data[1], filters // groups, *window.kernel), settings["layout"])
    output = to_layout((data[0], filters, *sizes), settings["layout"])
    return Found((output,), _with_bias(settings, filters, weight))


@LAYERS.add("Embedding", "_contrib_SparseEmbedding", inputs=2)
def _embedding(settings: Settings, given: Given) -> Found:
    weight = (settings["input_dim"], settings["output_dim"])
    expect(min(weight) > 0, "input_dim and output_dim above 0", weight)
    output = () if given[0] is None else ((*given[0], weight[1]),)
    return Found(output, {1: weight})


def _leaky_relu_inputs(settings: Settings) -> int:
    return 2 if settings["act_type"] == "prelu" else 1


def _leaky_relu_outputs(settings: Settings) -> int:
    return 2 if settings["act_type"] == "rrelu" else 1


@LAYERS.add("LeakyReLU", inputs=_leaky_relu_inputs, outputs=_leaky_relu_outputs)
def _leaky_relu(settings: Settings, given: Given) -> Found:
    """A prelu has a slope for each channel, unless the graph says otherwise."""
    data = given[0]
    if data is None:
        return NOTHING
    if settings["act_type"] != "prelu":
        return Found((data,))
    if given[1] is not None:
        return Found((data,))
    expect(data[1:], "data of at least 2 dimensions", data)
    return Found((data,), {1: data[1:2]})
