"""Hyperparameters of one setting, and grids of settings."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.errors import DeclarationError
from harness.optimizer import SETTINGS, check_optimizer, check_setting

Value = int | float | str | bool

COUNTS = ("epochs", "batch_size")
"""Hyperparameters that replace a field of the experiment which is a whole number of at least one."""

TRAINER = ("optimizer", *SETTINGS, *COUNTS)
"""Names that the trainer takes, whatever the optimizer: ``build_graph`` cannot take them as well."""


class Hyperparameters(Mapping[str, Value]):
    """One setting of an experiment: an immutable, hashable mapping from name to value.

    Names are ``optimizer``, its settings (``learning_rate``, ``momentum``, ...; see `harness.optimizer.OPTIMIZERS`),
    ``epochs``, ``batch_size``, or parameters of the entry point's ``build_graph``. The seed is not among them: seeds
    are replicates of a setting, see `harness.Experiment`.

    Raises:
        DeclarationError: a value that is not a finite number, a string or a bool; a seed; a count below one; an unknown
            optimizer; a setting out of its range.
    """

    def __init__(self, values: Mapping[str, Value] | None = None, /, **named: Value) -> None:
        given: dict[str, Any] = {**(values or {}), **named}
        # numpy's numbers become Python's: they print alike and travel anywhere.
        self._values: dict[str, Value] = {
            name: value.item() if type(value).__module__ == "numpy" and getattr(value, "shape", None) == () else value
            for name, value in given.items()
        }
        for name, value in self._values.items():
            _check(name, value)

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(self._typed())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hyperparameters) and self._typed() == other._typed()

    def _typed(self) -> frozenset[tuple[str, type, Value]]:
        """Names, types and values: a graph may take 0 and False, or 8 and 8.0, for different things."""
        return frozenset((name, type(value), value) for name, value in self._values.items())

    def __str__(self) -> str:
        return ",".join(f"{name}={value}" for name, value in self._values.items()) or "defaults"

    def __repr__(self) -> str:
        return f"Hyperparameters({', '.join(f'{name}={value!r}' for name, value in self._values.items())})"


def grid(**axes: Iterable[Value]) -> list[Hyperparameters]:
    """Every combination of the axes' values, the last axis varying fastest.

    ``grid(learning_rate=[0.05, 0.2], momentum=[0, 0.9])`` gives four settings, for ``pytest.fixture(params=...)``.

    Raises:
        DeclarationError: an axis without values, or a value that `Hyperparameters` refuses.
    """
    listed: dict[str, list[Value]] = {}
    for name, values in axes.items():
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise DeclarationError(
                f"grid: {name} must be a list of values, found {values!r}; write {name}=[{values!r}]"
            )
        listed[name] = list(values)
        if not listed[name]:
            raise DeclarationError(f"grid: {name} has no values, so there is no trial to run; give it at least one")
    return [Hyperparameters(dict(zip(listed, chosen, strict=True))) for chosen in itertools.product(*listed.values())]


def check_count(name: str, value: object, least: int) -> None:
    """Refuse what is no whole number of at least ``least``.

    Raises:
        DeclarationError: names it.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise DeclarationError(f"{name}: expected a whole number of at least {least}, found {value!r}")


def _check(name: str, value: object) -> None:
    if name in ("seed", "seeds"):
        raise DeclarationError(
            f"{name} is not a hyperparameter: seeds are replicates of a setting; write Experiment(seeds=range(5))"
        )
    if not isinstance(value, int | float | str | bool):
        raise DeclarationError(f"hyperparameter {name}: expected a number, a string or a bool, found {value!r}")
    if not isinstance(value, str) and not _is_finite(value):
        raise DeclarationError(f"hyperparameter {name}: expected a finite number, found {value!r}")
    if name in COUNTS:
        check_count(name, value, 1)
    if name == "optimizer":
        check_optimizer("hyperparameter optimizer", value)
    if name in SETTINGS:
        check_setting(name, value)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False
