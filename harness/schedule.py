"""Learning-rate schedules: by how much each update multiplies the trial's learning rate.

They follow ``lr_scheduler.py`` in mxnet 1.9.1 (FactorScheduler, MultiFactorScheduler, PolyScheduler, CosineScheduler)
with a base learning rate of 1. Updates count from 1, as MXNet's ``num_update``; lengths are given in epochs or updates.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.errors import DeclarationError


class Schedule(Protocol):
    """A course of the learning rate. A value of your own will do as well, if it is hashable."""

    def factor(self, update: int, updates_per_epoch: int) -> float:
        """What the trial's learning rate is multiplied by in update number ``update``, counted from 1."""


@dataclass(frozen=True, kw_only=True)
class _WarmedUp:
    """A schedule after a linear warm-up, if there is one.

    Attributes:
        warmup_epochs: length of the warm-up in epochs,
        warmup_updates: or in updates.
        warmup_begin: what it begins from, as a share of the learning rate.

    Raises:
        DeclarationError: a value out of its range.
    """

    warmup_epochs: int = 0
    warmup_updates: int = 0
    warmup_begin: float = 0.0

    def __post_init__(self) -> None:
        self._check_whole("warmup_epochs", self.warmup_epochs, 0)
        self._check_whole("warmup_updates", self.warmup_updates, 0)
        self._check_share("warmup_begin", self.warmup_begin)
        if self.warmup_epochs and self.warmup_updates:
            raise self._error("the warm-up in epochs or in updates", "both")

    def factor(self, update: int, updates_per_epoch: int) -> float:
        """See `Schedule.factor`."""
        warmup = self.warmup_updates + self.warmup_epochs * updates_per_epoch
        if update < warmup:
            return self.warmup_begin + (1 - self.warmup_begin) * update / warmup
        return self._decayed(update, warmup, updates_per_epoch)

    def _decayed(self, update: int, warmup: int, updates_per_epoch: int) -> float:
        """The factor after a warm-up of ``warmup`` updates."""
        raise NotImplementedError

    def _check_whole(self, name: str, value: object, least: int) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self._error(f"{name}, a whole number of at least {least}", repr(value))

    def _check_share(self, name: str, value: object, *, above_zero: bool = False) -> None:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value <= 1 or (above_zero and value == 0):  # type: ignore[operator]
            least = "above 0 and at most 1" if above_zero else "from 0 to 1"
            raise self._error(f"{name}, a number {least}", repr(value))

    def _check_one_length(self, epochs: object, updates: object) -> None:
        """One of two lengths has to be given: a whole number, or steps in increasing order."""
        if bool(epochs) == bool(updates):
            raise self._error("either epochs or updates", "both" if epochs else "neither")

    def _error(self, expected: str, found: str) -> DeclarationError:
        return DeclarationError(f"{type(self).__name__}: expected {expected}, found {found}")


@dataclass(frozen=True, kw_only=True)
class ConstantRate(_WarmedUp):
    """The learning rate as it is.

    Attributes:
        warmup_epochs: length of a linear warm-up before it, in epochs,
        warmup_updates: or in updates.
        warmup_begin: what it begins from, as a share of the learning rate.
    """

    def _decayed(self, update: int, warmup: int, updates_per_epoch: int) -> float:
        del update, warmup, updates_per_epoch
        return 1.0


@dataclass(frozen=True, kw_only=True)
class StepDecay(_WarmedUp):
    """Multiplied by ``decay`` after every so many epochs or updates: MXNet's FactorScheduler.

    A linear warm-up before it is declared as for `ConstantRate`.

    Attributes:
        decay: above 0, at most 1.
        epochs: how many between two steps,
        updates: or how many updates. A warm-up does not delay the steps.
        stop: the factor does not fall below this one (MXNet's ``stop_factor_lr``, as a share of the learning rate).
    """

    decay: float
    epochs: int = 0
    updates: int = 0
    stop: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_share("decay", self.decay, above_zero=True)
        self._check_whole("epochs", self.epochs, 0)
        self._check_whole("updates", self.updates, 0)
        self._check_one_length(self.epochs, self.updates)
        self._check_share("stop", self.stop)

    def _decayed(self, update: int, warmup: int, updates_per_epoch: int) -> float:
        del warmup
        steps = (update - 1) // (self.updates + self.epochs * updates_per_epoch)
        return float(max(self.decay**steps, self.stop))


