"""Nothing is left running, however a program that started servers ends, and whichever part of them is killed.

Every process of a test carries its mark in the environment; the kernel tells which of them are still there.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from marked_processes import LOOPBACK, MARK, Process, kill_marked, listening, marked, wait_for, wait_until_gone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

OWNER = Path(__file__).with_name("simulator_owner.py")


@dataclass(frozen=True)
class Owner:
    """A program that has started its servers."""

    process: subprocess.Popen[bytes]
    mark: str
    folders: tuple[Path, ...]

    def others(self) -> list[Process]:
        """Everything it started, and what that started."""
        return [process for process in marked(self.mark) if process.pid != self.process.pid]

    def temporary(self) -> set[Path]:
        """Folders of model servers that its processes work in."""
        words = (word for process in self.others() if process.is_supervisor for word in process.command)
        return {Path(word) for word in words if Path(word).name.startswith("byom-") and word.startswith("/")}


def are_deleted(*folders: Iterable[Path]) -> bool:
    """Whether all of these folders are gone, or go soon."""
    return wait_for(lambda: not any(folder.exists() for some in folders for folder in some), 5)


def is_account(process: Process) -> bool:
    return "harness.simulator.account_server" in process.command


PROGRAMS = {
    "returns": ("server", "return"),
    "exits": ("server", "exit"),
    "SIGINT": ("server", "wait"),
    "SIGTERM": ("account", "wait"),
    "SIGKILL": ("both", "wait"),
    "loses its account": ("account", "wait"),
}
"""What each program starts, and how it ends; see `simulator_owner.py`."""


@pytest.fixture(scope="module")
def owners(plain_tarball: Path) -> Iterator[dict[str, Owner]]:
    """Every program, ready; they start side by side, as that takes half the time."""
    marks = {name: uuid.uuid4().hex for name in PROGRAMS}
    with ExitStack() as stack:
        for mark in marks.values():
            stack.callback(kill_marked, mark)
        processes = {name: _start(plain_tarball, marks[name], *PROGRAMS[name]) for name in PROGRAMS}
        for process in processes.values():
            stack.enter_context(process)
            stack.callback(process.kill)
        ready = {name: Owner(process, marks[name], _folders(process)) for name, process in processes.items()}
        for folder in ready["loses its account"].folders:  # with both killed nobody is left to delete it
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield ready


def _start(tarball: Path, mark: str, what: str, end: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(OWNER), str(tarball), what, end]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(command, **pipes, env={**os.environ, MARK: mark, "PYTHONPATH": str(OWNER.parents[1])})


def _folders(process: subprocess.Popen[bytes]) -> tuple[Path, ...]:
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    return tuple(map(Path, json.loads(line))) if line else pytest.fail(process.stderr.read().decode())


def test_a_process_left_behind_is_found(mark: str) -> None:
    """The control: what is still running is found by its mark, and not found once it has ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={MARK: mark}) as helper:
        assert wait_for(lambda: [process.pid for process in marked(mark)] == [helper.pid], 10)
        helper.kill()
    assert marked(mark) == []


def test_a_zombie_is_nothing_left_behind(mark: str) -> None:
    """A process that has ended and was not waited for yet does not count."""
    helper = subprocess.Popen([sys.executable, "-c", ""], env={MARK: mark})
    try:
        assert os.waitid(os.P_PID, helper.pid, os.WEXITED | os.WNOWAIT)
        assert marked(mark) == []
    finally:
        helper.wait()


@pytest.mark.serving
def test_a_program_that_returns_leaves_nothing(owners: dict[str, Owner]) -> None:
    """The end of a program that never called ``stop`` ends its server."""
    owner = owners["returns"]
    # One worker accepts connections, the other has the model.
    assert [sum(map(kind, owner.others())) for kind in _KINDS] == [0, 1, 1, 2]
    _, errors = owner.process.communicate(b"\n", timeout=60)
    assert (owner.process.returncode, errors) == (0, b"")
    assert wait_until_gone(owner.mark) == []
    assert are_deleted(owner.folders)


@pytest.mark.serving
def test_a_program_that_exits_in_the_middle_leaves_nothing(owners: dict[str, Owner]) -> None:
    """``sys.exit`` without ``stop``."""
    owner = owners["exits"]
    owner.process.communicate(b"\n", timeout=60)
    assert owner.process.returncode == 3
    assert wait_until_gone(owner.mark) == []
    assert are_deleted(owner.folders)


@pytest.mark.serving
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_a_program_that_is_ended_by_a_signal_leaves_nothing(owners: dict[str, Owner], name: str) -> None:
    """Ctrl-C, a polite end and a kill, which nobody can act on, all end everything and delete the folders."""
    owner, number = owners[name], signal.Signals[name]
    temporary = owner.temporary()
    assert temporary
    owner.process.send_signal(number)
    owner.process.communicate(timeout=60)
    assert owner.process.returncode == -number
    assert wait_until_gone(owner.mark) == []
    assert are_deleted(owner.folders, temporary)


@pytest.mark.serving
def test_an_account_that_is_killed_takes_its_endpoints_along(owners: dict[str, Owner]) -> None:
    """Its process killed, the endpoint's supervisor ends the server and deletes its folder; the program goes on."""
    owner = owners["loses its account"]
    temporary = owner.temporary()
    addresses = {address for process in owner.others() for address in listening(process.pid)}
    assert addresses
    assert addresses <= LOOPBACK
    [account] = filter(is_account, owner.others())
    os.kill(account.pid, signal.SIGKILL)
    assert wait_for(lambda: not owner.others(), 15)
    assert owner.process.poll() is None
    assert are_deleted(temporary)


_KINDS: tuple[Callable[[Process], bool], ...] = (
    is_account,
    lambda process: process.is_supervisor,
    lambda process: process.is_java,
    lambda process: process.is_worker,
)
