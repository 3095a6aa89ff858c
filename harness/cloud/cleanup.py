"""Deleting what a deployment made: newest first, by name, and nothing else."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from harness.errors import LeftoverError
from harness.resources import Inventory, Kind, Resource

if TYPE_CHECKING:
    from harness.cloud.session import Cloud

_BUSY_SECONDS = 900.0
"""How long an endpoint may stay busy: AWS refuses to delete one that is still being created."""

_RETRY_SECONDS = 60.0
"""How long AWS may ask to come back later, or fail on its side."""

_GONE_WORDS = ("could not find", "does not exist", "not found")


def delete_all(cloud: Cloud, inventory: Inventory, *, because: BaseException | None = None) -> None:
    """Delete every resource of an inventory, newest first. What is already gone counts as deleted.

    One that cannot be deleted does not keep the others from being deleted.

    Args:
        cloud: where they are.
        inventory: what they are; emptied of what is gone.
        because: the error that made this clean-up necessary, kept as the cause.

    Raises:
        LeftoverError: names what could not be deleted, and why.
    """
    left: list[str] = []
    for resource in inventory.newest_first():
        problem = _delete(cloud, resource)
        if problem:
            left.append(f"  {resource}: {problem}")
        else:
            inventory.made.remove(resource)
    if left:
        names = "\n".join(left)
        raise LeftoverError(
            f"clean-up of the {cloud.kind} account: expected everything to be deleted, left over and possibly billed:\n"
            f"{names}\ndelete these by hand"
        ) from because


def _delete(cloud: Cloud, resource: Resource) -> str:
    """Delete one; why it could not be, or ""."""
    import botocore.exceptions

    started = time.monotonic()
    while True:
        try:
            _call(cloud, resource)
        except botocore.exceptions.ClientError as error:
            if _is_gone(error):
                return ""
            if time.monotonic() - started < _patience(error):
                time.sleep(cloud.poll_seconds)
                continue
            return str(error)
        except botocore.exceptions.BotoCoreError as error:
            return str(error)
        return ""


def _call(cloud: Cloud, resource: Resource) -> None:
    sagemaker = cloud.client("sagemaker")
    match resource.kind:
        case Kind.ENDPOINT:
            sagemaker.delete_endpoint(EndpointName=resource.name)
        case Kind.ENDPOINT_CONFIG:
            sagemaker.delete_endpoint_config(EndpointConfigName=resource.name)
        case Kind.MODEL:
            sagemaker.delete_model(ModelName=resource.name)
        case Kind.OBJECT:
            parts = urlsplit(resource.name)
            cloud.client("s3").delete_object(Bucket=parts.netloc, Key=parts.path.lstrip("/"))


def _is_gone(error: Any) -> bool:
    """Whether AWS says that there is no such thing; SageMaker says it in words only."""
    code, message = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "").lower()
    return code in ("NoSuchBucket", "NoSuchKey", "404") or (
        code in ("ValidationException", "ResourceNotFound") and any(words in message for words in _GONE_WORDS)
    )


def _patience(error: Any) -> float:
    """For how many seconds this refusal is worth another try."""
    response = error.response
    if "in-progress" in response["Error"].get("Message", "").lower():
        return _BUSY_SECONDS
    throttled = response["Error"].get("Code", "") in ("ThrottlingException", "Throttling", "SlowDown")
    failed = response["ResponseMetadata"].get("HTTPStatusCode", 0) >= HTTPStatus.INTERNAL_SERVER_ERROR
    return _RETRY_SECONDS if throttled or failed else 0.0
