"""IAM in the simulated account: what users may do there, how they are refused, and what IAM forecasts."""

from __future__ import annotations

import contextlib
import http.client
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from simulator_aws import unique
from simulator_permissions import (
    BUCKET,
    CASES,
    CONTAINER,
    ENDPOINT,
    IN_S3,
    KEY,
    MODEL,
    ON_BUCKET,
    ON_OBJECT,
    SERVICE_TRUST,
    TAGS,
    VARIANT,
    Case,
    iam_arn,
)
from simulator_users import ACCOUNT, DENIED, Keys, User, allow, deny, document, outcome, refusal

from harness.simulator.account import REGION, ROLE, SimulatedAccount

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def root(account: SimulatedAccount) -> Any:
    """A session that signs as the harness does, with a bucket, an object in it, and a role."""
    from harness.cloud.session import redirected_session

    session = redirected_session(account.url, REGION)
    s3 = session.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(**IN_S3, Body=b"content")
    session.client("sagemaker").create_model(ModelName="byom-kept", PrimaryContainer=CONTAINER, ExecutionRoleArn=ROLE)
    session.client("iam").create_role(RoleName="byom", Path="/made/", AssumeRolePolicyDocument=SERVICE_TRUST)
    return session


@pytest.fixture(scope="module")
def the_user(root: Any) -> User:
    return User(root, "byom-user")


@pytest.fixture
def user(the_user: User) -> User:
    """A user without any permission."""
    the_user.forbid()
    return the_user


@pytest.mark.parametrize("one", CASES, ids=str)
def test_each_call_needs_each_of_its_permissions(user: User, one: Case) -> None:
    """With exactly what it needs a call is not denied; without any one of them it is, in words that name it."""
    for missing in one.needs:
        user.permit(*(allow(*need) for need in one.needs if need != missing), allow("none:None"))
        code, message = user.call(one.service, one.operation, **one.parameters)
        assert code == (
            "AccessDeniedException" if one.service in ("sagemaker", "sagemaker-runtime", "logs") else "AccessDenied"
        )
        assert message == refusal(user.arn, *missing)
    user.permit(*(allow(*need) for need in one.needs))
    code, message = user.call(one.service, one.operation, **one.parameters)
    assert code not in DENIED, message
    assert "not simulate permissions" not in message


@pytest.mark.parametrize(
    ("operation", "parameters", "action", "resource"),
    [
        ("head_object", IN_S3, "s3:GetObject", ON_OBJECT),
        ("head_bucket", {"Bucket": BUCKET}, "s3:ListBucket", ON_BUCKET),
    ],
)
def test_a_refused_head_has_no_words(user: User, operation: str, parameters: Any, action: str, resource: str) -> None:
    """As AWS's: an answer to HEAD has no body, so that a client sees the status alone."""
    assert user.call("s3", operation, **parameters) == ("403", "Forbidden")
    user.permit(allow(action, resource))
    assert user.call("s3", operation, **parameters) == ("", "")


def test_the_accounts_own_keys_may_do_everything(root: Any, user: User) -> None:
    """Keys that IAM did not make are the root's, whoever has been denied what; nothing is switched on."""
    assert user.call("s3", "list_buckets")[0] == "AccessDenied"
    assert outcome(root.client("s3").list_buckets) == ("", "")
    stranger = Keys(root, "AKIAIOSFODNN7EXAMPLE", "secret")
    assert outcome(stranger.client("s3").list_buckets) == ("", "")


def test_who_one_is_needs_no_permission(user: User) -> None:
    """GetCallerIdentity answers even where everything is denied."""
    user.permit(deny("*"))
    assert user.keys.client("sts").get_caller_identity()["Arn"] == user.arn


def test_an_explicit_deny_wins_and_says_so(user: User) -> None:
    """A statement that denies is told as such, in SageMaker's form and in S3's."""
    user.permit(allow("*"), deny("sagemaker:DeleteModel", MODEL), deny("s3:GetObject"))
    start = f"User: {user.arn} is not authorized to perform:"
    end = "with an explicit deny in an identity-based policy"
    assert user.call("sagemaker", "delete_model", ModelName="byom-a") == (
        "AccessDeniedException",
        f"{start} sagemaker:DeleteModel on resource: {MODEL} {end}",
    )
    assert user.call("s3", "get_object", **IN_S3)[1] == f'{start} s3:GetObject on resource: "{ON_OBJECT}" {end}'
    assert user.call("sagemaker", "delete_model", ModelName="byom-z")[0] == "ValidationException"


