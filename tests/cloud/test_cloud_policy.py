"""The IAM policy: what a run asks of AWS, all of it and no more; and what each user is told who lacks a part of it."""

from __future__ import annotations

import functools
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from leaks import flow
from left_things import make_all, new_run, write_down
from simulator_users import DENIED
from stand_in_account import attach, invoked, least, stand_in_account

from harness.cloud import deploy as deploying
from harness.cloud.claim import LOGS
from harness.cloud.cleanup import remove
from harness.cloud.deploy import deploy, resource_name
from harness.cloud.endpoint_log import last_lines
from harness.cloud.ledger import Ledger
from harness.cloud.live import in_use
from harness.cloud.permissions import check_permissions
from harness.cloud.policy import ACTIONS, STATEMENTS, line_of, partition_of, policy
from harness.cloud.predictor import Predictor
from harness.cloud.reaper import reap, search
from harness.cloud.session import import_sagemaker
from harness.errors import CloudError
from harness.resources import Kind, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result
    from simulator_users import User
    from stand_in_account import StandIn

    from harness.artifact import Artifact
    from harness.cloud.ledger import Run
    from harness.cloud.session import Cloud

    Packed = tuple[Artifact, Path]

MANAGED_LIMIT = 6144
"""Characters of a managed policy without its white space (IAM user guide, "IAM and AWS STS quotas")."""

ELSEWHERE = "us-west-2"
"""A region in which the account has no bucket."""

MAKING = (
    "iam:PassRole",
    "s3:CreateBucket",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:PutObject",
    "s3:PutObjectTagging",
    "sagemaker:AddTags",
    "sagemaker:CreateEndpoint",
    "sagemaker:CreateEndpointConfig",
    "sagemaker:CreateModel",
)
"""What is missed when something is made."""

DELETING = {
    "logs:DeleteLogGroup": Kind.LOG_GROUP,
    "logs:DescribeLogGroups": Kind.LOG_GROUP,
    "s3:DeleteObjectVersion": Kind.OBJECT,
    "s3:GetObjectVersionTagging": Kind.OBJECT,
    "s3:ListBucketVersions": Kind.OBJECT,
    "sagemaker:DeleteEndpoint": Kind.ENDPOINT,
    "sagemaker:DeleteEndpointConfig": Kind.ENDPOINT_CONFIG,
    "sagemaker:DeleteModel": Kind.MODEL,
    "sagemaker:DescribeEndpoint": Kind.ENDPOINT,
    "sagemaker:DescribeEndpointConfig": Kind.ENDPOINT_CONFIG,
    "sagemaker:DescribeModel": Kind.MODEL,
    "sagemaker:ListTags": Kind.MODEL,
}
"""What is missed when something is deleted."""

UNFINISHED = ("s3:AbortMultipartUpload", "s3:ListBucketMultipartUploads")
"""What is missed when an unfinished upload is deleted."""

FINDING = ("sagemaker:ListEndpointConfigs", "sagemaker:ListEndpoints", "sagemaker:ListModels")
"""What is missed when leftovers are looked for."""

OTHERWISE = ("iam:SimulatePrincipalPolicy", "logs:FilterLogEvents", "s3:ListAllMyBuckets", "sagemaker:InvokeEndpoint")
"""What has a test of its own."""

ARN = f"arn:aws:sagemaker:{flow.REGION}:{flow.ACCOUNT}:"
FULL = {"account": flow.ACCOUNT, "region": flow.REGION, "role": flow.ROLE}
ARN_FORM = (
    r"\*|arn:aws[a-z-]*:(sagemaker|logs):(\*|[a-z0-9-]+):(\*|\d{12}):[a-z-]+[:/][\w/*-]+"
    r"|arn:aws[a-z-]*:s3:::[a-z0-9*-]+(/[\w*-]+)?|arn:aws[a-z-]*:iam::\d{12}:role/\w+"
)

