"""The endpoints of the simulated account: each one a model server with AWS's life cycle around it."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
import threading
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from harness.artifact import TARBALL
from harness.errors import HarnessError, ServingError
from harness.simulator.aws_request import Refusal, Response
from harness.simulator.catalogue import CREATING, DELETING, ENDPOINT, FAILED, IN_SERVICE, Entry
from harness.simulator.model_server import Answer, ModelServer
from harness.tarball.extract import extract
from harness.tarball.verify import check

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_REASON_LIMIT = 1024  # FailureReason in DescribeEndpoint: at most 1024 characters
_INVOCATION_SECONDS = 60.0  # a model must answer within 60 seconds (API reference, InvokeEndpoint)


class Server(Protocol):
    """What runs behind an endpoint; see `ModelServer`."""

    environment: dict[str, str]

    @property
    def model_dir(self) -> Path:
        """Where the extracted tarball belongs."""

    def start(self) -> None:
        """Load the model, or raise a `ServingError` that says why not."""

    def invoke(self, body: bytes, content_type: str, accept: str = "*/*", seconds: float = 60.0) -> Answer:
        """The model's answer, or a `ServingError`."""

    def stop(self) -> None:
        """Leave nothing running; may be called twice."""

    def log(self) -> str:
        """Everything printed so far."""


class RecordedServer(ModelServer):
    """A model server whose log can still be read when it is over: CloudWatch wants it most when it has failed."""

    _kept = ""

    def log(self) -> str:
        """Everything the server and its workers have printed."""
        return super().log() or self._kept

    def stop(self) -> None:
        """End it, as `ModelServer.stop` does."""
        self._kept = self.log()
        super().stop()


@dataclass(frozen=True)
class Container:
    """What an endpoint runs, as ``CreateModel`` declared it."""

    image: str
    environment: Mapping[str, str]
    fetch: Callable[[Path], None]
    """Writes the model's tarball to a path."""


@dataclass(frozen=True)
class Variant:
    """The production variant that an endpoint serves, as ``CreateEndpointConfig`` declared it."""

    name: str
    instance_type: str
    instances: int


