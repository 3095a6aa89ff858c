"""Whole sessions, each a fork of one process that has loaded what takes seconds: boto3 and the SageMaker SDK.

A fork is a process of its own: it has an environment, a folder and a process group, starts watchers and workers as any
other does, and dies of signals. ``python forked_sessions.py`` reads one request a line, in JSON, and answers each.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

sys.path.append(str(Path(__file__).parents[1]))

from marked_processes import MARK, kill_marked, wait_for, wait_until_gone
from tiny_experiment import SECONDS, Ran, foreign_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Nursery:
    """Where sessions are forked.

    Args:
        process: which does it.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, folder: Path, *words: str, env: Mapping[str, str] | None = None) -> Session:
        """``WORDS`` in a folder, such as ``pytest -m aws`` or ``byom reap``.

        ``env`` is added to an environment without anything of AWS's or of the outer session's.
        """
        mark = uuid.uuid4().hex
        output, environment = folder / f"output-{mark}", {**foreign_environment(folder), MARK: mark, **(env or {})}
        request = {"words": words, "folder": str(folder), "output": str(output), "env": environment}
        return Session(self, self._ask(request), folder, mark, output)

    def run(self, folder: Path, *words: str, env: Mapping[str, str] | None = None) -> Ran:
        """The same, when it is over, and all that it has started."""
        session = self.start(folder, *words, env=env)
        try:
            ran = session.wait()
            assert wait_until_gone(session.mark) == [], ran.output
            return ran
        finally:
            session.kill()

    def poll(self, pid: int) -> int | None:
        """How a session has ended; None while it runs."""
        status = self._ask({"poll": pid})
        return None if status is None else os.waitstatus_to_exitcode(status)

    def _ask(self, request: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(request)}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@dataclass
class Session:
    """A session that was started.

    Attributes:
        pid: of pytest; its process group has the same number, like that of a shell's job in the foreground.
        folder: its working directory.
        mark: in the environment of whatever it starts.
        output: where everything is that it prints.
    """

    _nursery: Nursery
    pid: int
    folder: Path
    mark: str
    output: Path
    _code: int | None = field(default=None, init=False)

    @property
    def told(self) -> str:
        """What it has printed until now."""
        return self.output.read_text(encoding="utf-8", errors="replace") if self.output.exists() else ""

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        if self._code is None:
            self._code = self._nursery.poll(self.pid)
        return self._code is not None

    def wait(self) -> Ran:
        """What it has printed, when it is over."""
        assert wait_for(lambda: self.is_over, SECONDS), self.told
        assert self._code is not None
        return Ran(self._code, self.told, self.folder, self.folder / "scratch")

    def send(self, number: int) -> None:
        """A signal to pytest alone."""
        os.kill(self.pid, number)

    def press(self, number: int) -> None:
        """A signal as a terminal sends it: to pytest and its workers alike."""
        os.killpg(self.pid, number)

    def kill(self) -> None:
        """Leave nothing of it."""
        if not self.is_over:
            with suppress(ProcessLookupError):
                self.press(signal.SIGKILL)
        kill_marked(self.mark)


@contextmanager
def nursery() -> Iterator[Nursery]:
    """One, for as long as the block lasts."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Nursery(process)


def serve() -> None:
    """Answer requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _load()
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(_poll(request["poll"]) if "poll" in request else _fork(request)), file=answers, flush=True)
    os._exit(0)  # nobody needs what was loaded to be taken apart


def _load() -> None:
    import pdb  # noqa: F401, T100 - pytest does

    import pytest  # noqa: F401
    import xdist.plugin  # noqa: F401

    from harness.cloud import cleanup, deploy, live, permissions, reaper, session, watcher  # noqa: F401
    from harness.plugin import fixtures, plugin  # noqa: F401

    session.import_sagemaker()


def _poll(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    return status if ended else None


def _fork(request: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        _live(request)
    return pid


def _live(request: dict[str, Any]) -> NoReturn:
    """In a fork: one session, and the end."""
    code = 1
    try:
        _settle(request)
        code = _run(*request["words"])
    except KeyboardInterrupt:
        traceback.print_exc()
        _end_by(signal.SIGINT)
    except BaseException:  # noqa: BLE001 - a fork must not run on as its parent would
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def _settle(request: dict[str, Any]) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started the tests may have had it ignored
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["env"])
    tempfile.tempdir = None
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number, source in enumerate((os.open(os.devnull, os.O_RDONLY), output, output)):
        os.dup2(source, number)


def _run(command: str, *arguments: str) -> int:
    sys.argv = [command, *arguments]
    if command == "pytest":
        import pytest

        return int(pytest.main(list(arguments)))
    from harness.cli import main

    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _end_by(number: int) -> None:
    """As Python itself ends when nobody catches it."""
    sys.stdout.flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


if __name__ == "__main__":
    serve()
