"""An endpoint that exists already: whether it answers, what it runs on, and what that costs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from harness.cloud.budget import HOURLY
from harness.cloud.running import IN_SERVICE, Running, find_running
from harness.errors import CloudError

if TYPE_CHECKING:
    from harness.cloud.session import Cloud

NAME = "digits"

DELETED = "billed until it is deleted, drawing or not."


def variant(kind: str = "ml.m4.xlarge", count: int = 1, name: str = "v") -> dict[str, Any]:
    """A part of a configuration."""
    return {"VariantName": name, "InstanceType": kind, "InitialInstanceCount": count}


def now(count: int, name: str = "v") -> dict[str, Any]:
    """What an endpoint says of such a part."""
    return {"VariantName": name, "CurrentInstanceCount": count}


def refusal_of(operation: str, code: str, message: str) -> Any:
    """An answer of AWS's that is an error."""
    import botocore.exceptions

    return botocore.exceptions.ClientError({"Error": {"Code": code, "Message": message}}, operation)


def cloud_of(endpoint: Any, config: Any = None, *, region: str = "us-east-1", kind: str = "live") -> Any:
    """An account with one endpoint and its configuration; each may be an error that is raised in its place."""

    def answer(given: Any) -> Any:
        if isinstance(given, Exception):
            raise given
        return given

    def describe_endpoint(EndpointName: str) -> Any:  # noqa: N803 - boto3's
        assert EndpointName == NAME
        return answer(endpoint)

    def describe_endpoint_config(EndpointConfigName: str) -> Any:  # noqa: N803 - boto3's
        assert EndpointConfigName == "config"
        return answer(config)

    client = SimpleNamespace(describe_endpoint=describe_endpoint, describe_endpoint_config=describe_endpoint_config)
    return SimpleNamespace(
        client={"sagemaker": client}.__getitem__,
        kind=kind,
        recorder=SimpleNamespace(run=SimpleNamespace(region=region)),
    )


def endpoint(status: str = "InService", **fields: Any) -> dict[str, Any]:
    """What an account says of an endpoint."""
    return {"EndpointStatus": status, "EndpointConfigName": "config", **fields}


def found(config: dict[str, Any], region: str = "us-east-1", **fields: Any) -> Running:
    """What is found of an endpoint with such a configuration."""
    return find_running(cloud_of(endpoint(**fields), config, region=region), NAME)


def message_of(cloud: Any, name: str = NAME) -> str:
    """Why an endpoint is not found, all of it."""
    with pytest.raises(CloudError) as caught:
        find_running(cloud, name)
    return str(caught.value)


@pytest.mark.parametrize(
    ("instances", "hourly", "told"),
    [
        ((("ml.m4.xlarge", 1),), 0.28, f" runs on 1 x ml.m4.xlarge, up to $0.280 an hour: {DELETED}"),
        (
            (("ml.m4.xlarge", 2), ("ml.t2.medium", 1)),
            0.625,
            f" runs on 2 x ml.m4.xlarge and 1 x ml.t2.medium, up to $0.625 an hour: {DELETED}",
        ),
        ((("ml.x9.huge", 1),), None, f" runs on 1 x ml.x9.huge, at a price that is not known here: {DELETED}"),
        ((), 0.0, " is serverless: AWS bills each request."),
        (None, None, f": its configuration was deleted, which alone tells what it runs on and costs: {DELETED}"),
    ],
)
def test_a_price_is_told_in_words(
    instances: tuple[tuple[str, int], ...] | None, hourly: float | None, told: str
) -> None:
    """What it runs on and what that costs, or that nobody knows."""
    assert Running(NAME, instances, hourly).told_price() == f"Endpoint {NAME}{told}"


