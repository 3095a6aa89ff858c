"""Looking at one thing and deleting it: each kind, every version and part that is billed, and nothing beside it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from leaks import flow
from leaks.hollow_account import hollow_account
from left_things import BRISK, Root, make_all, make_object, new_run

from harness.cloud.claim import LOGS, Claim
from harness.cloud.cleanup import remove
from harness.cloud.sighting import as_dict, look
from harness.resources import Kind, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.cloud.ledger import Run
    from harness.cloud.session import Cloud

KEPT = "byom-bucket-that-keeps-versions"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Address of an account without models."""
    with hollow_account() as address:
        yield address


@pytest.fixture(scope="module")
def root(url: str) -> Root:
    """The account's owner, with a plain bucket and one that keeps versions."""
    root = Root(url)
    s3 = root.client("s3")
    for bucket in (flow.BUCKET, KEPT):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=KEPT, VersioningConfiguration={"Status": "Enabled"})
    return root


@pytest.fixture(scope="module")
def cloud(url: str, tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    return replace(flow.open_account(url, tmp_path_factory.mktemp("ledger")), pace=BRISK)


class Stub:
    """Clients of botocore that send nothing, and answer what a test tells them to, to just that question.

    Args:
        session: of boto3, that makes the clients.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._clients: dict[str, Any] = {}
        self._stubbers: dict[str, Any] = {}
        self.cloud: Any = SimpleNamespace(client=self.client)

    def client(self, service: str) -> Any:
        from botocore.stub import Stubber

        if service not in self._clients:
            self._clients[service] = self._session.client(service)
            self._stubbers[service] = Stubber(self._clients[service])
            self._stubbers[service].activate()
        return self._clients[service]

    def answer(self, service: str, operation: str, answer: dict[str, Any], **question: Any) -> None:
        self.client(service)
        self._stubbers[service].add_response(operation, answer, question)

    def refuse(self, service: str, operation: str, code: str) -> None:
        self.client(service)
        self._stubbers[service].add_client_error(operation, code)

    def check(self) -> None:
        """Every question was asked."""
        for stubber in self._stubbers.values():
            stubber.assert_no_pending_responses()


@pytest.fixture
def stub(root: Root) -> Iterator[Stub]:
    """Answers that are told one by one, and are all needed."""
    stub = Stub(root.boto)
    yield stub
    stub.check()


@pytest.fixture
def run() -> Run:
    """A run of this test's own."""
    return new_run()


@pytest.fixture
def made(root: Root, run: Run) -> Iterator[dict[Kind, Resource]]:
    """One thing of each kind that the run has made."""
    resources = {resource.kind: resource for resource in make_all(root, run)}
    yield resources
    sweeper: Any = SimpleNamespace(client=root.client, pace=BRISK)
    for kind in list(Kind)[::-1]:
        assert remove(sweeper, resources[kind], run.run) == ""


def stored(root: Root, bucket: str, prefix: str) -> list[str]:
    """What there is of keys: versions, marks of deletions and unfinished uploads."""
    s3 = root.client("s3")
    versions = s3.list_object_versions(Bucket=bucket, Prefix=prefix)
    found = [f"version of {entry['Key']}" for entry in versions.get("Versions", [])]
    found += [f"mark of {entry['Key']}" for entry in versions.get("DeleteMarkers", [])]
    uploads = s3.list_multipart_uploads(Bucket=bucket, Prefix=prefix).get("Uploads", [])
    return sorted([*found, *(f"upload of {entry['Key']}" for entry in uploads)])


@pytest.mark.parametrize("kind", Kind)
def test_what_is_not_there_is_not_seen(cloud: Cloud, root: Root, kind: Kind) -> None:
    """Neither a thing of that name, nor an object in a bucket that is there, is seen or an error."""
    name = f"s3://{flow.BUCKET}/byom-nothing/model.tar.gz" if kind is Kind.OBJECT else "byom-nothing"
    assert look(cloud, Resource(kind, name)) is None


def test_a_bucket_that_is_not_there_holds_nothing(cloud: Cloud) -> None:
    """Whoever deletes the bucket deletes the objects."""
    assert look(cloud, Resource(Kind.OBJECT, "s3://byom-no-bucket/byom-nothing/model.tar.gz")) is None


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_is_seen_with_its_tags_and_deleted(
    cloud: Cloud, root: Root, run: Run, made: dict[Kind, Resource], kind: Kind
) -> None:
    """Its tags are those that it was made with, a log group's its endpoint's; its delete deletes nothing else."""
    before = flow.everything(root)
    sighting = look(cloud, made[kind])
    assert sighting is not None
    assert sighting.tags == Claim.of(run).tags
    assert not sighting.is_changing
    sighting.delete()
    again = look(cloud, made[kind])
    assert again is None or again.is_changing  # an endpoint takes a moment
    gone = before - flow.everything(root)
    assert gone <= {made[kind]}


@pytest.mark.parametrize(
    ("status", "is_changing"),
    [
        ("Creating", True),
        ("Updating", True),
        ("SystemUpdating", True),
        ("RollingBack", True),
        ("Deleting", True),
        ("InService", False),
        ("OutOfService", False),
        ("UpdateRollbackFailed", False),
        ("Failed", False),
    ],
)
def test_aws_is_at_work_on_an_endpoint_or_not(stub: Stub, status: str, is_changing: bool) -> None:
    """Of all that AWS calls an endpoint's status, some keep it from being deleted."""
    arn = f"arn:aws:sagemaker:{flow.REGION}:{flow.ACCOUNT}:endpoint/e"
    described = {"EndpointName": "e", "EndpointArn": arn, "CreationTime": 0, "LastModifiedTime": 0}
    stub.answer("sagemaker", "describe_endpoint", {**described, "EndpointStatus": status}, EndpointName="e")
    stub.answer("sagemaker", "list_tags", {"Tags": []}, ResourceArn=arn)
    sighting = look(stub.cloud, Resource(Kind.ENDPOINT, "e"))
    assert sighting is not None
    assert (sighting.tags, sighting.is_changing) == ({}, is_changing)


@pytest.mark.parametrize("kind", Kind)
def test_who_may_not_look_is_told(stub: Stub, kind: Kind) -> None:
    """A refusal is not taken for absence."""
    import botocore.exceptions

    service, operation = {
        Kind.ENDPOINT: ("sagemaker", "describe_endpoint"),
        Kind.ENDPOINT_CONFIG: ("sagemaker", "describe_endpoint_config"),
        Kind.MODEL: ("sagemaker", "describe_model"),
        Kind.LOG_GROUP: ("logs", "describe_log_groups"),
        Kind.OBJECT: ("s3", "list_object_versions"),
    }[kind]
    stub.refuse(service, operation, "AccessDeniedException")
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDeniedException"):
        look(stub.cloud, Resource(kind, "s3://bucket/key"))


def test_no_version_and_no_mark_is_left(cloud: Cloud, root: Root, run: Run) -> None:
    """In a bucket that keeps versions, an object is gone when all its versions, marks and uploads are; others stay."""
    s3, key = root.client("s3"), f"byom-kept-{run.run}-1/model.tar.gz"
    tagging = "&".join(f"{name}={value}" for name, value in Claim.of(run).tags.items())
    for body in (b"first", b"second"):
        s3.put_object(Bucket=KEPT, Key=key, Body=body, Tagging=tagging)
    s3.delete_object(Bucket=KEPT, Key=key)
    s3.put_object(Bucket=KEPT, Key=key, Body=b"third", Tagging=tagging)
    s3.delete_object(Bucket=KEPT, Key=key)
    neighbours = (f"{key}.bak", f"{key}/", f"byom-kept-{run.run}-1/model.tar")
    for neighbour in neighbours:
        s3.put_object(Bucket=KEPT, Key=neighbour, Body=b"theirs")
        s3.delete_object(Bucket=KEPT, Key=neighbour)
    for upload in (key, key, f"{key}.bak"):
        s3.create_multipart_upload(Bucket=KEPT, Key=upload)
    theirs = [f"{what} of {neighbour}" for what in ("version", "mark") for neighbour in neighbours]
    resource = Resource(Kind.OBJECT, f"s3://{KEPT}/{key}")
    assert remove(cloud, resource, run.run) == ""
    assert look(cloud, resource) is None
    assert stored(root, KEPT, f"byom-kept-{run.run}") == sorted([*theirs, f"upload of {key}.bak"])


@pytest.mark.parametrize("tagging", ["", "byom:run=ffffffff&byom:owner=somebody&byom:expires=0"], ids=["none", "claim"])
def test_a_strangers_version_hides_none_of_ours(cloud: Cloud, root: Root, run: Run, tagging: str) -> None:
    """Between, above and below ours: ours are deleted, the stranger's stay, and it is told that something is there."""
    s3, key = root.client("s3"), f"byom-shared-{run.run}-1/model.tar.gz"
    ours = "&".join(f"{name}={value}" for name, value in Claim.of(run).tags.items())
    for number, tags in enumerate((tagging, ours, tagging, ours, tagging)):
        s3.put_object(Bucket=KEPT, Key=key, Body=bytes(number), Tagging=tags)
    told = remove(cloud, Resource(Kind.OBJECT, f"s3://{KEPT}/{key}"), run.run)
    assert told.startswith("it does not carry this run's tags, so it was not touched")
    left = s3.list_object_versions(Bucket=KEPT, Prefix=key)["Versions"]
    assert sorted(entry["Size"] for entry in left) == [0, 2, 4]


def test_a_mark_above_a_strangers_version_stays(cloud: Cloud, root: Root, run: Run) -> None:
    """Without the mark, what a stranger has deleted would be there again."""
    s3, key = root.client("s3"), f"byom-marked-{run.run}-1/model.tar.gz"
    s3.put_object(Bucket=KEPT, Key=key, Body=b"theirs")
    s3.delete_object(Bucket=KEPT, Key=key)
    assert remove(cloud, Resource(Kind.OBJECT, f"s3://{KEPT}/{key}"), run.run) != ""
    assert stored(root, KEPT, key) == [f"mark of {key}", f"version of {key}"]


def test_unfinished_uploads_are_ended(cloud: Cloud, root: Root, run: Run) -> None:
    """In a plain bucket too, each of them; the one of a longer key is not ours."""
    s3, resource = root.client("s3"), make_object(root, run)
    key = resource.name.removeprefix(f"s3://{flow.BUCKET}/")
    for upload in (key, key, f"{key}x"):
        s3.create_multipart_upload(Bucket=flow.BUCKET, Key=upload)
    assert remove(cloud, resource, run.run) == ""
    assert stored(root, flow.BUCKET, key) == [f"upload of {key}x"]


def test_a_log_group_is_not_its_prefix(cloud: Cloud, root: Root) -> None:
    """Only the group of exactly that name is seen, and deleted; without an endpoint it has no tags."""
    logs, name = root.client("logs"), f"{LOGS}byom-a"
    for other in (name, f"{name}1", f"{name}/b", f"{LOGS}byom"):
        logs.create_log_group(logGroupName=other)
    sighting = look(cloud, Resource(Kind.LOG_GROUP, name))
    assert sighting is not None
    assert sighting.tags is None
    sighting.delete()
    assert look(cloud, Resource(Kind.LOG_GROUP, name)) is None
    left = [group["logGroupName"] for group in logs.describe_log_groups(logGroupNamePrefix=LOGS)["logGroups"]]
    assert {f"{LOGS}byom", f"{name}/b", f"{name}1"} <= {*left}
    for other in left:
        logs.delete_log_group(logGroupName=other)


def test_a_strangers_log_is_not_ours(cloud: Cloud, root: Root, made: dict[Kind, Resource]) -> None:
    """While somebody has an endpoint of that name, its log is theirs."""
    told = remove(cloud, made[Kind.LOG_GROUP], "0a0a0a0a")
    assert told.startswith("it does not carry this run's tags, so it was not touched")
    assert made[Kind.LOG_GROUP] in flow.everything(root)


def test_versions_are_looked_for_on_every_page(url: str, root: Root, run: Run, tmp_path: Any) -> None:
    """S3 gives a thousand at a time; here two, so that the key's own come after the first page."""
    s3, key = root.client("s3"), f"byom-pages-{run.run}-1/model"
    tagging = "&".join(f"{name}={value}" for name, value in Claim.of(run).tags.items())
    for number in range(5):
        s3.put_object(Bucket=KEPT, Key=key, Body=bytes(number), Tagging=tagging)
    small = replace(flow.open_account(url, tmp_path), pace=BRISK)
    events = small.client("s3").meta.events
    pages: list[str] = []

    def shrink(params: dict[str, Any], **_: Any) -> dict[str, Any]:
        pages.append(params.get("KeyMarker", ""))
        return {**params, "MaxKeys": 2}

    events.register("provide-client-params.s3.ListObjectVersions", shrink)
    assert remove(small, Resource(Kind.OBJECT, f"s3://{KEPT}/{key}"), run.run) == ""
    assert stored(root, KEPT, key) == []
    assert key in pages


def test_tags_are_read_on_every_page(stub: Stub) -> None:
    """A claim may stand after fifty tags of somebody else's."""
    arn = f"arn:aws:sagemaker:{flow.REGION}:{flow.ACCOUNT}:model/m"
    model = {"ModelName": "m", "ModelArn": arn, "CreationTime": 0}
    first = [{"Key": f"key-{number}", "Value": "x"} for number in range(50)]
    stub.answer("sagemaker", "describe_model", model, ModelName="m")
    stub.answer("sagemaker", "list_tags", {"Tags": first, "NextToken": "more"}, ResourceArn=arn)
    second = {"Tags": [{"Key": "byom:run", "Value": "0a1b2c3d"}]}
    stub.answer("sagemaker", "list_tags", second, ResourceArn=arn, NextToken="more")
    stub.answer("sagemaker", "delete_model", {}, ModelName="m")
    sighting = look(stub.cloud, Resource(Kind.MODEL, "m"))
    assert sighting is not None
    sighting.delete()
    assert sighting.tags == {**as_dict(first), "byom:run": "0a1b2c3d"}


def test_uploads_are_looked_for_on_every_page(stub: Stub) -> None:
    """After a page of longer keys; the one that is ours is ended, by its number."""
    place = {"Bucket": "bucket", "Key": "key"}
    page = {"Bucket": "bucket", "Prefix": "key"}
    others = [{"Key": "key.bak", "UploadId": str(number)} for number in range(3)]
    stub.answer("s3", "list_object_versions", {}, **page)
    more = {"Uploads": others, "IsTruncated": True, "NextKeyMarker": "key.bak", "NextUploadIdMarker": "2"}
    stub.answer("s3", "list_multipart_uploads", more, **page)
    last = {"Uploads": [{"Key": "key", "UploadId": "ours"}], "IsTruncated": False}
    stub.answer("s3", "list_multipart_uploads", last, **page, KeyMarker="key.bak", UploadIdMarker="2")
    stub.answer("s3", "abort_multipart_upload", {}, **place, UploadId="ours")
    sighting = look(stub.cloud, Resource(Kind.OBJECT, "s3://bucket/key"))
    assert sighting is not None
    assert sighting.tags is None
    sighting.delete()


def test_a_bucket_that_goes_meanwhile_is_gone(stub: Stub) -> None:
    """Between two looks of one: what is not there any more is no error."""
    versions = {"Versions": [{"Key": "key", "VersionId": "1"}]}
    stub.answer("s3", "list_object_versions", versions, Bucket="bucket", Prefix="key")
    stub.refuse("s3", "get_object_tagging", "NoSuchKey")
    assert look(stub.cloud, Resource(Kind.OBJECT, "s3://bucket/key")) is None