WORDLESS = {"s3:ListBucket": ["arn:aws:s3:::*"], "s3:GetObject": ["arn:aws:s3:::*/byom-*"]}
"""What is asked for by HEAD, whose refusal has no words, and so names no bucket."""

CREATIONS = re.compile(r"s3:(Create|Put)|sagemaker:Create")


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """An account that stands in for AWS. Models are not loaded beforehand: that asks AWS for nothing."""
    with stand_in_account() as account, pytest.MonkeyPatch.context() as patch:
        utils = import_sagemaker().utils
        # The SDK reads all of AWS's addresses anew, five times a deployment.
        patch.setattr(utils, "_botocore_resolver", functools.cache(utils._botocore_resolver))
        patch.setattr(deploying, "_verify", lambda *_: None)
        account.remember_in(tmp_path_factory.mktemp("state"))
        yield account


@pytest.fixture(scope="module")
def recorded(aws: StandIn, packed_hollow: Packed, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A user with the policy as it is printed deploys, asks, fails, cleans up and reaps; what was asked and told."""
    user, told = aws.user("least"), {}
    attach(user, "least", json.dumps(least(region=flow.REGION)))
    before = flow.everything(aws.root)
    aws.be(user)
    cloud = aws.run()
    with in_use(cloud, say=pytest.fail):
        flow.deploy_validate_delete(cloud, *packed_hollow)
        versions = {"Status": "Enabled"}
        aws.root.client("s3").put_bucket_versioning(Bucket=flow.BUCKET, VersioningConfiguration=versions)
        flow.deploy_validate_delete(cloud, *packed_hollow, number=2)
        start_upload(cloud, f"{resource_name(cloud, 'leak', 3)}/model.tar.gz")
        told["failed"] = told_failure(aws, cloud, packed_hollow)
    told["left"] = flow.everything(aws.root) - before
    for way in ("ledger", "tags"):
        told[way] = reaped(aws, tmp_path_factory.mktemp(way), lost=way == "tags")
    told["left after reaping"] = flow.everything(aws.root) - before
    return {**told, "actions": set(aws.requests.actions), "denied": list(aws.requests.denied)}


def start_upload(account: Any, key: str) -> Resource:
    """An upload in parts that is never completed."""
    account.client("s3").create_multipart_upload(Bucket=flow.BUCKET, Key=key)
    return Resource(Kind.OBJECT, f"s3://{flow.BUCKET}/{key}")


def told_failure(aws: StandIn, cloud: Cloud, packed: Packed) -> str:
    """What is told of an endpoint whose model server is given junk."""
    artifact, script = packed
    name = resource_name(cloud, "leak", 4)

    def spoil(**_: Any) -> None:
        s3, place = aws.root.client("s3"), {"Bucket": flow.BUCKET, "Key": f"{name}/{name}/model.tar.gz"}
        tags = s3.get_object_tagging(**place)["TagSet"]
        s3.put_object(**place, Body=b"junk")
        s3.put_object_tagging(**place, Tagging={"TagSet": tags})

    cloud.client("sagemaker").meta.events.register("before-call.sagemaker.CreateEndpoint", spoil)
    with pytest.raises(CloudError) as failed:
        deploy(cloud, artifact, name=name, entry_point=script)
    return str(failed.value)


def reaped(aws: StandIn, folder: Path, *, lost: bool) -> Result:
    """What ``byom reap`` says of a dead run's things, which are in the ledger unless that is lost."""
    ledger = aws.remember_in(folder)
    run = new_run(owner=aws.run().recorder.run.owner)
    made = make_all(aws.root, run)
    if not lost:
        write_down(ledger, run, *made)
    return invoked("reap", "--run", run.run)


def test_what_a_run_asks_for_is_the_policy(recorded: dict[str, Any]) -> None:
    """A run, its failures, its clean-up and both ways to reap need each action of the policy, and no other."""
    assert recorded["actions"] == set(ACTIONS)


def test_with_the_policy_nothing_is_denied(recorded: dict[str, Any]) -> None:
    """A user who has it and nothing else is never refused, sees the log of what failed, and leaves nothing."""
    assert recorded["denied"] == []
    assert "the end of its log:\n  a line of its log" in recorded["failed"]
    assert (recorded["left"], recorded["left after reaping"]) == (set(), set())
    for way in ("ledger", "tags"):
        assert recorded[way].exit_code == 0, recorded[way].output
        assert f"({way}): endpoint byom-left-" in recorded[way].stdout
        assert recorded[way].stdout.endswith("All of it is gone.\n")


class Lacking:
    """A user who has all of the policy but an action, with a run of theirs in each of two regions."""

    def __init__(self, aws: StandIn) -> None:
        self.aws, self.user = aws, aws.user("lacking")
        aws.be(self.user)
        self._clouds = {region: aws.run(region=region) for region in (flow.REGION, ELSEWHERE)}
        self._numbers = 0

    def without(self, action: str) -> Cloud:
        """Take the action away. What only a missing bucket needs is for where there is none."""
        self.user.permit(*least(action)["Statement"])
        self.aws.requests.clear()
        return self._clouds[ELSEWHERE if action == "s3:CreateBucket" else flow.REGION]

    def deploy(self, cloud: Cloud, packed: Packed) -> None:
        """Under a new name, as in a new process."""
        self._numbers += 1
        cloud.sdk._default_bucket = None
        name = resource_name(cloud, "lacking", self._numbers)
        deploy(cloud, packed[0], name=name, entry_point=packed[1])


@pytest.fixture(scope="module")
def lacking(aws: StandIn, recorded: dict[str, Any]) -> Lacking:
    return Lacking(aws)


@pytest.fixture(scope="module")
def standing(aws: StandIn, recorded: dict[str, Any]) -> Iterator[tuple[Run, dict[Kind, Resource]]]:
    """A run, and one thing of each kind that it has made; they stand until the module is done."""
    run, ledger = new_run(seconds=-1), Ledger.temporary()
    made = make_all(aws.root, run)
    write_down(ledger, run, *made)
    yield run, {resource.kind: resource for resource in made}
    bystander = flow.open_account(aws.url, ledger.folder)
    assert reap(bystander, ledger, search(bystander, ledger, flow.OWNER).abandoned) == []


def line_told(message: str) -> dict[str, Any]:
    """The one line of a policy that a message has, or the same one several times."""
    starts = [match.start() for match in re.finditer('{"Effect"', message)]
    lines = [json.JSONDecoder().raw_decode(message, start)[0] for start in starts]
    assert lines, message
    assert all(line == lines[0] for line in lines), message
    return lines[0]


def line_missing(action: str, region: str = flow.REGION) -> dict[str, Any]:
    """The one line that a user lacks who has all of the policy but an action."""
    [statement] = [one for one in least(region=region)["Statement"] if action in one["Action"]]
    resources = statement["Resource"] if len(statement["Resource"]) > 1 else statement["Resource"][0]
    del statement["Sid"]
    return {**statement, "Action": action, "Resource": resources}


def test_each_action_of_the_policy_is_missed_somewhere() -> None:
    """The tests below go through all of them."""
    assert sorted([*MAKING, *DELETING, *UNFINISHED, *FINDING, *OTHERWISE]) == sorted(ACTIONS)


@pytest.mark.parametrize("action", sorted({*ACTIONS} - {"iam:SimulatePrincipalPolicy"}))
def test_what_is_missing_is_told_before_anything_is_made(lacking: Lacking, action: str) -> None:
    """Without one action a run is refused with the one line that it lacks, and nothing was created."""
    cloud = lacking.without(action)
    with pytest.raises(CloudError) as refused, in_use(cloud, say=str):
        pytest.fail("it was let through")
    assert line_told(str(refused.value)) == line_missing(action, cloud.recorder.run.region)
    assert not [asked for asked in lacking.aws.requests.actions if CREATIONS.match(asked)]


@pytest.mark.parametrize("action", MAKING)
def test_what_making_lacks_is_told(lacking: Lacking, packed_hollow: Packed, action: str) -> None:
    """Were nothing asked beforehand, a deployment would end with the line that it lacks, and leave nothing."""
    cloud, before = lacking.without(action), flow.everything(lacking.aws.root)
    with pytest.raises(CloudError) as refused:
        lacking.deploy(cloud, packed_hollow)
    expected = line_missing(action, cloud.recorder.run.region)
    if action in WORDLESS:
        expected["Resource"] = WORDLESS[action]
    assert line_told(str(refused.value)) == expected
    assert flow.everything(lacking.aws.root) == before
    assert lacking.aws.requests.denied


@pytest.mark.parametrize("action", DELETING)
def test_what_deleting_lacks_is_told(lacking: Lacking, standing: Any, action: str) -> None:
    """A thing that cannot be deleted for want of an action is left with the line that is lacking."""
    run, things = standing
    told = remove(lacking.without(action), things[DELETING[action]], run.run)
    assert line_told(told) == line_missing(action)


@pytest.mark.parametrize("action", UNFINISHED)
def test_what_an_unfinished_upload_lacks_is_told(lacking: Lacking, action: str) -> None:
    """An upload in parts that cannot be ended is left with the line that is lacking, and ended by who has it."""
    upload = start_upload(lacking.aws.root, "byom-unfinished/model.tar.gz")
    assert line_told(remove(lacking.without(action), upload, "any")) == line_missing(action)
    assert remove(lacking.without(""), upload, "any") == ""


@pytest.mark.parametrize("action", FINDING)
def test_what_finding_lacks_is_told(lacking: Lacking, action: str) -> None:
    """Who may not list cannot look for leftovers, and is told the line that is lacking."""
    cloud = lacking.without(action)
    with pytest.raises(CloudError, match="cannot look for leftovers") as refused:
        search(cloud, cloud.recorder.ledger, flow.OWNER)
    assert line_told(str(refused.value)) == line_missing(action)


def test_who_may_not_ask_iam_is_told_so(lacking: Lacking) -> None:
    """Without the forecast a run goes on, and says what could not be asked and which line is lacking."""
    [note] = check_permissions(lacking.without("iam:SimulatePrincipalPolicy"))
    assert note.startswith("live AWS: IAM could not be asked beforehand whether it permits iam:PassRole, s3:GetObject")
    assert line_told(note) == line_missing("iam:SimulatePrincipalPolicy")


def test_who_may_not_read_a_log_is_told_so(lacking: Lacking, standing: Any) -> None:
    """In place of the log's end, the error of a failed endpoint has the line that is lacking."""
    run, _ = standing
    told = last_lines(lacking.without("logs:FilterLogEvents"), f"byom-left-{run.run}-1")
    assert told.startswith("\nits log cannot be read: AccessDeniedException: ")
    assert line_told(told) == line_missing("logs:FilterLogEvents")


def test_who_may_not_ask_an_endpoint_is_told_so(lacking: Lacking, standing: Any) -> None:
    """A prediction ends with the line that is lacking."""
    run, _ = standing
    predictor = Predictor(lacking.without("sagemaker:InvokeEndpoint"), f"byom-left-{run.run}-1")
    with pytest.raises(CloudError) as refused:
        predictor.predict([[0.0] * 4])
    assert line_told(str(refused.value)) == line_missing("sagemaker:InvokeEndpoint")


def test_who_may_not_list_buckets_is_not_told_so(lacking: Lacking) -> None:
    """The SageMaker SDK asks for the list and takes a refusal for an answer: the check beforehand alone tells."""
    cloud = lacking.without("s3:ListAllMyBuckets")
    cloud.sdk._default_bucket = None
    assert cloud.sdk.default_bucket() == flow.BUCKET
    assert lacking.aws.requests.denied == ["ListBuckets"]


CALLS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "another role": (
        "sagemaker",
        "create_model",
        {"ModelName": "byom-a", "ExecutionRoleArn": flow.ROLE},
        {"ExecutionRoleArn": f"{flow.ROLE}2"},
    ),
    "another name": ("sagemaker", "delete_model", {"ModelName": "byom-a"}, {"ModelName": "other-a"}),
    "another's tags": (
        "sagemaker",
        "list_tags",
        {"ResourceArn": ARN + "model/byom-a"},
        {"ResourceArn": ARN + "model/a"},
    ),
    "another endpoint": (
        "sagemaker-runtime",
        "invoke_endpoint",
        {"EndpointName": "byom-a", "Body": b"[]"},
        {"EndpointName": "a"},
    ),
    "another key": ("s3", "put_object", {"Bucket": flow.BUCKET, "Key": "byom-a/b"}, {"Key": "a/b"}),
    "another bucket": ("s3", "list_objects_v2", {"Bucket": flow.BUCKET}, {"Bucket": f"{flow.BUCKET}-a"}),
    "another log": ("logs", "delete_log_group", {"logGroupName": f"{LOGS}byom-a"}, {"logGroupName": f"{LOGS}a"}),
}
"""A call that the policy allows, and what of it must be otherwise so that it does not."""


