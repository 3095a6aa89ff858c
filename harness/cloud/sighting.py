"""Looking at one thing in an account, and the one call that deletes it; by kind."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - a field of a dataclass
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.cloud.claim import LOGS, RUN
from harness.cloud.refusal import is_gone
from harness.resources import Kind, Resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.cloud.session import Cloud

_SAGEMAKER = {
    Kind.MODEL: ("describe_model", "delete_model", "ModelName", "ModelArn"),
    Kind.ENDPOINT_CONFIG: (
        "describe_endpoint_config",
        "delete_endpoint_config",
        "EndpointConfigName",
        "EndpointConfigArn",
    ),
    Kind.ENDPOINT: ("describe_endpoint", "delete_endpoint", "EndpointName", "EndpointArn"),
}
_CHANGING = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})


@dataclass(frozen=True)
class Sighting:
    """Something that is there.

    Attributes:
        tags: its tags; None for what nobody can tag, so that its name alone says whose it is.
        delete: deletes it.
        is_changing: whether AWS is at work on it, and refuses to delete it now.
    """

    tags: Mapping[str, str] | None
    delete: Callable[[], object]
    is_changing: bool = False


def look(cloud: Cloud, resource: Resource, run: str = "") -> Sighting | None:
    """One look; None if there is no such thing.

    Args:
        cloud: the account.
        resource: what to look for.
        run: of several versions of an object, one that carries this run's tags is seen first.

    Raises:
        botocore.exceptions.ClientError: AWS does not let us look.
        botocore.exceptions.BotoCoreError: it does not answer.
    """
    import botocore.exceptions

    try:
        if resource.kind is Kind.OBJECT:
            return _find_object(cloud, resource, run)
        return (_find_log_group if resource.kind is Kind.LOG_GROUP else _find_in_sagemaker)(cloud, resource)
    except botocore.exceptions.ClientError as error:
        if is_gone(error):
            return None
        raise


def _find_in_sagemaker(cloud: Cloud, resource: Resource) -> Sighting:
    describe, delete, parameter, arn = _SAGEMAKER[resource.kind]
    client, name = cloud.client("sagemaker"), {parameter: resource.name}
    described = getattr(client, describe)(**name)
    tags = read_tags(client, described[arn])
    changing = described.get("EndpointStatus") in _CHANGING
    return Sighting(tags, partial(getattr(client, delete), **name), changing)


def read_tags(client: Any, arn: str) -> dict[str, str]:
    """All tags of something of SageMaker's."""
    pages = client.get_paginator("list_tags").paginate(ResourceArn=arn)
    return as_dict([tag for page in pages for tag in page["Tags"]])


def _find_log_group(cloud: Cloud, resource: Resource) -> Sighting | None:
    client = cloud.client("logs")
    found = client.describe_log_groups(logGroupNamePrefix=resource.name)["logGroups"]
    if not any(group["logGroupName"] == resource.name for group in found):
        return None
    # Nobody tags it, but as long as there is an endpoint of the name, the log is the endpoint's.
    endpoint = look(cloud, Resource(Kind.ENDPOINT, resource.name.removeprefix(LOGS)))
    return Sighting(endpoint.tags if endpoint else None, partial(client.delete_log_group, logGroupName=resource.name))


def _find_object(cloud: Cloud, resource: Resource, run: str) -> Sighting | None:
    """A version of an object, else the mark of a deleted one, else an upload in parts that was never completed.

    All are billed. In a bucket that keeps versions, deleting by key alone would hide an object and keep it.
    """
    client = cloud.client("s3")
    bucket, _, key = resource.name.removeprefix("s3://").partition("/")
    place = {"Bucket": bucket, "Key": key}
    versions, markers = _entries(client, "list_object_versions", ("Versions", "DeleteMarkers"), place)
    seen = [_find_version(client, {**place, "VersionId": version["VersionId"]}) for version in versions]
    if seen:
        return next((one for one in seen if one.tags is not None and one.tags.get(RUN) == run), seen[0])
    for marker in markers:
        return Sighting(None, partial(client.delete_object, **place, VersionId=marker["VersionId"]))
    [uploads] = _entries(client, "list_multipart_uploads", ("Uploads",), place)
    for upload in uploads:
        return Sighting(None, partial(client.abort_multipart_upload, **place, UploadId=upload["UploadId"]))
    return None


def _find_version(client: Any, version: dict[str, str]) -> Sighting:
    tags = as_dict(client.get_object_tagging(**version)["TagSet"])
    return Sighting(tags, partial(client.delete_object, **version))


def as_dict(tags: list[dict[str, str]]) -> dict[str, str]:
    """Tags as AWS lists them, by name."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def _entries(client: Any, listing: str, names: tuple[str, ...], place: dict[str, str]) -> list[list[dict[str, Any]]]:
    """What a listing has of exactly one key, under each of several names."""
    pages = list(client.get_paginator(listing).paginate(Bucket=place["Bucket"], Prefix=place["Key"]))
    return [[entry for page in pages for entry in page.get(name, []) if entry["Key"] == place["Key"]] for name in names]
