"""What computes, in names: machines of one name run the same programs, and round alike; and since when."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import time
from pathlib import Path

NUMERIC = (
    "BLIS_",
    "CUBLAS",
    "CUDA_",
    "CUDNN_",
    "DNNL_",
    "GOMP_",
    "GOTO_",
    "JAX_",
    "KMP_",
    "MKL_",
    "MXNET_",
    "NCCL_",
    "NPY_",
    "NVIDIA_",
    "OMP_",
    "ONEDNN_",
    "OPENBLAS_",
    "TF_CUDNN",
    "TF_XLA_",
    "XLA_",
    "GLIBC_TUNABLES",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
)
"""How variables begin that decide which instructions compute, in how many threads, and how exactly.

Most of those that begin so decide nothing of the kind: they cost a training when they change, and no wrong model.
"""

_DESCRIPTION = ("vendor_id", "cpu family", "model", "model name", "stepping", "cache size", "CPU ")
"""Lines of ``/proc/cpuinfo`` that libraries choose their routines and block sizes by; the last is ARM's."""


@functools.cache
def instruction_set(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """A name for processors with the same instructions: programs compiled for others may crash here."""
    flags = next((line for line in _lines(cpuinfo) if line.startswith(("flags", "Features"))), "")
    return f"{platform.machine()}-{hashlib.sha256(flags.encode()).hexdigest()[:12]}"


@functools.cache
def model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """What the first processor says of itself, besides its instructions."""
    lines = _lines(cpuinfo)
    first = lines[: lines.index("")] if "" in lines else lines
    return "; ".join(" ".join(line.split()) for line in first if line.startswith(_DESCRIPTION))


def machine(driver: Path = Path("/proc/driver/nvidia")) -> dict[str, object]:
    """What decides the rounding of sums besides the program.

    Processor and threads, GPUs and their driver, Python and the C library, and every variable of the environment that
    begins as one of `NUMERIC`.
    """
    models = [
        line.partition(":")[2].strip()
        for path in sorted((driver / "gpus").glob("*/information"))
        for line in _lines(path)
        if line.startswith("Model")
    ]
    return {
        "instructions": instruction_set(),
        "processor": model(),
        "cores": len(os.sched_getaffinity(0)),
        "gpus": models,
        "driver": _lines(driver / "version")[:1],
        "python": [platform.python_implementation(), platform.python_version(), *platform.libc_ver()],
        "environment": {name: text for name, text in sorted(os.environ.items()) if name.startswith(NUMERIC)},
    }


@functools.cache
def process_start() -> float:
    """When this process began, in seconds since the epoch, as files' times are; 0 if that cannot be told."""
    try:
        # Field 22 of proc(5), in ticks since the machine was started; the name before it may hold anything.
        fields = Path("/proc/self/stat").read_text(errors="replace").rpartition(")")[2].split()
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0
    return time.clock_gettime(time.CLOCK_REALTIME) - age


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []
