"""The simulated account's process: moto's application inside ours, behind werkzeug, on loopback.

``python -m harness.simulator.account_server FILE BEHAVIOUR PORT`` behaves as the JSON of `Behaviour.to_json` says,
listens on that port (0: a free one), writes its address to FILE, and ends with its owner (see
`harness.simulator.supervisor.watch_owner`), taking every endpoint's server and FILE's folder with it. It is a process
of its own because moto makes boto3 sessions from the environment: here that holds nothing of the user's.
"""

from __future__ import annotations

import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from harness.simulator.authorization import Authorization
from harness.simulator.behaviour import Behaviour
from harness.simulator.control_plane import ControlPlane
from harness.simulator.supervisor import watch_owner


def main(address_file: Path, behaviour: Behaviour, port: int) -> None:
    """Serve until the owner says stop or is gone."""
    owner = watch_owner()
    # Ctrl-C is the owner's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    plane, server = _server(behaviour, port)
    thread = threading.Thread(target=server.serve_forever, name="simulated AWS account", daemon=True)
    thread.start()
    try:
        _write_atomically(address_file, f"http://127.0.0.1:{server.server_port}")
        owner.poll()
    finally:
        plane.endpoints.stop_all()
        server.shutdown()
    shutil.rmtree(address_file.parent, ignore_errors=True)  # an owner that was killed cannot


def _server(behaviour: Behaviour, port: int) -> tuple[ControlPlane, Any]:
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        """A request is nothing to tell a user about."""

        def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
            pass

    plane = ControlPlane(DomainDispatcherApplication(create_backend_app), behaviour=behaviour)
    return plane, make_server("127.0.0.1", port, Authorization(plane), threaded=True, request_handler=Quiet)


def _write_atomically(path: Path, text: str) -> None:
    unfinished = path.with_suffix(".new")
    unfinished.write_text(text, encoding="ascii")
    unfinished.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Behaviour.from_json(sys.argv[2]), int(sys.argv[3]))
