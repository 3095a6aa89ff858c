"""The endpoints of the simulated account: each one a model server with AWS's life cycle around it."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.artifact import TARBALL
from harness.errors import HarnessError, ServingError
from harness.simulator.aws_request import Refusal, Response
from harness.simulator.model_server import ModelServer
from harness.tarball.extract import extract
from harness.tarball.verify import check

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CREATING, IN_SERVICE, FAILED = "Creating", "InService", "Failed"

_REASON_LIMIT = 1024  # FailureReason in DescribeEndpoint: at most 1024 characters
_INVOCATION_SECONDS = 60.0  # a model must answer within 60 seconds (API reference, InvokeEndpoint)

Fetch = "Callable[[Path], None]"


@dataclass(frozen=True)
class Container:
    """What an endpoint runs, as ``CreateModel`` declared it."""

    image: str
    environment: Mapping[str, str]
    fetch: Callable[[Path], None]
    """Writes the model's tarball to a path."""


@dataclass
class Endpoint:
    """One endpoint: its server, its status and, if it failed, why."""

    arn: str
    variant: str
    container: Container
    status: str = CREATING
    failure_reason: str = ""
    _server: ModelServer = field(default_factory=ModelServer)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Bring the server up behind the caller's back; `status` says how it went."""
        self._thread = threading.Thread(target=self._bring_up, name=f"start {self.arn}", daemon=True)
        self._thread.start()

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
        headers = (("Content-Type", answer.content_type), ("x-Amzn-Invoked-Production-Variant", self.variant))
        return Response(answer.status, answer.body, headers)

    def stop(self) -> None:
        """End the server, also one that is still starting."""
        self._server.stop()
        if self._thread is not None:
            self._thread.join(timeout=30)
        self._server.stop()

    def _bring_up(self) -> None:
        try:
            self._serve()
        except HarnessError as error:
            self._end(FAILED, str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, DescribeEndpoint must tell
            self._end(FAILED, f"{type(error).__name__}: {error}")
        else:
            self._end(IN_SERVICE)

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

    def _end(self, status: str, reason: str = "") -> None:
        if status == FAILED:
            self._server.stop()
            prefix = f"The primary container for production variant {self.variant} did not pass the ping health check. "
            reason = (prefix + reason)[:_REASON_LIMIT]
        with self._lock:
            self.status, self.failure_reason = status, reason


class Endpoints:
    """All endpoints of the account, by region and name."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, str], Endpoint] = {}
        self._lock = threading.Lock()

    def add(self, region: str, name: str, endpoint: Endpoint) -> None:
        """Start a new one.

        Raises:
            Refusal: the name is taken.
        """
        with self._lock:
            self.check_new(region, name)
            self._all[region, name] = endpoint
        endpoint.start()

    def check_new(self, region: str, name: str) -> None:
        """Refuse a name that is taken: moto would store the new one over the old.

        Raises:
            Refusal: as ``CreateEndpoint`` words it.
        """
        taken = self._all.get((region, name))
        if taken is not None:
            raise Refusal("ValidationException", f'Cannot create already existing endpoint "{taken.arn}".')

    def find(self, region: str, name: str) -> Endpoint | None:
        """The endpoint of that name, if it was ever created."""
        return self._all.get((region, name))

    def remove(self, region: str, name: str) -> None:
        """Stop and forget one.

        Raises:
            Refusal: it is still being created; AWS refuses to delete it then.
        """
        with self._lock:
            endpoint = self._all.get((region, name))
            if endpoint is None:
                return
            if endpoint.status == CREATING:
                raise Refusal("ValidationException", f'Cannot update in-progress endpoint "{endpoint.arn}".')
            del self._all[region, name]
        endpoint.stop()

    def stop_all(self) -> None:
        """End every server."""
        with self._lock:
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
