"""An account that stands in for AWS, as ``pytest -m aws`` finds it: what its user has set, and what is left there."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leaks import flow
from leaks.hollow_account import hollow_account
from tiny_experiment import EXPERIMENT, INI, SETTING, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.cloud.ledger import RunState
    from harness.cloud.session import Cloud

LIVE_INI = f"""{INI.replace("-p no:cacheprovider", "-p no:cacheprovider -p no:hypothesispytest -p no:anyio")}
    # The harness is: what sessions are forked from has loaded it.
    ignore:Module already imported:pytest.PytestAssertRewriteWarning
"""
"""Hypothesis is imported, for seconds, by each session that is interrupted."""

PREPARED = '''
"""What takes seconds and has nothing to do with the account: training, and loading what was trained."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from harness.cloud import deploy

deploy.Loader = nullcontext


@pytest.fixture(scope="module")
def artifact():
    from harness.tarball.verify import load_artifact

    return load_artifact(Path({tarball!r}))
'''

WITHOUT_SDK = """

def create(cloud, artifact, name, entry_point):
    '''Makes what the SageMaker SDK makes, but for its own copy of the tarball: its import takes a worker seconds.'''
    s3, sagemaker = cloud.client("s3"), cloud.client("sagemaker")
    place = {{"Bucket": {bucket!r}, "Key": f"{{name}}/model.tar.gz"}}
    s3.put_object(**place, Body=artifact.path.read_bytes())
    container = {{"Image": {image!r}, "ModelDataUrl": "s3://{{Bucket}}/{{Key}}".format(**place)}}
    sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=cloud.role)
    variant = {{"VariantName": "v", "ModelName": name, "InstanceType": "ml.m4.xlarge", "InitialInstanceCount": 1}}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)


deploy._create = create
"""

HEAD = EXPERIMENT + SETTING

ASKS = """

def test_asks(predictor):
    assert predictor.predict(np.zeros((1, 4), np.float32)).tolist() == [[0.25, 0.75]]
"""

WAITS = """

def test_waits(predictor, endpoint):
    import os
    import time

    ready = Path(f"{endpoint.endpoint_name}.tmp")
    ready.write_text(str(os.getpid()), encoding="ascii")
    ready.rename(f"{endpoint.endpoint_name}.ready")
    while not Path("go").exists():
        time.sleep(0.02)
"""

SMALL = """
import pytest


@pytest.mark.local
def test_plain():
    pass


def test_uses_the_account(cloud):
    assert cloud.client("sts").get_caller_identity()["Account"] == "123456789012"


@pytest.mark.serving
def test_asks(predictor):
    pass
"""
"""Its first two tests run anywhere; its live ones would call AWS before anything else."""

OFFER = (
    "byom: live AWS: will make {} endpoint(s) in us-east-1, each with a model, an endpoint config and two objects in "
    "S3, on one {} at up to ${} an hour, for at most {} minutes: at most ${} of ${} (--aws-budget). "
)
"""What is said beforehand: endpoints, instance type, price, minutes, dollars at most, cap."""


@dataclass(frozen=True)
class StandIn:
    """An account on this machine.

    Attributes:
        url: its address.
        bystander: looks at it.
        tarball: what is deployed.
    """

    url: str
    bystander: Cloud
    tarball: Path

    def environment(self, folder: Path, **more: str) -> dict[str, str]:
        """What a user has set whose ledger is in a folder of that folder."""
        return {**settings(folder, self.url), **more}

    def write(self, folder: Path, *, with_sdk: bool = False, **modules: str) -> Path:
        """A folder with experiments whose model is there already."""
        conftest = PREPARED if with_sdk else PREPARED + WITHOUT_SDK
        values = {"tarball": str(self.tarball), "bucket": flow.BUCKET, "image": _IMAGE}
        return write_live(folder, conftest=conftest.format(**values), **modules)

    def left(self, folder: Path) -> list[str]:
        """What is there of all runs of a folder's ledger, in words."""
        runs = [state.run.run for state in ledger(folder)]
        found = flow.everything(self.bystander)
        return sorted(str(resource) for resource in found if any(run in resource.name for run in runs))

    def status(self, name: str) -> str:
        """Of an endpoint; "" if there is none."""
        listed = self.bystander.client("sagemaker").list_endpoints(NameContains=name)["Endpoints"]
        return next((one["EndpointStatus"] for one in listed if one["EndpointName"] == name), "")


@contextmanager
def stand_in(folder: Path, **behaviour: float) -> Iterator[StandIn]:
    """One without models behind its endpoints, for as long as the block lasts; see `hollow_account`."""
    from simulator_models import Perceptron

    with hollow_account(**behaviour) as url:
        bystander = flow.open_account(url, folder / "bystander", run="00000000")
        bystander.client("s3").create_bucket(Bucket=flow.BUCKET)
        yield StandIn(url, bystander, Perceptron().tarball(folder / "model.tar.gz"))


def write_live(folder: Path, **modules: str) -> Path:
    """A folder with modules for sessions that are forks."""
    write(folder, **modules)
    (folder / "pytest.ini").write_text(LIVE_INI, encoding="utf-8")
    return folder


def small(folder: Path) -> Path:
    """A folder with the small module."""
    return write_live(folder, test_small=SMALL)


def settings(folder: Path, url: str) -> dict[str, str]:
    """What a user of AWS has set, who takes the account at an address for it, and a place for the ledger."""
    return {
        "BYOM_AWS_STAND_IN": url,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "example",
        "AWS_DEFAULT_REGION": flow.REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAGEMAKER_ROLE": flow.ROLE,
        "BYOM_STATE_DIR": str(folder / "state"),
    }


def ledger(folder: Path) -> list[RunState]:
    """The runs of a folder's ledger."""
    from harness.cloud.ledger import Ledger

    return Ledger(folder / "state").runs()


_IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/mxnet-inference:1.9.0-cpu-py38"
