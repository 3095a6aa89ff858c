"""What AWS's errors mean: gone, busy, worth another try, or final; and what a user can do about them."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

_GONE = ("could not find", "does not exist", "not found")
_GONE_CODES = frozenset({"NoSuchBucket", "NoSuchKey", "NoSuchVersion", "NoSuchUpload", "404"})
_NOT_THERE_CODES = frozenset({"ValidationException", "ResourceNotFound", "ResourceNotFoundException"})
_THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded"}
    | {"RequestThrottled", "RequestThrottledException", "SlowDown", "RequestTimeout", "PriorRequestNotComplete"}
)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"})
_QUOTA = frozenset({"ResourceLimitExceeded", "LimitExceededException", "ServiceQuotaExceededException"})
_ACTION = re.compile(r"not authorized to perform: (?P<action>[\w-]+:\w+)(?: on resource: \"?(?P<resource>[^\s\"]+))?")
_QUOTED = re.compile(r"'(?P<quota>[^']+)'")


def code_of(error: Any) -> str:
    """AWS's name of an error; "" if no answer has come."""
    return str(_answer(error).get("Error", {}).get("Code", ""))


def message_of(error: Any) -> str:
    """AWS's words; those of botocore if no answer has come."""
    return str(_answer(error).get("Error", {}).get("Message", "") or error)


def is_gone(error: Any) -> bool:
    """Whether AWS says that there is no such thing; SageMaker says it in words only."""
    code, message = code_of(error), message_of(error).lower()
    return code in _GONE_CODES or (code in _NOT_THERE_CODES and any(words in message for words in _GONE))


def is_denied(error: Any) -> bool:
    """Whether AWS says that the caller may not do this."""
    return code_of(error) in _DENIED


def is_busy(error: Any) -> bool:
    """Whether AWS says that something is on its way, and can be deleted later only."""
    return "in-progress" in message_of(error).lower()


def is_passing(error: Any) -> bool:
    """Whether the same call may well succeed in a while: throttled, failed on AWS's side, or not answered at all."""
    from botocore.exceptions import ConnectionError as NoConnectionError
    from botocore.exceptions import HTTPClientError

    if isinstance(error, (HTTPClientError, NoConnectionError)):
        return True
    status = _answer(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return code_of(error) in _THROTTLED or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def told(error: BaseException) -> str:
    """An error in one sentence, with what to do about it where that is known."""
    error = _answered(error)
    code, message = code_of(error), message_of(error)
    if is_denied(error):
        return f"{code}: {message}; {_missing_permission(error, message)}"
    if code in _QUOTA:
        found = _QUOTED.search(message)
        quota = f"the quota {found['quota']!r}" if found else "the quota"
        return (
            f"{code}: {message}; {quota} of Amazon SageMaker is reached: ask for more in Service Quotas, delete what "
            f"uses it, or pass --aws-instance-type"
        )
    return f"{code}: {message}" if code else f"{type(error).__name__}: {message}"


def action_of(error: BaseException) -> str:
    """The IAM action that was denied, as far as AWS or botocore tell; else ""."""
    found = _ACTION.search(message_of(error))
    if found:
        return found["action"]
    operation = getattr(error, "operation_name", "")
    return _ACTIONS.get(operation, f"sagemaker:{operation}") if operation else ""


def _answered(error: BaseException) -> BaseException:
    """The error that has AWS's answer, where boto3 raises another one in its place, as it does for uploads."""
    if type(error).__name__ == "S3UploadFailedError" and error.__context__ is not None:
        return error.__context__
    return error


def _answer(error: Any) -> dict[str, Any]:
    """As botocore reads it; empty if none has come."""
    answer = getattr(error, "response", None)
    return answer if isinstance(answer, dict) else {}


def _missing_permission(error: BaseException, message: str) -> str:
    from harness.cloud.policy import line_of

    if "explicit deny" in message:
        return "a policy forbids it, and no other can allow it: ask whoever administers the account"
    action = action_of(error)
    if not action:
        return "print the whole policy that is needed with: byom policy"
    found = _ACTION.search(message)
    resource = found["resource"] if found and found["resource"] else ""
    return f"the policy line that is missing: {line_of(action, resource)} (the whole policy: byom policy)"


_ACTIONS = {
    "HeadBucket": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "ListBuckets": "s3:ListAllMyBuckets",
    "ListObjectsV2": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    **dict.fromkeys(("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"), "s3:PutObject"),
    # The harness names the version of every object that it looks at or deletes.
    "DeleteObject": "s3:DeleteObjectVersion",
    "GetObjectTagging": "s3:GetObjectVersionTagging",
    **{name: f"s3:{name}" for name in ("CreateBucket", "GetObject", "PutObject", "AbortMultipartUpload")},
    **{name: f"logs:{name}" for name in ("DescribeLogGroups", "DeleteLogGroup", "FilterLogEvents")},
    "SimulatePrincipalPolicy": "iam:SimulatePrincipalPolicy",
}
"""Actions that are not called like SageMaker's operation, by operation: a HEAD request's refusal has no words."""
