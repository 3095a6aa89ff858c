"""A simulated account whose endpoints are in service at once and answer the same to everybody.

Leaks are a matter of the control plane: what these tests repeat hundreds of times needs AWS's rules, and no model. It
runs in a process of its own, ``python hollow_account.py``, which prints its address and ends when its input does.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
ANSWER = b"[[0.25, 0.75]]"


@contextlib.contextmanager
def hollow_account(**behaviour: float) -> Iterator[str]:
    """Its address, for as long as the block lasts.

    Args:
        behaviour: fields of `harness.simulator.behaviour.Behaviour`.
    """
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", __file__, *(f"{name}={value}" for name, value in behaviour.items())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "AWS_CONFIG_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true"},
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        try:
            address = process.stdout.readline().decode().strip()
            assert address, "the hollow account did not start"
            yield address
        finally:
            process.stdin.close()
            process.wait(timeout=30)


class Hollow:
    """A server without a model; see `harness.simulator.endpoints.Server`."""

    def __init__(self) -> None:
        self.environment: dict[str, str] = {}
        self.model_dir = Path(tempfile.mkdtemp(prefix="byom-hollow-")) / "model"

    def start(self) -> None: ...

    def stop(self) -> None:
        shutil.rmtree(self.model_dir.parent, ignore_errors=True)

    def log(self) -> str:
        return "a line of its log\n"

    def invoke(self, *_: Any, **__: Any) -> Any:
        from harness.simulator.model_server import Answer

        return Answer(200, content_type="application/json", body=ANSWER)


def serve(behaviour: dict[str, float]) -> None:
    """Until standard input ends."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    from harness.simulator.authorization import Authorization
    from harness.simulator.behaviour import Behaviour
    from harness.simulator.control_plane import ControlPlane

    class Quiet(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: Any) -> None: ...  # noqa: A002 - werkzeug's name

    plane = ControlPlane(
        DomainDispatcherApplication(create_backend_app), behaviour=Behaviour(**behaviour), server=Hollow
    )
    server = make_server("127.0.0.1", 0, Authorization(plane), threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201
    sys.stdin.read()
    plane.endpoints.stop_all()


if __name__ == "__main__":
    pairs = (argument.split("=") for argument in sys.argv[1:])
    serve({name: float(value) for name, value in pairs})
