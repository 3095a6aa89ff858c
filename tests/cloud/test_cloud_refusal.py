"""What AWS's errors mean, and that each tells a user what to do: as AWS words them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from harness.cloud.policy import ACTIONS, line_of
from harness.cloud.refusal import (
    _ACTIONS,
    action_of,
    code_of,
    is_busy,
    is_denied,
    is_gone,
    is_passing,
    message_of,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ARN = "arn:aws:sagemaker:us-east-1:123456789012"
BUSY = f'Cannot update in-progress endpoint "{ARN}:endpoint/byom-1".'


def client_error(code: str, message: str = "", status: int = 400, operation: str = "DescribeEndpoint") -> Exception:
    """What botocore raises for an error answer."""
    from botocore.exceptions import ClientError

    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)  # type: ignore[no-any-return]


def denial(action: str, resource: str) -> str:
    """Words in which most services deny an action."""
    return (
        f"User: arn:aws:iam::123456789012:user/me is not authorized to perform: {action} on resource: {resource} "
        f"because no identity-based policy allows the {action} action"
    )


def silence(name: str) -> Exception:
    """An error of botocore's without an answer."""
    import botocore.exceptions

    if name in ("ConnectionClosedError", "EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError"):
        return getattr(botocore.exceptions, name)(endpoint_url="https://example.com")  # type: ignore[no-any-return]
    if name == "ProxyConnectionError":
        return botocore.exceptions.ProxyConnectionError(proxy_url="http://example.com")  # type: ignore[no-any-return]
    return getattr(botocore.exceptions, name)()  # type: ignore[no-any-return]


def test_code_and_message_are_those_of_aws() -> None:
    """Of an answer AWS's own; where AWS has no words, and where no answer has come, botocore's."""
    error = client_error("ValidationException", "no such name")
    assert (code_of(error), message_of(error)) == ("ValidationException", "no such name")
    silent = client_error("404", operation="HeadObject")
    assert code_of(silent) == "404"
    assert message_of(silent) == "An error occurred (404) when calling the HeadObject operation: "
    lost = silence("ReadTimeoutError")
    assert (code_of(lost), message_of(lost)) == ("", 'Read timeout on endpoint URL: "https://example.com"')
    assert (code_of(ValueError("x")), message_of(ValueError("x"))) == ("", "x")


def test_half_an_answer_is_read() -> None:
    """Answers without an error, or without a part of it, are read as far as they go."""
    from botocore.exceptions import ClientError

    answers: list[dict[str, Any]] = [{}, {"Error": {}}]
    for answer in answers:
        error = ClientError(answer, "DescribeModel")
        assert code_of(error) == ""
        assert message_of(error) == "An error occurred (Unknown) when calling the DescribeModel operation: Unknown"
        assert not is_passing(error)


@pytest.mark.parametrize(
    ("code", "message", "status"),
    [
        ("ValidationException", f'Could not find endpoint "{ARN}:endpoint/byom-1".', 400),
        ("ValidationException", f'Could not find endpoint configuration "{ARN}:endpoint-config/byom-1".', 400),
        ("ValidationException", f'Could not find model "{ARN}:model/byom-1".', 400),
        ("ValidationException", "Endpoint byom-1 of account 123456789012 not found.", 400),
        ("ResourceNotFound", "Model does not exist", 400),
        ("ResourceNotFoundException", "The specified log group does not exist.", 400),
        ("NoSuchBucket", "The specified bucket does not exist", 404),
        ("NoSuchKey", "The specified key does not exist.", 404),
        ("NoSuchVersion", "The specified version does not exist.", 404),
        ("NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid.", 404),
        ("404", "Not Found", 404),
        ("NoSuchKey", "", 404),
    ],
)
def test_what_is_not_there_is_gone(code: str, message: str, status: int) -> None:
    """SageMaker's words and S3's codes for what does not exist."""
    error = client_error(code, message, status)
    assert is_gone(error)
    assert not any(is_other(error) for is_other in (is_busy, is_denied, is_passing))


