"""Models, endpoint configurations and endpoints of a hollow account: what is refused, when, and in which words."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from simulator_aws import BUCKET, refused, unique
from simulator_rules import holds

from harness.simulator.account import REGION
from harness.simulator.control_plane import PAYLOAD_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from hollow_account import HollowAccount

ACCOUNT = "123456789012"


def arn(kind: str, name: str, region: str = REGION) -> str:
    """As AWS writes it."""
    return f"arn:aws:sagemaker:{region}:{ACCOUNT}:{kind}/{name}"


@holds("names", "violations")
@pytest.mark.parametrize("name", ["a_b", "-a", "a-", "a b", "é", "a.b"])
def test_a_name_of_other_characters_is_refused(hollow: HollowAccount, name: str) -> None:
    """Each operation that takes a name says which value, where, and the pattern."""
    pattern = "^[a-zA-Z0-9](-*[a-zA-Z0-9])*"
    wording = (
        f"1 validation error detected: Value '{name}' at '{{}}' failed to satisfy constraint: Member must satisfy "
    )
    with refused() as refusal:
        hollow.create_model(name, hollow.url)
    assert (refusal.code, refusal.status) == ("ValidationException", 400)
    assert refusal.message == wording.format("modelName") + f"regular expression pattern: {pattern}"
    with refused() as refusal:
        hollow.sagemaker.describe_endpoint_config(EndpointConfigName=name)
    assert refusal.message.startswith(wording.format("endpointConfigName"))
    with refused() as refusal:
        hollow.delete(name)
    assert refusal.message.startswith(wording.format("endpointName"))


@holds("names", "violations")
def test_a_name_may_be_63_long(hollow: HollowAccount) -> None:
    """One more is refused, and everything that is wrong is told at once."""
    hollow.create_model("a" * 63, hollow.url)
    with refused() as refusal:
        hollow.create_model("a" * 64, hollow.url)
    assert refusal.message.endswith("Member must have length less than or equal to 63")
    with refused() as refusal:
        hollow.create_model("_" * 64, hollow.url)
    assert refusal.message.startswith("2 validation errors detected: Value '___")
    assert "less than or equal to 63; Value '___" in refusal.message


@holds("names")
def test_names_within_a_config_are_looked_at(hollow: HollowAccount) -> None:
    """The variant whose model cannot be is named by its number."""
    with refused() as refusal:
        hollow.create_config(unique("config"), "my model")
    assert "Value 'my model' at 'productionVariants.1.member.modelName' failed" in refusal.message


@holds("role")
@pytest.mark.parametrize(
    "role", ["byom", "arn:aws:iam::123456789012:user/somebody", "arn:aws:iam::1234:role/byom-role"]
)
def test_a_role_has_to_be_the_arn_of_one(hollow: HollowAccount, role: str) -> None:
    """A role's bare name, a user and an account that cannot be are refused; nothing is made."""
    name, container = unique("model"), {"Image": "mxnet-inference", "ModelDataUrl": hollow.url}
    with refused() as refusal:
        hollow.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=role.ljust(20, "x"))
    assert refusal.code == "ValidationException"
    assert "at 'executionRoleArn' failed to satisfy constraint: Member must satisfy regular" in refusal.message
    hollow.create_model(name, hollow.url)


@holds("role")
def test_a_role_in_a_path_is_one(hollow: HollowAccount) -> None:
    """The control: roles that services make live in a path."""
    role, container = f"arn:aws:iam::{ACCOUNT}:role/service-role/byom", {"Image": "x", "ModelDataUrl": hollow.url}
    name = unique("model")
    hollow.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=role)
    assert hollow.sagemaker.describe_model(ModelName=name)["ExecutionRoleArn"] == role


@holds("model-data")
@pytest.mark.parametrize("url", [f"s3://{BUCKET}/nobody/put/this.tar.gz", "s3://no-such-bucket-anywhere/model.tar.gz"])
def test_a_model_without_its_object_is_refused(hollow: HollowAccount, url: str) -> None:
    """CreateModel looks for the tarball, and names the address where there is none."""
    with refused() as refusal:
        hollow.create_model(unique("model"), url)
    assert (refusal.code, refusal.message) == ("ValidationException", f"Could not find model data at {url}.")


@holds("model-once", "config-once", "endpoint-once")
def test_a_name_is_given_once(hollow: HollowAccount) -> None:
    """A second thing of a kind and a name is refused with the ARN of the first, where moto would replace it."""
    name = hollow.serve(unique("once"))
    for said, kind, create in (
        ("model", "model", lambda: hollow.create_model(name, hollow.url)),
        ("endpoint configuration", "endpoint-config", lambda: hollow.create_config(name, name)),
        ("endpoint", "endpoint", lambda: hollow.create_endpoint(name, name)),
    ):
        with refused() as refusal:
            create()
        assert refusal.code == "ValidationException"
        assert refusal.message == f'Cannot create already existing {said} "{arn(kind, name)}".'


