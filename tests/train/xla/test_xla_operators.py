"""Every operator computes what MXNet 1.9.1 computes: outputs, gradients, auxiliary states and predictions.

Cases are random: shapes, attributes and numbers, at least 10 of each operator; at least 300 with
``pytest tests/train/xla --hypothesis-profile=long``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import elementwise_cases
import layer_cases
import loss_cases
import numpy as np
import pytest
import shape_cases
from hypothesis import given
from hypothesis import strategies as st
from mxnet_reference import TOLERANCES, Case, assert_cases, examples

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hypothesis.strategies import DataObject, SearchStrategy

FAMILIES: Mapping[str, tuple[int, Mapping[str, SearchStrategy[Case]]]] = {
    "functions": (1, elementwise_cases.FUNCTIONS),
    "binary": (1, elementwise_cases.BINARY),
    "scalar": (1, elementwise_cases.SCALAR),
    "weighted": (2, layer_cases.WEIGHTED),
    "normalizing": (2, layer_cases.NORMALIZING),
    "pooling": (4, layer_cases.POOLING),
    "moving": (1, shape_cases.MOVING),
    "reducing": (1, shape_cases.REDUCING),
    "losses": (2, loss_cases.LOSSES),
}
"""Family to how many cases an example has of each operator, more of those with many attributes; and to the cases."""


@pytest.mark.parametrize("family", FAMILIES)
@examples
@given(data=st.data())
def test_operators_compute_what_mxnet_computes(family: str, data: DataObject) -> None:
    """For any shapes and attributes that are supported, within the operator's tolerance."""
    times, operators = FAMILIES[family]
    assert_cases([data.draw(cases, label=name) for name, cases in operators.items() for _ in range(times)])


@examples
@given(data=st.data())
def test_a_device_s_library_computes_the_same_convolution(data: DataObject) -> None:
    """What takes a CPU's place on other devices agrees with MXNet as well: the CPU runs it here, if slowly."""
    from harness.train.xla.operators import convolution

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "by_matrix", convolution.by_library)
        assert_cases([data.draw(layer_cases.convolution()) for _ in range(2)])


def test_every_operator_has_cases_and_a_tolerance() -> None:
    """An operator without a comparison is noticed; `test_xla_registry` shows that aliases are the same operator."""
    from harness.train.xla.operators.registry import OPERATORS

    compared = {name for _, operators in FAMILIES.values() for name in operators}
    assert compared == TOLERANCES.keys()
    assert {id(OPERATORS[name]) for name in compared} == {id(operator) for operator in OPERATORS.values()}


def scaled_in_predictions(settings: Any, inputs: Any, run: Any) -> Any:
    """Relu, but not in predictions."""
    import jax

    return jax.nn.relu(inputs[0]) * (1 if run.training else 1.01)


def split_among_equals(settings: Any, inputs: Any, run: Any) -> Any:
    """The maximum with JAX's own gradient."""
    import jax.numpy as jnp

    return jnp.max(inputs[0], keepdims=True).reshape(1)


def unbiased(settings: Any, inputs: Any, run: Any) -> Any:
    """A batch normalization whose moving variance is the unbiased one."""
    from harness.train.xla.operators.normalization import batch_norm
    from harness.train.xla.operators.operator import Updated

    result = batch_norm(settings, inputs, run)
    if not isinstance(result, Updated):
        return result
    count = inputs[0].shape[0]
    moved = result.auxiliary[4] + (1 - settings.momentum) * inputs[0].var(axis=0) / (count - 1)
    return Updated(result.outputs, {3: result.auxiliary[3], 4: moved})


@pytest.mark.parametrize(
    ("case", "wrong", "finding"),
    [
        (Case("relu", {}, {"data": (4, 3)}), scaled_in_predictions, "predictions of Case"),
        (Case("max", {}, {"data": (4,)}, values={"data": np.ones(4)}), split_among_equals, r"gradients\[c0_data\] of"),
        (Case("BatchNorm", {}, {"data": (4, 3)}), unbiased, r"auxiliary\[c0_moving_var\] of"),
    ],
)
def test_the_comparison_notices(
    monkeypatch: pytest.MonkeyPatch, case: Case, wrong: Callable[..., Any], finding: str
) -> None:
    """Control: with an operator that is a little wrong the same comparison fails, and says where."""
    from harness.train.xla.operators.registry import OPERATORS

    assert_cases([case])
    monkeypatch.setitem(OPERATORS, case.operator, replace(OPERATORS[case.operator], apply=wrong))
    with pytest.raises(AssertionError, match=finding):
        assert_cases([case])
