"""IAM's ``SimulatePrincipalPolicy``, which moto has not."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from harness.simulator.access.policies import Need, decide
from harness.simulator.access.refusals import NAMESPACE, not_simulated, xml
from harness.simulator.aws_request import Refusal

if TYPE_CHECKING:
    from harness.simulator.access.policies import Document
    from harness.simulator.access.records import Records
    from harness.simulator.access.signed_request import SignedRequest
    from harness.simulator.aws_request import Response

OPERATION = "SimulatePrincipalPolicy"

_NOT_READ = ("CallerArn", "PermissionsBoundaryPolicyInputList", "ResourceOwner", "ResourcePolicy")


def simulate(request: SignedRequest, records: Records) -> Response:
    """What the policies of a user or role say of each action on each resource (API reference of IAM).

    Raises:
        Refusal: there is no such user or role, or the request asks for what is not simulated.
    """
    form = request.form
    for name in form:
        if name.startswith(_NOT_READ):
            raise not_simulated(f"{name} of iam:{OPERATION}")
    documents = [
        *_policies_of(form.get("PolicySourceArn", ""), records),
        *map(_parsed, _members(form, "PolicyInputList")),
    ]
    context = _context(form)
    results = [
        _result(action, resource, decide(documents, Need(action, resource, context)).value)
        for action in _members(form, "ActionNames")
        for resource in _members(form, "ResourceArns") or ["*"]
    ]
    return xml(
        f'<{OPERATION}Response xmlns="{NAMESPACE}"><{OPERATION}Result><IsTruncated>false</IsTruncated>'
        f"<EvaluationResults>{''.join(results)}</EvaluationResults></{OPERATION}Result></{OPERATION}Response>"
    )


def _policies_of(arn: str, records: Records) -> tuple[Document, ...]:
    if not re.fullmatch(r"arn:aws:iam::\d{12}:(user|role)/.+", arn):
        raise Refusal("InvalidInput", f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")
    identity = records.identity(arn)
    if identity is None:
        raise Refusal("NoSuchEntity", f"The entity {arn} cannot be found.", 404)
    return identity.documents


def _parsed(text: str) -> Document:
    try:
        document: Document = json.loads(text)
    except ValueError as error:
        raise Refusal("InvalidInput", f"Syntax errors in policy: {error}") from error
    return document


def _context(form: dict[str, str]) -> dict[str, tuple[str, ...]]:
    prefixes = [name.removesuffix("ContextKeyName") for name in form if name.endswith(".ContextKeyName")]
    return {
        form[f"{prefix}ContextKeyName"].lower(): tuple(_members(form, f"{prefix}ContextKeyValues"))
        for prefix in prefixes
    }


def _members(form: dict[str, str], name: str) -> list[str]:
    """A list of AWS's query protocol, in its order."""
    numbers = [match[1] for match in (re.fullmatch(rf"{re.escape(name)}\.member\.(\d+)", key) for key in form) if match]
    return [form[f"{name}.member.{number}"] for number in sorted(numbers, key=int)]


def _result(action: str, resource: str, decision: str) -> str:
    fields = {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": decision}
    inside = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    return f"<member>{inside}</member>"
