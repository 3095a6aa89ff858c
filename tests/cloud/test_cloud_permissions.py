"""Permissions asked for beforehand: all that is missing at once, nothing made, and no silence taken for a yes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from leaks import flow
from leaks.faults import Fault, Faults
from simulator_users import allow, deny, document
from stand_in_account import least, stand_in_account

from harness.cloud import live, permissions
from harness.cloud.permissions import Trial, check_permissions, principal_of
from harness.cloud.policy import ACTIONS
from harness.errors import CloudError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator_users import Statement, User
    from stand_in_account import StandIn

    from harness.cloud.session import Cloud

NO_BUCKET, VERSIONED = "us-west-2", "eu-west-1"
"""A region in which the account has no bucket, and one in which its bucket keeps versions."""

UNTRIED = {"iam:PassRole", "s3:GetObject", "s3:ListAllMyBuckets", "s3:PutObject", "s3:PutObjectTagging"} | {
    f"sagemaker:{name}"
    for name in ("AddTags", "CreateEndpoint", "CreateEndpointConfig", "CreateModel", "InvokeEndpoint")
}
"""What cannot be tried without making something."""

ASKING = allow("iam:SimulatePrincipalPolicy")


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """An account that stands in for AWS, with buckets in two regions; botocore does not sleep between attempts."""
    with stand_in_account() as account, pytest.MonkeyPatch.context() as patch:
        import botocore.endpoint

        patch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _: None))
        account.remember_in(tmp_path_factory.mktemp("state"))
        s3 = account.root.client("s3")
        s3.create_bucket(Bucket=flow.BUCKET)
        versioned = f"sagemaker-{VERSIONED}-{flow.ACCOUNT}"
        s3.create_bucket(Bucket=versioned, CreateBucketConfiguration={"LocationConstraint": VERSIONED})
        s3.put_bucket_versioning(Bucket=versioned, VersioningConfiguration={"Status": "Enabled"})
        yield account


@pytest.fixture(scope="module")
def user(aws: StandIn) -> User:
    return aws.user("asker")


@pytest.fixture(scope="module")
def clouds(aws: StandIn, user: User) -> dict[str, Cloud]:
    """A run of the user's in each region."""
    aws.be(user)
    return {region: aws.run(region=region) for region in (flow.REGION, NO_BUCKET, VERSIONED)}


@pytest.fixture
def refused(user: User, clouds: dict[str, Cloud]) -> Any:
    """What the check says to the user if they have just these statements."""

    def refusal(*statements: Statement, region: str = flow.REGION) -> list[str]:
        user.permit(*statements, allow("none:None"))
        with pytest.raises(CloudError) as caught:
            check_permissions(clouds[region])
        first, *lines, last = str(caught.value).splitlines()
        assert first == ("live AWS: expected every permission that a deployment and its clean-up need, found missing:")
        assert last == "nothing was made; the whole policy that is needed: byom policy"
        return lines

    return refusal


def passed(user: User, cloud: Cloud, *statements: Statement) -> list[str]:
    """What the check tells a user whom it lets through."""
    user.permit(*statements)
    return check_permissions(cloud)


@pytest.mark.parametrize("region", [flow.REGION, NO_BUCKET, VERSIONED])
def test_all_that_is_missing_is_listed_at_once(refused: Any, region: str) -> None:
    """Who has nothing but the forecast is told of each action once."""
    lines = refused(ASKING, region=region)
    expected = {*ACTIONS} - {"iam:SimulatePrincipalPolicy"}
    for action in expected:
        assert len([line for line in lines if f'"Action": "{action}"' in line]) == 1, action
    assert len(lines) == len(expected)


def test_without_the_forecast_trials_count_still(refused: Any) -> None:
    """Who may not ask IAM either is told of all that was tried."""
    lines = refused()
    assert len(lines) == len(ACTIONS) - len(UNTRIED) - len({"iam:SimulatePrincipalPolicy", "s3:CreateBucket"})


@pytest.mark.parametrize("region", [flow.REGION, VERSIONED])
def test_who_has_the_policy_passes_and_nothing_is_left(
    aws: StandIn, user: User, clouds: dict[str, Cloud], region: str
) -> None:
    """Not a mark of a deletion, not a log group: the account is as it was, in a bucket that keeps versions too."""
    before = flow.everything(aws.root)
    assert passed(user, clouds[region], *least()["Statement"]) == []
    assert flow.everything(aws.root) == before


