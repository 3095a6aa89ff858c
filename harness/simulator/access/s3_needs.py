"""What a request to S3 needs permission for (its user guide, "Required permissions for Amazon S3 API operations")."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from harness.simulator.access.policies import Need
from harness.simulator.access.refusals import not_simulated

if TYPE_CHECKING:
    from harness.simulator.access.signed_request import SignedRequest

_BUCKET_HOST = re.compile(r"(?P<bucket>.+)\.s3(?:[.-][a-z0-9-]+)*\.amazonaws\.com(?::\d+)?")

_BUCKET = {
    "GET": "ListBucket",
    "HEAD": "ListBucket",
    "PUT": "CreateBucket",
    "DELETE": "DeleteBucket",
    "GET uploads": "ListBucketMultipartUploads",
    "GET versions": "ListBucketVersions",
    "GET acl": "GetBucketAcl",
    "PUT acl": "PutBucketAcl",
    "GET cors": "GetBucketCORS",
    "PUT cors": "PutBucketCORS",
    "DELETE cors": "PutBucketCORS",
    "GET encryption": "GetEncryptionConfiguration",
    "PUT encryption": "PutEncryptionConfiguration",
    "DELETE encryption": "PutEncryptionConfiguration",
    "GET lifecycle": "GetLifecycleConfiguration",
    "PUT lifecycle": "PutLifecycleConfiguration",
    "DELETE lifecycle": "PutLifecycleConfiguration",
    "GET location": "GetBucketLocation",
    "GET ownershipControls": "GetBucketOwnershipControls",
    "PUT ownershipControls": "PutBucketOwnershipControls",
    "GET policy": "GetBucketPolicy",
    "PUT policy": "PutBucketPolicy",
    "DELETE policy": "DeleteBucketPolicy",
    "GET publicAccessBlock": "GetBucketPublicAccessBlock",
    "PUT publicAccessBlock": "PutBucketPublicAccessBlock",
    "DELETE publicAccessBlock": "PutBucketPublicAccessBlock",
    "GET tagging": "GetBucketTagging",
    "PUT tagging": "PutBucketTagging",
    "DELETE tagging": "PutBucketTagging",
    "GET versioning": "GetBucketVersioning",
    "PUT versioning": "PutBucketVersioning",
}
"""Actions on a bucket, by method and subresource."""

_OBJECT = {
    "GET": "GetObject",
    "HEAD": "GetObject",
    "PUT": "PutObject",
    "DELETE": "DeleteObject",
    "POST uploads": "PutObject",
    "GET uploadId": "ListMultipartUploadParts",
    "PUT uploadId": "PutObject",
    "POST uploadId": "PutObject",
    "DELETE uploadId": "AbortMultipartUpload",
    "GET acl": "GetObjectAcl",
    "PUT acl": "PutObjectAcl",
    "GET tagging": "GetObjectTagging",
    "PUT tagging": "PutObjectTagging",
    "DELETE tagging": "DeleteObjectTagging",
}
"""Actions on an object, by method and subresource."""

_PARAMETERS = ("prefix", "delimiter", "marker", "key-marker", "version-id-marker", "upload-id-marker", "start-after")
"""Of the address; unlike a subresource's name, these may be there without a value and mean nothing."""


def s3_needs(request: SignedRequest) -> list[Need]:
    """Every permission that S3 looks for.

    Raises:
        Refusal: the request is one whose permissions are not simulated.
    """
    bucket, key = address(request)
    if not bucket:
        return [Need("s3:ListAllMyBuckets", "arn:aws:s3:::*")]
    if not key:
        return [on_bucket(_action(request, _BUCKET), bucket, request.query)]
    found = [on_object(_action(request, _OBJECT), bucket, key, request.query.get("versionId", ""))]
    return [*found, *(_with_the_object(request, bucket, key) if request.method in ("PUT", "POST") else [])]


def address(request: SignedRequest) -> tuple[str, str]:
    """Bucket and key; the bucket stands in the host's name or, with any other host, first in the path."""
    match = _BUCKET_HOST.fullmatch(request.environ.get("HTTP_HOST", ""))
    if match:
        return match["bucket"], request.path[1:]
    bucket, _, key = request.path[1:].partition("/")
    return bucket, key


def on_object(action: str, bucket: str, key: str, version: str = "") -> Need:
    """A permission on an object; on one version of it, that is another action."""
    if version and "Multipart" not in action:
        action = action.replace("Object", "ObjectVersion", 1)
    return Need(f"s3:{action}", f"arn:aws:s3:::{bucket}/{key}")


def on_bucket(action: str, bucket: str, parameters: dict[str, str]) -> Need:
    """A permission on a bucket."""
    context = {f"s3:{name}": (parameters[name],) for name in ("prefix", "delimiter", "max-keys") if name in parameters}
    return Need(f"s3:{action}", f"arn:aws:s3:::{bucket}", context)


def _action(request: SignedRequest, actions: dict[str, str]) -> str:
    named = [name for name, value in request.query.items() if not value and name not in _PARAMETERS]
    subresource = "uploadId" if "uploadId" in request.query else " ".join(named)
    action = actions.get(f"{request.method} {subresource}".strip())
    if action is None:
        raise not_simulated(f"permissions for {request.method} ?{subresource} of S3")
    return action


def _with_the_object(request: SignedRequest, bucket: str, key: str) -> list[Need]:
    """What headers of an upload ask for besides."""
    found = []
    tags, source = request.header("x-amz-tagging"), request.header("x-amz-copy-source")
    if tags:
        context = {f"s3:requestobjecttag/{name.lower()}": (value,) for name, value in parse_qsl(tags)}
        found.append(Need("s3:PutObjectTagging", f"arn:aws:s3:::{bucket}/{key}", context))
    if request.header("x-amz-acl"):
        found.append(on_object("PutObjectAcl", bucket, key))
    if source:
        name, _, version = source.lstrip("/").partition("?versionId=")
        from_bucket, _, from_key = unquote(name).partition("/")
        found.append(on_object("GetObject", from_bucket, from_key, version))
    return found
