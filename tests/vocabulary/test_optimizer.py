"""The table of optimizers says what MXNet says."""

from __future__ import annotations

import inspect

import pytest

from harness.optimizer import OPTIMIZERS
from harness.train import compat


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_settings_and_defaults_are_mxnets(name: str) -> None:
    """Each setting is a parameter of MXNet's optimizer, with its default; None there is 0 here.

    The one exception is sgd's learning rate, the notebook's.
    """
    mx = compat.mxnet()
    made = mx.optimizer.create(name)
    for setting, default in OPTIMIZERS[name].items():
        attribute = "lr" if setting == "learning_rate" else setting
        expected = 0.11 if (name, setting) == ("sgd", "learning_rate") else getattr(made, attribute) or 0
        assert default == expected, setting


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_no_setting_of_a_formula_is_missing(name: str) -> None:
    """Whatever MXNet's optimizer takes beyond its base is in the table, but for how it stores numbers."""
    mx = compat.mxnet()
    parameters = inspect.signature(type(mx.optimizer.create(name)).__init__).parameters
    own = set(parameters) - {"self", "kwargs", "lazy_update", "multi_precision"}
    assert own <= OPTIMIZERS[name].keys()