def test_a_policy_counts_from_the_moment_it_changes(user: User) -> None:
    """Given, narrowed and taken away between two calls."""
    denied = ("AccessDenied", refusal(user.arn, "s3:GetObject", ON_OBJECT))
    assert user.call("s3", "get_object", **IN_S3) == denied
    user.permit(allow("s3:*", f"{ON_BUCKET}/*"))
    assert user.call("s3", "get_object", **IN_S3) == ("", "")
    user.permit(allow("s3:*", f"{ON_BUCKET}/other/*"))
    assert user.call("s3", "get_object", **IN_S3) == denied
    user.forbid()
    assert user.call("s3", "get_object", **IN_S3) == denied


def test_a_role_is_passed_to_the_service_that_the_policy_names(user: User) -> None:
    """``iam:PassedToService`` is SageMaker's for CreateModel."""
    parameters = {"ModelName": unique("byom"), "PrimaryContainer": CONTAINER, "ExecutionRoleArn": ROLE}

    def passed_to(service: str) -> tuple[str, str]:
        condition = {"StringEquals": {"iam:PassedToService": service}}
        user.permit(allow("sagemaker:*"), allow("iam:PassRole", "arn:aws:iam::*:role/*", Condition=condition))
        return user.call("sagemaker", "create_model", **parameters)

    assert passed_to("lambda.amazonaws.com") == ("AccessDeniedException", refusal(user.arn, "iam:PassRole", ROLE))
    assert passed_to("sagemaker.amazonaws.com") == ("", "")


def test_conditions_on_the_tags_of_a_request(user: User) -> None:
    """What is created must carry the tags that a policy asks for, and no others."""
    condition = {
        "StringEquals": {"aws:RequestTag/Owner": "me"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["Owner"]},
    }
    user.permit(allow("sagemaker:*", Condition=condition))

    def create(**tags: str) -> str:
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        return user.call(
            "sagemaker",
            "create_endpoint_config",
            EndpointConfigName=unique("byom"),
            ProductionVariants=[VARIANT],
            Tags=listed,
        )[0]

    assert [create(Owner="me"), create(Owner="you"), create(), create(Owner="me", Other="a")] == [
        "",
        *3 * ["AccessDeniedException"],
    ]


@pytest.mark.parametrize("key", ["aws:ResourceTag/Owner", "sagemaker:ResourceTag/Owner"])
def test_conditions_on_the_tags_of_a_resource(root: Any, user: User, key: str) -> None:
    """Who may delete what is theirs may not delete what is not, or has no tags."""
    user.permit(allow("sagemaker:*", Condition={"StringEquals": {key: "me"}}))
    codes = []
    for tags in (TAGS, [{"Key": "Owner", "Value": "you"}], []):
        name = unique("BYOM-tagged")
        root.client("sagemaker").create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[VARIANT], Tags=tags
        )
        codes.append(user.call("sagemaker", "delete_endpoint_config", EndpointConfigName=name)[0])
    assert codes == ["", "AccessDeniedException", "AccessDeniedException"]


def test_conditions_on_what_else_a_request_says(user: User) -> None:
    """Instance types, an upload's tags, a listing's prefix, the region and the user's name."""

    def code(statement: dict[str, Any], service: str, operation: str, **parameters: Any) -> str:
        user.permit(statement)
        return user.call(service, operation, **parameters)[0]

    for wanted, expected in (("ml.m4.*", ""), ("ml.p3.*", "AccessDeniedException")):
        cheap = allow("*", Condition={"ForAnyValue:StringLike": {"sagemaker:InstanceTypes": wanted}})
        name = unique("byom")
        config = {"EndpointConfigName": name, "ProductionVariants": [VARIANT]}
        assert code(cheap, "sagemaker", "create_endpoint_config", **config) == expected
    upload = {"s3:RequestObjectTag/Owner": "me"}
    tagged = allow("s3:PutObjectTagging", Condition={"StringEquals": upload})
    user.permit(allow("s3:PutObject"), tagged)
    assert user.call("s3", "put_object", **IN_S3, Tagging="Owner=me")[0] == ""
    assert user.call("s3", "put_object", **IN_S3, Tagging="Owner=you")[0] == "AccessDenied"
    below = allow("*", Condition={"StringLike": {"s3:prefix": "byom/*"}})
    assert code(below, "s3", "list_objects_v2", Bucket=BUCKET, Prefix="byom/a") == ""
    assert code(below, "s3", "list_objects_v2", Bucket=BUCKET, Prefix="") == "AccessDenied"
    for condition, expected in (
        ({"aws:RequestedRegion": REGION, "aws:username": user.name, "aws:PrincipalArn": user.arn}, ""),
        ({"aws:RequestedRegion": "eu-west-1"}, "AccessDenied"),
    ):
        assert code(allow("*", Condition={"StringEquals": condition}), "s3", "list_buckets") == expected


