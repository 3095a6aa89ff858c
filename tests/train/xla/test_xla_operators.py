"""Every operator computes what MXNet 1.9.1 computes: outputs, gradients, auxiliary states and predictions.

Cases are random: shapes, attributes and numbers. ``pytest tests/train/xla --hypothesis-profile=long`` tries 300 of each
operator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import elementwise_cases
import layer_cases
import loss_cases
import pytest
import shape_cases
from hypothesis import given
from hypothesis import strategies as st
from mxnet_reference import assert_cases, examples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import DataObject, SearchStrategy
    from mxnet_reference import Case

FAMILIES: Mapping[str, Mapping[str, SearchStrategy[Case]]] = {
    "functions": elementwise_cases.FUNCTIONS,
    "binary": elementwise_cases.BINARY,
    "scalar": elementwise_cases.SCALAR,
    "weighted": layer_cases.WEIGHTED,
    "normalizing": layer_cases.NORMALIZING,
    "pooling": layer_cases.POOLING,
    "moving": shape_cases.MOVING,
    "reducing": shape_cases.REDUCING,
    "losses": loss_cases.LOSSES,
}


@pytest.mark.parametrize("family", FAMILIES)
@examples
@given(data=st.data())
def test_operators_compute_what_mxnet_computes(family: str, data: DataObject) -> None:
    """For any shapes and attributes that are supported, within the operator's tolerance."""
    assert_cases([data.draw(cases, label=name) for name, cases in FAMILIES[family].items()])
