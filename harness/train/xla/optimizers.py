"""MXNet's optimizers as pure functions of one trial; `jax.vmap` makes them functions of many.

Formulas and their order are those of ``src/operator/optimizer_op-inl.h`` and ``python/mxnet/optimizer/optimizer.py`` in
mxnet 1.9.1. optax does not fit: its rmsprop has epsilon outside the root, and it neither decays weights inside clipped
gradients nor corrects adam's bias beside epsilon as MXNet does.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import jax.numpy as jnp
import numpy as np

from harness.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from harness.train.xla.operators.operator import Array

    Tensors = Mapping[str, Array]
    State = dict[str, Any]


@dataclass(frozen=True)
class Multiplier:
    """What one parameter makes of the trial's learning rate and weight decay."""

    learning_rate: float = 1.0
    weight_decay: float = 1.0


def multipliers(names: Iterable[str], attributes: Mapping[str, Mapping[str, str]]) -> dict[str, Multiplier]:
    """Each parameter's multipliers, as ``Module.fit`` finds them.

    ``lr_mult=`` and ``wd_mult=`` of a variable say them; else the learning rate is taken as it is, and weights decay
    only if their name ends in ``_weight`` or ``_gamma`` (``Optimizer.set_wd_mult``).

    Args:
        names: the parameters.
        attributes: variable to attribute to its text, as in the symbol.

    Raises:
        TrainingError: a multiplier that is no number.
    """

    def read(name: str, attribute: str, default: float) -> float:
        text = attributes.get(name, {}).get(attribute, default)
        try:
            return float(text)
        except ValueError as error:
            raise TrainingError(
                f"variable {name}: expected a number as {attribute.strip('_')}, found {text!r}; mend build_graph()"
            ) from error

    return {
        name: Multiplier(
            read(name, "__lr_mult__", 1.0),
            read(name, "__wd_mult__", 1.0 if name.endswith(("_weight", "_gamma")) else 0.0),
        )
        for name in names
    }


@dataclass(frozen=True, kw_only=True, eq=False)
class Optimizer(ABC):
    """How gradients change weights.

    Attributes:
        variant: trials of one variant share a program; a trial's own settings alone decide on it.
        settings: names of the numbers that `update` takes.
        slots: names of the arrays that are remembered of each parameter.
        batch_size: images whose gradients are summed in one update.
        multipliers: of each parameter; one that is missing has 1 and 1.
    """

    variant: ClassVar[tuple[str, ...]]
    settings: ClassVar[tuple[str, ...]] = ("learning_rate", "wd", "clip_gradient")
    slots: ClassVar[tuple[str, ...]] = ()

    batch_size: int = 1
    multipliers: Mapping[str, Multiplier] = field(default_factory=dict)

    def scalars(self, settings: Mapping[str, float]) -> dict[str, np.float32]:
        """What `update` takes of a trial's settings, by the names in ``settings``."""
        return {name: np.float32(settings[name]) for name in self.settings}

    def init(self, parameters: Tensors) -> State:
        """The state before the first update: zeros, whatever its shapes."""
        return {slot: {name: jnp.zeros_like(weight) for name, weight in parameters.items()} for slot in self.slots}

    def update(
        self, state: State, parameters: Tensors, gradients: Tensors, settings: Tensors, rate: Array
    ) -> tuple[dict[str, Array], State]:
        """Weights and state after one update.

        Args:
            state: as `init` or an update returned it.
            parameters: name to weights, float32.
            gradients: name to the sum of the batch's gradients, float32.
            settings: see `scalars`; each of shape ().
            rate: float32 (), the learning rate of this update, schedule and all. ``settings["learning_rate"]`` is not
                looked at.
        """
        weights: dict[str, Array] = {}
        after: State = {slot: {} for slot in self.slots}
        for name, weight in parameters.items():
            multiplier = self.multipliers.get(name, Multiplier())
            weights[name], memory = self._step(
                weight,
                gradients[name] * (1 / self.batch_size),
                {slot: state[slot][name] for slot in self.slots},
                {**settings, "wd": settings["wd"] * multiplier.weight_decay},
                rate * multiplier.learning_rate,
            )
            for slot, value in memory.items():
                after[slot][name] = value
        return weights, after

    @abstractmethod
    def _step(
        self, weight: Array, gradient: Array, memory: Tensors, settings: Tensors, rate: Array
    ) -> tuple[Array, Tensors]:
        """One parameter's update from its mean gradient; what it remembers, by slot."""