def test_policies_that_are_attached_count_by_their_default_version(root: Any, user: User) -> None:
    """A user's and a group's, and what a newer version of a policy says."""
    iam = root.client("iam")
    made = iam.create_policy(PolicyName=unique("byom"), PolicyDocument=document([allow("s3:ListAllMyBuckets")]))
    arn, group = made["Policy"]["Arn"], unique("group")
    iam.attach_user_policy(UserName=user.name, PolicyArn=arn)
    assert user.call("s3", "list_buckets") == ("", "")
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=document([allow("s3:GetObject")]), SetAsDefault=True)
    assert user.call("s3", "list_buckets")[0] == "AccessDenied"
    assert user.call("s3", "get_object", **IN_S3) == ("", "")
    iam.detach_user_policy(UserName=user.name, PolicyArn=arn)
    assert user.call("s3", "get_object", **IN_S3)[0] == "AccessDenied"

    iam.create_group(GroupName=group)
    iam.attach_group_policy(GroupName=group, PolicyArn=arn)
    iam.put_group_policy(GroupName=group, PolicyName="a", PolicyDocument=document([allow("s3:ListAllMyBuckets")]))
    assert user.call("s3", "list_buckets")[0] == "AccessDenied"
    iam.add_user_to_group(GroupName=group, UserName=user.name)
    assert user.call("s3", "list_buckets") == user.call("s3", "get_object", **IN_S3) == ("", "")
    iam.remove_user_from_group(GroupName=group, UserName=user.name)
    assert user.call("s3", "list_buckets")[0] == "AccessDenied"


def assumed(root: Any, role: str, **parameters: Any) -> Keys:
    """The keys of a session in a role."""
    answer = root.client("sts").assume_role(RoleArn=role, RoleSessionName="me", **parameters)["Credentials"]
    return Keys(root, answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"])


def test_who_assumed_a_role_has_its_permissions(root: Any) -> None:
    """The refusal names the session, and a role that does not exist permits nothing."""
    iam, name = root.client("iam"), unique("role")
    role = iam.create_role(RoleName=name, Path="/a/", AssumeRolePolicyDocument=SERVICE_TRUST)["Role"]["Arn"]
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/me"
    s3 = assumed(root, role).client("s3")
    assert outcome(s3.list_buckets) == ("AccessDenied", refusal(session, "s3:ListAllMyBuckets", "arn:aws:s3:::*"))
    by_role = {"StringEquals": {"aws:PrincipalArn": role}}
    policy = document([allow("s3:ListAllMyBuckets", Condition=by_role)])
    iam.put_role_policy(RoleName=name, PolicyName="a", PolicyDocument=policy)
    assert outcome(s3.list_buckets) == ("", "")
    nobody = assumed(root, iam_arn("role/none"))
    assert outcome(nobody.client("s3").list_buckets)[0] == "AccessDenied"


def test_policies_that_cannot_be_evaluated_are_refused(root: Any, user: User) -> None:
    """Policy variables, session policies and permissions boundaries."""
    iam, name = root.client("iam"), unique("role")
    made = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=SERVICE_TRUST, PermissionsBoundary=iam_arn("policy/none")
    )
    role = iam.get_role(RoleName="byom")["Role"]["Arn"]
    user.permit(allow("s3:*", "arn:aws:s3:::${aws:username}"))
    for keys, what in (
        (user.keys, "policy variables (arn:aws:s3:::${aws:username})"),
        (assumed(root, role, Policy=document([allow("*")])), "session policies"),
        (assumed(root, made["Role"]["Arn"]), "permissions boundaries"),
    ):
        assert outcome(keys.client("s3").list_buckets)[1] == (
            f"The simulated account does not simulate {what}: use a live account."
        )


