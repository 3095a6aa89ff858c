"""Listings of a hollow account: filters, order, pages, and what they do not yet show."""

from __future__ import annotations

import base64
import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest
from simulator_aws import refused
from simulator_rules import holds

if TYPE_CHECKING:
    from hollow_account import HollowAccount


def names(hollow: HollowAccount, kind: str, **question: Any) -> list[str]:
    """The names on one page of a listing."""
    return [entry[f"{kind}Name"] for entry in page(hollow, kind, **question)[f"{kind}s"]]


def page(hollow: HollowAccount, kind: str, **question: Any) -> dict[str, Any]:
    """One page of a listing."""
    operation = {"Model": "list_models", "EndpointConfig": "list_endpoint_configs", "Endpoint": "list_endpoints"}[kind]
    answer: dict[str, Any] = getattr(hollow.sagemaker, operation)(**question)
    return answer


def at(seconds: float) -> dt.datetime:
    """The moment that a clock shows."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


@pytest.fixture
def three(hollow: HollowAccount) -> HollowAccount:
    """An account with a model, a config and an endpoint each of three names, made a minute after one another."""
    for name in ("beta", "alpha", "gamma-2"):
        hollow.serve(name)
        hollow.clock.pass_by(60)
    return hollow


def encoded(content: object) -> str:
    """Something in the form of a token."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


KINDS = pytest.mark.parametrize("kind", ["Model", "EndpointConfig", "Endpoint"])


@holds("order")
@KINDS
def test_the_newest_comes_first(three: HollowAccount, kind: str) -> None:
    """By the time of creation, the newest first, unless the question says otherwise."""
    assert names(three, kind) == ["gamma-2", "alpha", "beta"]
    assert names(three, kind, SortOrder="Ascending") == ["beta", "alpha", "gamma-2"]
    assert names(three, kind, SortBy="Name") == ["gamma-2", "beta", "alpha"]
    assert names(three, kind, SortBy="Name", SortOrder="Ascending") == ["alpha", "beta", "gamma-2"]


@holds("order")
def test_endpoints_are_sorted_by_status(three: HollowAccount) -> None:
    """Among equal ones the name decides; of models there is no such order."""
    three.gates.stop.clear()
    three.delete("gamma-2")
    assert names(three, "Endpoint", SortBy="Status", SortOrder="Ascending") == ["gamma-2", "alpha", "beta"]
    with refused() as refusal:
        page(three, "Model", SortBy="Status")
    assert refusal.message.endswith(
        "at 'sortBy' failed to satisfy constraint: Member must satisfy enum value set: [Name, CreationTime]"
    )


@holds("order")
def test_an_unknown_order_is_refused(hollow: HollowAccount) -> None:
    """AWS's list of what there is comes with it."""
    with refused() as refusal:
        page(hollow, "Model", SortOrder="Sideways")
    assert "Value 'Sideways' at 'sortOrder'" in refusal.message
    assert refusal.message.endswith("[Ascending, Descending]")


@holds("filters")
@KINDS
def test_a_listing_is_filtered_by_name_and_time(three: HollowAccount, kind: str) -> None:
    """A part of the name; from a moment on, that included; and before a moment, that excluded."""
    second = three.clock.now - 120
    assert names(three, kind, NameContains="eta") == ["beta"]
    assert names(three, kind, NameContains="a-2") == ["gamma-2"]
    assert names(three, kind, NameContains="delta") == []
    assert names(three, kind, CreationTimeAfter=at(second)) == ["gamma-2", "alpha"]
    assert names(three, kind, CreationTimeBefore=at(second)) == ["beta"]
    assert names(three, kind, CreationTimeAfter=at(second), NameContains="alp") == ["alpha"]


@holds("filters")
def test_endpoints_are_filtered_by_status_and_change(three: HollowAccount) -> None:
    """StatusEquals, and when the status had changed."""
    three.gates.refuses = "no"
    three.serve("delta")
    assert names(three, "Endpoint", StatusEquals="Failed") == ["delta"]
    assert names(three, "Endpoint", StatusEquals="InService") == ["gamma-2", "alpha", "beta"]
    three.clock.pass_by(60)
    three.gates.stop.clear()
    three.delete("beta")
    now = three.clock.now
    assert names(three, "Endpoint", LastModifiedTimeAfter=at(now - 1)) == ["beta"]
    assert names(three, "Endpoint", LastModifiedTimeBefore=at(now)) == ["delta", "gamma-2", "alpha"]


@KINDS
def test_a_summary_tells_what_the_description_tells(three: HollowAccount, kind: str) -> None:
    """Name, ARN and times are the same in both."""
    [summary] = page(three, kind, NameContains="alpha")[f"{kind}s"]
    describe = {
        "Model": "describe_model",
        "EndpointConfig": "describe_endpoint_config",
        "Endpoint": "describe_endpoint",
    }
    description = getattr(three.sagemaker, describe[kind])(**{f"{kind}Name": "alpha"})
    assert summary.items() <= description.items()
    assert summary["CreationTime"] == at(three.clock.now - 120)


