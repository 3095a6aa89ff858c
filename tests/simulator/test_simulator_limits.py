"""Quotas and throttling: how much a hollow account lets pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hollow_account import Clock
from simulator_aws import refused, unique
from simulator_rules import holds

from harness.simulator.aws_request import Refusal
from harness.simulator.limits import Throttle, check_quota

if TYPE_CHECKING:
    from hollow_account import HollowAccount


@holds("quota")
def test_instances_beyond_the_quota_are_refused(hollow: HollowAccount) -> None:
    """In AWS's words, with the quota's name and figures; nothing is made, and deleting makes room."""
    hollow.behave(quotas={"ml.m4.xlarge": 1})
    first, second = hollow.serve(unique("first")), hollow.prepare(unique("second"))
    with refused() as refusal:
        hollow.create_endpoint(second, second)
    assert (refusal.code, refusal.status) == ("ResourceLimitExceeded", 400)
    assert refusal.message == (
        "The account-level service limit 'ml.m4.xlarge for endpoint usage' is 1 Instances, with current utilization of "
        "1 Instances and a request delta of 1 Instances. Please use AWS Service Quotas to request an increase for this "
        "quota. If AWS Service Quotas is not available, contact AWS support to request an increase for this quota."
    )
    assert hollow.listed() == {first: "InService"}
    hollow.delete_and_wait(first)
    hollow.create_endpoint(second, second)
    assert hollow.settled(second)["EndpointStatus"] == "InService"


@holds("quota")
def test_an_endpoint_counts_until_it_is_gone_or_has_failed(hollow: HollowAccount) -> None:
    """One that is being deleted still has its instance; one that has failed has none."""
    hollow.behave(quotas={"ml.m4.xlarge": 1})
    hollow.gates.refuses = "no"
    hollow.serve(unique("failed"))
    hollow.gates.refuses = ""
    going = hollow.serve(unique("going"))
    hollow.gates.stop.clear()
    hollow.delete(going)
    last = hollow.prepare(unique("last"))
    with refused() as refusal:
        hollow.create_endpoint(last, last)
    assert refusal.code == "ResourceLimitExceeded"
    hollow.gates.stop.set()
    assert hollow.wait_until_gone(going)
    hollow.create_endpoint(last, last)


@holds("quota")
def test_a_quota_is_of_one_region(hollow: HollowAccount) -> None:
    """What runs in one leaves the other's untouched."""
    hollow.behave(quotas={"ml.m4.xlarge": 1})
    name, abroad = hollow.serve(unique("here")), hollow.wire.client("sagemaker", "eu-west-1")
    container = {"Image": "mxnet-inference", "ModelDataUrl": hollow.url}
    variant = {"VariantName": "v", "ModelName": name, "InstanceType": "ml.m4.xlarge", "InitialInstanceCount": 1}
    abroad.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=hollow.wire.role)
    abroad.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    abroad.create_endpoint(EndpointName=name, EndpointConfigName=name)
    with refused() as refusal:
        abroad.create_endpoint(EndpointName=f"{name}-2", EndpointConfigName=name)
    assert refusal.code == "ResourceLimitExceeded"


@holds("quota")
def test_a_quota_is_of_one_type(hollow: HollowAccount) -> None:
    """The control: other types, and accounts without quotas, take what they are given."""
    hollow.behave(quotas={"ml.p3.2xlarge": 0})
    for _ in range(2):
        hollow.serve(unique("other"))
    check_quota({"ml.m4.xlarge": 3}, "ml.m4.xlarge", used=1, wanted=2)
    with pytest.raises(Refusal, match="current utilization of 1 Instances and a request delta of 3 Instances"):
        check_quota({"ml.m4.xlarge": 3}, "ml.m4.xlarge", used=1, wanted=3)


@holds("throttling")
def test_too_many_requests_are_refused(hollow: HollowAccount) -> None:
    """Each operation has its own measure, which time fills again; what was refused was not done."""
    hollow.behave(requests_per_second=2)
    for number in range(2):
        hollow.create_model(f"model-{number}", hollow.url)
    with refused() as refusal:
        hollow.create_model("model-2", hollow.url)
    assert (refusal.code, refusal.status, refusal.message) == ("ThrottlingException", 400, "Rate exceeded")
    assert len(hollow.sagemaker.list_models()["Models"]) == 2
    hollow.clock.pass_by(0.5)
    hollow.create_model("model-2", hollow.url)


@holds("throttling")
def test_operations_that_moto_answers_are_throttled_too(hollow: HollowAccount) -> None:
    """The rate is that of SageMaker; S3 and the runtime have none."""
    hollow.behave(requests_per_second=1)
    hollow.sagemaker.list_experiments()
    with refused() as refusal:
        hollow.sagemaker.list_experiments()
    assert refusal.code == "ThrottlingException"
    name = hollow.serve(unique("busy"))
    for _ in range(3):
        hollow.wire.client("s3").list_buckets()
        hollow.invoke(name, b"[1]")


def test_a_bucket_holds_a_second_and_one_request_at_least() -> None:
    """However long nobody asks, no more than that can be asked at once; a slow rate still lets one pass."""
    clock = Clock()
    throttle = Throttle(3, clock)
    for _ in range(2):
        for _ in range(3):
            throttle.take("a")
        with pytest.raises(Refusal, match="Rate exceeded"):
            throttle.take("a")
        clock.pass_by(1000)
    slow = Throttle(0.1, clock)
    slow.take("a")
    clock.pass_by(9.9)
    with pytest.raises(Refusal, match="Rate exceeded"):
        slow.take("a")
    slow.take("b")
    clock.pass_by(0.2)
    slow.take("a")


def test_no_rate_lets_all_pass() -> None:
    """The control: an account that was not told otherwise refuses nothing."""
    throttle = Throttle(0, Clock())
    for _ in range(1000):
        throttle.take("a")