@pytest.mark.parametrize("end", ["deleted", "inactive"])
def test_a_key_that_has_ended_is_refused(root: Any, user: User, end: str) -> None:
    """It is not taken for the root's; each service says so in its own words."""
    user.permit(allow("*"))
    keys, iam = user.new_keys(), root.client("iam")
    assert outcome(keys.client("s3").list_buckets) == ("", "")
    of_user = {"UserName": user.name, "AccessKeyId": keys.access_key}
    if end == "inactive":
        iam.update_access_key(**of_user, Status="Inactive")
    else:
        iam.delete_access_key(**of_user)
    invalid = "The security token included in the request is invalid."
    assert outcome(keys.client("s3").list_buckets)[0] == "InvalidAccessKeyId"
    assert outcome(keys.client("sagemaker").list_models) == ("UnrecognizedClientException", invalid)
    assert outcome(keys.client("iam").list_roles) == ("InvalidClientTokenId", invalid)
    if end == "inactive":
        iam.delete_access_key(**of_user)


def test_objects_are_deleted_one_permission_each(root: Any, user: User) -> None:
    """DeleteObjects succeeds as a whole, deletes what it may, and tells what it may not."""
    s3 = root.client("s3")
    for name in ("mine/a", "mine/b", "other/&c", "other/d"):
        s3.put_object(Bucket=BUCKET, Key=name, Body=b"1")

    def delete(*names: str) -> tuple[list[str], dict[str, str]]:
        objects = [{"Key": name} for name in names]
        answer = user.keys.client("s3").delete_objects(Bucket=BUCKET, Delete={"Objects": objects})
        return (
            [entry["Key"] for entry in answer.get("Deleted", [])],
            {entry["Key"]: entry["Message"] for entry in answer.get("Errors", [])},
        )

    def refused(name: str) -> str:
        return refusal(user.arn, "s3:DeleteObject", f"{ON_BUCKET}/{name}")

    user.permit(allow("s3:DeleteObject", f"{ON_BUCKET}/mine/*"))
    assert delete("mine/a", "other/&c") == (["mine/a"], {"other/&c": refused("other/&c")})
    assert delete("other/&c", "other/d") == ([], {name: refused(name) for name in ("other/&c", "other/d")})
    assert delete("mine/b") == (["mine/b"], {})
    left = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix="other/")["Contents"]]
    assert left == ["other/&c", "other/d"]
    version = {"Key": "mine/a", "VersionId": "null"}
    answer = user.keys.client("s3").delete_objects(Bucket=BUCKET, Delete={"Objects": [version]})
    [error] = answer["Errors"]
    assert (error["VersionId"], error["Code"]) == ("null", "AccessDenied")
    assert "s3:DeleteObjectVersion" in error["Message"]


def test_who_may_not_list_a_bucket_is_not_told_what_is_missing(user: User) -> None:
    """A missing object is a 403 that names s3:ListBucket, and a 404 for who may list; HEAD tells the status alone."""
    missing = {"Bucket": BUCKET, "Key": "byom/none"}
    user.permit(allow("s3:GetObject*"))
    denied = refusal(user.arn, "s3:ListBucket", ON_BUCKET)
    assert user.call("s3", "get_object", **missing) == ("AccessDenied", denied)
    assert user.call("s3", "get_object_tagging", **missing) == ("AccessDenied", denied)
    assert user.call("s3", "head_object", **missing)[0] == "403"
    user.permit(allow("s3:GetObject*"), allow("s3:ListBucket", ON_BUCKET))
    assert user.call("s3", "get_object", **missing)[0] == "NoSuchKey"
    assert user.call("s3", "head_object", **missing)[0] == "404"


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "what"),
    [
        ("s3", "get_bucket_website", {"Bucket": BUCKET}, "permissions for GET ?website of S3"),
        ("s3", "get_object_torrent", IN_S3, "permissions for GET ?torrent of S3"),
        ("sts", "get_session_token", {}, "sts:GetSessionToken for users and roles"),
    ],
)
def test_requests_whose_permissions_are_not_known_are_refused(
    user: User, service: str, operation: str, parameters: dict[str, Any], what: str
) -> None:
    """Rather than guessed, or answered with a token of which nobody could tell whose it is."""
    user.permit(allow("*"))
    code, message = user.call(service, operation, **parameters)
    assert code == "ValidationException"
    assert message == f"The simulated account does not simulate {what}: use a live account."


