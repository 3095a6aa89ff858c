"""Tags in a hollow account: on models, endpoint configurations and endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from simulator_aws import refused, unique
from simulator_rules import holds

if TYPE_CHECKING:
    from hollow_account import HollowAccount


def tag(**pairs: str) -> list[dict[str, str]]:
    """As AWS writes tags."""
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def numbered(count: int) -> list[dict[str, str]]:
    return tag(**{f"key-{number}": "value" for number in range(count)})


def tags_of(hollow: HollowAccount, arn: str) -> dict[str, str]:
    pages = hollow.sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
    return {one["Key"]: one["Value"] for page in pages for one in page["Tags"]}


def tagged(hollow: HollowAccount, kind: str, tags: list[dict[str, str]]) -> str:
    """Make one of a kind with tags; its ARN."""
    name, client = hollow.prepare(unique("base")), hollow.sagemaker
    options: dict[str, Any] = {f"{kind}Name": f"{name}-tagged", "Tags": tags}
    variant = {"VariantName": "v", "ModelName": name, "InstanceType": "ml.m4.xlarge", "InitialInstanceCount": 1}
    container = {"Image": "mxnet-inference", "ModelDataUrl": hollow.url}
    match kind:
        case "Model":
            made = client.create_model(PrimaryContainer=container, ExecutionRoleArn=hollow.wire.role, **options)
        case "EndpointConfig":
            made = client.create_endpoint_config(ProductionVariants=[variant], **options)
        case _:
            made = client.create_endpoint(EndpointConfigName=name, **options)
    arn: str = made[f"{kind}Arn"]
    return arn


KINDS = pytest.mark.parametrize("kind", ["Model", "EndpointConfig", "Endpoint"])


@holds("tags")
@KINDS
def test_tags_are_given_added_overwritten_and_deleted(hollow: HollowAccount, kind: str) -> None:
    """Tags of creation are there; a key that is added again has its new value, once."""
    arn = tagged(hollow, kind, tag(owner="me", run="1"))
    assert tags_of(hollow, arn) == {"owner": "me", "run": "1"}
    hollow.sagemaker.add_tags(ResourceArn=arn, Tags=tag(run="2", more=""))
    assert tags_of(hollow, arn) == {"owner": "me", "run": "2", "more": ""}
    assert len(hollow.sagemaker.list_tags(ResourceArn=arn)["Tags"]) == 3
    hollow.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["run", "never-there"])
    assert tags_of(hollow, arn) == {"owner": "me", "more": ""}


@holds("tags")
def test_a_new_thing_does_not_inherit_tags(hollow: HollowAccount) -> None:
    """What takes the name of something deleted has none of its tags."""
    name = unique("model")
    container = {"Image": "mxnet-inference", "ModelDataUrl": hollow.url}
    options = {"ModelName": name, "PrimaryContainer": container, "ExecutionRoleArn": hollow.wire.role}
    hollow.sagemaker.create_model(Tags=tag(owner="me"), **options)
    hollow.sagemaker.delete_model(ModelName=name)
    arn = hollow.sagemaker.create_model(**options)["ModelArn"]
    assert tags_of(hollow, arn) == {}


@holds("tags")
@KINDS
def test_what_is_not_there_has_no_tags(hollow: HollowAccount, kind: str) -> None:
    """Listing, adding and deleting name the ARN, where moto would fail."""
    segment = {"Model": "model", "EndpointConfig": "endpoint-config", "Endpoint": "endpoint"}[kind]
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:{segment}/nobody"
    for ask in (
        lambda: hollow.sagemaker.list_tags(ResourceArn=arn),
        lambda: hollow.sagemaker.add_tags(ResourceArn=arn, Tags=tag(a="b")),
        lambda: hollow.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a"]),
    ):
        with refused() as refusal:
            ask()
        assert refusal.code == "ValidationException"
        assert refusal.message.endswith(f'"{arn}".')


@holds("tags")
def test_an_endpoint_keeps_its_tags_until_it_is_gone(hollow: HollowAccount) -> None:
    """A tag tells whose it is even while it is Deleting."""
    arn = tagged(hollow, "Endpoint", tag(owner="me"))
    name = arn.rpartition("/")[2]
    hollow.settled(name)
    hollow.gates.stop.clear()
    hollow.delete(name)
    assert tags_of(hollow, arn) == {"owner": "me"}
    hollow.gates.stop.set()
    assert hollow.wait_until_gone(name)
    with refused():
        tags_of(hollow, arn)


@holds("tag-form")
@KINDS
@pytest.mark.parametrize(
    ("key", "value", "wrong"),
    [
        (
            "k" * 129,
            "v",
            "at 'tags.1.member.key' failed to satisfy constraint: Member must have length less than or equal",
        ),
        ("k", "v" * 257, "at 'tags.1.member.value' failed to satisfy constraint: Member must have length less than or"),
        ("k;", "v", "Value 'k;' at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular"),
        ("k", "a\tb", "at 'tags.1.member.value' failed to satisfy constraint: Member must satisfy regular"),
        ("k", "1 < 2", "at 'tags.1.member.value' failed to satisfy constraint: Member must satisfy regular"),
    ],
    ids=["long key", "long value", "sign in key", "tab in value", "sign in value"],
)
def test_a_tag_of_another_form_is_refused(hollow: HollowAccount, kind: str, key: str, value: str, wrong: str) -> None:
    """At creation and later, with what is wrong and where; nothing is made."""
    bad = [{"Key": key, "Value": value}]
    with refused() as refusal:
        tagged(hollow, kind, bad)
    assert refusal.code == "ValidationException"
    assert wrong in refusal.message
    arn = tagged(hollow, kind, [])
    with refused() as refusal:
        hollow.sagemaker.add_tags(ResourceArn=arn, Tags=tag(fine="yes") + bad)
    assert wrong.replace("tags.1", "tags.2") in refusal.message
    assert tags_of(hollow, arn) == {}


@holds("tag-form")
def test_a_tag_may_be_of_any_language(hollow: HollowAccount) -> None:
    """The control: letters, digits and spaces of all scripts, AWS's signs, and the lengths allowed."""
    tags = {"Besitzer größer": "日本 ½", "_.:/=+-@": "_.:/=+-@", "k" * 128: "v" * 256}
    arn = tagged(hollow, "Model", [{"Key": key, "Value": value} for key, value in tags.items()])
    assert tags_of(hollow, arn) == tags


