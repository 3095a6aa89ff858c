"""Random cases of the operators that a graph ends in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from elementwise_cases import NUMBERS, SEEDS, shapes
from hypothesis import strategies as st
from mxnet_reference import Case

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import SearchStrategy

SCALES = st.sampled_from([1.0, 0.5, 2.5])


@st.composite
def softmax_output(draw: st.DrawFn) -> Case:
    """Classes as labels, also such as do not exist or are ignored, or probabilities; in every layout of both."""
    layout = draw(st.sampled_from(["rows", "multi_output", "preserve_shape"]))
    data = draw(shapes(2, 2) if layout == "rows" else shapes(2))
    axis = 1 if layout == "multi_output" else -1
    data = (*data[:axis], draw(st.integers(2, 4)), *data[axis:][1:])
    attributes: dict[str, Any] = {
        "grad_scale": draw(SCALES),
        "normalization": draw(st.sampled_from(["null", "batch", "valid"])),
        "use_ignore": draw(st.booleans()),
        "ignore_label": draw(st.sampled_from([-1, 0, 1])),
        "smooth_alpha": draw(st.sampled_from([0.0, 0.3])),
        "out_grad": draw(st.booleans()),
    }
    if layout != "rows":
        attributes[layout] = True
    rest = data[2:]
    labels = {
        "rows": [data[:1]],
        "multi_output": [(data[0], int(np.prod(rest))), (data[0], *rest), (data[0], 1, *rest)],
        "preserve_shape": [data[:-1]],
    }[layout]
    label, seed = draw(st.sampled_from([*labels, data])), draw(SEEDS)
    generator = np.random.default_rng(seed)
    classes = generator.choice([-1, -0.5, 0, 1, 1.5, 2, 3, 7], size=label)
    values = {"label": generator.uniform(size=data) if label == data else classes}
    return Case("SoftmaxOutput", attributes, {"data": data, "label": label}, seed, values)


@st.composite
def regression(draw: st.DrawFn, name: str) -> Case:
    """Labels of the data's shape; of one column also without that dimension."""
    data = draw(shapes())
    column = (data[0], *[1] * (len(data) - 1))
    pair = draw(st.sampled_from([(data, data), (column, data[:1])]))
    return Case(name, {"grad_scale": draw(SCALES)}, dict(zip(("data", "label"), pair, strict=True)), draw(SEEDS))


@st.composite
def make_loss(draw: st.DrawFn) -> Case:
    """Every normalization."""
    attributes = {
        "grad_scale": draw(SCALES),
        "normalization": draw(st.sampled_from(["null", "batch", "valid"])),
        "valid_thresh": draw(NUMBERS),
    }
    return Case("MakeLoss", attributes, {"data": draw(shapes())}, draw(SEEDS))


LOSSES: Mapping[str, SearchStrategy[Case]] = {
    "SoftmaxOutput": softmax_output(),
    **{
        name: regression(name) for name in ("LinearRegressionOutput", "LogisticRegressionOutput", "MAERegressionOutput")
    },
    "MakeLoss": make_loss(),
}
