"""Random numbers of a trial: repeatable, independent streams, MXNet's rules by name."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import TrainingError
from harness.train.randomness import INITIAL_SCALE, epoch_order, initial_values

SHAPES = {"fc1_weight": (8, 16), "fc1_bias": (8,), "bn_gamma": (3,), "bn_beta": (3,), "bn_moving_var": (3,)}


def test_weights_follow_the_seed() -> None:
    """The same seed gives the same weights, another seed others."""
    first, again, other = (initial_values(SHAPES, seed)["fc1_weight"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_values_follow_their_names() -> None:
    """Weights lie within the notebook's ±0.01, biases and betas are 0, gammas and moving variances are 1."""
    values = initial_values(SHAPES, 3)
    assert np.abs(values["fc1_weight"]).max() <= INITIAL_SCALE
    assert values["fc1_weight"].std() > 0
    assert not values["fc1_bias"].any()
    assert not values["bn_beta"].any()
    assert (values["bn_gamma"] == 1).all()
    assert (values["bn_moving_var"] == 1).all()
    assert {value.dtype for value in values.values()} == {np.dtype(np.float32)}


def test_a_name_that_says_nothing_is_refused() -> None:
    """A parameter whose suffix MXNet would not know is an error that names it."""
    with pytest.raises(TrainingError, match=r"parameter alpha: expected a name ending in weight.*rename the variable"):
        initial_values({"alpha": (2,)}, 0)


def test_every_epoch_visits_every_image_in_its_own_order() -> None:
    """An epoch's order is a permutation that differs between epochs and seeds and repeats with both."""
    orders = [epoch_order(seed, epoch, 100) for seed, epoch in ((0, 1), (0, 2), (1, 1))]
    for order in orders:
        assert sorted(order) == list(range(100))
    assert not np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[0], orders[2])
    np.testing.assert_array_equal(orders[0], epoch_order(0, 1, 100))