@holds("tag-form")
def test_a_key_comes_once(hollow: HollowAccount) -> None:
    """Two values of one key in a request are refused; capitals make another key."""
    with refused() as refusal:
        tagged(hollow, "Model", tag(run="1") + tag(run="2"))
    assert refusal.message == "Tag keys must be unique per resource; found more than once: run"
    assert tags_of(hollow, tagged(hollow, "Model", tag(run="1", Run="2"))) == {"run": "1", "Run": "2"}


@holds("tag-limit")
def test_fifty_tags_are_enough(hollow: HollowAccount) -> None:
    """The 51st is refused, at creation and later; one that overwrites is none more."""
    with refused() as refusal:
        tagged(hollow, "Model", numbered(51))
    assert refusal.message.endswith(
        "at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50"
    )
    arn = tagged(hollow, "Model", numbered(50))
    assert len(tags_of(hollow, arn)) == 50
    with refused() as refusal:
        hollow.sagemaker.add_tags(ResourceArn=arn, Tags=tag(more="1"))
    assert refusal.message == "A resource can have at most 50 tags."
    hollow.sagemaker.add_tags(ResourceArn=arn, Tags=tag(**{"key-7": "other"}))
    assert tags_of(hollow, arn)["key-7"] == "other"


@holds("tag-prefix")
@pytest.mark.parametrize("key", ["aws:cloudformation:stack-name", "AWS:mine"])
def test_aws_keeps_its_prefix_for_itself(hollow: HollowAccount, key: str) -> None:
    """Such keys are refused in AWS's words, at creation, later, and when they are to be deleted."""
    arn = tagged(hollow, "Model", [])
    for ask in (
        lambda: tagged(hollow, "Model", tag(**{key: "v"})),
        lambda: hollow.sagemaker.add_tags(ResourceArn=arn, Tags=tag(**{key: "v"})),
        lambda: hollow.sagemaker.delete_tags(ResourceArn=arn, TagKeys=[key]),
    ):
        with refused() as refusal:
            ask()
        assert refusal.message == f"System prefix 'aws:' reserved for AWS usage in tag key: {key}"


def test_tags_of_other_things_are_left_to_moto(hollow: HollowAccount) -> None:
    """An experiment, which the account keeps no catalogue of, has tags as before."""
    arn = hollow.sagemaker.create_experiment(ExperimentName=unique("experiment"))["ExperimentArn"]
    hollow.sagemaker.add_tags(ResourceArn=arn, Tags=tag(a="b", c="d"))
    hollow.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["c"])
    assert tags_of(hollow, arn) == {"a": "b"}