@pytest.fixture(scope="module")
def least_user(aws: StandIn, recorded: dict[str, Any]) -> User:
    """A user with the policy for one account, region and role."""
    user = aws.user("narrow")
    user.permit(*least(region=flow.REGION)["Statement"])
    return user


@pytest.mark.parametrize("what", CALLS)
def test_a_narrow_policy_is_narrow(least_user: User, what: str) -> None:
    """It allows a role, names, a bucket and logs; with another one the same call is denied."""
    service, operation, ours, others = CALLS[what]
    allowed, _ = least_user.call(service, operation, **ours)
    assert allowed not in DENIED
    denied, _ = least_user.call(service, operation, **{**ours, **others})
    assert denied in DENIED


@pytest.mark.parametrize("names", [{"account": "999999999999"}, {"region": ELSEWHERE}, {"partition": "aws-cn"}])
def test_another_accounts_policy_allows_nothing_here(aws: StandIn, recorded: Any, names: dict[str, str]) -> None:
    """Its account, region and partition are in each pattern: what is no list of everything is denied."""
    user = aws.user(f"elsewhere-{next(iter(names))}")
    user.permit(*least(**{"region": flow.REGION, **names})["Statement"])
    denied = {
        what: user.call(service, operation, **ours)[0] in DENIED
        for what, (service, operation, ours, _) in CALLS.items()
    }
    assert denied == dict.fromkeys(CALLS, True)