@pytest.mark.parametrize(
    ("config", "fields", "instances", "hourly"),
    [
        ({"ProductionVariants": [variant()]}, {}, (("ml.m4.xlarge", 1),), HOURLY["ml.m4.xlarge"]),
        (
            {"ProductionVariants": [variant(count=2)]},
            {"ProductionVariants": [now(5)]},
            (("ml.m4.xlarge", 5),),
            5 * HOURLY["ml.m4.xlarge"],
        ),
        (
            {"ProductionVariants": [variant(name="a"), variant("ml.c5.large", 3, "b")]},
            {"ProductionVariants": [now(2, "a")]},
            (("ml.m4.xlarge", 2), ("ml.c5.large", 3)),
            2 * HOURLY["ml.m4.xlarge"] + 3 * HOURLY["ml.c5.large"],
        ),
        (
            {"ProductionVariants": [variant()], "ShadowProductionVariants": [variant("ml.t2.large", 1, "s")]},
            {"ProductionVariants": [now(1)], "ShadowProductionVariants": [now(2, "s")]},
            (("ml.m4.xlarge", 1), ("ml.t2.large", 2)),
            HOURLY["ml.m4.xlarge"] + 2 * HOURLY["ml.t2.large"],
        ),
        (
            {"ProductionVariants": [variant(name="a"), variant("ml.x9.huge", 1, "b")]},
            {},
            (("ml.m4.xlarge", 1), ("ml.x9.huge", 1)),
            None,
        ),
        ({"ProductionVariants": [{"VariantName": "v", "ServerlessConfig": {}}]}, {}, (), 0.0),
    ],
    ids=["one", "grown", "two", "shadow", "unknown", "serverless"],
)
def test_what_it_runs_on_is_found(
    config: dict[str, Any], fields: dict[str, Any], instances: tuple[tuple[str, int], ...], hourly: float | None
) -> None:
    """As many instances as there are now, of all variants; one of them without a price leaves no price."""
    running = found(config, **fields)
    assert (running.name, running.instances) == (NAME, instances)
    assert running.hourly == (None if hourly is None else pytest.approx(hourly))


def test_a_price_is_that_of_the_region() -> None:
    """Elsewhere an instance may cost more than in us-east-1."""
    config = {"ProductionVariants": [variant()]}
    here, there = (found(config, region=region).hourly for region in ("us-east-1", "sa-east-1"))
    assert here is not None
    assert there is not None
    assert there > here


def test_an_endpoint_outlives_its_configuration() -> None:
    """It answers all the same, so it is found, at a price that nobody can tell."""
    gone = refusal_of(
        "DescribeEndpointConfig", "ValidationException", 'Could not find endpoint configuration "config".'
    )
    assert find_running(cloud_of(endpoint(), gone), NAME) == Running(NAME, None, None)


def test_statuses_are_aws(account: Cloud) -> None:
    """All in which SageMaker answers are statuses that it knows; most are others."""
    known = set(account.client("sagemaker").meta.service_model.shape_for("EndpointStatus").enum)
    assert known > IN_SERVICE
    assert {"Creating", "Failed", "Deleting", "OutOfService", "UpdateRollbackFailed"} == known - IN_SERVICE


@pytest.mark.parametrize("status", sorted(IN_SERVICE))
def test_what_answers_is_found(status: str) -> None:
    """While it is updated too."""
    assert found({"ProductionVariants": [variant()]}, status=status).instances == (("ml.m4.xlarge", 1),)


@pytest.mark.parametrize(
    ("fields", "tail"),
    [
        ({"status": "Creating"}, "found Creating"),
        ({"status": "Deleting", "FailureReason": ""}, "found Deleting"),
        (
            {"status": "Failed", "FailureReason": "The primary container did not pass the ping health check."},
            "found Failed. The primary container did not pass the ping health check",
        ),
    ],
)
def test_what_does_not_answer_is_told(fields: dict[str, Any], tail: str) -> None:
    """With AWS's reason, if it gives one; what it runs on is not asked then."""
    assert message_of(cloud_of(endpoint(**fields))) == f"endpoint {NAME}: expected it to be InService, {tail}"


def test_what_is_not_there_is_told(account: Cloud) -> None:
    """With the account and the region in which there is none of that name."""
    expected = "expected one of that name in the simulated account in us-east-1, found none"
    assert message_of(account, "nobodys") == f"endpoint nobodys: {expected}"


@pytest.mark.parametrize("operation", ["DescribeEndpoint", "DescribeEndpointConfig"])
def test_who_may_not_look_is_told(operation: str) -> None:
    """With the line of policy that is missing."""
    words = f"User: arn:aws:iam::123456789012:user/x is not authorized to perform: sagemaker:{operation}"
    denied = refusal_of(operation, "AccessDeniedException", words)
    cloud = cloud_of(denied if operation == "DescribeEndpoint" else endpoint(), denied)
    told = message_of(cloud)
    assert told.startswith(f"endpoint {NAME}: AccessDeniedException: {words}; the policy line that is missing: ")
    assert f'"Action": "sagemaker:{operation}"' in told


@pytest.mark.parametrize(("kind", "hint"), [("simulated", "; start it with: byom simulate"), ("live", "")])
def test_an_account_that_is_not_there_is_told(kind: str, hint: str) -> None:
    """What is simulated here, somebody has to start."""
    import botocore.exceptions

    absent = botocore.exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:5000/")
    words = 'EndpointConnectionError: Could not connect to the endpoint URL: "http://127.0.0.1:5000/"'
    assert message_of(cloud_of(absent, kind=kind)) == f"endpoint {NAME}: {words}{hint}"
