"""How policies are evaluated, without an account: which statements apply, and what they say together."""

from __future__ import annotations

from typing import Any

import pytest
from simulator_users import allow, deny

from harness.simulator.access.policies import Decision, Need, decide
from harness.simulator.aws_request import Refusal

MODEL = "arn:aws:sagemaker:us-east-1:123456789012:model/byom-1"
OBJECT = "arn:aws:s3:::bucket/a/b:c.txt"


def decided(*statements: dict[str, Any], action: str = "sagemaker:CreateModel", on: str = MODEL, **context: str) -> str:
    """The decision on one need; a condition key is written with ``__`` for its colon."""
    known = {name.replace("__", ":"): (value,) for name, value in context.items()}
    return decide([{"Version": "2012-10-17", "Statement": list(statements)}], Need(action, on, known)).value


def conditioned(operator: str, wanted: Any, *found: str, key: str = "aws:RequestTag/Owner") -> bool:
    """Whether a statement with one condition applies to a request with these values of its key."""
    context = {key.lower(): found} if found else {}
    statement = allow("*", Condition={operator: {key: wanted}})
    return decide([{"Statement": [statement]}], Need("s3:GetObject", OBJECT, context)) is Decision.ALLOWED


def test_nothing_is_allowed_unless_a_statement_says_so() -> None:
    """No policy, an empty one and one for something else are the same implicit no."""
    assert decide([], Need("s3:GetObject", OBJECT)) is Decision.IMPLICIT_DENY
    assert decided() == "implicitDeny"
    assert decided(allow("sagemaker:DeleteModel")) == "implicitDeny"


def test_deny_wins_wherever_it_stands() -> None:
    """Before or after, in the same policy or another; but only where it applies."""
    yes, no = allow("*"), deny("sagemaker:Create*")
    assert decided(yes) == "allowed"
    assert decided(yes, no) == decided(no, yes) == "explicitDeny"
    documents = [{"Statement": yes}, {"Statement": no}]
    assert decide(documents, Need("sagemaker:CreateModel", MODEL)) is Decision.EXPLICIT_DENY
    assert decide(documents, Need("sagemaker:DeleteModel", MODEL)) is Decision.ALLOWED
    assert decided(yes, deny("*", f"{MODEL}2")) == "allowed"


@pytest.mark.parametrize(
    "pattern", ["*", "sagemaker:*", "SageMaker:createmodel", "sagemaker:Create*", "sagemaker:?reate*l"]
)
def test_actions_match_by_wildcards_and_in_any_case(pattern: str) -> None:
    """As IAM reads them: ``*``, ``?``, and no regard for case."""
    assert decided(allow(pattern)) == "allowed"
    assert decided(allow(["s3:GetObject", pattern])) == "allowed"


@pytest.mark.parametrize(
    "pattern", ["sagemaker:Create", "sagemaker:CreateModel?", "s*:DeleteModel", "sagemaker.CreateModel"]
)
def test_actions_match_as_a_whole(pattern: str) -> None:
    """A pattern that is too short, too long or another's allows nothing; a dot in it is a dot."""
    assert decided(allow(pattern)) == "implicitDeny"


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("*", True),
        (MODEL, True),
        ("arn:aws:sagemaker:*:*:model/byom-*", True),
        ("arn:aws:sagemaker:us-????-1:123456789012:model/*", True),
        ("arn:*:sagemaker:*:*:*", True),
        ("arn:aws:sagemaker:*:*:model/BYOM-*", False),
        ("arn:aws:sagemaker:*:*:endpoint/*", False),
        ("arn:aws:sagemaker:*:model/byom-1", False),
        ("arn:aws:sagemaker:*", False),
        ("arn:aws:sagemaker:eu-*:*:model/*", False),
    ],
)
def test_resources_match_colon_by_colon(pattern: str, *, matches: bool) -> None:
    """A wildcard fills its own part of an ARN, minding case; a pattern with too few parts matches nothing."""
    assert (decided(allow("*", pattern)) == "allowed") is matches


def test_the_last_part_of_a_resource_may_hold_colons_and_slashes() -> None:
    """Names of objects and log streams do."""
    assert decided(allow("*", "arn:aws:s3:::bucket/*"), on=OBJECT) == "allowed"
    assert decided(allow("*", "arn:aws:s3:::bucket/*:c.txt"), on=OBJECT) == "allowed"
    assert decided(allow("*", "arn:aws:s3:::bucket"), on=OBJECT) == "implicitDeny"


def test_an_action_without_a_resource_needs_the_star() -> None:
    """List operations are allowed on ``*`` alone."""
    assert decided(allow("*", MODEL), on="*") == "implicitDeny"
    assert decided(allow("*", [MODEL, "*"]), on="*") == "allowed"


def test_not_action_and_not_resource_mean_everything_else() -> None:
    """They allow what they do not name, and nothing that they name."""
    but_creation = {"Effect": "Allow", "NotAction": ["sagemaker:Create*"], "Resource": "*"}
    assert decided(but_creation) == "implicitDeny"
    assert decided(but_creation, action="sagemaker:DeleteModel") == "allowed"
    but_models = {"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:sagemaker:*:*:model/*"}
    assert decided(but_models) == "implicitDeny"
    assert decided(but_models, on=MODEL.replace("model/", "endpoint/")) == "allowed"