def resources(document: dict[str, Any]) -> list[str]:
    """Each ARN of a policy, or pattern of ARNs."""
    return [resource for statement in document["Statement"] for resource in statement["Resource"]]


def partitions(document: dict[str, Any]) -> set[str]:
    """Of AWS, in all its ARNs."""
    return {resource.split(":")[1] for resource in resources(document) if resource != "*"}


@pytest.mark.parametrize("given", [{}, FULL, {**FULL, "region": "us-gov-west-1"}], ids=["any", "one", "gov"])
def test_the_policy_fits_into_a_managed_one(given: dict[str, str]) -> None:
    """Without white space it is well below IAM's limit, and as long as its docstring says."""
    length = len(json.dumps(policy(**given), separators=(",", ":")))
    assert 2000 < length < 2700 < MANAGED_LIMIT


@pytest.mark.parametrize("given", [{}, FULL, {**FULL, "partition": "aws-us-gov"}, {"region": "cn-north-1"}])
def test_each_pattern_is_an_arn(given: dict[str, str]) -> None:
    """IAM takes nothing else: six parts, known services, no name to be filled in; and each statement is named."""
    document = policy(**given)
    for resource in resources(document):
        assert re.fullmatch(ARN_FORM, resource), resource
    names = [statement["Sid"] for statement in document["Statement"]]
    assert len({*names}) == len(names)
    assert all(name.isalnum() for name in names)


