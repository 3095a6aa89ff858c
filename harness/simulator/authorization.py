"""IAM at the account's door: a WSGI application around the control plane that checks the identity policies of callers.

Whose key a request is signed with decides: the requests of users, and of whoever assumed a role, are checked, for keys
that were made in the account's own IAM. Every other key, like the one that `harness.cloud.session` signs with, is the
root's, who may do everything. There is nothing to switch on.

Not simulated: signatures (a key's identifier is believed), resource policies and role trust, service control policies,
and a service's own way into the account: what SageMaker does for a model under its execution role is not checked.
Permissions boundaries, session policies, policy variables and the condition operators for dates, addresses and bytes
are refused by name where they would count.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from harness.simulator.access import refusals, simulation
from harness.simulator.access.deletion import divide, is_deletion
from harness.simulator.access.needs import needs
from harness.simulator.access.policies import Decision, Need, decide
from harness.simulator.access.records import Identity, Records
from harness.simulator.access.s3_needs import address, on_bucket
from harness.simulator.access.signed_request import SignedRequest
from harness.simulator.aws_request import Environ, Refusal, Response, StartResponse, call, object_request

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOOKS_AT_AN_OBJECT = ("s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectAcl")


class Authorization:
    """An application of the account's, with permissions checked before it is asked."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._records = Records()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """The WSGI entry."""
        request = SignedRequest.read(environ)
        own = self._answer(request) if request else None
        if own is not None:
            return own.send(start_response)
        answer: Iterable[bytes] = self._application(environ, start_response)
        return answer

    def _answer(self, request: SignedRequest) -> Response | None:
        """An answer of this layer's own; None where the application shall answer."""
        try:
            caller = self._caller(request)
            if caller is not None:
                if is_deletion(request):
                    return self._delete(request, caller)
                self._check(request, caller)
            if request.service == "iam" and request.operation == simulation.OPERATION:
                return simulation.simulate(request, self._records)
        except Refusal as refusal:
            return refusals.respond(request, refusal)
        return None

    def _caller(self, request: SignedRequest) -> Identity | None:
        try:
            return self._records.caller(request.access_key)
        except LookupError as error:
            raise refusals.unknown_key(request.protocol) from error

    def _check(self, request: SignedRequest, caller: Identity) -> None:
        wanted = needs(request, caller, self._records)
        for need in wanted:
            refused = _refusal(request, caller, need)
            if refused:
                raise refused
        if wanted and wanted[0].action in _LOOKS_AT_AN_OBJECT:
            self._hide_what_is_missing(request, caller)

    def _hide_what_is_missing(self, request: SignedRequest, caller: Identity) -> None:
        """Who may not list a bucket is not told that an object is not there: 403, not 404 (API of GetObject)."""
        bucket, key = address(request)
        refused = _refusal(request, caller, on_bucket("ListBucket", bucket, {}))
        if refused and call(self._application, object_request("HEAD", bucket, key)).status == HTTPStatus.NOT_FOUND:
            raise refused

    def _delete(self, request: SignedRequest, caller: Identity) -> Response:
        deletion = divide(request, lambda need: _refusal(request, caller, need))
        return deletion.answer(call(self._application, deletion.environ) if deletion.environ else None)


def _refusal(request: SignedRequest, caller: Identity, need: Need) -> Refusal | None:
    context = {**caller.context, "aws:requestedregion": (request.region,), **need.context}
    decision = decide(caller.documents, Need(need.action, need.resource, context))
    if decision is Decision.ALLOWED:
        return None
    explicit = decision is Decision.EXPLICIT_DENY
    return refusals.denied(request.protocol, caller.arn, need.action, need.resource, explicit=explicit)
