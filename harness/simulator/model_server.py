"""AWS's model server on one model: multi-model-server, the inference toolkit and the MXNet handlers, without Docker.

The code that answers requests is AWS's, unchanged.
"""

from __future__ import annotations

import http.client
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ServingError
from harness.simulator import container_log
from harness.simulator.server_command import PORTS, free_port, is_taken, java_command, process_environment, supervised

if TYPE_CHECKING:
    from collections.abc import Mapping

START_SECONDS = 120.0
_POLL_SECONDS = 0.05
_LAG_SECONDS = 0.3
"""What a worker printed may appear in the log that much later than what the server says about the worker."""

_STOP_SECONDS = 15.0


@dataclass(frozen=True)
class Answer:
    """What the model server answered."""

    status: int
    content_type: str
    body: bytes


class ModelServer:
    """One model server with its folder. Put the model into `model_dir`, then `start`.

    Args:
        environment: the container's environment, as ``CreateModel`` declares it.
        port: where to listen on 127.0.0.1; a free port unless one is given.

    Raises:
        ServingError: the port cannot be had.
    """

    def __init__(self, environment: Mapping[str, str] | None = None, port: int | None = None) -> None:
        if port is not None and not 0 < port < PORTS.stop:
            raise ServingError(
                f"port: expected 1 to {PORTS.stop - 1}, which is all AWS's model server takes, found {port}"
            )
        if port is not None and is_taken(port):
            raise ServingError(f"port {port} on 127.0.0.1 is in use; choose another one")
        self.port = port or free_port()
        self.environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        # Short, because it holds unix sockets, whose paths may have 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="byom-"))
        for name in ("ml/model", "tmp"):
            (self.folder / name).mkdir(parents=True)

    @property
    def model_dir(self) -> Path:
        """Where the extracted tarball belongs: the container's ``/opt/ml/model``."""
        return self.folder / "ml" / "model"

    @property
    def url(self) -> str:
        """Base of ``/ping`` and ``/invocations``."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, seconds: float = START_SECONDS) -> None:
        """Start, and wait until a worker has loaded the model.

        Raises:
            ServingError: a package is missing, the model cannot be loaded (with the worker's own traceback), the server
                ended, or it was not ready in time. Nothing is left running.
        """
        try:
            self._spawn()
            self._wait_until_ready(seconds)
        except BaseException:
            self.stop()
            raise

    def invoke(self, body: bytes, content_type: str, accept: str = "*/*", seconds: float = 60.0) -> Answer:
        """POST /invocations.

        Raises:
            ServingError: the server is gone or does not answer in time.
        """
        headers = {"Content-Type": content_type, "Accept": accept}
        try:
            return self._request("POST", "/invocations", seconds, body, headers)
        except (OSError, http.client.HTTPException) as error:
            state = "is running" if self.is_running() else "has ended"
            raise ServingError(
                f"model server at {self.url}: expected an answer within {seconds:g} s, found {error!r}; "
                f"the server {state}"
            ) from error

    def is_running(self) -> bool:
        """Whether the server's processes are there."""
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        """Everything the server and its workers have printed so far; "" once it is stopped."""
        try:
            return self._log_file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def stop(self) -> None:
        """End the server and everything it started, and delete its folder. Stopping twice is fine."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            try:
                process.wait(timeout=_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()  # the kernel then kills the server with it
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _log_file(self) -> Path:
        return self.folder / "container.log"

    def _spawn(self) -> None:
        command = supervised(java_command(self.folder, self.port), self.folder)
        with self._log_file.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=process_environment(self.folder, self.environment),
                cwd=self.folder,
                start_new_session=True,  # a Ctrl-C at the terminal reaches the owner alone, who then stops the server
            )

    def _wait_until_ready(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            running, log = self.is_running(), self.log()
            if container_log.has_died(log):
                time.sleep(_LAG_SECONDS)
                raise _load_error(self.log())
            if not running:
                raise ServingError(f"the model server ended while it was starting:\n{container_log.tail(log)}")
            loaded = container_log.has_loaded(log)
            if not loaded and container_log.has_answered(log):
                time.sleep(_LAG_SECONDS)
                loaded, log = True, self.log()
            if loaded and container_log.load_failure(log):
                raise _load_error(log)
            if loaded and self._ping():
                return
            time.sleep(_POLL_SECONDS)
        raise ServingError(
            f"expected the model server to be ready within {seconds:g} s, it was not:\n{container_log.tail(self.log())}"
        )

    def _ping(self) -> bool:
        try:
            return self._request("GET", "/ping", 5).status == HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False

    def _request(
        self,
        method: str,
        path: str,
        seconds: float,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, response.getheader("Content-Type", ""), response.read())
        finally:
            connection.close()


def _load_error(log: str) -> ServingError:
    failure = container_log.load_failure(log)
    why = container_log.reason(failure) if failure else "the model's process ended"
    return ServingError(f"the model cannot be loaded: {why}\n{failure or container_log.tail(log)}")