@holds("pages")
@KINDS
def test_a_listing_comes_in_pages(hollow: HollowAccount, kind: str) -> None:
    """Ten on a page unless told, and each exactly once, whatever is added and deleted in between."""
    for number in range(12):
        hollow.prepare(f"thing-{number:02}")
        if kind == "Endpoint":
            hollow.create_endpoint(f"thing-{number:02}", f"thing-{number:02}")
    assert len(names(hollow, kind)) == 10
    first = page(hollow, kind, MaxResults=5, SortBy="Name", SortOrder="Ascending")
    assert [entry[f"{kind}Name"] for entry in first[f"{kind}s"]] == [f"thing-{number:02}" for number in range(5)]
    hollow.sagemaker.delete_endpoint_config(EndpointConfigName="thing-04")
    hollow.sagemaker.delete_model(ModelName="thing-04")
    hollow.prepare("thing-000")
    question = {"MaxResults": 100, "SortBy": "Name", "SortOrder": "Ascending"}
    rest = page(hollow, kind, NextToken=first["NextToken"], **question)
    assert [entry[f"{kind}Name"] for entry in rest[f"{kind}s"]] == [f"thing-{number:02}" for number in range(5, 12)]
    assert "NextToken" not in rest


@holds("pages")
def test_boto3_turns_the_pages(hollow: HollowAccount) -> None:
    """Its paginator finds all, though all were made at one moment."""
    for number in range(25):
        hollow.create_model(f"model-{number}", hollow.url)
    pages = list(hollow.sagemaker.get_paginator("list_models").paginate())
    assert [len(one["Models"]) for one in pages] == [10, 10, 5]
    assert len({entry["ModelName"] for one in pages for entry in one["Models"]}) == 25


@holds("pages")
@pytest.mark.parametrize(
    ("size", "constraint"), [(0, "greater than or equal to 1"), (101, "less than or equal to 100")]
)
def test_a_page_has_its_limits(hollow: HollowAccount, size: int, constraint: str) -> None:
    """One entry at least and a hundred at most; botocore itself lets more pass."""
    from botocore.exceptions import ParamValidationError

    try:
        with refused() as refusal:
            page(hollow, "Model", MaxResults=size)
    except ParamValidationError:
        assert size == 0
    else:
        assert refusal.message.endswith(
            f"at 'maxResults' failed to satisfy constraint: Member must have value {constraint}"
        )


@holds("pages")
@pytest.mark.parametrize(
    "token",
    ["nonsense", "W10=", "bnVsbA==", encoded([]), encoded(["Model", "CreationTime", "Descending", "a", "b"])],
    ids=["no base64", "empty", "null", "no list", "no time"],
)
def test_a_token_of_nobody_is_refused(hollow: HollowAccount, token: str) -> None:
    """What this listing did not give is no page of it."""
    with refused() as refusal:
        page(hollow, "Model", NextToken=token)
    assert (refusal.code, refusal.status) == ("ValidationException", 400)
    assert refusal.message == f"NextToken is not one of a ListModels in this order: {token}"


@holds("pages")
def test_a_token_of_another_listing_is_refused(three: HollowAccount) -> None:
    """A token goes on with the question that it was given to."""
    token = page(three, "Model", MaxResults=1)["NextToken"]
    with refused():
        page(three, "Endpoint", NextToken=token)
    with refused():
        page(three, "Model", NextToken=token, SortBy="Name")
    assert names(three, "Model", NextToken=token, MaxResults=1) == ["alpha"]


@holds("eventual")
@KINDS
def test_a_listing_may_lag(hollow: HollowAccount, kind: str) -> None:
    """What is new is not listed yet, and what is gone is still there; descriptions tell the truth all the while."""
    hollow.behave(list_lag_seconds=5)
    hollow.serve("late")
    assert names(hollow, kind) == []
    assert hollow.status("late") == "InService"
    hollow.clock.pass_by(5)
    assert names(hollow, kind) == ["late"]
    hollow.delete("late")
    hollow.sagemaker.delete_endpoint_config(EndpointConfigName="late")
    hollow.sagemaker.delete_model(ModelName="late")
    hollow.serve("later")
    hollow.clock.pass_by(4)
    assert names(hollow, kind) == ["late"]
    hollow.clock.pass_by(1)
    assert names(hollow, kind) == ["later"]


@holds("eventual")
def test_a_listing_that_lags_shows_the_status_of_then(hollow: HollowAccount) -> None:
    """An endpoint in service is listed as Creating until the lag is over."""
    hollow.behave(list_lag_seconds=5, creating_seconds=60)
    hollow.serve("slow")
    hollow.clock.pass_by(60)
    assert (hollow.status("slow"), hollow.listed()) == ("InService", {"slow": "Creating"})
    hollow.clock.pass_by(5)
    assert hollow.listed() == {"slow": "InService"}


@holds("eventual")
def test_a_listing_does_not_lag_by_itself(hollow: HollowAccount) -> None:
    """The control: unless told otherwise, what was made is listed at once."""
    hollow.serve("prompt")
    assert hollow.listed() == {"prompt": "InService"}