@holds("model-once", "config-once")
def test_a_deleted_name_is_free_again(hollow: HollowAccount) -> None:
    """The control: what is deleted is in nobody's way."""
    name = unique("twice")
    for _ in range(2):
        hollow.prepare(name)
        hollow.sagemaker.delete_endpoint_config(EndpointConfigName=name)
        hollow.sagemaker.delete_model(ModelName=name)


@holds("model-missing", "config-missing", "endpoint-missing")
def test_what_is_not_there_is_refused(hollow: HollowAccount) -> None:
    """Describing and deleting, and what builds on it, name the ARN that is missing."""
    sagemaker, nobody = hollow.sagemaker, "nobody"
    model, config, endpoint = (
        f'Could not find {said} "{arn(kind, nobody)}".'
        for said, kind in (
            ("model", "model"),
            ("endpoint configuration", "endpoint-config"),
            ("endpoint", "endpoint"),
        )
    )
    for message, ask in (
        (model, lambda: sagemaker.describe_model(ModelName=nobody)),
        (model, lambda: sagemaker.delete_model(ModelName=nobody)),
        (model, lambda: hollow.create_config(unique("config"), nobody)),
        (config, lambda: sagemaker.describe_endpoint_config(EndpointConfigName=nobody)),
        (config, lambda: sagemaker.delete_endpoint_config(EndpointConfigName=nobody)),
        (config, lambda: hollow.create_endpoint(unique("endpoint"), nobody)),
        (endpoint, lambda: hollow.describe(nobody)),
        (endpoint, lambda: hollow.delete(nobody)),
        (endpoint, lambda: sagemaker.update_endpoint(EndpointName=nobody, EndpointConfigName=nobody)),
    ):
        with refused() as refusal:
            ask()
        assert (refusal.code, refusal.message) == ("ValidationException", message)
    assert hollow.listed() == {}


@holds("model-missing")
def test_an_endpoint_needs_the_model_of_its_config(hollow: HollowAccount) -> None:
    """A config whose model was deleted makes no endpoint."""
    name = hollow.prepare(unique("orphan"))
    hollow.sagemaker.delete_model(ModelName=name)
    with refused() as refusal:
        hollow.create_endpoint(name, name)
    assert refusal.message == f'Could not find model "{arn("model", name)}".'
    assert hollow.listed() == {}


@holds("model-in-use", "config-in-use")
def test_what_an_endpoint_uses_can_be_deleted(hollow: HollowAccount) -> None:
    """An endpoint goes on without the entries of its model and its config, also one that is being created."""
    hollow.gates.start.clear()
    name = hollow.prepare(unique("bare"))
    hollow.create_endpoint(name, name)
    hollow.sagemaker.delete_endpoint_config(EndpointConfigName=name)
    hollow.sagemaker.delete_model(ModelName=name)
    hollow.gates.start.set()
    assert hollow.settled(name)["EndpointStatus"] == "InService"
    assert hollow.invoke(name, b"[1]") == b"[1]"


@holds("creating")
def test_an_endpoint_is_creating_until_its_server_answers(hollow: HollowAccount) -> None:
    """The status tells what the server does; times tell when it came to that."""
    hollow.gates.start.clear()
    name = hollow.prepare(unique("endpoint"))
    hollow.create_endpoint(name, name)
    before = hollow.describe(name)
    assert before["EndpointStatus"] == "Creating"
    assert "FailureReason" not in before
    hollow.clock.pass_by(60)
    hollow.gates.start.set()
    after = hollow.settled(name)
    assert after["EndpointStatus"] == "InService"
    assert after["CreationTime"] == before["CreationTime"] == before["LastModifiedTime"]
    assert (after["LastModifiedTime"] - after["CreationTime"]).total_seconds() == 60


@holds("creating")
def test_an_endpoint_is_creating_as_long_as_it_should(hollow: HollowAccount) -> None:
    """A server that is up earlier waits until the seconds are over, and answers nobody before."""
    hollow.behave(creating_seconds=300)
    name = hollow.serve(unique("slow"))
    hollow.clock.pass_by(299.9)
    assert hollow.status(name) == "Creating"
    with refused():
        hollow.invoke(name, b"[1]")
    hollow.clock.pass_by(0.2)
    assert hollow.status(name) == "InService"
    assert hollow.invoke(name, b"[1]") == b"[1]"


