"""A simulated account in the test's own process: it answers at once, by a clock of its own, and can be looked into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from hollow_account import Gates, Hollow

from harness.resources import Kind, Resource
from leaks.faults import _Raw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACCOUNT, REGION = "123456789012", "eu-south-1"
"""A region that no other test uses: moto keeps one account for all of a process."""

BUCKET = f"sagemaker-{REGION}-{ACCOUNT}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/sagemaker"

CREATING, DELETING, LAG = 6.0, 4.0, 3.0
"""Seconds: of an endpoint's beginning and end, and until a listing shows what has changed."""

STEPS = ("object", "object again", "upload in parts", "model", "endpoint config", "endpoint")
"""Of a deployment. The SageMaker SDK stores two objects under one key; an upload in parts may never come to its end."""

_IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/mxnet-inference:1.9.0-cpu-py38"


@dataclass(frozen=True)
class Thing:
    """Something in the account.

    Attributes:
        resource: what it is called.
        body: itself, whatever else may get its name later.
        is_leaving: whether it is being deleted.
    """

    resource: Resource
    body: Any
    is_leaving: bool = False

    @property
    def is_upload(self) -> bool:
        """Whether it is an upload in parts that has not come to its end."""
        return hasattr(self.body, "partlist")


class Account:
    """A simulated account that answers in the caller's own thread, and whose inside can be looked at.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app

        from harness.simulator.behaviour import Behaviour
        from harness.simulator.control_plane import ControlPlane

        behaviour = Behaviour(creating_seconds=CREATING, deleting_seconds=DELETING, list_lag_seconds=LAG)
        gates, moto = Gates(), DomainDispatcherApplication(create_backend_app)
        self._clock = clock
        self._plane = ControlPlane(moto, behaviour=behaviour, server=lambda: Hollow(gates), clock=clock)

    def answer(self, request: Any) -> Any:
        """What it answers to a request of botocore's; all that it does about it is done by then."""
        from botocore.awsrequest import AWSResponse
        from werkzeug.test import EnvironBuilder

        from harness.simulator.aws_request import call

        address = urlsplit(request.url)
        builder = EnvironBuilder(
            method=request.method,
            base_url=f"{address.scheme}://{address.netloc}",
            path=address.path,
            query_string=address.query,
            headers={name: _text(value) for name, value in request.headers.items() if name != "Transfer-Encoding"},
            data=request.body.read() if hasattr(request.body, "read") else request.body,
        )
        answer = call(self._plane, builder.get_environ())
        builder.close()
        for endpoint in self._plane.endpoints:
            endpoint._thread.join()
        return AWSResponse(request.url, answer.status, dict(answer.headers), _Raw(answer.body))

    def things(self) -> list[Thing]:
        """Everything that there is at this moment, whatever listings show."""
        return [*self._of_sagemaker(), *self._of_s3(), *self._of_logs()]

    def stop(self) -> None:
        """End its endpoints."""
        self._plane.endpoints.stop_all()

    def _of_sagemaker(self) -> Iterator[Thing]:
        kinds = {"Model": Kind.MODEL, "EndpointConfig": Kind.ENDPOINT_CONFIG, "Endpoint": Kind.ENDPOINT}
        for entry in self._plane._catalogue._newest.values():
            status = entry.lifetime.status(self._clock())
            if status:
                yield Thing(Resource(kinds[entry.kind.noun], entry.name), entry, is_leaving=status == "Deleting")

    def _of_s3(self) -> Iterator[Thing]:
        from moto.s3.models import s3_backends

        bucket = s3_backends[ACCOUNT]["aws"].buckets.get(BUCKET)
        if bucket is None:
            return
        for key, versions in bucket.keys.iterlists():
            yield from (Thing(Resource(Kind.OBJECT, f"s3://{BUCKET}/{key}"), version) for version in versions)
        for upload in bucket.multiparts.values():
            yield Thing(Resource(Kind.OBJECT, f"s3://{BUCKET}/{upload.key_name}"), upload)

    def _of_logs(self) -> Iterator[Thing]:
        from moto.logs.models import logs_backends

        for name, group in logs_backends[ACCOUNT][REGION].groups.items():
            yield Thing(Resource(Kind.LOG_GROUP, name), group)


def make(
    client: Callable[[str], Any], step: str, name: str, *, origin: str = "", tags: dict[str, str] | None = None
) -> None:
    """One step of a deployment, from what was made under the same name or another."""
    s3, sagemaker, source = client("s3"), client("sagemaker"), origin or name
    listed = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
    if step.startswith("object"):
        s3.put_object(Bucket=BUCKET, Key=f"{name}/model.tar.gz", Body=b"a model", Tagging=urlencode(tags or {}))
    elif step == "upload in parts":
        s3.create_multipart_upload(Bucket=BUCKET, Key=f"{name}/parts.tar.gz")
    elif step == "model":
        container = {"Image": _IMAGE, "ModelDataUrl": f"s3://{BUCKET}/{source}/model.tar.gz"}
        sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE, Tags=listed)
    elif step == "endpoint config":
        variant = {"VariantName": "v", "ModelName": source, "InstanceType": "ml.m4.xlarge", "InitialInstanceCount": 1}
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], Tags=listed)
    else:
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=source, Tags=listed)


def delete(client: Callable[[str], Any], thing: Thing) -> None:
    """Delete exactly this, as its owner would."""
    kind, name = thing.resource.kind, thing.resource.name
    place = {"Bucket": BUCKET, "Key": name.removeprefix(f"s3://{BUCKET}/")}
    if kind is Kind.LOG_GROUP:
        client("logs").delete_log_group(logGroupName=name)
    elif kind is Kind.ENDPOINT:
        client("sagemaker").delete_endpoint(EndpointName=name)
    elif kind is Kind.ENDPOINT_CONFIG:
        client("sagemaker").delete_endpoint_config(EndpointConfigName=name)
    elif kind is Kind.MODEL:
        client("sagemaker").delete_model(ModelName=name)
    elif thing.is_upload:
        client("s3").abort_multipart_upload(**place, UploadId=thing.body.id)
    else:
        client("s3").delete_object(**place, VersionId=thing.body.version_id or "null")


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
