"""The simulated account, as its owner sees it: start it, ask for its address, stop it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import site
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from harness.errors import ServingError
from harness.simulator.behaviour import PROMPT
from harness.simulator.container_log import tail
from harness.simulator.server_command import is_taken

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from harness.simulator.behaviour import Behaviour

ROLE = "arn:aws:iam::123456789012:role/byom-simulated"
"""The role that models of the simulated account run under; 123456789012 is the account that moto simulates."""

REGION = "us-east-1"

_PORTS = range(65536)
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0


class SimulatedAccount:
    """An AWS account on 127.0.0.1: S3, IAM, STS and SageMaker, from `start` to `stop`, or as a context manager.

    It runs in a process of its own, which ends with this one, however this one ends.

    Args:
        behaviour: where it is to be slow, late or sparing.
        port: where to listen on 127.0.0.1; a free port if 0.

    Raises:
        ServingError: there is no such port.
    """

    def __init__(self, behaviour: Behaviour = PROMPT, port: int = 0) -> None:
        if port not in _PORTS:
            raise ServingError(f"port: expected 0 to {_PORTS.stop - 1}, found {port}")
        self._behaviour, self._port = behaviour, port
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path()
        self.url = ""

    def start(self, meanwhile: Callable[[], object] | None = None) -> None:
        """Listen; `url` says where.

        Args:
            meanwhile: called while the account's process loads, which takes seconds of another core.

        Raises:
            ServingError: moto is not installed, the port is taken, or the account's process did not start (with what it
                printed).
        """
        missing = [name for name in ("moto", "werkzeug") if not importlib.util.find_spec(name)]
        if missing:
            raise ServingError(
                f"simulated account: expected {' and '.join(missing)}, found none; "
                f"install it with: pip install 'byom-harness[simulator]'"
            )
        if self._port and is_taken(self._port):
            raise ServingError(f"port {self._port} on 127.0.0.1 is in use; choose another one")
        self._folder = Path(tempfile.mkdtemp(prefix="byom-account-"))
        try:
            self._spawn()
            if meanwhile is not None:
                meanwhile()
            self.url = self._wait_for_address()
        except BaseException:
            self.stop()
            raise

    def is_running(self) -> bool:
        """Whether the account's process is there."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End every endpoint's server, then the account. Stopping twice is fine."""
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()  # its endpoints' supervisors notice
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _spawn(self) -> None:
        arguments = [str(self._folder / "address"), self._behaviour.to_json(), str(self._port)]
        with (self._folder / "account.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "harness.simulator.account_server", *arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(self._folder),
                start_new_session=True,  # a Ctrl-C at the terminal reaches the owner alone, who then stops the account
            )

    def _wait_for_address(self) -> str:
        address, deadline = self._folder / "address", time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if address.exists():
                return address.read_text(encoding="ascii")
            if not self.is_running():
                break
            time.sleep(0.02)
        log = (self._folder / "account.log").read_text(encoding="utf-8", errors="replace")
        raise ServingError(
            f"simulated account: expected it to listen within {_START_SECONDS:g} s, it did not:\n{tail(log)}"
        )


def _environment(folder: Path) -> dict[str, str]:
    """Built from nothing: AWS's settings would change moto's boto3 sessions, and moto has variables of its own."""
    kept = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR")
    return {
        **{name: value for name, value in os.environ.items() if name in kept or name.startswith("BYOM_")},
        **dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull),
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(folder),
        "PYTHONUSERBASE": site.getuserbase(),  # follows HOME otherwise, and with it what pip installed --user
        "PYTHONWARNINGS": "ignore",
    }
