"""The user's own account: credentials, region and role, who the user is, and what its runs start with."""

from __future__ import annotations

import json
import os
import platform
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cloud import pace
from harness.cloud.budget import Budget, hourly_price
from harness.cloud.claim import as_owner, principal_of
from harness.cloud.ledger import Ledger, Run
from harness.cloud.recorder import Recorder
from harness.cloud.refusal import told
from harness.cloud.session import INSTANCE_TYPE, LIVE, STAND_IN, Cloud, import_boto3, redirected
from harness.errors import CloudError, MissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MINUTE = 60.0

_METADATA = Path("/opt/ml/metadata/resource-metadata.json")
"""On a SageMaker notebook instance and in Studio: what it is and, since 2023, its execution role."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """On what terms a live account is used.

    Attributes:
        role: ARN of the role that models run under; ``SAGEMAKER_ROLE``, or SageMaker's own execution role, if None.
        region: of AWS; the profile's or the environment's if None.
        instance_type: what endpoints run on.
        budget: dollars that all endpoints of a session may cost together.
        minutes: how long an endpoint may live.
        hourly: dollars an hour for one instance; from a list of prices if None.
    """

    role: str | None = None
    region: str | None = None
    instance_type: str = INSTANCE_TYPE
    budget: float = 1.0
    minutes: float = 60.0
    hourly: float | None = None

    def budget_in(self, region: str) -> Budget:
        """The cap, with the price in a region.

        Raises:
            CloudError: the price is not known.
        """
        hourly = hourly_price(self.instance_type, region, self.hourly)
        return Budget(cap=self.budget, hourly=hourly, seconds=self.minutes * MINUTE)


@dataclass(frozen=True)
class Identity:
    """Who calls.

    Attributes:
        account: AWS's number of the account, as text.
        arn: of the user or the assumed role.
    """

    account: str
    arn: str

    @property
    def owner(self) -> str:
        """What the tags say: ``BYOM_OWNER``, else the ARN; of an assumed role the role's.

        The name of a role's session often is a job's number, and the next job is to know what this one has left.
        """
        return as_owner(os.environ.get("BYOM_OWNER") or principal_of(self.arn))


def live_session(region: str | None) -> Any:
    """A boto3 session of the account that the user's own credentials belong to.

    Raises:
        MissingError: no credentials or no region; names what is missing.
        CloudError: AWS's settings cannot be used, or the stand-in is not on this machine.
    """
    boto3 = import_boto3()
    import botocore.exceptions

    try:
        boto = boto3.Session(region_name=region)
        if boto.get_credentials() is None:
            raise MissingError(
                "live AWS: expected credentials, found none; run `aws configure` or set AWS_ACCESS_KEY_ID"
            )
        if not boto.region_name:  # an empty AWS_DEFAULT_REGION is none
            raise MissingError(
                "live AWS: expected a region, found none; "
                "pass --aws-region (of byom: --region) or set AWS_DEFAULT_REGION"
            )
    except botocore.exceptions.BotoCoreError as error:
        raise MissingError(f"live AWS: {error}; mend the AWS profile or unset AWS_PROFILE") from error
    return redirected(boto, stand_in()) if stand_in() else boto


def stand_in() -> str:
    """Address of the simulated account that stands in for AWS; "" if AWS itself is meant."""
    return os.environ.get(STAND_IN, "")


def execution_role(given: str | None) -> str:
    """ARN of the role that models run under: given, ``SAGEMAKER_ROLE``, or that of this SageMaker notebook.

    Raises:
        MissingError: there is none.
    """
    role = given or os.environ.get("SAGEMAKER_ROLE") or _role_of_this_machine()
    if not role:
        raise MissingError(
            "live AWS: expected the ARN of a role that SageMaker may assume, found none; "
            "pass --aws-role or set SAGEMAKER_ROLE"
        )
    return role


def identify(boto: Any) -> Identity:
    """Who the credentials belong to.

    Raises:
        CloudError: AWS does not take them, or does not answer.
    """
    import botocore.exceptions

    try:
        answer = boto.client("sts").get_caller_identity()
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise CloudError(
            f"live AWS: expected credentials that AWS accepts, found {told(error)}; renew them, or mend the network"
        ) from error
    return Identity(answer["Account"], answer["Arn"])


def patience() -> pace.Pace:
    """How long to wait for the live account; not so long for one that stands in for it."""
    return pace.SIMULATED if stand_in() else pace.LIVE


def live_cloud(terms: Terms, *, run: str, session: str, ledger: Ledger | None = None) -> Cloud:
    """The live account for one run. Nothing is called but STS, and nothing is written down yet.

    Raises:
        MissingError: credentials, region or role are missing; names what.
        CloudError: AWS does not accept the credentials, or no price is known.
    """
    boto, role = live_session(terms.region), execution_role(terms.role)
    budget, identity = terms.budget_in(boto.region_name), identify(boto)
    who = Run(
        run=run,
        session=session,
        owner=identity.owner,
        account=identity.account,
        region=boto.region_name,
        expires=time.time() + budget.seconds,
        host=platform.node(),
    )
    recorder = Recorder(ledger or Ledger(), who, budget=budget)
    return Cloud(kind=LIVE, boto=boto, role=role, recorder=recorder, instance_type=terms.instance_type, pace=patience())


def reaping_cloud(region: str | None) -> Cloud:
    """The live account for a look at what earlier runs have left. It makes nothing, so it needs no role.

    Raises:
        CloudError: no credentials, no region, or AWS does not accept them.
    """
    boto = live_session(region)
    identity = identify(boto)
    who = Run(
        run="",
        session="",
        owner=identity.owner,
        account=identity.account,
        region=boto.region_name,
        expires=time.time(),
    )
    return Cloud(kind=LIVE, boto=boto, role="", recorder=Recorder(Ledger(), who), pace=patience())


@contextmanager
def in_use(cloud: Cloud, *, say: Callable[[str], None], keep: bool = False) -> Iterator[Cloud]:
    """Use a live account: first see that this run may delete what it makes, and clear what earlier ones have left.

    While it lasts, a process of its own watches this one, and deletes all that is left should it disappear. At the end
    everything is deleted, or kept on purpose.

    Args:
        cloud: from `live_cloud`.
        say: tells the user a line.
        keep: leave everything that exists at the end.

    Raises:
        CloudError: something needed is not permitted, an earlier run's things cannot be deleted, or the watcher does
            not start. Nothing was made then.
        LeftoverError: at the end something could not be deleted.
    """
    from harness.cloud.cleanup import delete_all
    from harness.cloud.permissions import check_permissions
    from harness.cloud.reaper import reap_earlier
    from harness.cloud.watcher import Watcher

    recorder = cloud.recorder
    run, ledger = recorder.run, recorder.ledger
    for line in check_permissions(cloud):
        say(line)
    for line in reap_earlier(cloud):
        say(line)
    with ledger.alive(run.run):
        recorder.begin()
        with Watcher(run, ledger) as watcher:
            recorder.before_endpoint = watcher.ensure
            try:
                yield cloud
            finally:
                if keep:
                    ledger.keep(run.run)
                else:
                    delete_all(cloud)


def _role_of_this_machine() -> str:
    try:
        return str(json.loads(_METADATA.read_text(encoding="utf-8")).get("ExecutionRoleArn") or "")
    except (OSError, ValueError, AttributeError):
        return ""