def test_each_action_stands_in_one_statement() -> None:
    """What is taken away there is taken away."""
    assert len({*ACTIONS}) == len(ACTIONS) == sum(len(statement.actions) for statement in STATEMENTS)
    assert all(re.fullmatch(r"(iam|logs|s3|sagemaker):[A-Z]\w+", action) for action in ACTIONS)


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-east-1", "aws-us-gov"), ("*", "aws")],
)
def test_a_region_tells_its_partition(region: str, partition: str) -> None:
    """China and GovCloud have ARNs of their own; one that is given counts."""
    assert partition_of(region) == partition
    assert partitions(policy(region=region)) == {partition}
    assert partitions(policy(region=region, partition="aws-iso")) == {"aws-iso"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"account": "12345"}, "expected an account's number of twelve digits, found '12345'; give the account as AWS"),
        ({"region": "Virginia"}, "expected a region such as us-east-1, found 'Virginia'"),
        ({"role": "sagemaker"}, "expected the ARN of a role, found 'sagemaker'; give the role as AWS writes it"),
        ({"role": "arn:aws:iam::123456789012:user/me"}, "expected the ARN of a role, found 'arn:aws:iam::1234"),
        ({"partition": "china"}, "expected a partition: aws, aws-cn or aws-us-gov, found 'china'"),
    ],
)
def test_what_aws_would_not_take_is_refused(given: dict[str, str], message: str) -> None:
    """A policy that IAM refuses, or that allows nothing, is not printed."""
    with pytest.raises(CloudError, match=f"IAM policy: {re.escape(message)}"):
        policy(**given)


