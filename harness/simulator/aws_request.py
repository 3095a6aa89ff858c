"""WSGI requests as AWS's clients send them, and answers as AWS gives them."""

from __future__ import annotations

import http.client
import io
import json
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable

Environ = dict[str, Any]
StartResponse = Any
Application = "Callable[[Environ, StartResponse], Iterable[bytes]]"

_INSIDER = "AWS4-HMAC-SHA256 Credential=sagemaker/20000101/{}/{}/aws4_request, SignedHeaders=host, Signature=none"
_REGION = re.compile(r"\.sagemaker\.(?P<region>[a-z0-9-]+)\.amazonaws\.com")
_SCOPE = re.compile(r"Credential=[^,/]+/\d+/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/aws4_request")
_DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True)
class Response:
    """One HTTP answer."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    def json(self) -> dict[str, Any]:
        """The body as AWS's JSON protocol has it."""
        content: dict[str, Any] = json.loads(self.body or b"{}")
        return content

    def send(self, start_response: StartResponse) -> list[bytes]:
        """Answer a WSGI request with it."""
        phrase = http.client.responses.get(self.status, "Unknown")
        start_response(f"{self.status} {phrase}", [*self.headers, ("Content-Length", str(len(self.body)))])
        return [self.body]


@dataclass(frozen=True)
class Refusal(Exception):  # noqa: N818 - it is an answer of AWS's, not an error of ours
    """An error answer: raised where the rule is checked, sent by the control plane."""

    kind: str
    message: str
    status: int = HTTPStatus.BAD_REQUEST
    details: dict[str, Any] = field(default_factory=dict)

    def response(self) -> Response:
        """In AWS's JSON protocol: ``__type`` for SageMaker, the error-type header for its runtime."""
        body = {"__type": self.kind, "message": self.message, "Message": self.message, **self.details}
        return json_response(body, self.status, ("x-amzn-ErrorType", self.kind))


def json_response(body: dict[str, Any], status: int = HTTPStatus.OK, *headers: tuple[str, str]) -> Response:
    """An answer in AWS's JSON protocol."""
    return Response(status, json.dumps(body).encode(), (("Content-Type", "application/x-amz-json-1.1"), *headers))


def operation(environ: Environ) -> str:
    """SageMaker's operation, such as ``CreateEndpoint``, or "" if the request is for something else."""
    service, _, name = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
    return name if service == "SageMaker" else ""


def is_runtime(environ: Environ) -> bool:
    """Whether the request is for SageMaker's runtime: by its host, or by what it is signed for.

    A client that was given an address of its own sends that as host, and S3 may have a bucket called ``endpoints``.
    """
    host, scope = environ.get("HTTP_HOST", ""), _scope(environ)
    service = "sagemaker" if "sagemaker" in host else scope["service"] if scope else ""
    path: str = environ.get("PATH_INFO", "")
    return service == "sagemaker" and path.startswith("/endpoints/")


def is_for_logs(environ: Environ) -> bool:
    """Whether the request is for CloudWatch Logs."""
    target: str = environ.get("HTTP_X_AMZ_TARGET", "")
    return target.startswith("Logs_")


def region(environ: Environ) -> str:
    """The region in the name of SageMaker's host, as moto has it, else that which the request is signed for."""
    match = _REGION.search(environ.get("HTTP_HOST", "")) or _scope(environ)
    return match["region"] if match else _DEFAULT_REGION


def _scope(environ: Environ) -> re.Match[str] | None:
    """What the signature is good for (Signature Version 4, credential scope)."""
    return _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))


def read_body(environ: Environ, limit: int | None = None) -> bytes:
    """The request's body; it is put back, so that the next reader finds it.

    Raises:
        Refusal: it is longer than ``limit`` bytes.
    """
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if limit is not None and length > limit:
        # The wording that SageMaker's front door uses; clients see a bare 413.
        raise Refusal("413", f"HTTP content length exceeded {limit} bytes.", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    body: bytes = environ["wsgi.input"].read(length) if length else b""
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def call(application: Any, environ: Environ) -> Response:
    """Send a request through a WSGI application."""
    head: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _error: Any = None) -> Callable[[bytes], object]:
        head[:] = [int(status.split(maxsplit=1)[0]), headers]
        return lambda _data: None

    chunks = application(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    kept = tuple((name, value) for name, value in head[1] if name.lower() != "content-length")
    return Response(head[0], body, kept)


def object_request(method: str, bucket: str, key: str) -> Environ:
    """A request for one S3 object, from inside the account."""
    return _inside(method, f"http://{bucket}.s3.amazonaws.com", "s3", path=f"/{quote(key)}")


def service_request(service: str, region: str, target: str, body: dict[str, Any]) -> Environ:
    """A request in AWS's JSON protocol, such as ``Logs_20140328.PutLogEvents``, from inside the account."""
    host = f"{'api.' if service == 'sagemaker' else ''}{service}.{region}.amazonaws.com"
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    return _inside("POST", f"http://{host}", service, region=region, headers=headers, data=json.dumps(body))


def _inside(
    method: str,
    url: str,
    service: str,
    *,
    path: str = "/",
    region: str = _DEFAULT_REGION,
    headers: dict[str, str] | None = None,
    data: str | None = None,
) -> Environ:
    from werkzeug.test import EnvironBuilder

    # moto answers the anonymous as S3 does: 403.
    signed: Any = {**(headers or {}), "Authorization": _INSIDER.format(region, service)}
    builder = EnvironBuilder(method=method, base_url=url, path=path, headers=signed, data=data)
    try:
        environ: Environ = builder.get_environ()
    finally:
        builder.close()
    return environ