@dataclass(frozen=True, kw_only=True)
class MultiStepDecay(_WarmedUp):
    """Multiplied by ``decay`` after each of some epochs or updates: MXNet's MultiFactorScheduler.

    A linear warm-up before it is declared as for `ConstantRate`.

    Attributes:
        decay: above 0, at most 1.
        epochs: after which, increasing,
        updates: or after which updates. A warm-up does not delay the steps.
    """

    decay: float
    epochs: Sequence[int] = ()
    updates: Sequence[int] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_share("decay", self.decay, above_zero=True)
        for name in ("epochs", "updates"):
            steps = getattr(self, name)
            if isinstance(steps, str) or not isinstance(steps, Iterable):
                raise self._error(f"{name}, a list of whole numbers", repr(steps))
            object.__setattr__(self, name, tuple(steps))
            self._check_increasing(name, getattr(self, name))
        self._check_one_length(self.epochs, self.updates)

    def _decayed(self, update: int, warmup: int, updates_per_epoch: int) -> float:
        del warmup
        ends = self.updates or [epoch * updates_per_epoch for epoch in self.epochs]
        return float(self.decay ** sum(update > end for end in ends))

    def _check_increasing(self, name: str, steps: tuple[int, ...]) -> None:
        for step in steps:
            self._check_whole(name, step, 1)
        if any(later <= earlier for earlier, later in itertools.pairwise(steps)):
            raise self._error(f"{name} in increasing order", repr(steps))


@dataclass(frozen=True, kw_only=True)
class _Descent(_WarmedUp):
    """From 1, after the warm-up, down to ``final``, and then stays."""

    epochs: int = 0
    updates: int = 0
    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_whole("epochs", self.epochs, 0)
        self._check_whole("updates", self.updates, 0)
        self._check_one_length(self.epochs, self.updates)
        self._check_share("final", self.final)
        for name in ("epochs", "updates"):
            whole, warmup = getattr(self, name), getattr(self, f"warmup_{name}")
            if whole and warmup >= whole:
                raise self._error(f"warmup_{name} below {name}={whole}", str(warmup))

    def _decayed(self, update: int, warmup: int, updates_per_epoch: int) -> float:
        whole = self.updates + self.epochs * updates_per_epoch
        if update >= whole:
            return float(self.final)
        return self.final + (1 - self.final) * self._left((update - warmup) / (whole - warmup))

    def _left(self, progress: float) -> float:
        """What is left to descend, from 1 to 0, when ``progress`` of the updates, from 0 to below 1, are made."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class PolynomialDecay(_Descent):
    """``final + (1 - final) * (1 - progress) ** power``: MXNet's PolyScheduler.

    A linear warm-up before it is declared as for `ConstantRate`.

    Attributes:
        epochs: length of warm-up and decay together, in epochs,
        updates: or in updates. A warm-up that, in the other unit, is longer than it leaves nothing but ``final``.
        final: the factor at the end and from then on.
        power: above 0.
    """

    power: float = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        number = isinstance(self.power, int | float) and not isinstance(self.power, bool)
        if not number or not math.isfinite(self.power) or self.power <= 0:
            raise self._error("power, a finite number above 0", repr(self.power))

    def _left(self, progress: float) -> float:
        return float((1 - progress) ** self.power)


@dataclass(frozen=True, kw_only=True)
class CosineDecay(_Descent):
    """``final + (1 - final) * (1 + cos(pi * progress)) / 2``: MXNet's CosineScheduler.

    A linear warm-up before it is declared as for `ConstantRate`.

    Attributes:
        epochs: length of warm-up and decay together, in epochs,
        updates: or in updates. A warm-up that, in the other unit, is longer than it leaves nothing but ``final``.
        final: the factor at the end and from then on.
    """

    def _left(self, progress: float) -> float:
        return (1 + math.cos(math.pi * progress)) / 2