def test_a_bucket_that_is_not_there_is_not_made(aws: StandIn, user: User, clouds: dict[str, Cloud]) -> None:
    """Asking makes none; what cannot be tried in it is forecast."""
    assert passed(user, clouds[NO_BUCKET], *least()["Statement"]) == []
    buckets = aws.root.client("s3").list_buckets()["Buckets"]
    assert not [bucket for bucket in buckets if NO_BUCKET in bucket["Name"]]


def test_a_bucket_that_is_there_need_not_be_made(user: User, clouds: dict[str, Cloud], refused: Any) -> None:
    """Whose administrator has made the bucket needs no permission to."""
    without = least("s3:CreateBucket")["Statement"]
    assert passed(user, clouds[flow.REGION], *without) == []
    [line] = refused(*without, region=NO_BUCKET)
    assert line.startswith("  s3:CreateBucket: IAM forecasts implicitDeny; the policy line that is missing: {")


@pytest.mark.parametrize("region", [flow.REGION, NO_BUCKET])
def test_what_iam_was_not_asked_is_told(user: User, clouds: dict[str, Cloud], region: str) -> None:
    """Where the forecast is denied the run goes on, and is told of what nothing is known."""
    [note] = passed(user, clouds[region], *least("iam:SimulatePrincipalPolicy")["Statement"])
    start, _, _ = note.partition(": AccessDenied: User: ")
    asked = start.removeprefix("live AWS: IAM could not be asked beforehand whether it permits ").split(", ")
    in_s3 = {action for action in ACTIONS if action.startswith("s3:")} if region == NO_BUCKET else set()
    assert set(asked) == UNTRIED | in_s3


@pytest.mark.parametrize("action", ["sagemaker:CreateModel", "sagemaker:DeleteModel"])
def test_an_explicit_deny_is_told_as_such(refused: Any, action: str) -> None:
    """Forecast or tried: no line of a policy helps against it, so none is told."""
    [line] = refused(*least()["Statement"], deny(action))
    assert action in line
    assert "explicit" in line
    assert '"Effect"' not in line


def test_who_is_allowed_otherwise_passes(user: User, clouds: dict[str, Cloud]) -> None:
    """It is what a user may do that counts, not how their policy is written."""
    everything = [allow(["sagemaker:*", "s3:*", "logs:*", "iam:*"])]
    assert passed(user, clouds[flow.REGION], *everything) == []


def test_the_account_itself_is_not_forecast(monkeypatch: pytest.MonkeyPatch, aws: StandIn, user: User) -> None:
    """IAM has no policies of the root, which may do everything: nothing is asked, and there is nothing to say."""
    aws.be_root()
    cloud = aws.run()
    aws.be(user)
    identity = live.Identity(flow.ACCOUNT, f"arn:aws:iam::{flow.ACCOUNT}:root")
    monkeypatch.setattr(live, "identify", lambda _: identity)
    aws.requests.clear()
    assert check_permissions(cloud) == []
    assert "iam:SimulatePrincipalPolicy" not in aws.requests.actions


@pytest.mark.parametrize(
    ("arn", "principal"),
    [
        ("arn:aws:iam::123456789012:user/team/me", "arn:aws:iam::123456789012:user/team/me"),
        ("arn:aws:sts::123456789012:assumed-role/notebook/i-1", "arn:aws:iam::123456789012:role/notebook"),
        ("arn:aws-cn:sts::123456789012:assumed-role/r/a:b", "arn:aws-cn:iam::123456789012:role/r"),
        ("arn:aws:sts::123456789012:federated-user/me", "arn:aws:sts::123456789012:federated-user/me"),
    ],
)
def test_iam_is_asked_about_a_role_and_not_its_session(arn: str, principal: str) -> None:
    """A session has no policies of its own; everybody else is asked about as they are."""
    assert principal_of(arn) == principal