@holds("failed", "failed-words", "failed-deletable")
def test_an_endpoint_whose_server_does_not_start_has_failed(hollow: HollowAccount) -> None:
    """Its reason is AWS's sentence and the server's own words, cut at 1024 characters; it answers nobody and can go."""
    hollow.gates.refuses = "no such café " + "x" * 2000
    name = hollow.serve(unique("failing"))
    description = hollow.describe(name)
    assert description["EndpointStatus"] == "Failed"
    reason = description["FailureReason"]
    prefix = "The primary container for production variant AllTraffic did not pass the ping health check. "
    assert reason.startswith(f"{prefix}no such café xxx")
    assert len(reason) == 1024
    with refused() as refusal:
        hollow.invoke(name, b"[1]")
    assert refusal.code == "ValidationError"
    hollow.delete_and_wait(name)


@holds("failed")
def test_an_endpoint_fails_late_if_it_is_to_be_slow(hollow: HollowAccount) -> None:
    """The seconds that an endpoint is Creating count for one that fails, too."""
    hollow.behave(creating_seconds=60)
    hollow.gates.refuses = "no"
    name = hollow.serve(unique("failing"))
    assert hollow.status(name) == "Creating"
    hollow.clock.pass_by(60)
    assert hollow.status(name) == "Failed"


@holds("deleting", "name-after-deletion", "in-service-only", "endpoint-missing")
def test_an_endpoint_is_deleting_until_its_server_has_ended(hollow: HollowAccount) -> None:
    """DeleteEndpoint answers before; meanwhile the name is taken and answers nobody, and then it is free."""
    name = hollow.serve(unique("going"))
    hollow.gates.stop.clear()
    hollow.clock.pass_by(10)
    hollow.delete(name)
    description = hollow.describe(name)
    assert description["EndpointStatus"] == "Deleting"
    assert (description["LastModifiedTime"] - description["CreationTime"]).total_seconds() == 10
    assert hollow.listed() == {name: "Deleting"}
    with refused() as refusal:
        hollow.create_endpoint(name, name)
    assert refusal.message.startswith("Cannot create already existing endpoint")
    with refused() as refusal:
        hollow.invoke(name, b"[1]")
    assert refusal.message == f"Endpoint {name} of account {ACCOUNT} not found."
    hollow.gates.stop.set()
    assert hollow.wait_until_gone(name)
    with refused() as refusal:
        hollow.describe(name)
    assert refusal.message == f'Could not find endpoint "{arn("endpoint", name)}".'
    hollow.create_endpoint(name, name)
    assert hollow.settled(name)["EndpointStatus"] == "InService"


@holds("deleting")
def test_moto_forgets_what_is_gone(hollow: HollowAccount) -> None:
    """What moto answers by itself knows nothing of a deleted endpoint either."""
    from moto.sagemaker.models import sagemaker_backends

    name, kept = hollow.serve(unique("gone")), sagemaker_backends[ACCOUNT][REGION].endpoints
    assert name in kept
    hollow.delete_and_wait(name)
    assert name not in kept


@holds("deleting")
def test_an_endpoint_is_deleting_as_long_as_it_should(hollow: HollowAccount) -> None:
    """A server that has ended earlier does not make it go earlier."""
    hollow.behave(deleting_seconds=60)
    name = hollow.serve(unique("slow"))
    hollow.delete(name)
    hollow.wait_until_down(name)
    hollow.clock.pass_by(59.9)
    assert hollow.status(name) == "Deleting"
    hollow.clock.pass_by(0.2)
    assert hollow.listed() == {}


@holds("in-progress")
def test_what_is_in_progress_is_neither_deleted_nor_updated(hollow: HollowAccount) -> None:
    """As long as an endpoint is Creating, or Deleting, it cannot be touched; in service it can be deleted."""
    hollow.gates.start.clear()
    name = hollow.prepare(unique("busy"))
    hollow.create_endpoint(name, name)
    wanted = f'Cannot update in-progress endpoint "{arn("endpoint", name)}".'

    def touch() -> None:
        weights = [{"VariantName": "AllTraffic", "DesiredWeight": 1}]
        for change in (
            lambda: hollow.delete(name),
            lambda: hollow.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=name),
            lambda: hollow.sagemaker.update_endpoint_weights_and_capacities(
                EndpointName=name, DesiredWeightsAndCapacities=weights
            ),
        ):
            with refused() as refusal:
                change()
            assert (refusal.code, refusal.message) == ("ValidationException", wanted)

    touch()
    hollow.gates.start.set()
    hollow.settled(name)
    hollow.gates.stop.clear()
    hollow.delete(name)
    touch()
    hollow.gates.stop.set()
    assert hollow.wait_until_gone(name)


