"""Things as a run that was killed leaves them: claimed by their tags, and in a ledger or not."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from leaks.flow import ACCOUNT, BUCKET, OWNER, REGION, ROLE

from harness.cloud.claim import LOGS, Claim
from harness.cloud.ledger import Run
from harness.cloud.pace import Pace
from harness.resources import Kind, Resource

if TYPE_CHECKING:
    from harness.cloud.ledger import Ledger

IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/mxnet-inference:1.9.0-cpu-py38"
HOUR = 3600.0

BRISK = Pace(poll=0.01, deploy=5, busy=5, broken=0.1, settle=0)
"""Nothing is on its way here: what is not there does not come."""


class Root:
    """An account as its owner sees it: nothing that is made here is written down or claimed.

    Args:
        url: where it listens.
    """

    def __init__(self, url: str) -> None:
        from harness.cloud.session import redirected_session

        self.boto = redirected_session(url, REGION)
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """The client of a service."""
        if service not in self._clients:
            self._clients[service] = self.boto.client(service)
        return self._clients[service]


def new_run(*, owner: str = OWNER, seconds: float = HOUR, **fields: str) -> Run:
    """A run of which nobody has heard; it expires in so many seconds."""
    name = secrets.token_hex(4)
    given = {"run": name, "session": name, "account": ACCOUNT, "region": REGION, **fields}
    return Run(owner=owner, expires=time.time() + seconds, **given)


def write_down(ledger: Ledger, run: Run, *resources: Resource, hourly: float = 0.0) -> None:
    """What a run writes before it makes things."""
    ledger.begin(run)
    for resource in resources:
        ledger.intend(run.run, resource, hourly=hourly if resource.kind is Kind.ENDPOINT else 0.0)


def name_of(run: Run, number: int = 1) -> str:
    """What the things of a run are called."""
    return f"byom-left-{run.run}-{number}"


def make_object(root: Root, run: Run, name: str = "") -> Resource:
    """An object of a run's, in the bucket that the SageMaker SDK would make."""
    key = f"{name or name_of(run)}/model.tar.gz"
    tagging = urlencode(Claim.of(run).tags)
    root.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"content", Tagging=tagging)
    return Resource(Kind.OBJECT, f"s3://{BUCKET}/{key}")


def make_model(root: Root, run: Run, name: str = "", data: str = "") -> Resource:
    """A model of a run's; of what is in its object, unless other data is given."""
    name = name or name_of(run)
    container = {"Image": IMAGE, "ModelDataUrl": data or make_object(root, run, name).name}
    root.client("sagemaker").create_model(
        ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE, Tags=_tags(run)
    )
    return Resource(Kind.MODEL, name)


def make_all(root: Root, run: Run, number: int = 1) -> tuple[Resource, ...]:
    """One of each kind, in the order of their making."""
    name, sagemaker = name_of(run, number), root.client("sagemaker")
    one_object = make_object(root, run, name)
    model = make_model(root, run, name, one_object.name)
    variant = {"VariantName": "v", "ModelName": name, "InstanceType": "ml.m4.xlarge", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], Tags=_tags(run))
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name, Tags=_tags(run))
    config, endpoint = Resource(Kind.ENDPOINT_CONFIG, name), Resource(Kind.ENDPOINT, name)
    return one_object, model, config, Resource(Kind.LOG_GROUP, f"{LOGS}{name}"), endpoint


def _tags(run: Run) -> list[dict[str, Any]]:
    return [{"Key": key, "Value": value} for key, value in Claim.of(run).tags.items()]