@pytest.mark.parametrize("path", ["/", "/service-role/"])
def test_a_role_is_forecast_unless_it_has_a_path(aws: StandIn, user: User, path: str) -> None:
    """A session's name does not tell the path, so IAM does not find the role: that is a note, not an error."""
    iam, name = aws.root.client("iam"), f"notebook{len(path)}"
    role = iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=document([]))["Role"]
    iam.put_role_policy(RoleName=name, PolicyName="least", PolicyDocument=document(least()["Statement"]))
    session = aws.root.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="me")["Credentials"]
    with aws.session(session):
        notes = check_permissions(aws.run())
    if path == "/":
        assert notes == []
    else:
        [note] = notes
        assert f"NoSuchEntity: The entity arn:aws:iam::{flow.ACCOUNT}:role/{name} cannot be found" in note


@pytest.fixture(scope="module")
def spoilt(aws: StandIn, user: User) -> tuple[Cloud, Faults, list[str]]:
    """A run whose requests can be spoilt, and the requests of its check."""
    user.permit(*least()["Statement"])
    aws.be(user)
    faults = Faults()
    with faults.in_between():
        cloud = aws.run()
    faults.plan(None)
    assert check_permissions(cloud) == []
    return cloud, faults, list(faults.seen)


SPOILT = (
    ("sagemaker.ListTags", Fault.THROTTLED),
    ("s3.AbortMultipartUpload", Fault.SERVER_ERROR),
    ("cloudwatch-logs.DeleteLogGroup", Fault.TIMEOUT_BEFORE),
)


@pytest.mark.parametrize(("operation", "fault"), [*SPOILT, ("iam.SimulatePrincipalPolicy", Fault.RESET)])
def test_what_passes_is_tried_again(spoilt: Any, user: User, operation: str, fault: Fault) -> None:
    """Throttled, failed or unanswered once: the second answer counts."""
    cloud, faults, seen = spoilt
    user.permit(*least()["Statement"])
    faults.plan(fault, operation)
    assert check_permissions(cloud) == []
    assert len(faults.seen) == len(seen) + 1


@pytest.mark.parametrize(("operation", "fault"), SPOILT)
def test_what_does_not_pass_is_no_permission(spoilt: Any, user: User, operation: str, fault: Fault) -> None:
    """Who gets no answer for as long as AWS may be broken is told of what; nothing is taken for permitted."""
    cloud, faults, _ = spoilt
    user.permit(*least()["Statement"])
    faults.plan(fault, operation, persistent=True)
    action = operation.replace(".", ":").removeprefix("cloudwatch-")
    with pytest.raises(CloudError, match=f"live AWS: expected an answer whether {action} is permitted, found "):
        check_permissions(cloud)
    assert faults.seen[-1] == operation


def test_botocores_patience_is_not_the_last(spoilt: Any) -> None:
    """What was throttled as often as botocore tries is asked again, until AWS may not be broken any longer."""
    from botocore.exceptions import ClientError

    throttled = ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "DescribeModel")
    answers: list[Exception | None] = [throttled, throttled, None]

    def call() -> None:
        if answer := answers.pop(0):
            raise answer

    cloud, _, _ = spoilt
    assert permissions._outcome(cloud, Trial("sagemaker:DescribeModel", call)) is None
    assert answers == []


def test_an_answer_that_nobody_understands_is_no_permission(spoilt: Any) -> None:
    """It is told at once, in AWS's words."""
    cloud, faults, _ = spoilt
    faults.plan(Fault.CLIENT_ERROR, "sagemaker.DescribeModel")
    with pytest.raises(
        CloudError, match=r"whether sagemaker:DescribeModel is permitted, found ValidationException: 1 "
    ):
        check_permissions(cloud)
    assert faults.seen[-1] == "sagemaker.DescribeModel"


@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.TIMEOUT_BEFORE, Fault.CLIENT_ERROR])
def test_an_iam_that_does_not_answer_is_told(spoilt: Any, user: User, fault: Fault) -> None:
    """The forecast is a second opinion: without it a run goes on, and says so."""
    cloud, faults, _ = spoilt
    user.permit(*least()["Statement"])
    faults.plan(fault, "iam.SimulatePrincipalPolicy", persistent=True)
    [note] = check_permissions(cloud)
    assert note.startswith("live AWS: IAM could not be asked beforehand whether it permits iam:PassRole, s3:GetObject")


