"""An AWS request with what its signature says of it: whose key, which service, which region."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl

from harness.simulator.aws_request import read_body

if TYPE_CHECKING:
    from harness.simulator.aws_request import Environ

_SCOPE = re.compile(r"Credential=(?P<key>[^/,\s]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


@dataclass(frozen=True)
class SignedRequest:
    """A request signed with version 4, in its ``Authorization`` header or, as presigned addresses have it, its query.

    Attributes:
        environ: the WSGI request.
        access_key: the identifier of the key that it says it is signed with.
        region: of the credential scope. The host is no help where a client was given an address on loopback.
        service: the signing name: ``sagemaker`` for the runtime too.
    """

    environ: Environ
    access_key: str
    region: str
    service: str

    @classmethod
    def read(cls, environ: Environ) -> Self | None:
        """The request, or None if it is not signed so."""
        scope = environ.get("HTTP_AUTHORIZATION") or f"Credential={_query(environ).get('X-Amz-Credential', '')}"
        match = _SCOPE.search(scope)
        return cls(environ, match["key"], match["region"], match["service"].lower()) if match else None

    @property
    def method(self) -> str:
        """Such as ``GET``."""
        return str(self.environ["REQUEST_METHOD"])

    @property
    def path(self) -> str:
        """Without percent signs: WSGI carries its bytes as Latin-1."""
        return str(self.environ.get("PATH_INFO", "")).encode("latin-1").decode(errors="replace")

    @cached_property
    def query(self) -> dict[str, str]:
        """The address's parameters."""
        return _query(self.environ)

    @cached_property
    def form(self) -> dict[str, str]:
        """The parameters of AWS's query protocol, which IAM and STS speak."""
        return {**self.query, **dict(parse_qsl(read_body(self.environ).decode(), keep_blank_values=True))}

    @cached_property
    def content(self) -> dict[str, Any]:
        """The body of AWS's JSON protocol."""
        content: dict[str, Any] = json.loads(read_body(self.environ) or b"{}")
        return content

    @property
    def protocol(self) -> str:
        """How the service speaks: ``json`` (SageMaker, its runtime and CloudWatch Logs), ``s3`` or ``query``."""
        if self.service == "s3":
            return "s3"
        return "json" if self.service == "sagemaker" or self.header("X-Amz-Target") else "query"

    @property
    def operation(self) -> str:
        """The operation's name in the JSON and query protocols, or "" if it is in neither."""
        _, _, target = self.header("X-Amz-Target").partition(".")
        return target or (self.form.get("Action", "") if self._is_form else "")

    def header(self, name: str) -> str:
        """A header's value, or ""."""
        return str(self.environ.get(f"HTTP_{name.upper().replace('-', '_')}", ""))

    @property
    def _is_form(self) -> bool:
        return self.environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded") or (
            "Action" in self.query
        )


def _query(environ: Environ) -> dict[str, str]:
    return dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
