"""Deploy, validate, delete, in an account that may be anything but kind; and what is left of it afterwards."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.cloud.pace import Pace
from harness.resources import Kind, Resource
from leaks.faults import Fault, Faults

if TYPE_CHECKING:
    from pathlib import Path

    from harness.artifact import Artifact
    from harness.cloud.ledger import Ledger
    from harness.cloud.session import Cloud

RUN = "0a1b2c3d"
TITLE = "leak"
NAME = f"byom-{TITLE}-{RUN}-1"
OWNER = "arn:aws:iam::123456789012:user/tester"
ACCOUNT, REGION = "123456789012", "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/sagemaker"
BUCKET = f"sagemaker-{REGION}-{ACCOUNT}"

QUICK = Pace(poll=0.05, deploy=2, busy=4, broken=0.1, settle=0.6)
"""Longer than a late request takes, and than nothing else."""


def open_account(url: str, folder: Path, *, run: str = RUN, seconds: float = 600) -> Cloud:
    """A cloud of kind "simulated" with a ledger in a folder."""
    from harness.cloud.ledger import Ledger, Run
    from harness.cloud.recorder import Recorder
    from harness.cloud.session import SIMULATED, Cloud, redirected_session

    expires = time.time() + seconds
    who = Run(run=run, session=run, owner=OWNER, account=ACCOUNT, region=REGION, expires=expires)
    boto, recorder = redirected_session(url, REGION), Recorder(Ledger(folder), who)
    return Cloud(kind=SIMULATED, boto=boto, role=ROLE, recorder=recorder, pace=QUICK)


def deploy_validate_delete(cloud: Cloud, artifact: Artifact, script: Path, *, number: int = 1) -> None:
    """As the fixtures do it: teardown follows, however the test ends."""
    from harness.cloud.deploy import deploy, resource_name
    from harness.cloud.predictor import Predictor

    deployment = deploy(cloud, artifact, name=resource_name(cloud, TITLE, number), entry_point=script)
    try:
        import numpy as np

        answer = Predictor(cloud, deployment.endpoint_name).predict(np.zeros((1, 4), np.float32))
        assert answer.tolist() == [[0.25, 0.75]]
    finally:
        deployment.delete()


def everything(cloud: Cloud) -> set[Resource]:
    """Whatever of the kinds that a deployment makes there is in the account."""
    sagemaker, s3, logs = cloud.client("sagemaker"), cloud.client("s3"), cloud.client("logs")

    def names(operation: str, entries: str, name: str) -> list[str]:
        return [entry[name] for page in sagemaker.get_paginator(operation).paginate() for entry in page[entries]]

    found = {Resource(Kind.ENDPOINT, name) for name in names("list_endpoints", "Endpoints", "EndpointName")}
    configs = names("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName")
    found |= {Resource(Kind.ENDPOINT_CONFIG, name) for name in configs}
    found |= {Resource(Kind.MODEL, name) for name in names("list_models", "Models", "ModelName")}
    groups = logs.describe_log_groups()["logGroups"]
    found |= {Resource(Kind.LOG_GROUP, group["logGroupName"]) for group in groups}
    for bucket in (entry["Name"] for entry in s3.list_buckets()["Buckets"]):
        versions = s3.list_object_versions(Bucket=bucket)
        keys = [entry["Key"] for entry in (*versions.get("Versions", []), *versions.get("DeleteMarkers", []))]
        keys += [upload["Key"] for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]
        found |= {Resource(Kind.OBJECT, f"s3://{bucket}/{key}") for key in keys}
    return found


@dataclass(frozen=True)
class Trial:
    """One flow with a fault in it.

    Attributes:
        outcome: ``ok``: nothing was noticed. ``error``: one clear error, all is gone. ``loud``: what is left was named,
            and a later reap deleted it. Anything else says how it leaked.
        error: what the user was told.
    """

    outcome: str
    error: str = ""


class Rig:
    """Tries one flow after another in one account, each with a ledger of its own.

    Args:
        url: of a hollow account.
        folder: for ledgers.
        artifact: what is deployed.
        script: its entry point.
    """

    def __init__(self, url: str, folder: Path, artifact: Artifact, script: Path) -> None:
        self.bystander = open_account(url, folder / "bystander", run="00000000")
        self._folder, self._artifact, self._script = folder, artifact, script
        self._faults = Faults()
        with self._faults.in_between():
            self._cloud = open_account(url, folder / "first")
        self._cloud.client("s3").create_bucket(Bucket=BUCKET)
        self._before = everything(self.bystander)

    def record(self) -> list[str]:
        """The requests of a flow in which nothing goes wrong."""
        trial = self.attempt(None)
        assert trial == Trial("ok"), trial
        return list(self._faults.seen)

    def attempt(
        self, fault: Fault | None, operation: str = "", occurrence: int = 0, *, persistent: bool = False
    ) -> Trial:
        """One flow with a fault, and whether it leaked; see `Faults.plan`."""
        from harness.errors import CloudError, HarnessError, LeftoverError

        ledger = self._start_anew()
        self._faults.plan(fault, operation, occurrence, persistent=persistent)
        error: HarnessError | None = None
        try:
            deploy_validate_delete(self._cloud, self._artifact, self._script)
        except HarnessError as caught:
            error = caught
        self._faults.stop()
        told = str(error or "")
        if isinstance(error, LeftoverError):
            unnamed = [str(resource) for resource in self._left() if str(resource) not in told]
            return Trial(f"NOT NAMED {unnamed}", told) if unnamed else self._reap(ledger, told)
        if self._left() or _is_open(ledger):
            return Trial(f"LEAKED {sorted(map(str, self._left()))}", told)
        if error is not None and not isinstance(error, CloudError):
            return Trial(f"WRONG ERROR {type(error).__name__}", told)
        return Trial("error" if error else "ok", told)

    @property
    def has_struck(self) -> bool:
        """Whether the last attempt got as far as its fault: how often it asks after its endpoint varies."""
        return self._faults.has_struck

    def clear(self) -> None:
        """Delete what a trial has leaked, as only a test may: whatever was not there at first."""
        from harness.cloud.cleanup import remove

        for resource in sorted(self._left(), key=lambda one: list(Kind).index(one.kind), reverse=True):
            remove(self.bystander, resource, RUN)

    def _start_anew(self) -> Ledger:
        """As in a process of its own, without the seconds that it takes to make clients."""
        from harness.cloud.ledger import Ledger
        from harness.cloud.session import import_sagemaker

        import_sagemaker()
        recorder = self._cloud.recorder
        recorder.ledger = Ledger(self._folder / secrets.token_hex(4))
        recorder._intended.clear()
        recorder._unheard.clear()
        self._cloud.sdk._default_bucket = None
        recorder.begin()
        return recorder.ledger

    def _left(self) -> set[Resource]:
        return everything(self.bystander) - self._before

    def _reap(self, ledger: Ledger, told: str) -> Trial:
        from harness.cloud.reaper import reap, search

        remaining = reap(self.bystander, ledger, search(self.bystander, ledger, OWNER).abandoned)
        if remaining or self._left() or _is_open(ledger):
            return Trial(f"NOT REAPED {[str(leftover) for leftover in remaining]}", told)
        return Trial("loud", told)


def _is_open(ledger: Ledger) -> bool:
    return any(state.open for state in ledger.runs())
