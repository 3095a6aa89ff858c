"""What a graph ends in: outputs that take a label while training. Predictions need none, but MXNet binds one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.tarball.shapes.rule import NOTHING, Family, Found, Given, expect

if TYPE_CHECKING:
    from harness.tarball.operators import Settings

LOSSES = Family()


@LOSSES.add("SoftmaxOutput", inputs=2)
def _softmax_output(settings: Settings, given: Given) -> Found:
    data, label = given
    if data is None:
        return NOTHING
    if label == data:
        return Found((data,))
    if not settings["multi_output"]:
        expect(data[1:] or label is None, "data of at least 2 dimensions", data)
        return Found((data,), {1: data[:-1]} if data[1:] else {})
    expect(data[1:], "data of at least 2 dimensions", data)
    rest = data[2:]
    possible = [(data[0], math.prod(rest)), (data[0], *rest), (data[0], 1, *rest)]
    return Found((data,), {1: label if label is not None and label in possible else possible[0]})


@LOSSES.add("LinearRegressionOutput", "LogisticRegressionOutput", "MAERegressionOutput", inputs=2)
def _regression(settings: Settings, given: Given) -> Found:
    """Labels that are known have as many rows and numbers as the data; those of a column lack its dimension."""
    del settings
    data, label = given
    if data is None:
        return NOTHING
    if label is not None and label[0] == data[0] and math.prod(label) == math.prod(data):
        return Found((data,))
    return Found((data,), {1: data[:1] if data[1:] == (1,) else data})


@LOSSES.add("SVMOutput", inputs=2)
def _svm_output(settings: Settings, given: Given) -> Found:
    del settings
    data, label = given
    if data is None:
        return NOTHING
    expect(data[1:] or label is None, "data of at least 2 dimensions", data)
    return Found((data,), {1: data[:-1]} if data[1:] else {})
