"""Faults between boto3 and AWS: one HTTP request, or each of its operation from it on, goes wrong in a given way."""

from __future__ import annotations

import contextlib
import copy
import json
import threading
from enum import Enum
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


class Fault(Enum):
    """What goes wrong."""

    CLIENT_ERROR = "client error"
    DENIED = "AccessDenied"
    THROTTLED = "throttled"
    SERVER_ERROR = "5xx"
    TIMEOUT_BEFORE = "timeout before effect"
    TIMEOUT_AFTER = "timeout after effect"
    TIMEOUT_LATE = "timeout, effect later"
    RESET = "connection reset"


_ERRORS = {
    Fault.CLIENT_ERROR: ("ValidationException", 400, "1 validation error detected"),
    Fault.DENIED: ("AccessDeniedException", 400, "User: arn:aws:iam::1:user/u is not authorized to perform: {action}"),
    Fault.THROTTLED: ("ThrottlingException", 400, "Rate exceeded"),
    Fault.SERVER_ERROR: ("InternalFailure", 500, "The request processing has failed because of an unknown error"),
}
_S3_ERRORS = {
    Fault.CLIENT_ERROR: ("InvalidRequest", 400),
    Fault.DENIED: ("AccessDenied", 403),
    Fault.THROTTLED: ("SlowDown", 503),
    Fault.SERVER_ERROR: ("InternalError", 500),
}
LATE_SECONDS = 0.3


class Faults:
    """Stands where requests are sent to a simulated account, and spoils some.

    Attributes:
        seen: the operations, in order, since `plan`.
        has_struck: whether what was planned has happened since.
    """

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.has_struck = False
        self._send: Any = None
        self._fault: Fault | None = None
        self._persistent, self._operation, self._occurrence = False, "", 0
        self._late: list[threading.Timer] = []

    @contextlib.contextmanager
    def in_between(self) -> Iterator[None]:
        """Whatever boto3 session is made in the block sends its requests through this."""
        from harness.cloud import session

        redirect = session._Redirect

        def between(url: str) -> Any:
            self._send = redirect(url)
            return self._before_send

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(session, "_Redirect", between)
            yield

    def plan(self, fault: Fault | None, operation: str = "", occurrence: int = 0, *, persistent: bool = False) -> None:
        """From now on, let this go wrong.

        Args:
            fault: what; None for nothing.
            operation: what it happens to, such as ``sagemaker.CreateModel``.
            occurrence: to which request of that operation, from 0 on.
            persistent: whether it happens to each later one too.
        """
        self.seen.clear()
        self.has_struck = False
        self._fault, self._persistent, self._operation, self._occurrence = fault, persistent, operation, occurrence

    def stop(self) -> None:
        """Spoil nothing any more, and wait for what is still on its way."""
        self._fault = None
        for thread in self._late:
            thread.join()
        self._late.clear()

    def _before_send(self, request: Any, event_name: str, **_: Any) -> Any:
        operation = event_name.removeprefix("before-send.")
        occurrence = self.seen.count(operation)
        self.seen.append(operation)
        is_meant = operation == self._operation and occurrence >= self._occurrence
        if self._fault is None or not is_meant or not (self._persistent or occurrence == self._occurrence):
            return self._send(request)
        self.has_struck = True
        return self._spoil(request, operation, self._fault)

    def _spoil(self, request: Any, operation: str, fault: Fault) -> Any:
        from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

        if fault in _ERRORS:
            return _error(fault, operation)
        if fault in (Fault.TIMEOUT_AFTER, Fault.RESET):
            self._send(request)
        if fault is Fault.TIMEOUT_LATE:
            self._send_later(_copied(request))
        kind = ConnectionClosedError if fault is Fault.RESET else ReadTimeoutError
        raise kind(endpoint_url=request.url)

    def _send_later(self, request: Any) -> None:
        thread = threading.Timer(LATE_SECONDS, self._send, [request])
        thread.start()
        self._late.append(thread)


def _copied(request: Any) -> Any:
    """A request whose body the caller may close meanwhile."""
    copied = copy.copy(request)
    if hasattr(request.body, "read"):
        copied.body = request.body.read()
        request.body.seek(0)
    return copied


def _error(fault: Fault, operation: str) -> Any:
    """AWS's answer, in the protocol of the service."""
    from botocore.awsrequest import AWSResponse

    service, _, name = operation.partition(".")
    code, status, message = _ERRORS[fault]
    message = message.format(action=f"{service}:{name}")
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code}
    body = json.dumps({"__type": code, "message": message})
    if service in ("s3", "sts", "iam"):
        headers = {"Content-Type": "text/xml"}
        if service == "s3":
            code, status = _S3_ERRORS[fault]
        inner = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
        body = (
            f"<Error>{inner}</Error>" if service == "s3" else f"<ErrorResponse><Error>{inner}</Error></ErrorResponse>"
        )
    return AWSResponse("http://127.0.0.1", status, headers, _Raw(body.encode()))


class _Raw:
    """The body of an answer, as urllib3 has it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> list[bytes]:
        return [self._body]

    def read(self, *_: Any, **__: Any) -> bytes:
        return self._body
