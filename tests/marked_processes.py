"""Finds the processes that carry a test's mark in their environment, and what they listen on."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MARK = "BYOM_TEST_MARK"
"""Name of the variable; the harness hands ``BYOM_*`` on to the model server and its workers."""

GONE_SECONDS = 15.0

LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}
"""127.0.0.1 as the kernel writes it, for IPv4 and within IPv6."""

_LISTENING = "0A"


@dataclass(frozen=True)
class Process:
    """A process that is running, not a zombie."""

    pid: int
    parent: int
    command: tuple[str, ...]

    @property
    def is_java(self) -> bool:
        """Whether it is a model server."""
        return not self.is_supervisor and "com.amazonaws.ml.mms.ModelServer" in self.command

    @property
    def is_worker(self) -> bool:
        """Whether it is a worker of a model server: the one that accepts connections, or the one with the model."""
        return any(word.endswith("model_service_worker.py") for word in self.command)

    @property
    def is_supervisor(self) -> bool:
        """Whether it watches over a model server."""
        return any(word.endswith("supervisor.py") for word in self.command)

    def mentions(self, text: object) -> bool:
        """Whether its command line holds a text, such as the folder of a server."""
        return any(str(text) in word for word in self.command)


def marked(mark: str) -> list[Process]:
    """Every process that was started with this mark in its environment."""
    needle = f"{MARK}={mark}".encode()
    found = (_read(folder, needle) for folder in Path("/proc").iterdir() if folder.name.isdigit())
    return [process for process in found if process is not None]


def kill_marked(mark: str) -> None:
    """End whatever carries a mark, after the test has looked."""
    for process in marked(mark):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def wait_until_gone(mark: str) -> list[Process]:
    """What is still there of the marked processes after `GONE_SECONDS`; returns at once when nothing is."""
    wait_for(lambda: not marked(mark), GONE_SECONDS)
    return marked(mark)


def wait_for(condition: Callable[[], object], seconds: float) -> bool:
    """Whether a condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def listening(pid: int) -> list[str]:
    """Addresses, as the kernel writes them in hexadecimal, that one process listens on, of IPv4 and IPv6."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target.removeprefix("socket:[").removesuffix("]"))
    rows = []
    for table in ("tcp", "tcp6"):
        rows += [row.split() for row in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]]
    return [row[1].partition(":")[0] for row in rows if row[3] == _LISTENING and row[9] in inodes]


def _read(folder: Path, needle: bytes) -> Process | None:
    try:
        if needle not in (folder / "environ").read_bytes().split(b"\0"):
            return None
        state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        command = (folder / "cmdline").read_bytes().rstrip(b"\0").decode(errors="replace").split("\0")
    except (OSError, ValueError):  # it ended meanwhile, or is somebody else's
        return None
    return None if state in "ZX" else Process(int(folder.name), int(parent), tuple(command))
