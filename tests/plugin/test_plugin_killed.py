"""However a pytest session with an endpoint ends, and whichever of its processes is killed, nothing is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from marked_processes import MARK, Process, kill_marked, marked, wait_for, wait_until_gone
from tiny_experiment import EXPERIMENT, SETTING, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.serving

WAITS = """

def test_waits(predictor, trained, experiment):
    import time

    Path("ready").touch()
    while not Path("go").exists():
        time.sleep(0.05)
"""

ENDS = ("SIGINT", "SIGTERM", "SIGKILL", "goes on")


@dataclass(frozen=True)
class Session:
    """A pytest session whose endpoint is in service, in the middle of its test."""

    process: subprocess.Popen[bytes]
    folder: Path
    mark: str

    def others(self) -> list[Process]:
        """What the session started."""
        return [process for process in marked(self.mark) if process.pid != self.process.pid]

    def kill(self, kind: Callable[[Process], bool]) -> Process:
        """Kill one of a kind, the oldest."""
        victim = min(filter(kind, self.others()), key=lambda process: process.pid)
        os.kill(victim.pid, signal.SIGKILL)
        return victim


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Session]]:
    """Four sessions; they start side by side, as that takes half the time."""
    with ExitStack() as stack:
        started = {}
        for end in ENDS:
            session = _start(tmp_path_factory.mktemp("killed"))
            stack.callback(kill_marked, session.mark)
            stack.enter_context(session.process)
            stack.callback(session.process.kill)
            started[end] = session
        for session in started.values():
            ready = wait_for(lambda folder=session.folder: (folder / "ready").exists(), 120)  # type: ignore[misc]
            assert ready, (session.folder / "output").read_text()
        yield started


def _start(folder: Path) -> Session:
    write(folder, test_waits=EXPERIMENT + SETTING + WAITS)
    mark = uuid.uuid4().hex
    environment = {**os.environ, MARK: mark, "TMPDIR": str(folder)}
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-m", "local"], cwd=folder, env=environment, stdout=output, stderr=output
        )
    return Session(process, folder, mark)


def is_java(process: Process) -> bool:
    return process.is_java


def is_worker(process: Process) -> bool:
    return process.is_worker


def test_a_session_has_something_to_lose(sessions: dict[str, Session]) -> None:
    """The control: a model server and its workers run behind every session."""
    for session in sessions.values():
        assert any(map(is_java, session.others()))
        assert any(map(is_worker, session.others()))


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 2), ("SIGTERM", -15), ("SIGKILL", -9)])
def test_a_session_that_is_ended_by_a_signal_leaves_nothing(sessions: dict[str, Session], name: str, code: int) -> None:
    """Ctrl-C, a polite end and a kill of pytest end the account, Java and the workers, and delete their folders."""
    session = sessions[name]
    session.process.send_signal(signal.Signals[name])
    assert session.process.wait(timeout=60) == code
    assert wait_until_gone(session.mark) == []
    assert wait_for(lambda: not list(session.folder.glob("byom-account-*")), 5)
    assert [folder for folder in session.folder.glob("byom-*") if (folder / "container.log").exists()] == []


def test_killed_servers_are_gone_when_the_session_ends(sessions: dict[str, Session]) -> None:
    """A worker killed, then Java killed: the session still cleans up, says so, and leaves nothing."""
    session = sessions["goes on"]
    worker = session.kill(is_worker)
    assert wait_for(lambda: worker not in session.others(), 15)
    session.kill(is_java)
    assert wait_for(lambda: not any(is_java(process) or is_worker(process) for process in session.others()), 15)
    (session.folder / "go").touch()
    assert session.process.wait(timeout=60) == 0
    assert "in service after" in (session.folder / "output").read_text()
    assert wait_until_gone(session.mark) == []
    assert list(session.folder.glob("byom-*")) == []
