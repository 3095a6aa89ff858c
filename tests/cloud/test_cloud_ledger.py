"""The ledger: on the disk before anything is made, read again whatever is left of it, written to by many at once."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gc
import json
import math
import os
import platform
import resource
import stat
import subprocess
import sys
import tempfile
import warnings
from dataclasses import FrozenInstanceError, asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cloud import ledger as ledger_module
from harness.cloud.ledger import Intent, Ledger, Run, RunState
from harness.errors import CloudError
from harness.resources import Kind, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW = 1000.0

RUN = Run(
    run="aaaa1111",
    session="5e551011",
    owner="arn:aws:iam::123456789012:user/me",
    account="123456789012",
    region="us-east-1",
    expires=4600.0,
    host=platform.node(),
)
OTHER = replace(RUN, run="bbbb2222")
MODEL, ENDPOINT = Resource(Kind.MODEL, "byom-aaaa1111-1"), Resource(Kind.ENDPOINT, "byom-aaaa1111-1")

CHILD = """
import sys, threading
from pathlib import Path
from harness.cloud.ledger import Ledger
from harness.resources import Kind, Resource

ledger, run, name = Ledger(Path(sys.argv[1])), sys.argv[2], sys.argv[3]


def write(thread):
    for number in range(15):
        ledger.intend(run, Resource(Kind.MODEL, f"{name}-{thread}-{number}"))


def wait():
    print("ready", flush=True)
    sys.stdin.read()

"""
WRITER = f"""{CHILD}
threads = [threading.Thread(target=write, args=(thread,)) for thread in range(2)]
wait()
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""
LIVING = f"""{CHILD}
with ledger.alive(run):
    wait()
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger in a folder that is not there yet."""
    return Ledger(tmp_path / "state" / "byom")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The ledger's clock; it moves when a test sets its ``now``."""
    shown = SimpleNamespace(now=NOW)
    monkeypatch.setattr(ledger_module, "time", SimpleNamespace(time=lambda: shown.now))
    return shown


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what writes hundreds of times: the disk is not waited for."""
    monkeypatch.setattr("os.fsync", lambda _: None)


@contextlib.contextmanager
def child(script: str, ledger: Ledger, run: str = RUN.run, name: str = "one") -> Iterator[subprocess.Popen[str]]:
    """A process of its own, ready; it goes on once its standard input is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(ledger.folder), run, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


def release(process: subprocess.Popen[str]) -> None:
    """Let a child go on."""
    assert process.stdin is not None
    process.stdin.close()


def fail(number: int) -> Callable[..., Any]:
    """A system call that fails."""

    def call(*_: object, **__: object) -> Any:
        raise OSError(number, os.strerror(number))

    return call