@pytest.mark.parametrize(
    ("action", "resource", "told"),
    [
        ("sagemaker:ListModels", f"{ARN}model/*", "*"),
        ("sagemaker:DeleteModel", f"{ARN}model/byom-x-0a1b2c3d-1", f"{ARN}model/byom-*"),
        ("sagemaker:DeleteModel", f"{ARN}model/other", f"{ARN}model/other"),
        (
            "sagemaker:CreateEndpoint",
            f"{ARN}endpoint/byom-x",
            [f"{ARN}endpoint-config/byom-*", f"{ARN}endpoint/byom-*"],
        ),
        ("s3:PutObject", "arn:aws:s3:::sagemaker-us-east-1-1/byom-x/y", "arn:aws:s3:::sagemaker-us-east-1-1/byom-*"),
        ("s3:PutObject", "arn:aws:s3:::mine/byom-x/y", "arn:aws:s3:::mine/byom-x/y"),
        ("s3:ListBucket", "", ["arn:aws:s3:::*"]),
        ("kms:Decrypt", "arn:aws:kms:us-east-1:123456789012:key/1", "arn:aws:kms:us-east-1:123456789012:key/1"),
        ("kms:Decrypt", "", "*"),
    ],
)
def test_a_line_is_of_use_to_the_next_run_too(action: str, resource: str, told: str | list[str]) -> None:
    """It has the policy's patterns, in the account of what was denied; what these do not match stands as it is."""
    assert json.loads(line_of(action, resource)) == {"Effect": "Allow", "Action": action, "Resource": told}


def test_the_command_prints_the_policy() -> None:
    """As JSON that IAM takes; each option is filled in."""
    assert json.loads(invoked("policy").stdout) == policy()
    options = [word for name, value in FULL.items() for word in (f"--{name}", value)]
    assert json.loads(invoked("policy", *options).stdout) == policy(**FULL)
    assert json.loads(invoked("policy", "--partition", "aws-us-gov").stdout) == policy(partition="aws-us-gov")


def test_the_command_knows_the_partition_of_a_region() -> None:
    """Who names a region of China need not know what its ARNs look like."""
    assert json.loads(invoked("policy", "--region", "cn-north-1").stdout) == policy(region="cn-north-1")


def test_the_command_refuses_what_aws_would_not_take() -> None:
    """One line on standard error, exit status 2, and no policy."""
    done = invoked("policy", "--role", "sagemaker")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("byom: IAM policy: expected the ARN of a role, found 'sagemaker'")
