"""An account that programs find by ``AWS_ENDPOINT_URL``: requests whose host says nothing of service and region."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from simulator_aws import Aws, refused, unique

from harness.simulator import aws_request

if TYPE_CHECKING:
    from pathlib import Path

    from hollow_account import HollowAccount, HollowWire

REGION = "eu-central-1"
"""Not the one that moto takes where it is told none."""

SCOPE = f"AWS4-HMAC-SHA256 Credential=simulated/20260131/{REGION}/{{}}/aws4_request, SignedHeaders=host, Signature=none"


class Addressed:
    """A cloud whose clients are plain ones of boto3, with the account's address."""

    def __init__(self, wire: HollowWire) -> None:
        self.role = wire.role
        self._url = wire.url

    def client(self, service: str) -> Any:
        """A client that is told an address, as by ``AWS_ENDPOINT_URL``, and nothing else."""
        import boto3

        keys = {"aws_access_key_id": "simulated", "aws_secret_access_key": "simulated"}
        return boto3.Session().client(service, endpoint_url=self._url, region_name=REGION, **keys)


def test_all_services_are_reached_by_one_address(
    hollow: HollowAccount, plain_tarball: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 by path, SageMaker, its runtime, Logs and STS: a deployment works, in the region of the signature."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    aws, name, bucket = Aws(Addressed(hollow.wire)), unique("addressed"), unique("by-path")  # type: ignore[arg-type]  # enough of a Cloud
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.upload_file(str(plain_tarball), bucket, "a folder/model.tar.gz")
    aws.create_model(name, f"s3://{bucket}/a folder/model.tar.gz")
    aws.create_config(name, name)
    aws.create_endpoint(name, name)
    description = aws.settled(name)
    assert description["EndpointStatus"] == "InService", description["FailureReason"]
    assert description["EndpointArn"].split(":")[3] == REGION
    assert aws.invoke(name, b"[1]") == b"[1]"
    assert aws.log(name)
    assert aws.client("sts").get_caller_identity()["Account"] == "123456789012"
    assert hollow.listed() == {}
    aws.delete_and_wait(name)


def test_a_bucket_called_endpoints_is_no_runtime(hollow: HollowAccount) -> None:
    """By path, an object in it looks like an invocation; what the request is signed for tells them apart."""
    s3 = Addressed(hollow.wire).client("s3")
    s3.create_bucket(Bucket="endpoints", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="endpoints", Key="name/invocations", Body=b"an object")
    assert s3.get_object(Bucket="endpoints", Key="name/invocations")["Body"].read() == b"an object"


def test_only_invocations_are_simulated(hollow: HollowAccount) -> None:
    """Other verbs of the runtime say so."""
    with refused() as refusal:
        hollow.client("sagemaker-runtime").invoke_endpoint_async(EndpointName="x", InputLocation="s3://a/b")
    assert refusal.message == "The simulated account answers /invocations only, not /async-invocations."


@pytest.mark.parametrize(
    ("host", "signed_for", "region"),
    [
        ("api.sagemaker.us-west-2.amazonaws.com", "sagemaker", "us-west-2"),
        ("runtime.sagemaker.us-west-2.amazonaws.com", "sagemaker", "us-west-2"),
        ("127.0.0.1:5000", "sagemaker", REGION),
        ("localhost:5000", "sagemaker", REGION),
        ("127.0.0.1:5000", "", "us-east-1"),
    ],
)
def test_the_region_is_the_hosts_or_the_signatures(host: str, signed_for: str, region: str) -> None:
    """As moto has it: first the host, then the signature, and at last a default."""
    environ = {"HTTP_HOST": host, **({"HTTP_AUTHORIZATION": SCOPE.format(signed_for)} if signed_for else {})}
    assert aws_request.region(environ) == region


@pytest.mark.parametrize(
    ("host", "signed_for", "path", "runtime"),
    [
        ("runtime.sagemaker.us-east-1.amazonaws.com", "", "/endpoints/x/invocations", True),
        ("127.0.0.1:5000", "sagemaker", "/endpoints/x/invocations", True),
        ("127.0.0.1:5000", "sagemaker", "/", False),
        ("127.0.0.1:5000", "s3", "/endpoints/x/invocations", False),
        ("127.0.0.1:5000", "", "/endpoints/x/invocations", False),
    ],
)
def test_the_runtime_is_told_by_host_or_signature(host: str, signed_for: str, path: str, *, runtime: bool) -> None:
    """And by the path, which is the runtime's own."""
    environ = {"HTTP_HOST": host, "PATH_INFO": path, "HTTP_AUTHORIZATION": SCOPE.format(signed_for)}
    assert aws_request.is_runtime(environ) is runtime