def test_what_is_not_simulated_says_so(hollow: HollowAccount) -> None:
    """An endpoint in service is not updated, and goes on as it was."""
    name = hollow.serve(unique("still"))
    with refused() as refusal:
        hollow.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=name)
    assert refusal.message == "The simulated account does not simulate UpdateEndpoint: use a live account."
    assert hollow.status(name) == "InService"


@holds("in-service-only")
def test_only_what_is_in_service_is_invoked(hollow: HollowAccount) -> None:
    """A name that nobody has, and an endpoint that is being created, are not found; another one answers."""
    hollow.serve("here")
    hollow.gates.start.clear()
    hollow.prepare("coming")
    hollow.create_endpoint("coming", "coming")
    for name in ("never", "coming"):
        with refused() as refusal:
            hollow.invoke(name, b"[1]")
        assert (refusal.code, refusal.status) == ("ValidationError", 400)
        assert refusal.message == f"Endpoint {name} of account {ACCOUNT} not found."
    assert hollow.invoke("here", b"[1]") == b"[1]"


@holds("model-error")
def test_an_error_of_the_container_is_a_model_error(hollow: HollowAccount) -> None:
    """Status 424 carries the container's own status and words; none of its own is status 0."""
    name = hollow.serve(unique("erring"))
    with refused() as refusal:
        hollow.invoke(name, b"bad")
    assert (refusal.code, refusal.status) == ("ModelError", 424)
    assert refusal.message == 'Received client error (400) from primary with message "bad".'
    assert (refusal.response["OriginalStatusCode"], refusal.response["OriginalMessage"]) == (400, "bad")
    with refused() as refusal:
        hollow.invoke(name, b"dead")
    assert (refusal.code, refusal.response["OriginalStatusCode"]) == ("ModelError", 0)


@holds("payload")
def test_a_payload_has_its_limit(hollow: HollowAccount) -> None:
    """6 MiB reach the model; one byte more does not."""
    name = hollow.serve(unique("large"))
    assert hollow.invoke(name, b"x" * PAYLOAD_LIMIT) == b"x" * PAYLOAD_LIMIT
    with refused() as refusal:
        hollow.invoke(name, b"x" * (PAYLOAD_LIMIT + 1))
    assert (refusal.code, refusal.status) == ("413", 413)
    assert str(PAYLOAD_LIMIT) in refusal.message


@holds("regions")
def test_regions_know_nothing_of_each_other(hollow: HollowAccount) -> None:
    """A name can be given in each; what is in one is not found, listed or invoked in another."""
    name = hollow.serve(unique("here"))
    abroad = hollow.wire.client("sagemaker", "eu-west-1")
    with refused() as refusal:
        abroad.describe_endpoint(EndpointName=name)
    assert refusal.message == f'Could not find endpoint "{arn("endpoint", name, "eu-west-1")}".'
    assert abroad.list_models()["Models"] == []
    with refused() as refusal:
        hollow.wire.client("sagemaker-runtime", "eu-west-1").invoke_endpoint(EndpointName=name, Body=b"[1]")
    assert refusal.code == "ValidationError"
    container = {"Image": "mxnet-inference", "ModelDataUrl": hollow.url}
    created = abroad.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=hollow.wire.role)
    assert created["ModelArn"] == arn("model", name, "eu-west-1")


def test_several_variants_are_refused(hollow: HollowAccount) -> None:
    """One production variant is what the account serves, and it says so."""
    name = hollow.prepare(unique("many"))
    variants = [
        {"VariantName": variant, "ModelName": name, "InstanceType": "ml.m4.xlarge", "InitialInstanceCount": 1}
        for variant in ("a", "b")
    ]
    hollow.sagemaker.create_endpoint_config(EndpointConfigName=f"{name}-2", ProductionVariants=variants)
    with refused() as refusal:
        hollow.create_endpoint(name, f"{name}-2")
    assert refusal.message == "The simulated account serves one production variant per endpoint."


def test_an_error_nobody_thought_of_fails_the_endpoint(hollow: HollowAccount) -> None:
    """An endpoint whose server breaks in an unforeseen way does not stay Creating for ever."""
    hollow.gates.breaks = True
    name = hollow.serve(unique("broken"))
    assert "ZeroDivisionError: division by zero" in hollow.describe(name)["FailureReason"]


@holds("endpoint-once")
def test_of_many_at_once_one_is_created(hollow: HollowAccount) -> None:
    """Requests that arrive together are answered one after another, so that a name is still given once."""
    name = hollow.prepare(unique("race"))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: attempt(lambda: hollow.create_endpoint(name, name)), range(8)))
    assert sorted(answers) == ["", *["ValidationException"] * 7]


def attempt(call: Callable[[], object]) -> str:
    """The code of a refusal, or "" if there was none."""
    from botocore.exceptions import ClientError

    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""
