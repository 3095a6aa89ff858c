"""What each request needs permission for (Service Authorization Reference, one page a service)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from harness.simulator.access.policies import Need
from harness.simulator.access.refusals import not_simulated
from harness.simulator.access.s3_needs import s3_needs

if TYPE_CHECKING:
    from harness.simulator.access.records import Identity, Records
    from harness.simulator.access.signed_request import SignedRequest

_NAMES = {"model": "ModelName", "endpoint-config": "EndpointConfigName", "endpoint": "EndpointName"}
_KINDS: dict[str, tuple[str, ...]] = {
    **{f"{verb}Model": ("model",) for verb in ("Create", "Describe", "Delete")},
    **{f"{verb}EndpointConfig": ("endpoint-config",) for verb in ("Create", "Describe", "Delete")},
    **{f"{verb}Endpoint": ("endpoint",) for verb in ("Describe", "Delete")},
    "CreateEndpoint": ("endpoint", "endpoint-config"),
    "UpdateEndpoint": ("endpoint", "endpoint-config"),
    "UpdateEndpointWeightsAndCapacities": ("endpoint",),
}
"""The kinds of resource that a SageMaker operation's action is checked on, each of them."""

_INVOCATION = re.compile(
    r"/endpoints/(?P<name>[^/]+)/(?P<verb>invocations|async-invocations|invocations-response-stream)"
)
_INVOKES = {
    "invocations": "InvokeEndpoint",
    "async-invocations": "InvokeEndpointAsync",
    "invocations-response-stream": "InvokeEndpointWithResponseStream",
}

_ENTITIES = {"GroupName": "group", "InstanceProfileName": "instance-profile", "RoleName": "role", "UserName": "user"}
_ARNS = ("PolicyArn", "PolicySourceArn")
_OF_ONESELF = ("GetUser", "CreateAccessKey", "DeleteAccessKey", "ListAccessKeys", "UpdateAccessKey", "ChangePassword")
_FREE = ("GetCallerIdentity",)
_OTHER_TOKENS = ("GetFederationToken", "GetSessionToken")


def needs(request: SignedRequest, caller: Identity, records: Records) -> list[Need]:
    """Every permission that AWS looks for, in the order in which a missing one is told.

    Raises:
        Refusal: the request is one whose permissions are not simulated.
    """
    match request.service:
        case "sagemaker":
            return _sagemaker_needs(request, records)
        case "s3":
            return s3_needs(request)
        case "iam":
            return _iam_needs(request, caller, records)
        case "sts":
            return _sts_needs(request)
        case "logs":
            return [Need(f"logs:{request.operation}", _log_resource(request, records.account))]
    return [Need(f"{request.service}:{_operation(request)}", "*")]


def _operation(request: SignedRequest) -> str:
    if not request.operation:
        raise not_simulated(f"permissions for {request.method} {request.path} of {request.service}")
    return request.operation


def _sagemaker_needs(request: SignedRequest, records: Records) -> list[Need]:
    def on(operation: str, kind: str, name: str, context: dict[str, tuple[str, ...]]) -> Need:
        tags = records.tags(request.region, kind, name)
        # SageMaker's ARNs are in lower case, however a name was written.
        arn = f"arn:aws:sagemaker:{request.region}:{records.account}:{kind}/{name}".lower()
        return Need(f"sagemaker:{operation}", arn, {**context, **_tagged(tags)})

    invocation = _INVOCATION.fullmatch(request.path)
    if invocation:
        return [on(_INVOKES[invocation["verb"]], "endpoint", unquote(invocation["name"]), {})]
    operation, body = _operation(request), request.content
    context = _requested(body)
    if operation in ("AddTags", "DeleteTags", "ListTags"):
        kind, _, name = body.get("ResourceArn", "").rpartition(":")[2].partition("/")
        return [on(operation, kind, name, context)]
    found = [on(operation, kind, body.get(_NAMES[kind], ""), context) for kind in _KINDS.get(operation, ())]
    found = found or [Need(f"sagemaker:{operation}", "*", context)]
    if body.get("Tags"):
        found.append(Need("sagemaker:AddTags", found[0].resource, found[0].context))
    if body.get("ExecutionRoleArn"):
        service = {"iam:passedtoservice": ("sagemaker.amazonaws.com",)}
        found.append(Need("iam:PassRole", body["ExecutionRoleArn"], service))
    return found


def _tagged(tags: dict[str, str]) -> dict[str, tuple[str, ...]]:
    prefixes = ("aws:resourcetag", "sagemaker:resourcetag")
    return {f"{prefix}/{key.lower()}": (value,) for prefix in prefixes for key, value in tags.items()}


def _requested(body: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """The condition keys that the body of a SageMaker request says something of."""
    tags = {tag["Key"]: tag.get("Value", "") for tag in body.get("Tags") or []}
    keys = tuple(tags) or tuple(body.get("TagKeys") or [])
    instances = tuple(variant.get("InstanceType", "") for variant in body.get("ProductionVariants") or [])
    return {
        **{f"aws:requesttag/{key.lower()}": (value,) for key, value in tags.items()},
        **({"aws:tagkeys": keys} if keys else {}),
        **({"sagemaker:instancetypes": instances} if instances else {}),
    }


def _iam_needs(request: SignedRequest, caller: Identity, records: Records) -> list[Need]:
    form, operation = request.form, _operation(request)
    resource = _iam_resource(form, operation, caller, records)
    context = {"iam:policyarn": (form["PolicyArn"],)} if "PolicyArn" in form else {}
    found = [Need(f"iam:{operation}", resource, context)]
    if operation.startswith("Create") and any(name.startswith("Tags.member.") for name in form):
        found.append(Need(f"iam:Tag{operation.removeprefix('Create')}", resource))
    return found


def _iam_resource(form: dict[str, str], operation: str, caller: Identity, records: Records) -> str:
    for parameter, kind in _ENTITIES.items():
        if parameter in form:
            return records.arn(kind, form[parameter], form.get("Path", "/"))
    for parameter in _ARNS:
        if parameter in form:
            return form[parameter]
    if "PolicyName" in form:
        return records.arn("policy", form["PolicyName"], form.get("Path", "/"))
    return caller.arn if operation in _OF_ONESELF else "*"


def _sts_needs(request: SignedRequest) -> list[Need]:
    operation = _operation(request)
    if operation in _FREE:
        return []
    if operation in _OTHER_TOKENS:  # moto's answer has a key that is nobody's: its owner would count as the root
        raise not_simulated(f"sts:{operation} for users and roles")
    return [Need(f"sts:{operation}", request.form.get("RoleArn", "*"))]


def _log_resource(request: SignedRequest, account: str) -> str:
    """Also what has no stream is checked on a log stream's ARN, one without a name."""
    body = request.content
    group = body.get("logGroupName") or body.get("logGroupIdentifier", "").rpartition(":log-group:")[2]
    stream = body.get("logStreamName", "")
    return f"arn:aws:logs:{request.region}:{account}:log-group:{group}:log-stream:{stream}"