class Forecast:
    """IAM's client, as far as it is asked, with one answer to everything, in two pages."""

    meta = SimpleNamespace(partition="aws")

    def __init__(self, **answer: Any) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []

    def get_paginator(self, _: str) -> Forecast:
        return self

    def paginate(self, **question: Any) -> list[dict[str, Any]]:
        self.asked.append(question)
        [resource] = question["ResourceArns"]
        results = [
            {"EvalActionName": action, "EvalResourceName": resource, **self.answer}
            for action in question["ActionNames"]
        ]
        return [{"EvaluationResults": results[:1]}, {"EvaluationResults": results[1:]}]


@pytest.fixture
def forecast(monkeypatch: pytest.MonkeyPatch, spoilt: Any, user: User) -> Any:
    """The lines or notes of a check in which IAM gives one answer to everything."""
    cloud, faults, _ = spoilt
    user.permit(*least()["Statement"])
    faults.plan(None)

    def check(**answer: Any) -> tuple[Forecast, list[str]]:
        iam = Forecast(**answer)
        monkeypatch.setattr(permissions, "_iam", lambda _: iam)
        try:
            return iam, check_permissions(cloud)
        except CloudError as error:
            return iam, str(error).splitlines()[1:-1]

    return check


def test_iam_is_asked_what_it_will_be_asked(forecast: Any) -> None:
    """Of each action on each kind of thing that AWS checks it on, by names of this run, and PassRole to SageMaker."""
    iam, notes = forecast(EvalDecision="allowed")
    assert notes == []
    asked = {(action, arn) for one in iam.asked for action in one["ActionNames"] for arn in one["ResourceArns"]}
    assert {action for action, _ in asked} == UNTRIED
    made = f"arn:aws:sagemaker:{flow.REGION}:{flow.ACCOUNT}"
    assert {arn.partition("/")[0] for action, arn in asked if action == "sagemaker:CreateEndpoint"} == {
        f"{made}:endpoint",
        f"{made}:endpoint-config",
    }
    assert ("iam:PassRole", flow.ROLE) in asked
    assert not [arn for _, arn in asked if arn != "*" and "*" in arn]
    [passing] = [one for one in iam.asked if one["ActionNames"] == ["iam:PassRole"]]
    assert passing["ContextEntries"] == [
        {
            "ContextKeyName": "iam:PassedToService",
            "ContextKeyValues": ["sagemaker.amazonaws.com"],
            "ContextKeyType": "string",
        }
    ]
    assert {one["PolicySourceArn"] for one in iam.asked} == {f"arn:aws:iam::{flow.ACCOUNT}:user/asker"}


def test_each_denied_action_is_told_once(forecast: Any) -> None:
    """Though it is denied on several things, and in the second page of an answer."""
    _, lines = forecast(EvalDecision="implicitDeny")
    assert [line.split(": IAM forecasts")[0] for line in lines] == [f"  {action}" for action in sorted(UNTRIED)]


def test_a_permissions_boundary_is_told(forecast: Any) -> None:
    """The missing line belongs there, not into the user's policy."""
    boundary = {"AllowedByPermissionsBoundary": False}
    _, lines = forecast(EvalDecision="implicitDeny", PermissionsBoundaryDecisionDetail=boundary)
    assert all("the policy line that is missing, in the permissions boundary: {" in line for line in lines)
    _, lines = forecast(
        EvalDecision="implicitDeny", PermissionsBoundaryDecisionDetail={"AllowedByPermissionsBoundary": True}
    )
    assert all("; the policy line that is missing: {" in line for line in lines)


def test_an_organizations_deny_is_a_note(forecast: Any) -> None:
    """IAM does not weigh such policies' conditions, and would lock out who may do all: the run goes on, and is told."""
    _, notes = forecast(EvalDecision="implicitDeny", OrganizationsDecisionDetail={"AllowedByOrganizations": False})
    assert {note.rpartition(" ")[2] for note in notes} == UNTRIED
    assert all(note.startswith("live AWS: IAM forecasts, not always rightly, that a policy of the") for note in notes)
    _, lines = forecast(EvalDecision="implicitDeny", OrganizationsDecisionDetail={"AllowedByOrganizations": True})
    assert len(lines) == len(UNTRIED)
