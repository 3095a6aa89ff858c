"""How AWS says no: the words, and the form that each service wraps them in."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from harness.simulator.aws_request import Refusal, Response

if TYPE_CHECKING:
    from harness.simulator.access.signed_request import SignedRequest

_DENIED = {"json": "AccessDeniedException", "s3": "AccessDenied", "query": "AccessDenied"}
_UNKNOWN_KEY = {
    "json": ("UnrecognizedClientException", "The security token included in the request is invalid."),
    "s3": ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
    "query": ("InvalidClientTokenId", "The security token included in the request is invalid."),
}
_STATUS = {"json": HTTPStatus.BAD_REQUEST, "s3": HTTPStatus.FORBIDDEN, "query": HTTPStatus.FORBIDDEN}

NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"
"""Of IAM's XML."""

_REQUEST_ID = "00000000-0000-0000-0000-000000000000"


def denied(protocol: str, caller: str, action: str, resource: str, *, explicit: bool) -> Refusal:
    """A permission is missing, or (``explicit``) taken away (IAM user guide, "Troubleshoot access denied errors")."""
    quoted = f'"{resource}"' if protocol == "s3" else resource  # as S3 alone writes it
    why = (
        "with an explicit deny in an identity-based policy"
        if explicit
        else f"because no identity-based policy allows the {action} action"
    )
    message = f"User: {caller} is not authorized to perform: {action} on resource: {quoted} {why}"
    return Refusal(_DENIED[protocol], message, _STATUS[protocol])


def unknown_key(protocol: str) -> Refusal:
    """The access key was deleted, or made inactive."""
    kind, message = _UNKNOWN_KEY[protocol]
    return Refusal(kind, message, _STATUS[protocol])


def not_simulated(what: str) -> Refusal:
    """AWS would look at something that is not looked at here, so that neither answer would be right."""
    return Refusal("ValidationException", f"The simulated account does not simulate {what}: use a live account.")


def respond(request: SignedRequest, refusal: Refusal) -> Response:
    """The refusal as the request's service sends it."""
    if request.protocol == "json":
        return refusal.response()
    if request.method == "HEAD":
        return Response(refusal.status, b"")  # an answer to HEAD has no body, so clients see the bare status
    error = f"<Code>{refusal.kind}</Code><Message>{escape(refusal.message)}</Message>"
    if request.protocol == "s3":
        return xml(f"<Error>{error}<RequestId>{_REQUEST_ID}</RequestId></Error>", refusal.status)
    return xml(
        f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type>{error}</Error>'
        f"<RequestId>{_REQUEST_ID}</RequestId></ErrorResponse>",
        refusal.status,
    )


def xml(body: str, status: int = HTTPStatus.OK) -> Response:
    """An answer in XML."""
    return Response(status, f'<?xml version="1.0" encoding="UTF-8"?>{body}'.encode(), (("Content-Type", "text/xml"),))
