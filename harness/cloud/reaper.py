"""Deleting what earlier runs have left: found in the ledger, and by tags alone where the ledger is lost.

A run's things may be deleted once its process is gone or its time is over. What was kept on purpose stays until its
time is over. Only things of one owner are looked at; whatever carries no claim, or another's, is not touched.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.cloud.claim import LOGS, PREFIX, Claim
from harness.cloud.cleanup import Leftover, clean, leftover_error, remove
from harness.cloud.refusal import is_gone, told
from harness.cloud.sighting import as_dict, read_tags
from harness.errors import CloudError
from harness.resources import Kind, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harness.cloud.ledger import Ledger, RunState
    from harness.cloud.session import Cloud

_LISTS = (
    (Kind.ENDPOINT, "list_endpoints", "Endpoints", "Endpoint"),
    (Kind.ENDPOINT_CONFIG, "list_endpoint_configs", "EndpointConfigs", "EndpointConfig"),
    (Kind.MODEL, "list_models", "Models", "Model"),
)


@dataclass(frozen=True)
class Abandoned:
    """What an earlier run has left.

    Attributes:
        run: which.
        resources: in the order in which to delete.
        hourly: dollars that they cost an hour, as far as the ledger knows.
        state: what the ledger has of the run; None if it was found by its tags alone.
    """

    run: str
    resources: tuple[Resource, ...]
    hourly: float = 0.0
    state: RunState | None = None

    def __str__(self) -> str:
        source = "ledger" if self.state else "tags"
        price = f", up to ${self.hourly:.3f} an hour" if self.hourly else ""
        return f"run {self.run} ({source}{price}): {', '.join(map(str, self.resources))}"


@dataclass(frozen=True)
class Search:
    """What a look for leftovers has found.

    Attributes:
        abandoned: what may be deleted.
        passed_over: runs that have things and must be left alone, with the reason, in words.
    """

    abandoned: tuple[Abandoned, ...]
    passed_over: tuple[str, ...] = field(default=())


def search(cloud: Cloud, ledger: Ledger, owner: str, *, run: str | None = None) -> Search:
    """Look for what runs of an owner have left in an account, in the region of ``cloud``.

    Args:
        cloud: the account.
        ledger: of this user.
        owner: whose.
        run: this run's alone, also if it was kept on purpose and its time is not over.

    Raises:
        CloudError: the ledger cannot be read, or AWS does not let us look.
    """
    states = {state.run.run: state for state in ledger.runs()}
    concerned = [state for state in states.values() if state.open and run in (None, state.run.run)]
    reasons = {state.run.run: _reason_to_leave(cloud, ledger, state, owner, wanted=run) for state in concerned}
    found = [
        Abandoned(
            state.run.run,
            tuple(dict.fromkeys(intent.resource for intent in state.open)),
            sum(intent.hourly for intent in state.open),
            state,
        )
        for state in concerned
        if not reasons[state.run.run]
    ]
    known = {(one.run, resource) for one in found for resource in one.resources}
    for one in _search_by_tags(cloud, owner, states, ledger, wanted=run):
        resources = tuple(resource for resource in one.resources if (one.run, resource) not in known)
        found += [replace(one, resources=resources)] if resources else []
    return Search(tuple(found), tuple(f"run {name}: {reason}" for name, reason in reasons.items() if reason))


def reap(cloud: Cloud, ledger: Ledger, abandoned: Iterable[Abandoned]) -> list[Leftover]:
    """Delete what was found. Doing it twice, or twice at once, is fine.

    Returns:
        What is left; empty if all is gone.
    """
    left: list[Leftover] = []
    for one in abandoned:
        if one.state is not None:
            left += clean(cloud, ledger, one.run)
            continue
        for resource in one.resources:
            problem = remove(cloud, resource, one.run)
            left += [Leftover(resource, problem)] if problem else []
    return left


def reap_earlier(cloud: Cloud) -> Iterator[str]:
    """At the start of a live run: delete what earlier ones of the same owner have left; tells what.

    Raises:
        LeftoverError: something could not be deleted.
    """
    recorder = cloud.recorder
    found = search(cloud, recorder.ledger, recorder.run.owner)
    for one in found.abandoned:
        yield f"live AWS: deleting what an earlier run has left: {one}"
        left = reap(cloud, recorder.ledger, [one])
        if left:
            raise leftover_error(cloud, one.run, left)
    recorder.ledger.compact()


def _reason_to_leave(cloud: Cloud, ledger: Ledger, state: RunState, owner: str, *, wanted: str | None) -> str:
    """Why a run of the ledger is not to be touched, or ""."""
    run, here = state.run, cloud.recorder.run
    if (run.account, run.region) != (here.account, here.region):
        return f"is in account {run.account}, {run.region}; reap there"
    if run.owner != owner:
        return f"belongs to {run.owner}; pass --owner to reap it"
    left = run.expires - time.time()
    if left <= 0 or (wanted == run.run and state.kept):
        return ""
    if state.kept:
        return f"is kept on purpose for {left / 60:.0f} more minutes; pass --run {run.run} to delete it now"
    if ledger.is_alive(run):
        return f"is in use by a process on {run.host}, or was when it was last seen, for {left / 60:.0f} more minutes"
    return ""


def _search_by_tags(
    cloud: Cloud, owner: str, states: dict[str, RunState], ledger: Ledger, *, wanted: str | None
) -> list[Abandoned]:
    found: dict[str, list[Resource]] = {}
    for resource, claim in _claimed(cloud):
        if claim.owner != owner or wanted not in (None, claim.run):
            continue
        state = states.get(claim.run)
        is_over = claim.expires <= time.time() or (wanted is not None and (state is None or state.kept))
        is_dead = state is not None and not state.kept and not ledger.is_alive(state.run)
        if is_over or is_dead:
            found.setdefault(claim.run, []).append(resource)
            if resource.kind is not Kind.OBJECT:  # its endpoint may be gone, and have left a log
                found[claim.run].append(Resource(Kind.LOG_GROUP, f"{LOGS}{resource.name}"))
    return [Abandoned(run, _in_order(resources)) for run, resources in found.items()]


def _in_order(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """Endpoints first: they are what costs, and what the others are for."""
    order = list(Kind)[::-1]
    return tuple(sorted(dict.fromkeys(resources), key=lambda resource: order.index(resource.kind)))


def _claimed(cloud: Cloud) -> Iterator[tuple[Resource, Claim]]:
    """Everything whose name begins like the harness's, with its claim; what carries none is left out."""
    import botocore.exceptions

    try:
        for kind, operation, entries, stem in _LISTS:
            yield from _claimed_in_sagemaker(cloud, kind, operation, entries, stem)
        yield from _claimed_objects(cloud)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise CloudError(f"reaping the {cloud.kind} account: cannot look for leftovers: {told(error)}") from error