def test_a_service_that_is_not_known_is_checked_without_a_resource(user: User) -> None:
    """Its operation is its action: a policy may allow it on ``*``."""
    action = "ecr:DescribeRepositories"
    assert user.call("ecr", "describe_repositories") == ("AccessDeniedException", refusal(user.arn, action, "*"))
    user.permit(allow(action))
    assert user.call("ecr", "describe_repositories") == ("", "")


def signed(user: User, service: str) -> dict[str, str]:
    """Headers of a request; that the signature is none matters to nobody here."""
    scope = f"{user.keys.access_key}/20300101/{REGION}/{service}/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none"}


def sent(
    account: SimulatedAccount, method: str, path: str, headers: dict[str, str], body: Any = None
) -> tuple[int, str]:
    """Status and body of one request to the account's own address."""
    with contextlib.closing(http.client.HTTPConnection(urlsplit(account.url).netloc, timeout=30)) as connection:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.mark.parametrize(
    ("request_line", "action", "resource"),
    [
        (f"GET /{BUCKET}/{KEY}", "s3:GetObject", ON_OBJECT),
        (f"GET /{BUCKET}?prefix=a", "s3:ListBucket", ON_BUCKET),
        ("GET /", "s3:ListAllMyBuckets", "arn:aws:s3:::*"),
        ("POST /endpoints/byom-a/invocations", "sagemaker:InvokeEndpoint", ENDPOINT),
    ],
)
def test_a_request_to_the_accounts_own_address_is_checked(
    account: SimulatedAccount, user: User, request_line: str, action: str, resource: str
) -> None:
    """Service and region are read from the signature, the bucket from the path."""
    service, (method, path) = action.partition(":")[0], request_line.split()
    headers = signed(user, service)
    status, body = sent(account, method, path, headers)
    assert status == (403 if service == "s3" else 400)
    assert f"is not authorized to perform: {action} on resource: " in body
    assert resource in body
    user.permit(allow(action, resource))
    assert "not authorized" not in sent(account, method, path, headers)[1]


def test_a_presigned_address_is_checked(account: SimulatedAccount, user: User) -> None:
    """Its key is in the query; so it is for whoever has the address."""
    address = urlsplit(user.keys.client("s3").generate_presigned_url("get_object", Params=IN_S3))
    host, path = {"Host": address.netloc}, f"{address.path}?{address.query}"
    if "X-Amz-Credential" not in path:  # version 2, which is still the default where none is asked for
        scope = f"{user.keys.access_key}%2F20300101%2F{REGION}%2Fs3%2Faws4_request"
        path = f"{address.path}?X-Amz-Credential={scope}"
    status, body = sent(account, "GET", path, host)
    assert (status, "s3:GetObject" in body) == (403, True)
    user.permit(allow("s3:GetObject", ON_OBJECT))
    assert "not authorized" not in sent(account, "GET", path, host)[1]


def test_a_refused_upload_in_pieces_is_answered(account: SimulatedAccount, user: User) -> None:
    """The client gets its answer, not a connection that breaks while it still sends."""

    def pieces() -> Iterator[bytes]:
        for _ in range(64):
            yield bytes(65536)

    status, body = sent(account, "PUT", f"/{BUCKET}/{KEY}", signed(user, "s3"), pieces())
    assert (status, "s3:PutObject" in body) == (403, True)


def forecast(client: Any, source: str, actions: list[str], **more: Any) -> dict[tuple[str, str], str]:
    """IAM's decisions, by action and resource."""
    answer = client.simulate_principal_policy(PolicySourceArn=source, ActionNames=actions, **more)
    assert answer["IsTruncated"] is False
    return {
        (one["EvalActionName"], one["EvalResourceName"]): one["EvalDecision"] for one in answer["EvaluationResults"]
    }


