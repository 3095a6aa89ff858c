"""Averages over windows that reach beyond the padding: MXNet 1.9.1 does not agree with itself on them."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import TrainingError

SHAPE = (2, 3, 5, 6)


def lowered(**attributes: Any) -> Any:
    """One pooling node of data of 5 by 6."""
    from harness.train.compat import mxnet
    from harness.train.xla.graph import Graph
    from harness.train.xla.lowering import Lowered

    pooled = mxnet().sym.Pooling(mxnet().sym.var("data"), name="pool", stride=(2, 2), **attributes)
    return Lowered(Graph.parse(pooled.tojson()), {"data": SHAPE})


@pytest.mark.parametrize("pad", [(0, 0), (1, 0)])
def test_an_average_beyond_the_padding_is_refused(pad: tuple[int, int]) -> None:
    """Forward and backward count different elements there, so there is nothing to agree with."""
    with pytest.raises(TrainingError) as caught:
        lowered(pool_type="avg", pooling_convention="full", kernel=(3, 3), pad=pad)
    assert str(caught.value) == (
        "engine xla: Pooling node 'pool': pooling_convention=full with averages over windows that are cut off is not "
        'supported here; train with engine="mxnet", or write the graph without it'
    )


@pytest.mark.parametrize(
    "attributes",
    [
        {"pool_type": "avg", "pooling_convention": "full", "kernel": (3, 3), "count_include_pad": False},
        {"pool_type": "avg", "pooling_convention": "full", "kernel": (3, 2)},
        {"pool_type": "avg", "kernel": (3, 3)},
        {"pool_type": "max", "pooling_convention": "full", "kernel": (3, 3)},
    ],
    ids=str,
)
def test_whatever_is_unambiguous_is_not(attributes: dict[str, Any]) -> None:
    """Control: padding that does not count, windows that end at the edge, and anything but averages."""
    assert lowered(**attributes).outputs[0][:2] == SHAPE[:2]
