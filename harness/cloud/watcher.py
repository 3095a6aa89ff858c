"""A process that outlives the one that makes things, and deletes them if that one disappears.

No fixture runs in a process that was killed. This one is started before the first endpoint, in a session of its own, so
that neither Ctrl-C nor the end of a terminal reaches it. It ends when its run has nothing left that could be billed.

``python -m harness.cloud.watcher FOLDER RUN`` watches its parent for a run of the ledger in FOLDER. It writes to
``runs/RUN.log`` there.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from harness.cloud.ledger import Ledger
from harness.errors import CloudError, HarnessError

if TYPE_CHECKING:
    from types import TracebackType

    from harness.cloud.ledger import Run, RunState
    from harness.cloud.session import Cloud

_START_SECONDS = 60.0
_OF_A_JOB = frozenset({"RUNNER_TRACKING_ID", "JENKINS_NODE_COOKIE", "BUILD_ID"})
"""By these in their environment, GitHub's runner and Jenkins find the processes of a job, and kill what it has left."""
_TRIES, _PAUSE = 60, 60.0
"""How often, and how many seconds apart, it tries to delete what cannot be deleted."""


class Watcher:
    """The watcher of one run, as its owner sees it: started with a ``with`` block, it ends after it by itself.

    Args:
        run: what to delete should this process disappear, and when its time is over.
        ledger: where the run writes down what it makes.
    """

    def __init__(self, run: Run, ledger: Ledger) -> None:
        self._run = run
        self._ledger = ledger
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What it has done."""
        return self._ledger.folder / "runs" / f"{self._run.run}.log"

    def ensure(self) -> None:
        """Start it unless it runs: nothing that is billed is made without it.

        Raises:
            CloudError: it does not start.
        """
        if self._process is not None and self._process.poll() is None:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "harness.cloud.watcher", str(self._ledger.folder), self._run.run],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={name: value for name, value in os.environ.items() if name not in _OF_A_JOB},
                start_new_session=True,
            )
        if not self._is_ready():
            with self._process as process:
                process.kill()
            told = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise CloudError(
                f"watcher of run {self._run.run}: expected it to start within {_START_SECONDS:g} s, it did not; "
                f"nothing was made that is billed. Its log, {self.log}:\n{told}"
            )

    def __enter__(self) -> Self:
        self.ensure()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is None or self._process.stdin is None or self._process.stdout is None:
            return
        self._process.stdin.close()
        self._process.stdout.close()
        # It has nothing to do unless something is left; then it goes on after us.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=2)
        self._process.returncode = self._process.poll() or 0  # nobody is to warn that it still runs

    def _is_ready(self) -> bool:
        assert self._process is not None  # noqa: S101
        assert self._process.stdout is not None  # noqa: S101
        ready, _, _ = select.select([self._process.stdout], [], [], _START_SECONDS)
        return bool(ready) and self._process.stdout.readline() == b"ready\n"


def main(folder: Path, name: str) -> int:
    """Wait for the owner's end or the run's, then delete what is left; 0 once nothing is."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # whoever ends the owner so must not end this too
    owner = _watch_owner()
    ledger = Ledger(folder)
    import boto3  # noqa: F401 - what it takes long to load is loaded while there is time

    print("ready", flush=True)  # noqa: T201 - the owner waits for it
    with contextlib.suppress(OSError):
        os.dup2(2, 1)  # the owner does not read any more
    _wait(owner, ledger, name)
    for _ in range(_TRIES):
        state = ledger.find(name)
        if state is None or not state.open or _is_kept(state):
            return 0
        if _delete(ledger, state):
            return 0
        time.sleep(_PAUSE)
    return 1


def _watch_owner() -> select.poll:
    """Ready once this process's parent closes its end of our standard input, or is gone."""
    poll = select.poll()
    poll.register(sys.stdin.fileno(), select.POLLIN | select.POLLHUP)
    with contextlib.suppress(OSError):  # without pidfds (Linux < 5.3) the pipe alone tells of the owner's end
        poll.register(os.pidfd_open(os.getppid()), select.POLLIN)
    return poll


def _wait(owner: select.poll, ledger: Ledger, name: str) -> None:
    """Until the owner is gone, or the run's time is over."""
    while True:
        state = ledger.find(name)
        left = state.run.expires - time.time() if state else 60.0
        if left <= 0 or owner.poll(min(left, 60.0) * 1000):
            return


def _is_kept(state: RunState) -> bool:
    return state.kept and state.run.expires > time.time()


def _delete(ledger: Ledger, state: RunState) -> bool:
    """Delete what is left of a run; whether all is gone. Tells on standard error, which is the log."""
    from harness.cloud.cleanup import clean

    _tell(
        f"run {state.run.run} has ended or its time is over: deleting {', '.join(str(i.resource) for i in state.open)}"
    )
    try:
        left = clean(_cloud(ledger, state), ledger, state.run.run)
    except HarnessError as error:
        _tell(str(error))
        return False
    for leftover in left:
        _tell(f"left over: {leftover}")
    _tell("not all is gone" if left else "all is gone")
    return not left


def _cloud(ledger: Ledger, state: RunState) -> Cloud:
    from harness.cloud.live import live_session, patience
    from harness.cloud.recorder import Recorder
    from harness.cloud.session import LIVE, Cloud

    boto = live_session(state.run.region)
    return Cloud(kind=LIVE, boto=boto, role="", recorder=Recorder(ledger, state.run), pace=patience())


def _tell(line: str) -> None:
    print(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {line}", file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