@pytest.mark.parametrize(
    ("code", "message", "status"),
    [
        (
            "ValidationException",
            "1 validation error detected: Value at 'endpointName' failed to satisfy constraint",
            400,
        ),
        ("ValidationException", BUSY, 400),
        ("AccessDeniedException", denial("sagemaker:DescribeModel", "a model that does not exist"), 400),
        ("InternalFailure", "could not find a host", 500),
        ("ThrottlingException", "Rate exceeded", 400),
        ("403", "Forbidden", 403),
    ],
)
def test_what_may_be_there_is_not_gone(code: str, message: str, status: int) -> None:
    """Nothing else is taken for gone: a thing that is wrongly taken for deleted is billed on."""
    assert not is_gone(client_error(code, message, status))


def test_without_an_answer_nothing_is_gone() -> None:
    """Words of botocore's or Python's own prove nothing about an account."""
    assert not is_gone(OSError("certificate not found"))
    assert not is_gone(silence("ReadTimeoutError"))


@pytest.mark.parametrize(
    ("message", "expected"),
    [(BUSY, True), (BUSY.upper(), True), ("Cannot create already existing endpoint", False)],
)
def test_what_is_on_its_way_is_busy(message: str, expected: bool) -> None:
    """SageMaker refuses to change what it is creating, updating or deleting, in words only."""
    assert is_busy(client_error("ValidationException", message)) is expected


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AccessDenied", 403),
        ("AccessDeniedException", 400),
        ("UnauthorizedOperation", 403),
        ("403", 403),
    ],
)
def test_what_is_not_allowed_is_denied(code: str, status: int) -> None:
    """Each service has its own word for it; it is final."""
    error = client_error(code, "no", status)
    assert is_denied(error)
    assert not is_passing(error)


@pytest.mark.parametrize("code", ["ValidationException", "ResourceLimitExceeded", "ExpiredTokenException", "404"])
def test_other_refusals_are_not_denials(code: str) -> None:
    """A name that is wrong or a quota that is reached is no matter of permissions."""
    assert not is_denied(client_error(code, "not authorized"))


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("Throttling", 400),
        ("ThrottlingException", 400),
        ("ThrottledException", 400),
        ("TooManyRequestsException", 429),
        ("RequestLimitExceeded", 400),
        ("RequestThrottled", 400),
        ("RequestThrottledException", 400),
        ("SlowDown", 400),
        ("RequestTimeout", 400),
        ("PriorRequestNotComplete", 400),
        ("InternalFailure", 500),
        ("ServiceUnavailable", 503),
    ],
)
def test_what_aws_cannot_do_now_passes(code: str, status: int) -> None:
    """Throttled, or failed on AWS's side: another try may succeed."""
    assert is_passing(client_error(code, "", status))


@pytest.mark.parametrize(
    "name",
    [
        "ConnectionClosedError",
        "ConnectTimeoutError",
        "EndpointConnectionError",
        "ProxyConnectionError",
        "ReadTimeoutError",
    ],
)
def test_no_answer_passes(name: str) -> None:
    """A network that is away may come back; the error can be told as well."""
    error = silence(name)
    assert is_passing(error)
    assert told(error) == f"{name}: {error}"


def test_what_is_final_does_not_pass() -> None:
    """A refusal of the request itself, missing credentials or a bug are not tried again."""
    finals = [client_error("ValidationException", "", 499), silence("NoCredentialsError"), ValueError("x")]
    assert [is_passing(error) for error in finals] == [False, False, False]


