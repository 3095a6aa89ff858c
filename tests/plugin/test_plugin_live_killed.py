"""However a session of ``pytest -m aws`` ends, and whichever of its processes is killed, it leaves nothing in AWS."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from live_account import HEAD, WAITS, StandIn, ledger, stand_in
from marked_processes import marked, wait_for, wait_until_gone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from forked_sessions import Nursery, Session

SECONDS = 30
"""How long anything may take to be gone. Workers of pytest-xdist notice after five that their controller is."""

SIGNALS = {
    "SIGINT": (signal.SIGINT,),
    "SIGINT-SIGINT": (signal.SIGINT, signal.SIGINT),
    "SIGTERM": (signal.SIGTERM,),
    "SIGKILL": (signal.SIGKILL,),
}
WAYS = [*SIGNALS, "SIGHUP", *(f"{name}-n2" for name in SIGNALS), "worker-n2"]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """An account in which deleting an endpoint takes a second: long enough for a second Ctrl-C."""
    with stand_in(tmp_path_factory.mktemp("account"), deleting_seconds=1.0) as made:
        yield made


@pytest.fixture(scope="module")
def sessions(
    account: StandIn, forks: Nursery, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Session]]:
    """One for each way to end, all in the middle of their tests; they start side by side."""
    with ExitStack() as stack:
        started = {}
        for way in WAYS:
            started[way] = _start(account, forks, tmp_path_factory.mktemp("killed"), workers=way.endswith("-n2"))
            stack.callback(started[way].kill)
        for way, session in started.items():
            expected = 2 if way.endswith("-n2") else 1
            ready = wait_for(lambda: len(endpoints(session)) == expected or session.is_over, 120)  # noqa: B023
            assert ready, session.told
            assert not session.is_over, session.told
        yield started


@pytest.fixture(scope="module")
def strangers_before(account: StandIn, sessions: dict[str, Session]) -> dict[str, Any]:
    """Things of other people's, whose names and tags look like ours, before anything is killed."""
    from leaks import strangers

    assert sessions
    strangers.settle_in(account.bystander)
    return strangers.census(account.bystander)


@pytest.fixture(scope="module")
def ended(account: StandIn, sessions: dict[str, Session], strangers_before: dict[str, Any]) -> dict[str, Session]:
    """The same sessions, after the first signal, and where there is one, after the second."""
    assert strangers_before
    for way, session in sessions.items():
        _end(account, way, session)
    return sessions


def _start(account: StandIn, forks: Nursery, folder: Path, *, workers: bool) -> Session:
    modules = {"test_one": HEAD + WAITS, "test_two": HEAD + WAITS}
    account.write(folder, **modules)
    options = ("-n", "2") if workers else ()
    return forks.start(folder, "pytest", "-m", "aws", *options, env=account.environment(folder))


def _end(account: StandIn, way: str, session: Session) -> None:
    if way == "worker-n2":
        _, pid = min(endpoints(session).items())
        os.kill(pid, signal.SIGKILL)
        return
    if way == "SIGHUP":
        session.press(signal.SIGHUP)
        return
    first, *second = SIGNALS[way.removesuffix("-n2")]
    session.press(first) if first == signal.SIGINT else session.send(first)
    for number in second:
        assert wait_for(lambda: is_deleting(account, session), SECONDS), session.told
        session.press(number)


def endpoints(session: Session) -> dict[str, int]:
    """The endpoints that tests of a session wait with, and the processes that have made them."""
    return {path.stem: int(path.read_text(encoding="ascii")) for path in session.folder.glob("*.ready")}


def is_deleting(account: StandIn, session: Session) -> bool:
    """Whether one of a session's endpoints is on its way out."""
    return any(account.status(name) == "Deleting" for name in endpoints(session))


def test_every_session_has_something_to_lose(account: StandIn, sessions: dict[str, Session]) -> None:
    """The control: each endpoint is in service, recorded and watched, by a process for each that makes any."""
    for session in sessions.values():
        names = endpoints(session)
        assert [account.status(name) for name in names] == ["InService"] * len(names)
        assert sum(len(state.open) for state in ledger(session.folder)) == 5 * len(names)
        watchers = [process for process in marked(session.mark) if "harness.cloud.watcher" in process.command]
        assert {watcher.parent for watcher in watchers} == set(names.values())


@pytest.mark.parametrize("way", [way for way in WAYS if way != "worker-n2"])
def test_a_session_that_is_ended_leaves_nothing(account: StandIn, ended: dict[str, Session], way: str) -> None:
    """Ctrl-C once or twice, a polite end, a kill, with workers or without: all is deleted, no process is left."""
    session = ended[way]
    code = session.wait().code
    assert code == {"SIGINT": 2, "SIGTERM": -15, "SIGKILL": -9}.get(way.removesuffix("-n2"), code)
    assert code != 0
    assert wait_for(lambda: not account.left(session.folder), SECONDS), account.left(session.folder)
    assert wait_until_gone(session.mark) == []
    assert [state.open for state in ledger(session.folder)] == [()] * len(ledger(session.folder))


def test_one_ctrl_c_deletes_and_says_so(ended: dict[str, Session]) -> None:
    """The table knows the endpoint and that it is deleted."""
    [row] = ended["SIGINT"].wait().rows("one")
    assert row[7].endswith("s, deleted")


def test_what_a_killed_worker_had_is_deleted_while_the_others_go_on(
    account: StandIn, ended: dict[str, Session]
) -> None:
    """Its own things only: the other worker's endpoint is in service until its test is done."""
    session = ended["worker-n2"]
    dead, alive = sorted(endpoints(session))
    assert wait_for(lambda: not any(dead in resource for resource in account.left(session.folder)), SECONDS)
    assert account.status(alive) == "InService"
    (session.folder / "go").touch()
    ran = session.wait()
    assert ran.code == 1
    ran.matches("*worker 'gw?' crashed while running 'test_*.py::test_waits?live?'*")
    assert wait_for(lambda: not account.left(session.folder), SECONDS), account.left(session.folder)
    assert wait_until_gone(session.mark) == []


def test_strangers_are_left_alone(
    account: StandIn, ended: dict[str, Session], strangers_before: dict[str, Any]
) -> None:
    """After all of that, fifty things of other people's are as they were: tags, status and content."""
    from leaks import strangers

    assert ended
    assert strangers.census(account.bystander) == strangers_before