class PlainSgd(Optimizer):
    """``sgd`` without momentum: MultiSGDKernel."""

    variant = ("sgd",)

    def _step(
        self, weight: Array, gradient: Array, memory: Tensors, settings: Tensors, rate: Array
    ) -> tuple[Array, Tensors]:
        gradient = _clipped(gradient, settings["clip_gradient"])
        return weight + (-(rate * settings["wd"]) * weight - rate * gradient), memory


class MomentumSgd(Optimizer):
    """``sgd`` with momentum: MultiSGDKernel."""

    variant = ("sgd", "momentum")
    settings = (*Optimizer.settings, "momentum")
    slots = ("momentum",)

    def _step(
        self, weight: Array, gradient: Array, memory: Tensors, settings: Tensors, rate: Array
    ) -> tuple[Array, Tensors]:
        gradient = _clipped(gradient, settings["clip_gradient"])
        momentum = settings["momentum"] * memory["momentum"]
        momentum = momentum - rate * settings["wd"] * weight - rate * gradient
        return weight + momentum, {"momentum": momentum}


class PlainNag(Optimizer):
    """``nag`` without momentum: SGDKernel."""

    variant = ("nag",)

    def _step(
        self, weight: Array, gradient: Array, memory: Tensors, settings: Tensors, rate: Array
    ) -> tuple[Array, Tensors]:
        gradient = _clipped(gradient, settings["clip_gradient"])
        return (1 - rate * settings["wd"]) * weight - rate * gradient, memory


class MomentumNag(Optimizer):
    """``nag`` with momentum: NAGMomKernel."""

    variant = ("nag", "momentum")
    settings = (*Optimizer.settings, "momentum")
    slots = ("momentum",)

    def _step(
        self, weight: Array, gradient: Array, memory: Tensors, settings: Tensors, rate: Array
    ) -> tuple[Array, Tensors]:
        gradient = _clipped(gradient, settings["clip_gradient"])
        before = settings["momentum"] * memory["momentum"]
        step = rate * (gradient + settings["wd"] * weight)
        weight = weight - before + (settings["momentum"] + 1) * (before - step)
        # MXNet updates in place: the decay in what is remembered is that of the weight just changed.
        return weight, {"momentum": before - rate * (gradient + settings["wd"] * weight)}


class Adam(Optimizer):
    """``adam``: AdamUpdateKernel; the bias is corrected in the learning rate, by the number of updates."""

    variant = ("adam",)
    settings = (*Optimizer.settings, "beta1", "beta2", "epsilon", "log_beta1", "log_beta2")
    slots = ("mean", "variance")

    def scalars(self, settings: Mapping[str, float]) -> dict[str, np.float32]:
        """See `Optimizer.scalars`; the betas' logarithms come along, as 1 - beta keeps too few digits in float32."""
        logarithms = {f"log_{name}": _log(settings[name]) for name in ("beta1", "beta2")}
        return super().scalars({**settings, **logarithms})

    def init(self, parameters: Tensors) -> State:
        """See `Optimizer.init`; the number of updates is part of it."""
        return {**super().init(parameters), "updates": jnp.zeros((), jnp.int32)}

    def update(
        self, state: State, parameters: Tensors, gradients: Tensors, settings: Tensors, rate: Array
    ) -> tuple[dict[str, Array], State]:
        """See `Optimizer.update`."""
        updates = state["updates"] + 1
        # 1 - beta ** updates
        first, second = (-jnp.expm1(updates * settings[name]) for name in ("log_beta1", "log_beta2"))
        weights, after = super().update(state, parameters, gradients, settings, rate * (jnp.sqrt(second) / first))
        return weights, {**after, "updates": updates}

    def _step(
        self, weight: Array, gradient: Array, memory: Tensors, settings: Tensors, rate: Array
    ) -> tuple[Array, Tensors]:
        gradient = _clipped(gradient + weight * settings["wd"], settings["clip_gradient"])
        beta1, beta2 = settings["beta1"], settings["beta2"]
        mean = beta1 * memory["mean"] + (1 - beta1) * gradient
        variance = beta2 * memory["variance"] + (1 - beta2) * gradient * gradient
        return weight - rate * mean / (jnp.sqrt(variance) + settings["epsilon"]), {"mean": mean, "variance": variance}


