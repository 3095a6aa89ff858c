"""How a population is split by memory, and what memory there is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import TrainingError

if TYPE_CHECKING:
    from pathlib import Path


class Compiler:
    """Says what programs take: a fixed part and a part for each trial; and remembers what it was asked."""

    def __init__(self, fixed: int, each: int) -> None:
        self.fixed, self.each = fixed, each
        self.asked: list[int] = []

    def __call__(self, trials: int) -> tuple[str, int]:
        self.asked.append(trials)
        return f"for {trials}", self.fixed + self.each * trials


def test_what_fits_is_compiled_once_and_whole() -> None:
    """The common case costs one compilation and one run."""
    from harness.train.xla.memory import Share, fit

    compiler = Compiler(fixed=100, each=10)
    found = fit(32, Share(420, "of a test"), compiler)
    assert (found.program, found.size, found.parts, found.taken) == ("for 32", 32, 1, 420)
    assert compiler.asked == [32]


@given(
    trials=st.integers(1, 300),
    fixed=st.integers(0, 1000),
    each=st.integers(1, 50),
    room=st.integers(0, 20_000),
    multiple=st.integers(1, 4),
)
def test_every_split_stays_within_the_share(trials: int, fixed: int, each: int, room: int, multiple: int) -> None:
    """Whatever the sizes: it fits, all trials run, sizes are a multiple of the devices, no run is without a trial."""
    from harness.train.xla.memory import Share, fit

    share = Share(fixed + each * multiple + room, "of a test")
    found = fit(trials, share, Compiler(fixed, each), multiple)
    assert found.taken <= share.size
    assert found.size % multiple == 0
    assert found.size * found.parts >= trials > found.size * (found.parts - 1)


def test_a_trial_that_does_not_fit_is_an_error() -> None:
    """The message says what it takes, what there is, and what to do."""
    from harness.train.xla.memory import Share, fit

    message = r"one trial takes 3\.0 GiB, expected at most 2\.0 GiB, half of a test; free memory, or lower batch_size"
    with pytest.raises(TrainingError, match=message):
        fit(5, Share(2 * 2**30, "half of a test"), Compiler(fixed=2 * 2**30, each=2**30))


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder with a meminfo of 8 GiB available."""
    (tmp_path / "meminfo").write_text("MemTotal: 16777216 kB\nMemFree: 1024 kB\nMemAvailable: 8388608 kB\n")
    return tmp_path


@pytest.mark.parametrize(
    ("files", "gibibytes"),
    [
        ({}, 8),
        ({"memory.max": "max\n", "memory.current": "1\n"}, 8),
        ({"memory.max": f"{3 * 2**30}\n", "memory.current": f"{2**30}\n"}, 2),
        ({"memory.max": f"{2**30}\n", "memory.current": f"{2 * 2**30}\n"}, 0),
        ({"memory/memory.limit_in_bytes": f"{2**63 - 4096}\n", "memory/memory.usage_in_bytes": "1\n"}, 8),
        ({"memory/memory.limit_in_bytes": f"{5 * 2**30}\n", "memory/memory.usage_in_bytes": f"{2**30}\n"}, 4),
    ],
)
def test_the_hosts_memory_is_the_kernels_or_the_control_groups(
    machine: Path, files: dict[str, str], gibibytes: int
) -> None:
    """A container's limit counts if it is lower, in both versions of control groups."""
    from harness.train.xla.memory import host_memory

    for name, text in files.items():
        (machine / name).parent.mkdir(exist_ok=True)
        (machine / name).write_text(text)
    assert host_memory(machine / "meminfo", machine) == gibibytes * 2**30


def test_a_devices_own_memory_counts_if_it_tells() -> None:
    """An accelerator's share is of what is free on it; one that tells nothing gets the host's."""
    from harness.train.xla.memory import DEVICE_SHARE, Share

    def device(platform: str, statistics: Any) -> Any:
        return SimpleNamespace(platform=platform, device_kind="a card", memory_stats=lambda: statistics)

    share = Share.of(device("gpu", {"bytes_limit": 1000, "bytes_in_use": 200}))
    assert share == Share(int(800 * DEVICE_SHARE), "80% of the memory of a card")
    for other in (device("gpu", None), device("cpu", {"bytes_limit": 1000})):
        assert Share.of(other).place == "50% of the host's memory"


@pytest.mark.parametrize(("size", "text"), [(512, "0.5 KiB"), (3 * 2**20, "3.0 MiB"), (5 * 2**30 + 2**29, "5.5 GiB")])
def test_sizes_are_for_people(size: int, text: str) -> None:
    """The unit fits the size."""
    from harness.train.xla.memory import readable

    assert readable(size) == text