def test_iam_forecasts_what_a_user_may_do(root: Any, user: User) -> None:
    """Each action on each resource, allowed or denied either way; without a resource it is asked on ``*``."""
    iam = root.client("iam")
    user.permit(allow("s3:*", f"{ON_BUCKET}/*"), deny("s3:DeleteObject"))
    assert forecast(iam, user.arn, ["s3:GetObject", "s3:DeleteObject"], ResourceArns=[ON_OBJECT, ON_BUCKET]) == {
        ("s3:GetObject", ON_OBJECT): "allowed",
        ("s3:GetObject", ON_BUCKET): "implicitDeny",
        ("s3:DeleteObject", ON_OBJECT): "explicitDeny",
        ("s3:DeleteObject", ON_BUCKET): "explicitDeny",
    }
    assert forecast(iam, user.arn, ["s3:GetObject"]) == {("s3:GetObject", "*"): "implicitDeny"}


def test_a_forecast_takes_a_context_and_more_policies(root: Any, user: User) -> None:
    """A condition is met by an entry of its key only, and a policy that is passed along counts too."""
    iam = root.client("iam")
    user.permit(allow("iam:PassRole", ROLE, Condition={"StringEquals": {"iam:PassedToService": ["a", "b"]}}))

    def decision(*values: str, **more: Any) -> str:
        entry = {"ContextKeyName": "IAM:passedToService", "ContextKeyValues": [*values], "ContextKeyType": "string"}
        entries = [entry] if values else []
        [found] = forecast(
            iam, user.arn, ["iam:PassRole"], ResourceArns=[ROLE], ContextEntries=entries, **more
        ).values()
        return found

    assert [decision("b"), decision("c"), decision()] == ["allowed", "implicitDeny", "implicitDeny"]
    assert decision(PolicyInputList=[document([allow("iam:*")])]) == "allowed"


def test_a_forecast_of_a_role(root: Any) -> None:
    """A role is asked about as a user is, by its ARN with its path."""
    iam, name = root.client("iam"), unique("role")
    role = iam.create_role(RoleName=name, Path="/a/", AssumeRolePolicyDocument=SERVICE_TRUST)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="a", PolicyDocument=document([allow("s3:GetObject")]))
    assert set(forecast(iam, role, ["s3:GetObject"]).values()) == {"allowed"}
    assert set(forecast(iam, role, ["s3:PutObject"]).values()) == {"implicitDeny"}


def test_a_forecast_needs_its_own_permission(user: User) -> None:
    """On the user or role that is asked about."""
    action = "iam:SimulatePrincipalPolicy"
    parameters = {"PolicySourceArn": user.arn, "ActionNames": ["s3:GetObject"]}
    denied = ("AccessDenied", refusal(user.arn, action, user.arn))
    assert user.call("iam", "simulate_principal_policy", **parameters) == denied
    user.permit(allow(action, user.arn))
    assert forecast(user.keys.client("iam"), user.arn, [action, "s3:GetObject"]) == {
        (action, "*"): "implicitDeny",
        ("s3:GetObject", "*"): "implicitDeny",
    }


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        (
            {"PolicySourceArn": iam_arn("user/none")},
            "NoSuchEntity",
            f"The entity {iam_arn('user/none')} cannot be found.",
        ),
        (
            {"PolicySourceArn": iam_arn("root")},
            "InvalidInput",
            f"Invalid Entity Arn: {iam_arn('root')} does not clearly define entity type and name.",
        ),
        ({"PolicyInputList": ["{"]}, "InvalidInput", "Syntax errors in policy: Expecting property name"),
        (
            {"CallerArn": iam_arn("user/a-user-of-it")},
            "ValidationException",
            "The simulated account does not simulate CallerArn of iam:SimulatePrincipalPolicy: use a live account.",
        ),
    ],
)
def test_a_forecast_that_cannot_be_made_says_why(
    root: Any, user: User, parameters: dict[str, Any], code: str, message: str
) -> None:
    """No such entity, one that has no policies, a policy that is none, and what is not simulated."""
    asked = {"PolicySourceArn": user.arn, "ActionNames": ["s3:GetObject"], **parameters}
    found = outcome(lambda: root.client("iam").simulate_principal_policy(**asked))
    assert (found[0], found[1][: len(message)]) == (code, message)
