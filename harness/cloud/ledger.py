"""The record of what may exist in an account: one line on disk before each call that creates something.

A line says what a run intends to make; it is on the disk before the request is sent. A later line settles it: the
thing is gone, or was never made. Whatever is intended and not settled may exist, and is for clean-up or the reaper to
look for. So a crash at any moment loses nothing, and a last line that was cut short belongs to a request that was never
sent.

Many processes write to one ledger, each line under a lock. Lines that cannot be read are passed over.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import shutil
import tempfile
import time
import weakref
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import CloudError
from harness.resources import Kind, Resource
from harness.storage import state_directory, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAME = "ledger.jsonl"
_GRACE = 3600.0
"""Seconds after a run's time in which a line that it was about to write then may still be on its way."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """Who makes things, and until when they may exist.

    Attributes:
        run: eight hexadecimal digits, of one process.
        session: the same for all processes that share a budget.
        owner: who may delete what an earlier run has left.
        account: AWS's number of the account, as text.
        region: of AWS.
        expires: seconds since the epoch; whatever is left then may be deleted.
        host: the machine it runs on.
    """

    run: str
    session: str
    owner: str
    account: str
    region: str
    expires: float
    host: str = field(default_factory=platform.node)


@dataclass(frozen=True, kw_only=True)
class Intent:
    """Something that a run was about to make.

    Attributes:
        resource: what.
        at: when, in seconds since the epoch.
        hourly: dollars for each hour that it exists.
        settled: when it was seen to be gone; None as long as it may exist.
    """

    resource: Resource
    at: float
    hourly: float = 0.0
    settled: float | None = None


@dataclass(frozen=True)
class RunState:
    """What the ledger tells of one run.

    Attributes:
        run: who.
        intents: in the order of their making.
        kept: whether it was left on purpose.
    """

    run: Run
    intents: tuple[Intent, ...] = ()
    kept: bool = False

    @property
    def open(self) -> tuple[Intent, ...]:
        """What may exist, newest first: the order in which to delete."""
        return tuple(intent for intent in reversed(self.intents) if intent.settled is None)


class Ledger:
    """A ledger in a folder.

    Args:
        folder: where it lies; made when the first line is written. The user's own unless given.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or state_directory()
        self.path = self.folder / NAME

    @classmethod
    def temporary(cls) -> Ledger:
        """One that ends with this object: for an account that ends with this process."""
        ledger = cls(Path(tempfile.mkdtemp(prefix="byom-ledger-")))
        weakref.finalize(ledger, shutil.rmtree, ledger.folder, ignore_errors=True)
        return ledger

    def begin(self, run: Run) -> None:
        """Write down who is going to make things.

        Raises:
            CloudError: the ledger cannot be written.
        """
        self._append({"event": "run", **asdict(run)})

    def intend(
        self,
        run: str,
        resource: Resource,
        *,
        hourly: float = 0.0,
        allow: Callable[[list[RunState]], None] | None = None,
    ) -> None:
        """Write down what is about to be made. Once this returns, the line is on the disk.

        Args:
            run: who makes it.
            resource: what.
            hourly: dollars for each hour that it exists.
            allow: looks at all runs while nobody else can write, and raises if it must not be made.

        Raises:
            CloudError: the ledger cannot be written, so nothing may be made.
        """
        record = {"event": "intent", "run": run, "kind": resource.kind.name, "name": resource.name, "hourly": hourly}
        self._append(record, allow)

    def settle(self, run: str, resource: Resource) -> None:
        """Write down that something is gone, or was never made.

        Raises:
            CloudError: the ledger cannot be written.
        """
        self._append({"event": "settled", "run": run, "kind": resource.kind.name, "name": resource.name})

    def keep(self, run: str) -> None:
        """Write down that what a run has made stays on purpose.

        Raises:
            CloudError: the ledger cannot be written.
        """
        self._append({"event": "kept", "run": run})

    def runs(self) -> list[RunState]:
        """Every run, in the order of their beginning. Lines that cannot be read, or tell of no run, are passed over.

        Raises:
            CloudError: the ledger is there and cannot be read.
        """
        states: dict[str, RunState] = {}
        for record in self._records():
            with contextlib.suppress(
                KeyError, TypeError, ValueError, OverflowError
            ):  # a line that was cut short, or is another's
                _apply(states, record)
        return list(states.values())

    def find(self, run: str) -> RunState | None:
        """What is known of one run."""
        return next((state for state in self.runs() if state.run.run == run), None)

    def compact(self) -> None:
        """Drop what is over: runs that have nothing open, and whose time is over, so that they cannot make anything.

        Until then, what a run has spent counts for the budget that it shares.

        Raises:
            CloudError: the ledger cannot be written.
        """
        with self._locked(), _translated(self.path):
            over = [
                state.run.run for state in self.runs() if not state.open and state.run.expires + _GRACE <= time.time()
            ]
            lines = [json.dumps(record) for record in self._records() if record.get("run") not in over]
            if over:
                write_atomically(self.path, "".join(f"{line}\n" for line in lines).encode())
                self.path.chmod(0o600)
                _sync_folder(self.folder)
            for run in over:
                for suffix in (".alive", ".log"):
                    self._life(run).with_suffix(suffix).unlink(missing_ok=True)

    @contextlib.contextmanager
    def alive(self, run: str) -> Iterator[None]:
        """While this lasts, at most as long as this process, `is_alive` is true of a run.

        Raises:
            CloudError: the ledger's folder cannot be written.
        """
        with contextlib.ExitStack() as stack:
            with _translated(self.path):
                self._life(run).parent.mkdir(parents=True, exist_ok=True)
                stream = stack.enter_context(self._life(run).open("w", encoding="ascii"))
                fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def is_alive(self, run: Run) -> bool:
        """Whether its process may still be there.

        The kernel frees a lock with the process that holds it, so nothing has to be written when a process is killed.
        Of another machine's process nothing is known.
        """
        if run.host != platform.node():
            return True
        try:
            with self._life(run.run).open("r+", encoding="ascii") as stream:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:  # it is locked; or who knows, and then nothing of it is to be deleted
            return True
        return False

    def _life(self, run: str) -> Path:
        return self.folder / "runs" / f"{run}.alive"

    def _records(self) -> Iterator[dict[str, Any]]:
        with _translated(self.path):
            try:
                lines = self.path.read_bytes().splitlines()
            except FileNotFoundError:
                return
        for line in lines:
            with contextlib.suppress(ValueError, RecursionError):
                record = json.loads(line)
                if isinstance(record, dict) and _is_name(record.get("run")):
                    yield record

    def _append(self, record: dict[str, Any], allow: Callable[[list[RunState]], None] | None = None) -> None:
        line = json.dumps({"at": time.time(), **record}).encode() + b"\n"
        with self._locked():
            if allow is not None:
                allow(self.runs())
            with _translated(self.path):
                _write_line(self.path, line)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            with _translated(self.path):
                self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                stream = stack.enter_context((self.folder / "ledger.lock").open("w", encoding="ascii"))
                fcntl.flock(stream, fcntl.LOCK_EX)
            yield


