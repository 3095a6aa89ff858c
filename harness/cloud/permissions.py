"""Whether a run may do what it will have to do, asked before anything is made.

A run that may create and not delete is the one that leaks, so what finding and deleting need is tried: on names that do
not exist, where AWS says either "not found" or "denied". What cannot be tried without making something is IAM's own
forecast, where the user may ask for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.cloud.claim import LOGS, PREFIX, principal_of
from harness.cloud.policy import ACTIONS, line_of, policy
from harness.cloud.refusal import code_of, is_denied, is_gone, is_passing, told
from harness.errors import CloudError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harness.cloud.session import Cloud

_CREATE_BUCKET = "s3:CreateBucket"


@dataclass(frozen=True)
class Trial:
    """One harmless call.

    Attributes:
        action: what AWS asks permission for.
        call: makes it, on what does not exist.
    """

    action: str
    call: Callable[[], object]


@dataclass(frozen=True)
class Answers:
    """What is known of permissions.

    Attributes:
        missing: why each is denied, in words, by action.
        unknown: actions of which nothing is known yet.
        notes: what could not be asked, in words.
    """

    missing: dict[str, str]
    unknown: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def check_permissions(cloud: Cloud) -> list[str]:
    """Refuse a run that is not permitted what it needs.

    Nothing is made. What AWS throttles or fails to answer is tried again, as long as it may be broken.

    Returns:
        What could not be asked, in words.

    Raises:
        CloudError: something is denied, with the policy line for each; or AWS does not answer.
    """
    tried = _try_all(cloud)
    forecast = _forecast(cloud, tried.unknown)
    missing = {**forecast.missing, **tried.missing}
    if missing:
        lines = "\n".join(f"  {missing[action]}" for action in sorted(missing))
        raise CloudError(
            f"live AWS: expected every permission that a deployment and its clean-up need, found missing:\n{lines}\n"
            f"nothing was made; the whole policy that is needed: byom policy"
        )
    return list(forecast.notes)


def _try_all(cloud: Cloud) -> Answers:
    missing: dict[str, str] = {}
    unknown = set(ACTIONS) - {"iam:SimulatePrincipalPolicy"}
    for trial in _trials(cloud):
        error = _outcome(cloud, trial)
        if error is not None and is_denied(error):
            missing.setdefault(trial.action, told(error))
            unknown.discard(trial.action)
        elif error is None or code_of(error) != "NoSuchBucket":
            unknown -= {trial.action, _CREATE_BUCKET} if trial.action.startswith("s3:") else {trial.action}
    return Answers(missing, frozenset(unknown))


def _outcome(cloud: Cloud, trial: Trial) -> Exception | None:
    """How AWS refuses a call, for good; None if it does not."""
    import botocore.exceptions

    problem: Exception
    for _ in cloud.pace.pauses(cloud.pace.broken):
        try:
            trial.call()
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            if is_denied(error) or is_gone(error):
                return error  # type: ignore[no-any-return]  # botocore is untyped
            problem = error
            if not is_passing(error):
                break
        else:
            return None
    raise CloudError(
        f"live AWS: expected an answer whether {trial.action} is permitted, found {told(problem)}; nothing was made"
    ) from problem


def _trials(cloud: Cloud) -> Iterator[Trial]:
    name = f"{PREFIX}permission-check-{cloud.recorder.run.run}"
    yield from _sagemaker_trials(cloud, name)
    yield from _s3_trials(cloud, name)
    yield from _logs_trials(cloud.client("logs"), f"{LOGS}{name}")


def _sagemaker_trials(cloud: Cloud, name: str) -> Iterator[Trial]:
    client, run = cloud.client("sagemaker"), cloud.recorder.run
    kinds = (("Endpoint", "endpoint"), ("EndpointConfig", "endpoint-config"), ("Model", "model"))
    for noun, kind in kinds:
        method = kind.replace("-", "_")
        yield Trial(f"sagemaker:List{noun}s", partial(getattr(client, f"list_{method}s"), NameContains=name))
        for verb in ("Describe", "Delete"):
            call = partial(getattr(client, f"{verb.lower()}_{method}"), **{f"{noun}Name": name})
            yield Trial(f"sagemaker:{verb}{noun}", call)
        arn = f"arn:{client.meta.partition}:sagemaker:{run.region}:{run.account}:{kind}/{name}"
        yield Trial("sagemaker:ListTags", partial(client.list_tags, ResourceArn=arn))


def _s3_trials(cloud: Cloud, name: str) -> Iterator[Trial]:
    client, run = cloud.client("s3"), cloud.recorder.run
    bucket = {"Bucket": f"sagemaker-{run.region}-{run.account}"}
    key = {**bucket, "Key": f"{name}/none"}
    # Of a version that does not exist: deleting by key alone would leave a mark in a bucket that keeps versions.
    version = {**key, "VersionId": "null"}
    yield Trial("s3:ListBucket", partial(client.list_objects_v2, **bucket, Prefix=name))
    yield Trial("s3:ListBucketVersions", partial(client.list_object_versions, **bucket, Prefix=name))
    yield Trial("s3:ListBucketMultipartUploads", partial(client.list_multipart_uploads, **bucket, Prefix=name))
    yield Trial("s3:GetObjectVersionTagging", partial(client.get_object_tagging, **version))
    yield Trial("s3:DeleteObjectVersion", partial(client.delete_object, **version))
    yield Trial("s3:AbortMultipartUpload", partial(client.abort_multipart_upload, **key, UploadId="none"))


def _logs_trials(client: Any, group: str) -> Iterator[Trial]:
    yield Trial("logs:DescribeLogGroups", partial(client.describe_log_groups, logGroupNamePrefix=group))
    yield Trial("logs:FilterLogEvents", partial(client.filter_log_events, logGroupName=group))
    yield Trial("logs:DeleteLogGroup", partial(client.delete_log_group, logGroupName=group))


def _forecast(cloud: Cloud, actions: Iterable[str]) -> Answers:
    """What IAM says of actions; a note in place of what it cannot be asked."""
    import botocore.exceptions

    from harness.cloud.live import identify

    caller = identify(cloud.boto).arn
    if caller.endswith(":root"):
        return Answers({})  # the account's own; IAM has no policies of it
    missing: dict[str, str] = {}
    notes: list[str] = []
    try:
        for result in _simulated(cloud, principal_of(caller), frozenset(actions)):
            _judge(result, missing, notes)
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        asked = ", ".join(sorted(actions))
        notes.append(f"live AWS: IAM could not be asked beforehand whether it permits {asked}: {told(error)}")
    return Answers(missing, notes=tuple(notes))


def _simulated(cloud: Cloud, principal: str, actions: frozenset[str]) -> Iterator[dict[str, Any]]:
    """IAM's results: of each action on each of its resources, one by one, so that none hides behind another."""
    run = cloud.recorder.run
    client = _iam(cloud)
    document = policy(account=run.account, region=run.region, role=cloud.role, partition=client.meta.partition)
    for statement in document["Statement"]:
        wanted = sorted(actions.intersection(statement["Action"]))
        context = statement.get("Condition", {}).get("StringEquals", {})
        entries = [
            {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
            for key, value in context.items()
        ]
        for resource in statement["Resource"] if wanted else ():
            pages = client.get_paginator("simulate_principal_policy").paginate(
                PolicySourceArn=principal,
                ActionNames=wanted,
                ResourceArns=[resource.replace(f"{PREFIX}*", f"{PREFIX}{run.run}")],
                ContextEntries=entries,
            )
            yield from (result for page in pages for result in page["EvaluationResults"])


def _iam(cloud: Cloud) -> Any:
    """A client that does not wait long: where a network lets nobody out, there is no way to IAM."""
    from botocore.config import Config

    retries = {"mode": "standard", "total_max_attempts": 4}
    return cloud.boto.client("iam", config=Config(connect_timeout=5, read_timeout=20, retries=retries))


def _judge(result: dict[str, Any], missing: dict[str, str], notes: list[str]) -> None:
    action, decision = result["EvalActionName"], result["EvalDecision"]
    if decision == "allowed":
        return
    if not result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True):
        # IAM does not weigh the conditions of such policies (user guide, "policy simulator").
        notes.append(f"live AWS: IAM forecasts, not always rightly, that a policy of the organization denies {action}")
        return
    boundary = result.get("PermissionsBoundaryDecisionDetail", {})
    if decision == "explicitDeny":
        advice = "a policy denies it explicitly, which no other policy undoes: change that one"
    else:
        where = "" if boundary.get("AllowedByPermissionsBoundary", True) else ", in the permissions boundary"
        advice = f"the policy line that is missing{where}: {line_of(action, result['EvalResourceName'])}"
    missing.setdefault(action, f"{action}: IAM forecasts {decision}; {advice}")
