"""Which devices a trial trains on, and whether the installed MXNet can use them."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.experiment import Experiment

NEWEST_MAJOR = 8
"""MXNet's last GPU wheels hold machine code for compute capability 5.0 to 8.6 and no PTX. Code for 8.6 runs on 8.9;
nothing in them runs on 9.0 (Hopper) or newer."""

_OLDEST_MAJOR = 5
_DRIVER = "libcuda.so.1"
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76  # CUdevice_attribute, cuda.h


@dataclass(frozen=True)
class Gpu:
    """A GPU that the driver sees: its name and CUDA compute capability."""

    name: str
    capability: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.name} (compute capability {self.capability[0]}.{self.capability[1]})"


def contexts(mx: Any, experiment: Experiment) -> list[Any]:
    """The MXNet contexts that an experiment trains on: GPUs if it asks for any, else CPU contexts.

    Raises:
        DeviceError: fewer GPUs than asked for, an MXNet without GPU code, or GPUs that it has no code for.
    """
    if experiment.num_gpus:
        check_gpus(experiment.num_gpus, visible_gpus(), built_with_cuda=mx.runtime.Features().is_enabled("CUDA"))
        return [mx.gpu(index) for index in range(experiment.num_gpus)]
    return [mx.cpu(index) for index in range(experiment.num_cpus)]


def check_gpus(wanted: int, found: Sequence[Gpu], *, built_with_cuda: bool) -> None:
    """Refuse GPUs that training could not use, before any array is made.

    Raises:
        DeviceError: see `contexts`.
    """
    if len(found) < wanted:
        seen = ", ".join(map(str, found)) or "none"
        raise DeviceError(
            f"num_gpus={wanted}: expected {wanted} GPU(s), found {seen}; set num_gpus=0 to train on the CPU"
        )
    for gpu in found[:wanted]:
        if not _OLDEST_MAJOR <= gpu.capability[0] <= NEWEST_MAJOR:
            raise DeviceError(
                f"num_gpus={wanted}: MXNet 1.9.1 has machine code for compute capability 5.0 to 8.9, found {gpu}; "
                f"set num_gpus=0 to train on the CPU"
            )
    if not built_with_cuda:
        raise DeviceError(
            f"num_gpus={wanted}: the installed MXNet is a CPU build, found {', '.join(map(str, found[:wanted]))}; "
            f"replace it by byom-harness[mxnet-gpu] (docs/gpu.md), or set num_gpus=0"
        )


def visible_gpus(driver: str = _DRIVER) -> list[Gpu]:
    """The GPUs that NVIDIA's driver reports; none where there is no driver.

    The driver is asked directly (``cuDeviceGetAttribute``): it answers before MXNet is loaded, without CUDA's tools.
    """
    try:
        cuda = ctypes.CDLL(driver)
    except OSError:
        return []
    if cuda.cuInit(0) != 0:
        return []
    count = ctypes.c_int()
    if cuda.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return []
    return [_describe(cuda, ordinal) for ordinal in range(count.value)]


def _describe(cuda: ctypes.CDLL, ordinal: int) -> Gpu:
    device = ctypes.c_int()
    cuda.cuDeviceGet(ctypes.byref(device), ordinal)
    name = ctypes.create_string_buffer(128)
    cuda.cuDeviceGetName(name, len(name), device)
    return Gpu(
        name.value.decode(errors="replace"),
        (_attribute(cuda, device, _CAPABILITY_MAJOR), _attribute(cuda, device, _CAPABILITY_MINOR)),
    )


def _attribute(cuda: ctypes.CDLL, device: ctypes.c_int, attribute: int) -> int:
    value = ctypes.c_int()
    cuda.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
    return value.value
