"""Runs one command and makes sure that nothing of it is left, however anybody dies.

Started as a script of its own (``python -I -S supervisor.py FOLDER COMMAND...``), it imports the standard library only
and has one thread: the kernel's parent-death signal follows the *thread* that started a child, so a server started from
a short-lived thread of a larger program would be killed with that thread.

It ends the command's whole process group as soon as any of these happens:

- its standard input is closed, which is how its owner says stop, and what the kernel does when the owner is killed;
- its owner disappears while something else still holds that pipe;
- the command ends by itself.

FOLDER is deleted in the first two cases; in the third the owner may want to read the log.

If this process itself is killed, the kernel kills the command (``PR_SET_PDEATHSIG``), and the command's workers notice
that (``worker_site/sitecustomize.py``).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def main(folder: str, command: list[str]) -> int:
    """Run ``command`` until told to stop; its exit status, or 0 when it was told to stop."""
    libc = ctypes.CDLL(None)
    # Orphans of the command come to us, so that they can be waited for.
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    owner, supervisor = watch_owner(), os.getpid()

    def die_with_supervisor() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != supervisor:  # it died before the line above
            os._exit(1)

    # Safe here: this process has one thread.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0, preexec_fn=die_with_supervisor)  # noqa: PLW1509
    status = None
    try:
        status = _wait(child.pid, owner)
    finally:
        _end_group(child.pid)
        if status is None:
            shutil.rmtree(folder, ignore_errors=True)
    return status or 0


def watch_owner() -> select.poll:
    """A poll that is ready once this process's parent closes its end of our standard input, or is gone."""
    poll = select.poll()
    poll.register(sys.stdin.fileno(), select.POLLIN | select.POLLHUP)
    with contextlib.suppress(OSError):  # without pidfds (Linux < 5.3) the pipe alone tells of the owner's end
        poll.register(os.pidfd_open(os.getppid()), select.POLLIN)
    return poll


def _wait(child: int, owner: select.poll) -> int | None:
    """Until the child ends (its status) or the owner says stop or is gone (None)."""
    while True:
        ready = owner.poll(200)
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid == child:
            return abs(os.waitstatus_to_exitcode(status))
        if ready:
            return None


def _end_group(group: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            time.sleep(0.01)


if __name__ == "__main__":
    # Ctrl-C is the owner's business; and whoever ends us politely wants the command ended too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.exit(main(sys.argv[1], sys.argv[2:]))