class RmsProp(Optimizer):
    """``rmsprop``, not centered: RMSPropUpdateKernel."""

    variant = ("rmsprop",)
    settings = (*Optimizer.settings, "gamma1", "epsilon", "clip_weights")
    slots = ("square",)

    def _step(
        self, weight: Array, gradient: Array, memory: Tensors, settings: Tensors, rate: Array
    ) -> tuple[Array, Tensors]:
        gradient = _clipped(gradient + settings["wd"] * weight, settings["clip_gradient"])
        gamma = settings["gamma1"]
        square = (1 - gamma) * (gradient * gradient) + gamma * memory["square"]
        weight = weight - rate * (gradient / jnp.sqrt(square + settings["epsilon"]))
        return _clipped(weight, settings["clip_weights"]), {"square": square}


class CenteredRmsProp(Optimizer):
    """``rmsprop``, centered: RMSPropAlexUpdateKernel."""

    variant = ("rmsprop", "centered")
    settings = (*RmsProp.settings, "gamma2")
    slots = ("square", "mean", "delta")

    def _step(
        self, weight: Array, gradient: Array, memory: Tensors, settings: Tensors, rate: Array
    ) -> tuple[Array, Tensors]:
        gradient = _clipped(gradient + settings["wd"] * weight, settings["clip_gradient"])
        gamma = settings["gamma1"]
        square = (1 - gamma) * gradient * gradient + gamma * memory["square"]
        mean = (1 - gamma) * gradient + gamma * memory["mean"]
        root = jnp.sqrt(square - mean * mean + settings["epsilon"])
        delta = settings["gamma2"] * memory["delta"] - rate * gradient / root
        weight = _clipped(weight + delta, settings["clip_weights"])
        return weight, {"square": square, "mean": mean, "delta": delta}


_VARIANTS: Mapping[str, Callable[[Mapping[str, float]], type[Optimizer]]] = {
    "sgd": lambda settings: MomentumSgd if settings["momentum"] else PlainSgd,
    "nag": lambda settings: MomentumNag if settings["momentum"] else PlainNag,
    "adam": lambda _: Adam,
    "rmsprop": lambda settings: CenteredRmsProp if settings["centered"] else RmsProp,
}


def optimizer_for(
    name: str,
    settings: Mapping[str, float],
    *,
    batch_size: int = 1,
    multipliers: Mapping[str, Multiplier] | None = None,
) -> Optimizer:
    """The variant that a trial's settings ask for.

    Args:
        name: one of `harness.optimizer.OPTIMIZERS`.
        settings: ``Trial.optimizer_settings``.
        batch_size: images in an update.
        multipliers: see the function of this name.
    """
    return _VARIANTS[name](settings)(batch_size=batch_size, multipliers=multipliers or {})


def _clipped(value: Array, bound: Array) -> Array:
    """Within ±``bound``; a bound of 0 is none."""
    limit = jnp.where(bound > 0, bound, jnp.inf)
    return jnp.clip(value, -limit, limit)


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf
