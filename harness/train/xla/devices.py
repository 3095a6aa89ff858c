"""Which of JAX's devices a population is trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from harness.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.experiment import Experiment

_TRIALS = "trials"


def devices_of(experiment: Experiment) -> list[Any]:
    """The devices an experiment asks for: its number of GPUs, or this machine's processor.

    Raises:
        DeviceError: JAX sees fewer.
    """
    if not experiment.num_gpus:
        return _named("cpu")[:1]
    found = _named("gpu")
    if len(found) < experiment.num_gpus:
        seen = ", ".join(device.device_kind for device in found) or "none"
        raise DeviceError(
            f"num_gpus={experiment.num_gpus}: expected that many GPUs that JAX can use, found {seen}; install "
            f"jax[cuda12] on a machine with an NVIDIA GPU, or set num_gpus=0 to train on the CPU"
        )
    return found[: experiment.num_gpus]


def _named(platform: str) -> list[Any]:
    try:
        return list(jax.devices(platform))
    except RuntimeError:  # JAX knows the name, and has no such device
        return []


def shardings(devices: Sequence[Any]) -> tuple[NamedSharding, NamedSharding]:
    """How arrays lie on the devices: split by trial along their first axis, or whole on each."""
    mesh = Mesh(list(devices), (_TRIALS,))
    return NamedSharding(mesh, PartitionSpec(_TRIALS)), NamedSharding(mesh, PartitionSpec())  # type: ignore[no-untyped-call]