@pytest.mark.parametrize(
    ("code", "message", "operation", "action", "resource"),
    [
        (
            "AccessDeniedException",
            denial("sagemaker:CreateModel", f"{ARN}:model/byom-1"),
            "CreateModel",
            "sagemaker:CreateModel",
            f"{ARN}:model/byom-1",
        ),
        (
            "AccessDeniedException",  # another action than the operation's own
            denial("iam:PassRole", "arn:aws:iam::123456789012:role/r"),
            "CreateModel",
            "iam:PassRole",
            "arn:aws:iam::123456789012:role/r",
        ),
        (
            "AccessDenied",  # S3 puts the resource into quotes
            denial("s3:PutObject", '"arn:aws:s3:::a-bucket/byom-1/model.tar.gz"'),
            "PutObject",
            "s3:PutObject",
            "arn:aws:s3:::a-bucket/byom-1/model.tar.gz",
        ),
        (
            "AccessDenied",  # without a resource
            "User: arn:aws:iam::123456789012:user/me is not authorized to perform: s3:ListAllMyBuckets",
            "ListBuckets",
            "s3:ListAllMyBuckets",
            "",
        ),
        ("403", "Forbidden", "HeadBucket", "s3:ListBucket", ""),  # a HEAD request's refusal has no words
        ("AccessDenied", "Access Denied", "PutObject", "s3:PutObject", ""),
        (
            "AccessDeniedException",  # what the harness has no need of
            denial("kms:Decrypt", "arn:aws:kms:us-east-1:123456789012:key/1"),
            "GetObject",
            "kms:Decrypt",
            "arn:aws:kms:us-east-1:123456789012:key/1",
        ),
        ("AccessDeniedException", "Access Denied", "StartPipeline", "sagemaker:StartPipeline", ""),
    ],
)
def test_a_denial_tells_the_missing_line(code: str, message: str, operation: str, action: str, resource: str) -> None:
    """AWS's words, the one statement that is missing for this action on this resource, and where the others are."""
    error = client_error(code, message, operation=operation)
    assert action_of(error) == action
    assert told(error) == (
        f"{code}: {message}; the policy line that is missing: {line_of(action, resource)} "
        f"(the whole policy: byom policy)"
    )


def test_a_line_is_part_of_the_message() -> None:
    """A denial in full, as a user reads it."""
    message = denial("kms:Decrypt", "arn:aws:kms:us-east-1:123456789012:key/1")
    assert told(client_error("AccessDeniedException", message)).endswith(
        '; the policy line that is missing: {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": '
        '"arn:aws:kms:us-east-1:123456789012:key/1"} (the whole policy: byom policy)'
    )


def test_what_is_forbidden_is_not_called_missing() -> None:
    """Where a policy denies, no line that allows would help."""
    message = (
        "User: arn:aws:iam::123456789012:user/me is not authorized to perform: sagemaker:CreateEndpoint on resource: "
        f"{ARN}:endpoint/byom-1 with an explicit deny in a service control policy"
    )
    assert told(client_error("AccessDeniedException", message)) == (
        f"AccessDeniedException: {message}; "
        f"a policy forbids it, and no other can allow it: ask whoever administers the account"
    )


def test_a_denial_of_nobody_knows_what_tells_the_policy() -> None:
    """Where neither words nor an operation are known, there is still the whole policy."""

    class BareError(Exception):
        response: ClassVar = {"Error": {"Code": "AccessDenied", "Message": "Access Denied"}}

    for error in (client_error("AccessDenied", "Access Denied", operation=""), BareError()):
        assert action_of(error) == ""
        assert told(error) == "AccessDenied: Access Denied; print the whole policy that is needed with: byom policy"


@pytest.mark.parametrize("code", ["ResourceLimitExceeded", "LimitExceededException", "ServiceQuotaExceededException"])
def test_a_quota_is_named(code: str) -> None:
    """AWS's words, the quota as Service Quotas calls it, and three ways out."""
    message = (
        "The account-level service limit 'ml.m4.xlarge for endpoint usage' is 0 Instances, with current utilization of "
        "0 Instances and a request delta of 1 Instances. Please use AWS Service Quotas to request an increase for "
        "this quota. If AWS Service Quotas is not available, contact AWS support to request an increase."
    )
    assert told(client_error(code, message)) == (
        f"{code}: {message}; the quota 'ml.m4.xlarge for endpoint usage' of Amazon SageMaker is reached: ask for more "
        f"in Service Quotas, delete what uses it, or pass --aws-instance-type"
    )