def _is_name(run: object) -> bool:
    """Whether a run can be called so: its name is part of file names."""
    return isinstance(run, str) and run.isalnum()


def _write_line(path: Path, line: bytes) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line  # whoever wrote last was killed in the middle of it
        written = os.write(descriptor, line)
        if written != len(line):
            raise OSError(f"{written} of {len(line)} bytes were written")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """A new file is in its folder for good only once the folder is on the disk too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _apply(states: dict[str, RunState], record: dict[str, Any]) -> None:
    run, event = record["run"], record["event"]
    if event == "run":
        fields = {name: record[name] for name in Run.__dataclass_fields__}
        states.setdefault(run, RunState(Run(**{**fields, "expires": float(fields["expires"])})))
        return
    state = states[run]
    if event == "kept":
        states[run] = replace(state, kept=True)
        return
    name, at = record["name"], float(record["at"])
    if not isinstance(name, str):
        raise TypeError(name)
    resource = Resource(Kind[record["kind"]], name)
    if event == "intent":
        made = Intent(resource=resource, at=at, hourly=float(record["hourly"]))
        states[run] = replace(state, intents=(*state.intents, made))
    elif event == "settled":
        states[run] = replace(state, intents=tuple(_settled(intent, resource, at) for intent in state.intents))


def _settled(intent: Intent, resource: Resource, at: float) -> Intent:
    return replace(intent, settled=at) if intent.resource == resource and intent.settled is None else intent


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CloudError(
            f"ledger {path}: expected a file to write down what is made in AWS, found {error.strerror or error}; "
            f"nothing is made without it: free the disk, mend its permissions or set BYOM_STATE_DIR to another folder"
        ) from error
