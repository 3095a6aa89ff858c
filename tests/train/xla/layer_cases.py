"""Random cases of layers with weights, of pooling and of normalization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from elementwise_cases import SEEDS, SIZES, shapes
from hypothesis import strategies as st
from mxnet_reference import Case

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import SearchStrategy

    from harness.artifact import Shape


@st.composite
def fully_connected(draw: st.DrawFn) -> Case:
    """With and without flattening and bias."""
    attributes = {"num_hidden": draw(SIZES), "flatten": draw(st.booleans()), "no_bias": draw(st.booleans())}
    return Case("FullyConnected", attributes, {"data": draw(shapes(2))}, draw(SEEDS))


def measures(draw: st.DrawFn, dimensions: int, least: int, most: int) -> Shape:
    """A number for each dimension that a window moves over."""
    return tuple(draw(st.integers(least, most)) for _ in range(dimensions))


@st.composite
def convolution(draw: st.DrawFn) -> Case:
    """One and two dimensions; what is optional is left out now and then."""
    dimensions, groups = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    kernel = measures(draw, dimensions, 1, 3)
    optional = {
        "stride": measures(draw, dimensions, 1, 3),
        "pad": measures(draw, dimensions, 0, 2),
        "dilate": measures(draw, dimensions, 1, 2),
        "num_group": groups,
        "no_bias": draw(st.booleans()),
        "layout": {1: "NCW", 2: "NCHW"}[dimensions],
        "workspace": 512,
        "cudnn_tune": "off",
        "cudnn_off": True,
    }
    kept = {name: value for name, value in optional.items() if name == "num_group" or draw(st.booleans())}
    attributes = {"kernel": kernel, "num_filter": groups * draw(st.integers(1, 2)), **kept}
    data = (draw(st.integers(1, 3)), groups * draw(st.integers(1, 2)), *measures(draw, dimensions, 5, 7))
    return Case("Convolution", attributes, {"data": data}, draw(SEEDS))


@st.composite
def pooling(draw: st.DrawFn) -> Case:
    """One and two dimensions; no window outside the data, and (`test_xla_pooling`) no average over a cut one."""
    dimensions = draw(st.integers(1, 2))
    kernel = measures(draw, dimensions, 1, 3)
    pad = tuple(draw(st.integers(0, size - 1)) for size in kernel)
    stride = tuple(draw(st.integers(1, size - one)) for size, one in zip(kernel, pad, strict=True))
    kind = draw(st.sampled_from(["max", "avg", "sum"]))
    attributes: dict[str, Any] = {"pool_type": kind}
    if draw(st.booleans()):
        attributes["global_pool"] = True
    if not attributes.get("global_pool") or draw(st.booleans()):
        attributes |= {"kernel": kernel, "stride": stride, "pad": pad}
        attributes["pooling_convention"] = draw(st.sampled_from(["valid", "full"]))
    if kind == "avg" and attributes.get("pooling_convention") == "full":
        attributes["count_include_pad"] = False
    elif draw(st.booleans()):
        attributes["count_include_pad"] = draw(st.sampled_from([True, False, None]))
    data = (draw(st.integers(1, 3)), draw(st.integers(1, 3)), *measures(draw, dimensions, 3, 6))
    return Case("Pooling", attributes, {"data": data}, draw(SEEDS))


@st.composite
def batch_norm(draw: st.DrawFn) -> Case:
    """With eight channels MXNet takes another kernel."""
    data = list(draw(shapes(2)))
    axis = draw(st.integers(-len(data), len(data) - 1))
    if draw(st.booleans()):
        data[axis] = 8
    attributes = {
        "axis": axis,
        "eps": draw(st.sampled_from([1e-3, 0.1])),
        "momentum": draw(st.sampled_from([0.0, 0.5, 0.9, 1.0])),
        "fix_gamma": draw(st.booleans()),
        "use_global_stats": draw(st.booleans()),
        "cudnn_off": draw(st.booleans()),
    }
    return Case("BatchNorm", attributes, {"data": tuple(data)}, draw(SEEDS))


@st.composite
def dropout(draw: st.DrawFn) -> Case:
    """Nothing drops: what is random has a test of its own."""
    attributes = {
        "p": 0,
        "mode": draw(st.sampled_from(["training", "always"])),
        "axes": draw(st.sampled_from([(), (0,)])),
    }
    return Case("Dropout", attributes, {"data": draw(shapes())}, draw(SEEDS))


WEIGHTED: Mapping[str, SearchStrategy[Case]] = {"FullyConnected": fully_connected(), "Convolution": convolution()}
NORMALIZING: Mapping[str, SearchStrategy[Case]] = {"BatchNorm": batch_norm(), "Dropout": dropout()}
POOLING: Mapping[str, SearchStrategy[Case]] = {"Pooling": pooling()}
