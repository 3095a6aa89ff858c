"""How much memory a population may take, and how many trials fit into it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable

HOST_SHARE = 0.5
"""Of what the host could give without swapping: MXNet, the model server and the user's programs live there too."""

DEVICE_SHARE = 0.8
"""Of what is free on an accelerator: its allocator needs some room between the pieces."""

_CGROUP = Path("/sys/fs/cgroup")
_UNLIMITED = 2**60  # what control groups of the first version write for "no limit" is beyond it


@dataclass(frozen=True)
class Share:
    """What a population may take.

    Attributes:
        size: in bytes.
        place: whose memory it is, in words.
    """

    size: int
    place: str

    @classmethod
    def of(cls, device: Any) -> Share:
        """The safe share of a JAX device's memory, as it is free now."""
        statistics = device.memory_stats() if device.platform != "cpu" else None
        if statistics and "bytes_limit" in statistics:
            free = statistics["bytes_limit"] - statistics.get("bytes_in_use", 0)
            return cls(int(free * DEVICE_SHARE), f"{DEVICE_SHARE:.0%} of the memory of {device.device_kind}")
        return cls(int(host_memory() * HOST_SHARE), f"{HOST_SHARE:.0%} of the host's memory")


def host_memory(meminfo: Path = Path("/proc/meminfo"), cgroup: Path = _CGROUP) -> int:
    """Bytes that this process may still take: the kernel's estimate, or what its control group leaves, if that is less.

    Source: ``MemAvailable`` in proc(5); ``memory.max`` and ``memory.current`` in the kernel's cgroup-v2 documentation,
    ``memory/memory.limit_in_bytes`` and ``memory/memory.usage_in_bytes`` of the first version.
    """
    [available] = [
        int(line.split()[1]) * 1024 for line in meminfo.read_text().splitlines() if line.startswith("MemAvailable:")
    ]
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        most, now = _number(cgroup / limit), _number(cgroup / used)
        if most is not None and most < _UNLIMITED and now is not None:
            available = min(available, max(0, most - now))
    return available


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # no such group, or "max"
        return None


@dataclass(frozen=True)
class Fit:
    """How a population is split.

    Attributes:
        program: what was compiled, for ``size`` trials at once.
        size: trials at once.
        parts: how often it runs.
        taken: bytes that one run takes.
    """

    program: Any
    size: int
    parts: int
    taken: int


def fit(trials: int, share: Share, compile_for: Callable[[int], tuple[Any, int]], multiple: int = 1) -> Fit:
    """The fewest runs of equal size whose memory stays within the share.

    The whole population is tried first: most of the time it fits, and is compiled once. What XLA says of the compiled
    program's memory decides; compiling takes none of it.

    Args:
        trials: how many there are.
        share: what they may take.
        compile_for: number of trials at once to compiled program and its bytes on each device.
        multiple: of how many the trials at once have to be: the number of devices.

    Raises:
        TrainingError: not even one trial on each device fits.
    """
    size = -(-trials // multiple) * multiple
    while True:
        program, taken = compile_for(size)
        if taken <= share.size:
            return Fit(program, size, -(-trials // size), taken)
        if size == multiple:
            raise TrainingError(
                f"one trial takes {readable(taken)}, expected at most {readable(share.size)}, {share.place}; free "
                f"memory, or lower batch_size"
            )
        fewer = max(multiple, min(size - multiple, size * share.size // taken))
        runs = -(-trials // fewer)
        size = -(-trials // (runs * multiple)) * multiple


def readable(size: int) -> str:
    """A size for people, in binary units."""
    for power, unit in ((3, "GiB"), (2, "MiB")):
        if size >= 1024**power:
            return f"{size / 1024**power:.1f} {unit}"
    return f"{size / 1024:.1f} KiB"