class Endpoint:
    """One endpoint: its server, its life and, if it failed, why.

    Args:
        entry: what the catalogue knows of it.
        variant: what it serves.
        container: what it runs.
        server: runs that.
        clock: seconds.
        deliver: sends what its server has printed to where logs are read.
    """

    def __init__(
        self,
        entry: Entry,
        variant: Variant,
        container: Container,
        *,
        server: Server,
        clock: Callable[[], float],
        deliver: Callable[[Endpoint], None],
    ) -> None:
        self.entry, self.variant, self.container = entry, variant, container
        self._server, self._clock, self._deliver = server, clock, deliver
        self.instance = f"i-0{secrets.token_hex(8)}"
        self._reason = ""
        self._lines_taken = 0
        self._thread: threading.Thread | None = None

    @property
    def status(self) -> str:
        """As DescribeEndpoint tells it; "" once it is gone."""
        return self.entry.lifetime.status(self._clock())

    def state(self) -> dict[str, Any]:
        """What of its description changes with time."""
        now = self._clock()
        status = self.entry.lifetime.status(now)
        state = {"EndpointStatus": status, "LastModifiedTime": self.entry.lifetime.modified(now)}
        return {**state, "FailureReason": self._reason} if status == FAILED else state

    def start(self) -> None:
        """Bring the server up behind the caller's back; `status` says how it went."""
        self._work(self._bring_up)

    def delete(self) -> None:
        """End the server behind the caller's back.

        Raises:
            Refusal: it is being created or deleted; AWS refuses to delete it then.
        """
        self.check_idle()
        self.entry.lifetime.ask_to_end(self._clock())
        self._work(self._take_down)

    def check_idle(self) -> None:
        """Refuse to change what is being created or deleted.

        Raises:
            Refusal: as ``DeleteEndpoint`` and ``UpdateEndpoint`` word it.
        """
        if self.status in (CREATING, DELETING):
            raise Refusal("ValidationException", f'Cannot update in-progress endpoint "{self.entry.arn}".')

    def invoke(self, body: bytes, content_type: str, accept: str) -> Response:
        """The model's own answer.

        Raises:
            Refusal: the model answered with an error (``ModelError``, as AWS words it), or not at all.
        """
        try:
            answer = self._server.invoke(body, content_type, accept, _INVOCATION_SECONDS)
        except ServingError as error:
            raise _model_error(0, str(error)) from error
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise _model_error(answer.status, answer.body.decode(errors="replace"))
        headers = (("Content-Type", answer.content_type), ("x-Amzn-Invoked-Production-Variant", self.variant.name))
        return Response(answer.status, answer.body, headers)

    def new_log_lines(self) -> list[str]:
        """What its server has printed since the last time this was asked."""
        lines = self._server.log().splitlines()
        new, self._lines_taken = lines[self._lines_taken :], max(len(lines), self._lines_taken)
        return new

    def stop(self) -> None:
        """End the server, also one that is still starting."""
        self._server.stop()
        if self._thread is not None:
            self._thread.join(timeout=30)
        self._server.stop()

    def _work(self, task: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=task, name=f"{task.__name__} {self.entry.arn}", daemon=True)
        self._thread.start()

    def _bring_up(self) -> None:
        try:
            self._serve()
        except Exception as error:  # noqa: BLE001 - whatever it is, DescribeEndpoint must tell
            why = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
            prefix = f"The primary container for production variant {self.variant.name} did not pass the ping health "
            self._reason = f"{prefix}check. {why}"[:_REASON_LIMIT]
            self._server.stop()
        try:
            self._deliver(self)
        finally:
            self.entry.lifetime.settle(FAILED if self._reason else IN_SERVICE, self._clock())

    def _take_down(self) -> None:
        try:
            self._deliver(self)
            self._server.stop()
            self._deliver(self)
        finally:
            self.entry.lifetime.end(self._clock())

    def _serve(self) -> None:
        if "mxnet-inference" not in self.container.image:
            raise ServingError(
                f"the simulated account runs mxnet-inference images only, found {self.container.image}; "
                f"deploy with MXNetModel"
            )
        with tempfile.TemporaryDirectory(prefix="byom-fetch-") as folder:
            tarball = Path(folder) / TARBALL
            self.container.fetch(tarball)
            check(tarball)
            extract(tarball, self._server.model_dir)
        self._server.environment = dict(self.container.environment)
        self._server.start()


class Endpoints:
    """All endpoints of the account, by region and name."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, str], Endpoint] = {}

    def __iter__(self) -> Any:
        """Those that are there, or were a moment ago."""
        return iter(list(self._all.values()))

    def start(self, endpoint: Endpoint) -> None:
        """Start a new one."""
        self._all[endpoint.entry.region, endpoint.entry.name] = endpoint
        endpoint.start()

    def find(self, region: str, name: str) -> Endpoint | None:
        """The endpoint of that name, if there is one now."""
        endpoint = self._all.get((region, name))
        return endpoint if endpoint is not None and endpoint.status else None

    def need(self, region: str, name: str) -> Endpoint:
        """The endpoint of that name.

        Raises:
            Refusal: there is none now.
        """
        endpoint = self.find(region, name)
        if endpoint is None:
            raise ENDPOINT.missing(region, name)
        return endpoint

    def instances(self, region: str, instance_type: str) -> int:
        """How many instances of a type run there now."""
        return sum(
            one.variant.instances
            for one in self
            if one.entry.region == region
            and one.variant.instance_type == instance_type
            and one.status in (CREATING, IN_SERVICE, DELETING)
        )

    def forget_gone(self) -> list[Entry]:
        """Drop those that are gone by now; what they were."""
        gone = [one.entry for one in self if not one.status]
        for entry in gone:
            del self._all[entry.region, entry.name]
        return gone

    def stop_all(self) -> None:
        """End every server."""
        stopping, self._all = list(self._all.values()), {}
        for endpoint in stopping:
            with contextlib.suppress(HarnessError):
                endpoint.stop()


def _model_error(status: int, message: str) -> Refusal:
    """As ``InvokeEndpoint`` documents it: HTTP 424 with the container's own status and message."""
    who = "client" if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR else "server"
    details: dict[str, Any] = {"OriginalStatusCode": status, "OriginalMessage": message}
    return Refusal(
        "ModelError",
        f'Received {who} error ({status}) from primary with message "{message}".',
        HTTPStatus.FAILED_DEPENDENCY,
        details,
    )
