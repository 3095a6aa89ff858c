"""Where a derivative does not exist or is a matter of taste, it is MXNet's: at kinks, ties and ends of a domain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mxnet_reference import Case, assert_cases

LEFT = np.array([[0, 0, 1, -2, 2, 2, -1, 0.5]])
RIGHT = np.array([[0, 2, 0, 2, 2, -1, 0.5, 0.5]])
KINKS = np.array([[-100, -30, -1, -0.0, 0, 1, 30, 100]])
TIED = np.array([[[1, 2, 2], [3, 3, 1]], [[1, 1, 1], [1, 1, 1]]])


def case(operator: str, *arrays: Any, **attributes: Any) -> Case:
    """A case with these numbers."""
    values = dict(zip(("data", "other"), arrays, strict=False))
    return Case(operator, attributes, {name: array.shape for name, array in values.items()}, 0, values)


def test_functions_at_their_kinks_and_far_out() -> None:
    """Activations at 0 and where they saturate; logarithm and root of what is not positive, which is no number."""
    kinds = {
        "Activation": ["relu", "sigmoid", "tanh", "softrelu", "softsign"],
        "LeakyReLU": ["leaky", "elu", "selu", "gelu", "prelu"],
    }
    functions = ["abs", "sqrt", "log", "square", "exp", "relu", "sigmoid", "tanh"]
    assert_cases(
        [case(operator, KINKS, act_type=kind) for operator, types in kinds.items() for kind in types]
        + [case(operator, KINKS) for operator in functions]
    )


def test_two_tensors_at_ties_and_zeros() -> None:
    """Equal numbers, division by zero, powers of zero and of negative numbers."""
    names = ["maximum", "minimum", "power"]
    of_two = [
        *(f"_{name}" for name in names),
        *(f"broadcast_{name}" for name in names),
        "elemwise_div",
        "broadcast_div",
    ]
    assert_cases([case(operator, LEFT, RIGHT) for operator in of_two])


def test_a_tensor_and_a_number_at_ties_and_zeros() -> None:
    """The same with a number on one side."""
    names = ["maximum", "minimum", "power", "rpower", "div", "rdiv"]
    assert_cases([case(f"_{name}_scalar", LEFT, scalar=value) for name in names for value in (0, 2, 0.5, -1, 1)])


def test_clip_at_its_bounds() -> None:
    """A bound belongs to the range; where the bounds are the wrong way round the upper one wins."""
    bounds = [(0, 2), (-2, 0.5), (1, 0)]
    assert_cases([case("clip", LEFT, a_min=low, a_max=high) for low, high in bounds])


def test_extremes_of_equal_numbers() -> None:
    """Each of several largest elements takes the whole gradient."""
    axes = [(), (0,), (1,), (2,), (0, 2)]
    assert_cases([case(operator, TIED, axis=axis) for operator in ("max", "min") for axis in axes])


@pytest.mark.parametrize("shape", [(2, 2, 5, 5), (1, 2, 5)])
def test_pooling_of_equal_numbers(shape: tuple[int, ...]) -> None:
    """The first of several largest elements of a window takes the gradient, also where windows overlap."""
    sides, data = len(shape) - 2, np.zeros(shape)
    windows: list[dict[str, Any]] = [
        {"kernel": (2,), "stride": (2,)},
        {"kernel": (3,)},
        {"kernel": (3,), "pad": (1,), "stride": (2,)},
        {"kernel": (2,), "stride": (2,), "pooling_convention": "full"},
    ]
    spread = [{k: v * sides if isinstance(v, tuple) else v for k, v in window.items()} for window in windows]
    assert_cases([case("Pooling", data, **window) for window in [*spread, {"global_pool": True}]])


def test_losses_at_their_ties() -> None:
    """An absolute error of 0 counts as one from above; what equals the threshold does not exceed it."""
    label = Case(
        "MAERegressionOutput", {}, {"data": LEFT.shape, "label": LEFT.shape}, 0, {"data": LEFT, "label": RIGHT}
    )
    assert_cases([label, case("MakeLoss", LEFT, normalization="valid", valid_thresh=0.5)])