@pytest.mark.parametrize(
    ("operator", "wanted", "met", "unmet"),
    [
        ("StringEquals", "me", "me", "ME"),
        ("StringEquals", ["me", "you"], "you", "they"),
        ("StringNotEquals", ["me", "you"], "they", "you"),
        ("StringEqualsIgnoreCase", "Me", "mE", "you"),
        ("StringNotEqualsIgnoreCase", "Me", "you", "mE"),
        ("StringLike", "m?*", "mine", "m"),
        ("StringNotLike", "m*", "you", "me"),
        ("ArnEquals", "arn:aws:iam::*:role/*", "arn:aws:iam::1:role/a", "arn:aws:iam::1:user/a"),
        ("ArnLike", "arn:aws:iam::*:role/*", "arn:aws:iam::1:role/a", "arn:aws:iam:1:role/a"),
        ("ArnNotLike", "arn:aws:iam::*:role/*", "arn:aws:iam::1:user/a", "arn:aws:iam::1:role/a"),
        ("Bool", "true", "True", "false"),
        ("Bool", True, "true", "false"),
        ("NumericEquals", 5, "5.0", "6"),
        ("NumericNotEquals", "5", "6", "5"),
        ("NumericLessThan", "5", "4", "5"),
        ("NumericLessThanEquals", "5", "5", "6"),
        ("NumericGreaterThan", "5", "6", "5"),
        ("NumericGreaterThanEquals", "5", "5", "4"),
    ],
)
def test_each_condition_operator_is_met_and_unmet(operator: str, wanted: Any, met: str, unmet: str) -> None:
    """One value that meets it and one that does not; a missing key meets the negated operators only."""
    assert conditioned(operator, wanted, met)
    assert not conditioned(operator, wanted, unmet)
    assert conditioned(operator, wanted) is ("Not" in operator)
    assert conditioned(f"{operator}IfExists", wanted)
    assert not conditioned(f"{operator}IfExists", wanted, unmet)


def test_all_conditions_must_be_met() -> None:
    """Operators and keys are joined by and; a key's case does not matter, a tag's value's does."""
    condition = {
        "StringEquals": {"aws:requesttag/OWNER": "me", "aws:RequestedRegion": "us-east-1"},
        "Bool": {"x:y": "true"},
    }
    statement = allow("*", Condition=condition)
    context = {"aws__requesttag/owner": "me", "aws__requestedregion": "us-east-1", "x__y": "true"}
    assert decided(statement, **context) == "allowed"
    for key in context:
        assert decided(statement, **{**context, key: "other"}) == "implicitDeny"


def test_a_deny_with_an_unmet_condition_takes_nothing_away() -> None:
    """It is as if the statement were not there, where moto would deny."""
    no = deny("*", Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}})
    assert decided(allow("*"), no, aws__requestedregion="us-east-1") == "allowed"
    assert decided(allow("*"), no, aws__requestedregion="eu-west-1") == "explicitDeny"


def test_conditions_on_keys_with_several_values() -> None:
    """``ForAllValues`` wants every value and is content with none; ``ForAnyValue`` wants one."""
    key = "aws:TagKeys"
    assert conditioned("ForAllValues:StringEquals", ["a", "b"], "a", "b", key=key)
    assert not conditioned("ForAllValues:StringEquals", ["a", "b"], "a", "c", key=key)
    assert conditioned("ForAllValues:StringEquals", ["a"], key=key)
    assert conditioned("ForAnyValue:StringLike", ["a*"], "c", "ab", key=key)
    assert not conditioned("ForAnyValue:StringLike", ["a*"], "c", key=key)
    assert not conditioned("ForAnyValue:StringNotEquals", ["a"], key=key)


def test_null_asks_whether_a_key_is_there() -> None:
    """``true`` means that it is not."""
    assert conditioned("Null", "true")
    assert not conditioned("Null", "true", "me")
    assert conditioned("Null", "false", "me")
    assert not conditioned("Null", "false")


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        (
            allow("*", Condition={"DateLessThan": {"aws:CurrentTime": "2030-01-01"}}),
            "the condition operator DateLessThan",
        ),
        (deny("*", Condition={"IpAddress": {"aws:SourceIp": "::1"}}), "the condition operator IpAddress"),
        (allow("*", "arn:aws:s3:::${aws:username}/*"), "policy variables (arn:aws:s3:::${aws:username}/*)"),
        (
            allow("*", Condition={"StringEquals": {"s3:prefix": "${aws:username}"}}),
            "policy variables (${aws:username})",
        ),
    ],
)
def test_what_is_not_evaluated_is_refused_by_name(statement: dict[str, Any], what: str) -> None:
    """Neither yes nor no would be right; a statement for another action does not matter."""
    with pytest.raises(Refusal) as caught:
        decided(statement, aws__currenttime="now", aws__sourceip="::1", s3__prefix="a")
    assert caught.value.message == f"The simulated account does not simulate {what}: use a live account."
    assert decided({**statement, "Action": "s3:GetObject"}) == "implicitDeny"
