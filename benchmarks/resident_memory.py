"""What a process takes of the host's memory, as the kernel counts it (proc(5), ``/proc/PID/status``)."""

from __future__ import annotations

import contextlib
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # proc(5): resets VmHWM to the memory that is resident now


def now() -> int:
    """Resident bytes."""
    return _field("VmRSS")


def peak() -> int:
    """The most bytes that were ever resident, since `forget_peak` where the kernel lets it."""
    return _field("VmHWM")


def forget_peak() -> None:
    """Start to look for a peak. Where the kernel refuses, `peak` is the whole process's: no less than the truth."""
    with contextlib.suppress(OSError):
        _CLEAR.write_text(_RESET_PEAK)


def _field(name: str) -> int:
    [kibibytes] = [line.split()[1] for line in _STATUS.read_text().splitlines() if line.startswith(f"{name}:")]
    return int(kibibytes) * 1024
