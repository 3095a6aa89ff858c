"""The calls that tests make to a simulated account, through boto3."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
from marked_processes import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.cloud.session import Cloud

IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/mxnet-inference:1.9.0-cpu-py38"
BUCKET = "simulator-tests"

_NUMBERS = itertools.count()


def unique(name: str) -> str:
    """A name that no other test uses."""
    return f"{name}-{next(_NUMBERS)}"


def log_group(name: str) -> str:
    """Where an endpoint's log is."""
    return f"/aws/sagemaker/Endpoints/{name}"


@dataclass
class Refused:
    """What AWS answered instead of doing it."""

    response: dict[str, Any] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """Such as ``ValidationException``."""
        return self.response["Error"]["Code"]

    @property
    def message(self) -> str:
        """In AWS's words."""
        return self.response["Error"]["Message"]

    @property
    def status(self) -> int:
        """Of HTTP."""
        return self.response["ResponseMetadata"]["HTTPStatusCode"]


@contextlib.contextmanager
def refused() -> Iterator[Refused]:
    """Expect that AWS refuses the call inside."""
    import botocore.exceptions

    refusal = Refused()
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        yield refusal
    refusal.response = caught.value.response


class Aws:
    """An account that tests make things in."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def client(self, service: str) -> Any:
        return self.cloud.client(service)

    @cached_property
    def sagemaker(self) -> Any:
        return self.cloud.client("sagemaker")

    @cached_property
    def runtime(self) -> Any:
        return self.cloud.client("sagemaker-runtime")

    @cached_property
    def s3(self) -> Any:
        client = self.cloud.client("s3")
        client.create_bucket(Bucket=BUCKET)
        return client

    def upload(self, path: Path) -> str:
        """Its ``s3://`` address."""
        key = f"{unique('object')}/model.tar.gz"
        self.s3.upload_file(str(path), BUCKET, key)
        return f"s3://{BUCKET}/{key}"

    def create_model(self, name: str, url: str, *, image: str = IMAGE, script: str = "inference.py") -> None:
        environment = {"SAGEMAKER_PROGRAM": script, "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
        container = {"Image": image, "ModelDataUrl": url, "Environment": environment}
        self.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=self.cloud.role)

    def create_config(self, name: str, model: str) -> None:
        variant = {"VariantName": "AllTraffic", "ModelName": model, "InstanceType": "ml.m4.xlarge"}
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[{**variant, "InitialInstanceCount": 1}]
        )

    def create_endpoint(self, name: str, config: str) -> None:
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)

    def deploy(self, name: str, tarball: Path, **model: str) -> None:
        """Model, config and endpoint of one name, without waiting."""
        self.create_model(name, self.upload(tarball), **model)
        self.create_config(name, name)
        self.create_endpoint(name, name)

    def describe(self, name: str) -> dict[str, Any]:
        return self.sagemaker.describe_endpoint(EndpointName=name)

    def status(self, name: str) -> str:
        return self.describe(name)["EndpointStatus"]

    def delete_and_wait(self, name: str) -> None:
        """Delete an endpoint, and wait until it is gone."""
        self.delete(name)
        assert self.wait_until_gone(name), "still Deleting after half a minute"

    def wait_until_gone(self, name: str) -> bool:
        """Whether an endpoint is gone within half a minute."""
        return wait_for(lambda: name not in self.listed(), 30)

    def settled(self, name: str) -> dict[str, Any]:
        """The endpoint's description once it is no longer being created."""
        assert wait_for(lambda: self.status(name) != "Creating", 60), "still Creating after a minute"
        return self.describe(name)

    def delete(self, name: str) -> None:
        self.sagemaker.delete_endpoint(EndpointName=name)

    def invoke(self, name: str, body: bytes, content_type: str = "application/json") -> bytes:
        return self.runtime.invoke_endpoint(EndpointName=name, Body=body, ContentType=content_type)["Body"].read()

    def log(self, name: str) -> list[str]:
        """What an endpoint has printed."""
        pages = self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=log_group(name))
        return [event["message"] for page in pages for event in page["events"]]

    def listed(self, **conditions: str) -> dict[str, str]:
        """Status of every endpoint, by name."""
        pages = self.sagemaker.get_paginator("list_endpoints").paginate(**conditions)
        return {entry["EndpointName"]: entry["EndpointStatus"] for page in pages for entry in page["Endpoints"]}
