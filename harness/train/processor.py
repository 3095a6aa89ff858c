"""Names for what computes: machines of one name run the same programs, and round alike."""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path


def instruction_set(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """A name for processors with the same instructions: programs compiled for others may crash here."""
    flags = ""
    if cpuinfo.exists():
        lines = cpuinfo.read_text(errors="replace").splitlines()
        flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return f"{platform.machine()}-{hashlib.sha256(flags.encode()).hexdigest()[:12]}"


def machine(gpus: Path = Path("/proc/driver/nvidia/gpus")) -> dict[str, object]:
    """What decides the rounding of sums besides the program: instructions, threads, and the models of GPUs."""
    models = [
        line.partition(":")[2].strip()
        for path in sorted(gpus.glob("*/information"))
        for line in path.read_text(errors="replace").splitlines()
        if line.startswith("Model")
    ]
    return {
        "instructions": instruction_set(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": {name: os.environ.get(name, "") for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "XLA_FLAGS")},
        "gpus": models,
    }