def test_a_quota_without_a_name_is_not_given_one() -> None:
    """Where AWS does not quote a name, none is made up, and the ways out are the same."""
    assert told(client_error("ResourceLimitExceeded", "Too many endpoints.")) == (
        "ResourceLimitExceeded: Too many endpoints.; the quota of Amazon SageMaker is reached: ask for more in "
        "Service Quotas, delete what uses it, or pass --aws-instance-type"
    )


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: client_error("ValidationException", "bad name"), "ValidationException: bad name"),
        (lambda: silence("NoCredentialsError"), "NoCredentialsError: Unable to locate credentials"),
        (lambda: ValueError("no"), "ValueError: no"),
    ],
)
def test_other_errors_are_told_with_their_name(make: Callable[[], Exception], sentence: str) -> None:
    """AWS's code and words, or the error's class and words."""
    assert told(make()) == sentence


def test_an_error_in_the_place_of_another_tells_the_other() -> None:
    """boto3 raises an error of its own where an upload was refused: what AWS said is told."""
    from boto3.exceptions import S3UploadFailedError

    refused = client_error("NoSuchBucket", "The specified bucket does not exist", 404, "PutObject")

    def upload() -> None:
        try:
            raise refused
        except type(refused):
            raise S3UploadFailedError("Failed to upload x to y")  # noqa: B904 - as boto3 does

    with pytest.raises(S3UploadFailedError) as caught:
        upload()
    assert told(caught.value) == "NoSuchBucket: The specified bucket does not exist"


def test_an_error_that_came_after_another_tells_itself() -> None:
    """One that was raised while AWS's refusal was looked at is not that refusal."""
    from boto3.exceptions import S3UploadFailedError

    error = silence("ReadTimeoutError")
    error.__context__ = error.__cause__ = client_error("NoSuchBucket")
    assert told(error) == 'ReadTimeoutError: Read timeout on endpoint URL: "https://example.com"'
    assert told(S3UploadFailedError("no such file")) == "S3UploadFailedError: no such file"


@pytest.mark.parametrize("operation", sorted(_ACTIONS))
def test_the_missing_line_is_one_of_the_policy(operation: str) -> None:
    """Of each operation that the harness calls, what is told to be missing is what the whole policy has."""
    assert action_of(client_error("403", "Forbidden", operation=operation)) in ACTIONS


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("DeleteObject", "s3:DeleteObjectVersion"),  # always with a version
        ("GetObjectTagging", "s3:GetObjectVersionTagging"),
        ("UploadPart", "s3:PutObject"),
        ("CompleteMultipartUpload", "s3:PutObject"),
        ("CreateMultipartUpload", "s3:PutObject"),
        ("PutObject", "s3:PutObject"),
        ("HeadObject", "s3:GetObject"),
        ("GetObject", "s3:GetObject"),
        ("HeadBucket", "s3:ListBucket"),
        ("ListObjectsV2", "s3:ListBucket"),
        ("ListObjectVersions", "s3:ListBucketVersions"),
        ("ListMultipartUploads", "s3:ListBucketMultipartUploads"),
        ("AbortMultipartUpload", "s3:AbortMultipartUpload"),
        ("CreateBucket", "s3:CreateBucket"),
        ("ListBuckets", "s3:ListAllMyBuckets"),
        ("DescribeLogGroups", "logs:DescribeLogGroups"),
        ("DeleteLogGroup", "logs:DeleteLogGroup"),
        ("FilterLogEvents", "logs:FilterLogEvents"),
        ("SimulatePrincipalPolicy", "iam:SimulatePrincipalPolicy"),
        ("CreateEndpoint", "sagemaker:CreateEndpoint"),
        ("InvokeEndpoint", "sagemaker:InvokeEndpoint"),
    ],
)
def test_an_operation_needs_the_action_that_iam_calls_so(operation: str, action: str) -> None:
    """IAM's names differ from the operations' in S3; what has no words is told by them."""
    assert action_of(client_error("AccessDenied", "Access Denied", 403, operation)) == action
    assert action in ACTIONS