def is_locked(ledger: Ledger) -> bool:
    """Whether somebody is writing."""
    with (ledger.folder / "ledger.lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def opened(descriptor: int) -> Path:
    """What a descriptor stands for."""
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def names_of(state: RunState) -> list[str]:
    """What a run has made, in order."""
    return [intent.resource.name for intent in state.intents]


def write_story(ledger: Ledger) -> list[list[RunState]]:
    """Write five lines; what the ledger must tell after each, from none to all."""
    ledger.begin(RUN)
    ledger.intend(RUN.run, MODEL)
    ledger.intend(RUN.run, ENDPOINT, hourly=0.28)
    ledger.settle(RUN.run, MODEL)
    ledger.keep(RUN.run)
    model, endpoint = Intent(resource=MODEL, at=NOW), Intent(resource=ENDPOINT, at=NOW, hourly=0.28)
    gone = replace(model, settled=NOW)
    return [
        [],
        [RunState(RUN)],
        [RunState(RUN, (model,))],
        [RunState(RUN, (model, endpoint))],
        [RunState(RUN, (gone, endpoint))],
        [RunState(RUN, (gone, endpoint), kept=True)],
    ]


def test_the_environment_names_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Unless a folder is given, the ledger is a file in the user's state folder, which BYOM_STATE_DIR moves."""
    monkeypatch.setenv("BYOM_STATE_DIR", str(tmp_path))
    assert Ledger().path == tmp_path / "ledger.jsonl"
    assert Ledger(tmp_path / "other").path == tmp_path / "other" / "ledger.jsonl"


def test_looking_makes_nothing(ledger: Ledger) -> None:
    """A ledger that was never written to tells of no run, and is not made by looking."""
    assert (ledger.runs(), ledger.find(RUN.run), ledger.is_alive(RUN)) == ([], None, False)
    assert not ledger.folder.parent.exists()


def test_each_event_is_one_line(ledger: Ledger, clock: SimpleNamespace) -> None:
    """The file holds what was told, in order, one JSON object a line, each with its time."""
    write_story(ledger)
    who = {"run": "aaaa1111", "session": "5e551011", "owner": RUN.owner, "account": "123456789012"}
    assert ledger.path.read_bytes().endswith(b"\n")
    assert [json.loads(line) for line in ledger.path.read_text().splitlines()] == [
        {"at": NOW, "event": "run", **who, "region": "us-east-1", "expires": 4600.0, "host": platform.node()},
        {"at": NOW, "event": "intent", "run": "aaaa1111", "kind": "MODEL", "name": MODEL.name, "hourly": 0.0},
        {"at": NOW, "event": "intent", "run": "aaaa1111", "kind": "ENDPOINT", "name": MODEL.name, "hourly": 0.28},
        {"at": NOW, "event": "settled", "run": "aaaa1111", "kind": "MODEL", "name": MODEL.name},
        {"at": NOW, "event": "kept", "run": "aaaa1111"},
    ]


def test_what_is_written_is_read(ledger: Ledger, clock: SimpleNamespace) -> None:
    """Runs come in the order of their beginning, with their things, times and prices."""
    ledger.begin(OTHER)
    [mine] = write_story(ledger)[-1]
    clock.now = 1500.0
    ledger.intend(OTHER.run, MODEL)
    clock.now = 1600.0
    ledger.settle(OTHER.run, MODEL)
    assert ledger.runs() == [RunState(OTHER, (Intent(resource=MODEL, at=1500.0, settled=1600.0),)), mine]
    assert ledger.find(RUN.run) == mine
    assert ledger.find("cccc3333") is None


def test_a_run_is_on_this_machine(ledger: Ledger) -> None:
    """Unless told otherwise, a run's host is the one it is declared on."""
    fields = {name: getattr(RUN, name) for name in Run.__dataclass_fields__ if name != "host"}
    assert Run(**fields).host == platform.node()


def test_what_is_open_comes_newest_first(ledger: Ledger, clock: SimpleNamespace) -> None:
    """Open is what was intended and not settled since, also if it was settled once before."""
    write_story(ledger)
    ledger.intend(RUN.run, MODEL)
    state = ledger.runs()[0]
    assert [intent.resource for intent in state.open] == [MODEL, ENDPOINT]
    assert [intent.settled for intent in state.intents] == [NOW, None, None]


def test_settling_leaves_an_earlier_end_alone(ledger: Ledger, clock: SimpleNamespace) -> None:
    """A name that was settled, made again and settled again keeps both times: each was billed for its own."""
    ledger.begin(RUN)
    for at in (10.0, 20.0):
        clock.now = at
        ledger.intend(RUN.run, MODEL)
        clock.now = at + 1
        ledger.settle(RUN.run, MODEL)
    assert [(intent.at, intent.settled) for intent in ledger.runs()[0].intents] == [(10.0, 11.0), (20.0, 21.0)]


EVENTS = st.one_of(
    st.tuples(st.just("begin"), st.sampled_from([RUN, OTHER])),
    st.tuples(st.just("keep"), st.sampled_from([RUN, OTHER])),
    st.tuples(
        st.sampled_from(["intend", "intend", "settle"]),
        st.sampled_from([RUN, OTHER]),
        st.sampled_from([MODEL, ENDPOINT, Resource(Kind.OBJECT, "s3://b/ü\n\ud800")]),
    ),
    st.just(("compact",)),
)


class Remembered:
    """What a ledger has to tell, kept in memory."""

    def __init__(self) -> None:
        self.runs: dict[Run, list[list[Any]]] = {}
        self.kept: set[Run] = set()

    def apply(self, what: str, run: Run | None = None, resource: Resource | None = None) -> None:
        """Take over one event."""
        if run is None:
            self.runs = {run: made for run, made in self.runs.items() if any(is_open for _, is_open in made)}
            self.kept &= set(self.runs)
        elif what == "begin":
            self.runs.setdefault(run, [])
        elif run in self.runs and what == "intend":
            self.runs[run].append([resource, True])
        elif run in self.runs and what == "settle":
            self.runs[run] = [[made, is_open and made != resource] for made, is_open in self.runs[run]]
        elif run in self.runs:
            self.kept.add(run)

    def told(self) -> list[tuple[Run, list[Resource], list[Resource], bool]]:
        """Of each run what it made, what of it is open, newest first, and whether it is kept."""
        return [
            (run, [one for one, _ in made], [one for one, is_open in reversed(made) if is_open], run in self.kept)
            for run, made in self.runs.items()
        ]


@settings(max_examples=60, deadline=None)
@given(events=st.lists(EVENTS, max_size=14))
def test_any_order_of_events_is_told_as_it_was(events: list[tuple[Any, ...]]) -> None:
    """After each of any events, by two runs, the ledger tells what a plain list in memory does."""
    remembered = Remembered()
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        ledger = Ledger(Path(folder))
        for what, *arguments in events:
            given = [arguments[0] if what == "begin" else arguments[0].run, *arguments[1:]] if arguments else []
            getattr(ledger, what)(*given)
            remembered.apply(what, *arguments)
            told = [
                (state.run, [i.resource for i in state.intents], [i.resource for i in state.open], state.kept)
                for state in ledger.runs()
            ]
            assert told == remembered.told()


def test_it_is_on_the_disk_before_anything_is_made(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """``intend`` syncs the file with the whole line in it, and of a new file the folder after it, under the lock."""
    synced: list[tuple[str, int, bool]] = []

    def observe(descriptor: int) -> None:
        at = opened(descriptor)
        synced.append((at.name, ledger.path.read_bytes().count(b"\n"), is_locked(ledger)))

    monkeypatch.setattr("os.fsync", observe)
    ledger.begin(RUN)
    assert synced == [("ledger.jsonl", 1, True), ("byom", 1, True)]
    ledger.intend(RUN.run, MODEL)
    assert synced[2] == ("ledger.jsonl", 2, True)
    assert not is_locked(ledger)


@pytest.mark.parametrize("written", [0, 40], ids=["nothing", "half"])
def test_a_file_whose_first_line_failed_is_still_new(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """Where the first writer made the file and got no further, the next one puts the folder on the disk too."""
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr("os.write", lambda descriptor, line: write(descriptor, line[:written]))
        with pytest.raises(CloudError):
            ledger.begin(RUN)
    synced: list[str] = []
    monkeypatch.setattr("os.fsync", lambda fd: synced.append(opened(fd).name))
    ledger.begin(RUN)
    assert synced[:2] == ["ledger.jsonl", "byom"]


def test_nobody_else_reads_it(ledger: Ledger) -> None:
    """The folder and the file are the user's own, also after the file was written anew."""
    ledger.begin(RUN)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (ledger.folder, ledger.path)]
    ledger.compact()
    assert [*modes, stat.S_IMODE(ledger.path.stat().st_mode)] == [0o700, 0o600, 0o600]


def test_no_descriptor_is_left_open(ledger: Ledger) -> None:
    """Whatever is written or asked, no file is open afterwards that was not before."""
    folder = Path("/proc/self/fd")
    before = {path.name for path in folder.iterdir()}
    write_story(ledger)
    with ledger.alive(RUN.run):
        ledger.is_alive(RUN)
    ledger.compact()
    assert {path.name for path in folder.iterdir()} <= before


@pytest.mark.usefixtures("quick")
def test_wherever_a_crash_cuts_the_file_whole_lines_count(ledger: Ledger, clock: SimpleNamespace) -> None:
    """Of each prefix of the file all whole lines are read, and the next line is put so that it is read too."""
    states = write_story(ledger)
    whole = ledger.path.read_bytes()
    for cut in range(len(whole) + 1):
        ledger.path.write_bytes(whole[:cut])
        left = states[whole[: cut + 1].count(b"\n")]  # a line that lacks nothing but its end is whole
        assert ledger.runs() == left
        ledger.begin(OTHER)
        assert ledger.runs() == [*left, RunState(OTHER)]
        assert b"\n\n" not in ledger.path.read_bytes()


def spoiled(missing: str = "", **fields: object) -> bytes:
    """The line of an intent, or of another event, with some fields changed or one missing."""
    good = {"at": 1, "event": "intent", "run": RUN.run, "kind": "MODEL", "name": "m", "hourly": 0} | fields
    return json.dumps({name: value for name, value in good.items() if name != missing}).encode()


def spoiled_run(missing: str = "", **fields: object) -> bytes:
    """The same, of the beginning of a third run."""
    return spoiled(missing, **(asdict(RUN) | {"event": "run", "run": "cccc3333"} | fields))


LINES = {
    "empty": b"",
    "blank": b"  \t ",
    "carriage return": b"\r",
    "half": spoiled()[:50],
    "zeros": bytes(300),
    "binary": bytes(range(128, 256)),
    "utf-16": '{"event": "kept", "run": "aaaa1111"}'.encode("utf-16") + b"\xff",
    "null": b"null",
    "list": b'["run", "event"]',
    "text": b'"run"',
    "number": b"17",
    "nested": b"[" * 200_000,
    "no fields": b"{}",
    "no run": spoiled("run"),
    "no event": spoiled("event"),
    "run is a list": spoiled(run=[]),
    "unknown run": spoiled(run="cccc3333"),
    "run is a number": spoiled_run(run=5),
    "run is null": spoiled_run(run=None),
    "unknown event": spoiled(event="moved", kind="ENDPOINT", name=ENDPOINT.name),
    "unknown kind": spoiled(kind="MOON"),
    "kind is a list": spoiled(kind=[]),
    "no name": spoiled("name"),
    "name is a list": spoiled(name=[]),
    "no time": spoiled("at"),
    "time is text": spoiled(at="x"),
    "time is vast": spoiled(at=10**400),
    "no price": spoiled("hourly"),
    "price is text": spoiled(hourly="x"),
    "run of nobody": spoiled_run(run=[]),
    "run without an owner": spoiled_run("owner"),
    "run whose time is text": spoiled_run(expires="x"),
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_a_line_that_tells_nothing_is_passed_over(ledger: Ledger, clock: SimpleNamespace, line: bytes) -> None:
    """Among good lines, one of somebody else's, of a later version, or broken changes nothing and stops nothing."""
    states = write_story(ledger)
    ledger.path.write_bytes(b"\n".join([*ledger.path.read_bytes().splitlines(), line, b""]))
    assert ledger.runs() == states[-1]
    ledger.begin(OTHER)
    assert ledger.runs() == [*states[-1], RunState(OTHER)]
    clock.now = RUN.expires + ledger_module._GRACE
    ledger.compact()
    assert ledger.runs() == states[-1]


@settings(max_examples=60, deadline=None)
@given(junk=st.binary(max_size=40))
def test_any_bytes_are_passed_over(junk: bytes) -> None:
    """Whatever stands between two lines, in front of them or after them, both are read."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        ledger = Ledger(Path(folder))
        write_story(ledger)
        lines, before = ledger.path.read_bytes().splitlines(keepends=True), ledger.runs()
        ledger.path.write_bytes(junk + b"\n" + (junk + b"\n").join(lines) + junk)
        assert ledger.runs() == before
        ledger.settle(RUN.run, ENDPOINT)
        assert not ledger.runs()[0].open


def test_a_later_version_may_say_more(ledger: Ledger, clock: SimpleNamespace) -> None:
    """Fields that are not known do not keep a line from being read."""
    states = write_story(ledger)
    lines = [json.loads(line) | {"colour": "red"} for line in ledger.path.read_text().splitlines()]
    ledger.path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert ledger.runs() == states[-1]


@pytest.mark.parametrize("event", ["adopted", "thanked"])
def test_an_event_that_is_not_known_changes_nothing(ledger: Ledger, clock: SimpleNamespace, event: str) -> None:
    """A later version may write events of its own: what they are about is neither made nor gone by them."""
    states = write_story(ledger)
    told = {"at": NOW, "event": event, "run": RUN.run, "kind": "ENDPOINT", "name": ENDPOINT.name, "hourly": 0.0}
    with ledger.path.open("a") as stream:
        stream.write(f"{json.dumps(told)}\n")
    assert ledger.runs() == states[-1]


def test_a_run_begins_once(ledger: Ledger) -> None:
    """What is told of a run a second time does not change who it is, and forgets nothing."""
    ledger.begin(RUN)
    ledger.intend(RUN.run, MODEL)
    ledger.begin(replace(RUN, owner="another"))
    [state] = ledger.runs()
    assert (state.run, names_of(state)) == (RUN, [MODEL.name])


def test_threads_and_processes_lose_nothing(ledger: Ledger) -> None:
    """Two processes of two threads each, and this one, write at once: all lines are read, each writer's in order."""
    ledger.begin(RUN)
    with child(WRITER, ledger, name="one") as one, child(WRITER, ledger, name="two") as two:
        release(one)
        release(two)
        for number in range(15):
            ledger.intend(RUN.run, Resource(Kind.MODEL, f"this-0-{number}"))
    assert (one.returncode, two.returncode) == (0, 0)
    names = names_of(ledger.runs()[0])
    for writer in ("one-0", "one-1", "two-0", "two-1", "this-0"):
        assert [name for name in names if name.startswith(writer)] == [f"{writer}-{number}" for number in range(15)]
    assert len(names) == 75


def test_what_is_allowed_is_asked_under_the_lock(ledger: Ledger) -> None:
    """``allow`` sees all that was written, while nobody writes; the line comes after it."""
    ledger.begin(RUN)
    seen: list[tuple[list[RunState], bool]] = []
    ledger.intend(RUN.run, MODEL, allow=lambda states: seen.append((states, is_locked(ledger))))
    assert seen == [([RunState(RUN)], True)]
    assert names_of(ledger.runs()[0]) == [MODEL.name]


def test_what_is_not_allowed_is_not_written(ledger: Ledger) -> None:
    """What ``allow`` raises comes through; nothing is written, and the next writer is not kept waiting."""
    ledger.begin(RUN)
    before = ledger.path.read_bytes()
    with pytest.raises(ZeroDivisionError):
        ledger.intend(RUN.run, MODEL, allow=lambda _: 1 // 0)  # type: ignore[arg-type]
    assert (ledger.path.read_bytes(), is_locked(ledger)) == (before, False)


CALLS: dict[str, Callable[[Ledger], object]] = {
    "begin": lambda ledger: ledger.begin(RUN),
    "intend": lambda ledger: ledger.intend(RUN.run, MODEL),
    "settle": lambda ledger: ledger.settle(RUN.run, MODEL),
    "keep": lambda ledger: ledger.keep(RUN.run),
}


def refused(ledger: Ledger, found: str) -> str:
    """The whole message."""
    return (
        f"ledger {ledger.path}: expected a file to write down what is made in AWS, found {found}; nothing is made "
        f"without it: free the disk, mend its permissions or set BYOM_STATE_DIR to another folder"
    )


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize(
    ("system_call", "number"),
    [("os.open", errno.EACCES), ("os.write", errno.ENOSPC), ("os.fsync", errno.EIO), ("fcntl.flock", errno.ENOLCK)],
)
def test_what_cannot_be_written_is_an_error(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, call: Callable[[Ledger], object], system_call: str, number: int
) -> None:
    """No permission, a full or broken disk, no locks: it does not return as if it were written, and says what to do."""
    ledger.begin(RUN)
    monkeypatch.setattr(system_call, fail(number))
    with pytest.raises(CloudError) as caught:
        call(ledger)
    assert str(caught.value) == refused(ledger, os.strerror(number))
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("written", [0, 1, 60])
def test_a_write_that_stops_halfway_is_an_error(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, written: int) -> None:
    """Half a line counts as none; the line after it is read."""
    ledger.begin(RUN)
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr("os.write", lambda descriptor, line: write(descriptor, line[:written]))
        with pytest.raises(CloudError, match=rf"found {written} of 1\d\d bytes were written; nothing is made"):
            ledger.intend(RUN.run, MODEL)
    assert ledger.runs() == [RunState(RUN)]
    ledger.intend(RUN.run, ENDPOINT)
    assert [intent.resource for intent in ledger.runs()[0].intents] == [ENDPOINT]


@pytest.mark.parametrize("call", [*CALLS.values(), Ledger.compact], ids=[*CALLS, "compact"])
def test_a_folder_that_is_a_file_is_an_error(ledger: Ledger, call: Callable[[Ledger], object]) -> None:
    """Where the folder should be there is a file."""
    ledger.folder.parent.mkdir()
    ledger.folder.touch()
    with pytest.raises(CloudError) as caught:
        call(ledger)
    assert str(caught.value) == refused(ledger, "File exists")


@pytest.mark.parametrize("call", [*CALLS.values(), Ledger.compact, Ledger.runs], ids=[*CALLS, "compact", "runs"])
def test_a_file_that_is_a_folder_is_an_error(ledger: Ledger, call: Callable[[Ledger], object]) -> None:
    """Where the file should be there is a folder: it can neither be written nor read."""
    ledger.path.mkdir(parents=True)
    with pytest.raises(CloudError) as caught:
        call(ledger)
    assert str(caught.value) == refused(ledger, "Is a directory")


def test_a_file_that_leads_nowhere_is_an_error(ledger: Ledger, tmp_path: Path) -> None:
    """A link to a disk that is not there is no reason to go on without a ledger."""
    ledger.folder.mkdir(parents=True)
    ledger.path.symlink_to(tmp_path / "unmounted" / "ledger.jsonl")
    with pytest.raises(CloudError) as caught:
        ledger.begin(RUN)
    assert str(caught.value) == refused(ledger, "No such file or directory")


def test_what_is_read_does_not_change(ledger: Ledger, clock: SimpleNamespace) -> None:
    """Runs, intents and states are values: nobody who looks can change them for the next one."""
    state = write_story(ledger)[-1][0]
    assert {state, state.run, *state.intents}
    for value, name in ((state, "kept"), (state.run, "owner"), (state.intents[0], "settled")):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, None)


def test_a_run_lives_as_long_as_it_says(ledger: Ledger) -> None:
    """Before it is not alive, during it is, to everyone who asks, and after it is not."""
    asked: list[bool] = []
    asked.append(ledger.is_alive(RUN))
    with ledger.alive(RUN.run):
        asked += [ledger.is_alive(RUN), Ledger(ledger.folder).is_alive(RUN)]
        asked.append(ledger.is_alive(replace(RUN, run=OTHER.run)))
    asked.append(ledger.is_alive(RUN))
    assert asked == [False, True, True, False, False]


def test_a_run_dies_with_its_process(ledger: Ledger) -> None:
    """A process that was killed has written nothing, and its run is dead."""
    with child(LIVING, ledger) as process:
        assert ledger.is_alive(RUN)
        process.kill()
        process.wait()
        assert not ledger.is_alive(RUN)


def test_of_another_machine_nothing_is_known(ledger: Ledger) -> None:
    """A run of another host counts as alive, whatever this machine's folder says."""
    with ledger.alive(RUN.run):
        pass
    assert ledger.is_alive(replace(RUN, host="another.host"))


def test_asking_disturbs_nobody(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that ask for a dead run at the same moment both hear that it is dead."""
    flock, heard = fcntl.flock, []
    with ledger.alive(RUN.run):
        pass

    def meanwhile(stream: Any, operation: int) -> None:
        flock(stream, operation)
        monkeypatch.setattr("fcntl.flock", flock)
        heard.append(ledger.is_alive(RUN))

    monkeypatch.setattr("fcntl.flock", meanwhile)
    heard.append(ledger.is_alive(RUN))
    assert heard == [False, False]


def test_a_run_that_was_read_is_known_by_its_machines_name(ledger: Ledger) -> None:
    """What another process wrote is compared by value: a run of this machine that is not there is not alive."""
    ledger.begin(RUN)
    [state] = ledger.runs()
    assert not ledger.is_alive(state.run)


def test_a_long_line_is_written_whole(ledger: Ledger) -> None:
    """An owner may have a long name: no line is too long."""
    long = replace(RUN, owner="o" * 2000)
    ledger.begin(long)
    ledger.intend(RUN.run, MODEL)
    [state] = ledger.runs()
    assert (state.run, [intent.resource for intent in state.open]) == (long, [MODEL])


def test_what_cannot_be_asked_counts_as_alive(ledger: Ledger) -> None:
    """Out of file descriptors, nothing is known of a run: called dead, it would have its things deleted."""
    with ledger.alive(RUN.run):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            alive = ledger.is_alive(RUN)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert alive


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOLCK])
def test_a_life_that_cannot_be_told_is_an_error(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A run that others would take for dead does not start."""
    monkeypatch.setattr("pathlib.Path.open" if number == errno.EACCES else "fcntl.flock", fail(number))
    with pytest.raises(CloudError) as caught, ledger.alive(RUN.run):
        pytest.fail("it started")
    assert str(caught.value) == refused(ledger, os.strerror(number))


def test_compacting_drops_what_is_over(ledger: Ledger, clock: SimpleNamespace) -> None:
    """What is open or within its time stays word for word; all else goes, on whatever machine it was, files and all."""
    names = ("over0000", "kept0000", "elsewher", "owing000", "intime00")
    over, kept, elsewhere, owing, in_time = (replace(RUN, run=name) for name in names)
    elsewhere, in_time = replace(elsewhere, host="another.host"), replace(in_time, expires=RUN.expires + 0.1)
    for run in (over, kept, elsewhere, owing, in_time):
        ledger.begin(run)
        ledger.intend(run.run, MODEL)
        if run is not owing:
            ledger.settle(run.run, MODEL)
        with ledger.alive(run.run):
            (ledger.folder / "runs" / f"{run.run}.log").touch()
    ledger.keep(kept.run)
    lines = ledger.path.read_text().splitlines(keepends=True)
    clock.now = RUN.expires + ledger_module._GRACE
    ledger.compact()
    stay = [line for line in lines if json.loads(line)["run"] in (owing.run, in_time.run)]
    assert ledger.path.read_text() == "".join(stay)
    assert sorted(path.name for path in ledger.folder.iterdir()) == ["ledger.jsonl", "ledger.lock", "runs"]
    assert sorted(path.name for path in (ledger.folder / "runs").iterdir()) == sorted(
        f"{name}.{kind}" for name in names[3:] for kind in ("alive", "log")
    )


@pytest.mark.parametrize("name", ["*", "[a-z]*", "../*"])
def test_compacting_deletes_nothing_of_others(ledger: Ledger, name: str) -> None:
    """A run whose name is no name of a file is passed over, and takes none of another's files with it."""
    ledger.begin(replace(RUN, run=name))
    assert ledger.runs() == []
    with ledger.alive(RUN.run):
        ledger.compact()
        assert ledger.is_alive(RUN)
    assert ledger.path.exists()
    assert (ledger.folder / "ledger.lock").exists()


def test_compacting_nothing_writes_nothing(ledger: Ledger) -> None:
    """Where no run is over, the file is left as it is, with what a later version may have written into it."""
    ledger.begin(RUN)
    ledger.intend(RUN.run, MODEL)
    ledger.path.write_bytes(ledger.path.read_bytes() + b"of a later version\n")
    before = (ledger.path.read_bytes(), ledger.path.stat().st_ino)
    ledger.compact()
    assert (ledger.path.read_bytes(), ledger.path.stat().st_ino) == before


def test_compacting_loses_no_line_that_is_written_meanwhile(ledger: Ledger) -> None:
    """While another process writes, this one drops runs all the time: all that the other wrote is there."""
    ledger.begin(replace(OTHER, expires=math.inf))
    with ledger.alive(OTHER.run), child(WRITER, ledger, run=OTHER.run) as process:
        release(process)
        while process.poll() is None:
            ledger.begin(RUN)
            ledger.compact()
    assert process.returncode == 0
    [state] = ledger.runs()
    assert sorted(names_of(state)) == sorted(f"one-{thread}-{number}" for thread in range(2) for number in range(15))


def test_compacting_is_on_the_disk_before_anyone_writes(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file and then its folder are synced under the lock: later lines must not go to a file without a name."""
    ledger.begin(RUN)
    synced: list[tuple[str, bool]] = []
    monkeypatch.setattr(
        "os.fsync",
        lambda fd: synced.append((opened(fd).suffix or "folder", is_locked(ledger))),
    )
    ledger.compact()
    assert synced == [(".tmp", True), ("folder", True)]


def test_a_ledger_that_cannot_be_compacted_is_an_error(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk leaves the old file as it was, and says so."""
    ledger.begin(RUN)
    before = ledger.path.read_bytes()
    monkeypatch.setattr("os.replace", fail(errno.ENOSPC))
    with pytest.raises(CloudError) as caught:
        ledger.compact()
    assert str(caught.value) == refused(ledger, "No space left on device")
    assert ledger.path.read_bytes() == before


def test_a_temporary_ledger_ends_with_its_object() -> None:
    """Its folder is there as long as it is, is its own, and goes without a warning, also where it is gone already."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ledger, other = Ledger.temporary(), Ledger.temporary()
        ledger.begin(RUN)
        assert (len(ledger.runs()), other.runs(), other.folder.is_dir()) == (1, [], True)
        folder = ledger.folder
        assert folder.is_dir()
        assert folder.name.startswith("byom-ledger-")
        del ledger
        gc.collect()
        assert not folder.exists()
        other.folder.rmdir()
        del other
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
