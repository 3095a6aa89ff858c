"""A simulated account in the test's own process: hollow servers behind its endpoints, a clock that tests turn."""

from __future__ import annotations

import shutil
import tempfile
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator_aws import Aws

from harness.errors import ServingError
from harness.simulator.account import REGION, ROLE
from harness.simulator.behaviour import Behaviour
from harness.simulator.control_plane import ControlPlane
from harness.simulator.model_server import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable

LINE = "hollow as a drum"
"""What a hollow server prints when it starts."""


@dataclass
class Clock:
    """Seconds since the epoch, as a test has them."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Turn it on."""
        self.now += seconds


@dataclass
class Gates:
    """Where hollow servers wait while they start and stop; open unless a test closes them.

    Attributes:
        refuses: why they do not start; "" if they do.
        breaks: whether they raise what no server should.
    """

    start: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)
    refuses: str = ""
    breaks: bool = False

    def __post_init__(self) -> None:
        self.start.set()
        self.stop.set()


class Hollow:
    """Stands where a model server would: answers with what it is asked, and prints that it does."""

    def __init__(self, gates: Gates) -> None:
        self.environment: dict[str, str] = {}
        self.model_dir = Path(tempfile.mkdtemp(prefix="byom-hollow-"))
        self._gates = gates
        self._lines: list[str] = []

    def start(self) -> None:
        """Wait for the gate."""
        self._lines += ["", LINE, " "]  # CloudWatch takes no empty lines
        assert self._gates.start.wait(10)
        if self._gates.breaks:
            _ = 1 / 0
        if self._gates.refuses:
            self._lines.append(self._gates.refuses)
            raise ServingError(self._gates.refuses)

    def invoke(self, body: bytes, content_type: str, accept: str = "*/*", seconds: float = 60.0) -> Answer:
        """The body once more; an error of the container if it is "bad", none at all if it is "dead"."""
        self._lines.append(f"asked {body[:80].decode()} as {content_type} for {accept} within {seconds:g}")
        if body == b"dead":
            raise ServingError("gone")
        return Answer(HTTPStatus.BAD_REQUEST if body == b"bad" else HTTPStatus.OK, content_type, body)

    def stop(self) -> None:
        """Wait for the gate."""
        assert self._gates.stop.wait(10)
        shutil.rmtree(self.model_dir, ignore_errors=True)

    def log(self) -> str:
        """What it has printed."""
        return "\n".join(self._lines)


class HollowWire:
    """The way to hollow accounts: one address, and clients that do not try anything twice."""

    def __init__(self) -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        from harness.cloud.session import redirected_session

        self.moto = DomainDispatcherApplication(create_backend_app)
        self.plane: Any = self.moto
        self._server = make_server("127.0.0.1", 0, self._pass_on, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.role = ROLE
        self._boto = redirected_session(self.url, REGION)
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str = REGION) -> Any:
        """A client of boto3 for the account."""
        from botocore.config import Config

        if (service, region) not in self._clients:
            config = Config(retries={"total_max_attempts": 1})
            self._clients[service, region] = self._boto.client(service, region_name=region, config=config)
        return self._clients[service, region]

    def stop(self) -> None:
        """Close the address."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _pass_on(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        answer: Iterable[bytes] = self.plane(environ, start_response)
        return answer


class HollowAccount(Aws):
    """An account for one test, empty but for the tarball at `url`."""

    def __init__(self, wire: HollowWire, url: str) -> None:
        super().__init__(wire)  # type: ignore[arg-type]  # as much of a Cloud as Aws needs
        self.wire, self.url = wire, url
        self.clock, self.gates = Clock(), Gates()
        self.behave()

    def behave(self, **behaviour: Any) -> None:
        """Begin anew, with another behaviour."""
        self.plane = self.wire.plane = ControlPlane(
            self.wire.moto,
            behaviour=Behaviour(**behaviour),
            server=lambda: Hollow(self.gates),
            clock=self.clock,
        )

    def prepare(self, name: str, **model: Any) -> str:
        """A model and a config of one name; the name."""
        self.create_model(name, self.url, **model)
        self.create_config(name, name)
        return name

    def serve(self, name: str, **model: Any) -> str:
        """Model, config and an endpoint that is no longer being brought up; the name."""
        self.create_endpoint(self.prepare(name, **model), name)
        self.wait_until_up(name)
        return name

    def wait_until_up(self, name: str) -> None:
        """Until an endpoint's server has started, or has not; the clock alone may keep it Creating then."""
        self._join(name)

    def wait_until_down(self, name: str) -> None:
        """Until an endpoint's server has ended; the clock alone may keep it Deleting then."""
        self._join(name)

    def _join(self, name: str) -> None:
        thread = self.plane.endpoints.find(REGION, name)._thread
        thread.join(10)
        assert not thread.is_alive()

    def stop(self) -> None:
        """End everything."""
        self.gates.start.set()
        self.gates.stop.set()
        self.plane.endpoints.stop_all()
