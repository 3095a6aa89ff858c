"""Optimizers: which settings each has, under MXNet's names, with their defaults and ranges.

Names, defaults and meanings are those of ``optimizer/optimizer.py`` in mxnet 1.9.1, but for one: ``sgd`` starts at
learning rate 0.11, as the notebook does. MXNet's None for a bound that is not used is 0 here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import DeclarationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ALL = {"wd": 0.0, "clip_gradient": 0.0}

OPTIMIZERS: Mapping[str, Mapping[str, float]] = {
    "sgd": {"learning_rate": 0.11, "momentum": 0.0, **_ALL},
    "nag": {"learning_rate": 0.01, "momentum": 0.0, **_ALL},
    "adam": {"learning_rate": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, **_ALL},
    "rmsprop": {
        "learning_rate": 0.001,
        "gamma1": 0.9,
        "gamma2": 0.9,
        "epsilon": 1e-8,
        "centered": False,
        "clip_weights": 0.0,
        **_ALL,
    },
}
"""Optimizer to setting to default.

``wd`` is weight decay. Gradients are averaged over the batch, then clipped into ±``clip_gradient``; adam and rmsprop
clip them with the weight decay in them. ``gamma2`` is the momentum of centered rmsprop alone.
"""

SETTINGS = tuple(dict.fromkeys(setting for settings in OPTIMIZERS.values() for setting in settings))
"""Names of all settings; a name means the same to every optimizer that has it."""

_DECAY = ("a number of at least 0 and below 1", lambda value: 0 <= value < 1)
_RANGES: Mapping[str, tuple[str, Callable[[float], bool]]] = {
    "beta1": _DECAY,
    "beta2": _DECAY,
    "gamma1": _DECAY,
    "gamma2": _DECAY,
    "epsilon": ("a number above 0", lambda value: value > 0),
}
_ANY = ("a number of at least 0", lambda value: value >= 0)

SMALLEST, LARGEST = 1.2e-38, 3.4e38
"""What float32 holds in full: MXNet's optimizers refuse other numbers, but for 0, in the middle of training."""


def check_optimizer(what: str, name: object) -> None:
    """Refuse a name that is no optimizer's; ``what`` says where it stands.

    Raises:
        DeclarationError: says which there are.
    """
    if not isinstance(name, str) or name not in OPTIMIZERS:
        raise DeclarationError(f"{what}: expected one of {', '.join(OPTIMIZERS)}, found {name!r}")


def check_setting(name: str, value: object) -> None:
    """Refuse a value that no optimizer can use for the setting ``name``.

    Raises:
        DeclarationError: says the setting's range.
    """
    if name == "centered":
        expected, fits = "True or False", isinstance(value, bool)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        expected, fits = _RANGES.get(name, _ANY)[0], False
    else:
        expected, within = _RANGES.get(name, _ANY)
        fits = within(value)
        if fits and value != 0 and not SMALLEST <= value <= LARGEST:
            expected, fits = f"0 or a number from {SMALLEST} to {LARGEST}, as float32 holds", False
    if not fits:
        raise DeclarationError(f"hyperparameter {name}: expected {expected}, found {value!r}")