def _claimed_in_sagemaker(
    cloud: Cloud, kind: Kind, operation: str, entries: str, stem: str
) -> Iterator[tuple[Resource, Claim]]:
    client = cloud.client("sagemaker")
    for page in client.get_paginator(operation).paginate(NameContains=PREFIX):
        for entry in page[entries]:
            if entry[f"{stem}Name"].startswith(PREFIX):
                claim = _claim_of(partial(read_tags, client, entry[f"{stem}Arn"]))
                if claim is not None:
                    yield Resource(kind, entry[f"{stem}Name"]), claim


def _claimed_objects(cloud: Cloud) -> Iterator[tuple[Resource, Claim]]:
    run = cloud.recorder.run
    # The SageMaker SDK's default bucket: https://sagemaker.readthedocs.io, Session.default_bucket.
    bucket, client = f"sagemaker-{run.region}-{run.account}", cloud.client("s3")
    seen: set[tuple[str, str]] = set()
    for entry in _versions(client, bucket):
        key, version = entry["Key"], entry["VersionId"]
        claim = _claim_of(partial(_object_tags, client, bucket, key, version))
        if claim is not None and (key, claim.run) not in seen:
            seen.add((key, claim.run))
            yield Resource(Kind.OBJECT, f"s3://{bucket}/{key}"), claim


def _versions(client: Any, bucket: str) -> Iterator[dict[str, Any]]:
    import botocore.exceptions

    try:
        for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=PREFIX):
            yield from page.get("Versions", [])
    except botocore.exceptions.ClientError as error:
        if not is_gone(error):
            raise


def _object_tags(client: Any, bucket: str, key: str, version: str) -> dict[str, str]:
    return as_dict(client.get_object_tagging(Bucket=bucket, Key=key, VersionId=version)["TagSet"])


def _claim_of(read: Callable[[], dict[str, str]]) -> Claim | None:
    """What the tags of something say that was there a moment ago."""
    import botocore.exceptions

    try:
        return Claim.read(read())
    except botocore.exceptions.ClientError as error:
        if is_gone(error):
            return None
        raise
