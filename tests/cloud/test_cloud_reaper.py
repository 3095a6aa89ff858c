"""The reaper: whose things may be deleted and whose not, by the ledger, by tags alone, and by both at once."""

from __future__ import annotations

import contextlib
import secrets
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from leaks import flow, strangers
from leaks.hollow_account import hollow_account
from left_things import BRISK, Root, make_all, make_model, make_object, name_of, new_run, write_down

from harness.cloud import reaper
from harness.cloud.claim import LOGS, Claim
from harness.cloud.ledger import Ledger
from harness.cloud.reaper import Abandoned, Search, reap_earlier
from harness.cloud.recorder import Recorder
from harness.errors import CloudError, LeftoverError
from harness.resources import Kind, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.cloud.cleanup import Leftover
    from harness.cloud.ledger import Run
    from harness.cloud.session import Cloud

ORDER = (Kind.ENDPOINT, Kind.LOG_GROUP, Kind.ENDPOINT_CONFIG, Kind.MODEL, Kind.OBJECT)

HOLDER = """
import sys
from pathlib import Path
from harness.cloud.ledger import Ledger

with Ledger(Path(sys.argv[1])).alive(sys.argv[2]):
    print("alive", flush=True)
    sys.stdin.read()
"""


class Yard:
    """An account in which runs leave things, and an owner of whom no other test has heard.

    Args:
        root: the account, as who makes the things sees it.
        cloud: the account, as who reaps sees it.
        ledger: an empty one.
    """

    def __init__(self, root: Root, cloud: Cloud, ledger: Ledger) -> None:
        self.root, self.cloud, self.ledger = root, cloud, ledger
        self.owner = f"owner-{secrets.token_hex(4)}"

    def run(self, **fields: Any) -> Run:
        """A run of the owner's that is in no ledger."""
        return new_run(**{"owner": self.owner, **fields})

    def dead(self, **fields: Any) -> Run:
        """A run of the ledger whose process is gone, and that may have made a model."""
        run = self.run(**fields)
        write_down(self.ledger, run, Resource(Kind.MODEL, name_of(run)))
        return run

    def search(self, run: str | None = None) -> Search:
        return reaper.search(self.cloud, self.ledger, self.owner, run=run)

    def found(self, run: str | None = None) -> list[str]:
        """Whose things may be deleted."""
        return [one.run for one in self.search(run).abandoned]

    def reap(self, found: Search) -> list[Leftover]:
        return reaper.reap(self.cloud, self.ledger, found.abandoned)

    def begin(self) -> list[str]:
        """What a new run of the owner's tells when it clears what is left."""
        return list(reap_earlier(replace(self.cloud, recorder=Recorder(self.ledger, self.run()))))

    def elsewhere(self, region: str) -> Yard:
        """The same, looked at in another region."""
        recorder = Recorder(self.ledger, replace(self.cloud.recorder.run, region=region))
        yard = Yard(self.root, replace(self.cloud, recorder=recorder), self.ledger)
        yard.owner = self.owner
        return yard


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Address of an account without models."""
    with hollow_account() as address:
        yield address


@pytest.fixture(scope="module")
def root(url: str) -> Root:
    """The account's owner, with the bucket that the SageMaker SDK would make."""
    root = Root(url)
    root.client("s3").create_bucket(Bucket=flow.BUCKET)
    return root


@pytest.fixture(scope="module")
def cloud(url: str, tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    return replace(flow.open_account(url, tmp_path_factory.mktemp("reaping"), run="99999999"), pace=BRISK)


@pytest.fixture
def yard(root: Root, cloud: Cloud, tmp_path: Path) -> Yard:
    return Yard(root, cloud, Ledger(tmp_path))


@pytest.fixture
def clean_yard(yard: Yard) -> Iterator[Yard]:
    """The same, for tests that make things: the account is afterwards as it was before."""
    before = flow.everything(yard.root)
    yield yard
    assert flow.everything(yard.root) == before


@contextlib.contextmanager
def spoilt(cloud: Cloud, service: str, operation: str, code: str, words: str = "no") -> Iterator[None]:
    """For a while, an account answers an operation with an error."""
    from botocore.exceptions import ClientError

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": words}}, operation)

    events, event = cloud.client(service).meta.events, f"before-call.{service}.{operation}"
    events.register(event, refuse)
    try:
        yield
    finally:
        events.unregister(event, refuse)


@contextlib.contextmanager
def held_elsewhere(ledger: Ledger, run: Run) -> Iterator[None]:
    """Another process is the run's; it is killed at the end."""
    command = [sys.executable, "-c", HOLDER, str(ledger.folder), run.run]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "alive\n"
            yield
        finally:
            process.kill()


def test_a_dead_runs_things_are_deleted(clean_yard: Yard) -> None:
    """All kinds, told with their price; the ledger is settled, so that a second look finds none."""
    yard, run = clean_yard, clean_yard.run()
    made = make_all(yard.root, run)
    write_down(yard.ledger, run, *made, hourly=0.28)
    found = yard.search()
    [one] = found.abandoned
    assert (one.run, tuple(resource.kind for resource in one.resources)) == (run.run, ORDER)
    assert str(one) == (
        f"run {run.run} (ledger, up to $0.280 an hour): endpoint {name_of(run)}, log group {LOGS}{name_of(run)}, "
        f"endpoint config {name_of(run)}, model {name_of(run)}, {made[0]}"
    )
    assert yard.reap(found) == []
    assert yard.search() == Search(())
    assert yard.reap(found) == []  # as another reaper, who looked at the same time


def test_what_was_intended_twice_is_one_thing(yard: Yard) -> None:
    """A name that was made, deleted and made again is told once."""
    run = yard.dead()
    write_down(yard.ledger, run, Resource(Kind.MODEL, name_of(run)))
    [one] = yard.search().abandoned
    assert one.resources == (Resource(Kind.MODEL, name_of(run)),)


def test_a_live_run_is_left_alone_until_its_process_ends(yard: Yard) -> None:
    """While another process holds its lock, it is in use; once that is killed, it is not."""
    run = yard.dead(seconds=1799)
    with held_elsewhere(yard.ledger, run):
        found = yard.search()
    until = "or was when it was last seen, for 30 more minutes"
    assert found == Search((), (f"run {run.run}: is in use by a process on {run.host}, {until}",))
    assert yard.found() == [run.run]


def test_a_run_of_this_very_process_is_left_alone(yard: Yard) -> None:
    """A lock of one's own counts as anybody's, also if the run is named."""
    run = yard.dead()
    with yard.ledger.alive(run.run):
        for found in (yard.search(), yard.search(run.run)):
            assert found.abandoned == ()
            assert "is in use by a process on" in found.passed_over[0]
    assert yard.found() == [run.run]


def test_a_runs_time_ends_also_while_it_lives(yard: Yard) -> None:
    """What is expired may be deleted, whoever holds the lock, and on whichever host."""
    here, elsewhere = yard.dead(seconds=-1), yard.dead(seconds=-1, host="elsewhere")
    with yard.ledger.alive(here.run):
        assert yard.found() == [here.run, elsewhere.run]


def test_a_run_of_another_host_counts_as_alive(yard: Yard) -> None:
    """Nothing is known of its process: it is left alone until its time is over."""
    run = yard.dead(host="elsewhere")
    until = "or was when it was last seen, for 60 more minutes"
    assert yard.search() == Search((), (f"run {run.run}: is in use by a process on elsewhere, {until}",))


def test_a_kept_run_stays_until_it_is_named_or_over(yard: Yard) -> None:
    """Kept on purpose: a plain reap leaves it and says how to delete it; its own number or its time's end delete it."""
    run, over = yard.dead(seconds=3050), yard.dead(seconds=-1)
    for kept in (run, over):
        yard.ledger.keep(kept.run)
    how = f"is kept on purpose for 51 more minutes; pass --run {run.run} to delete it now"
    assert yard.search().passed_over == (f"run {run.run}: {how}",)
    assert yard.found() == [over.run]
    assert (yard.found(run.run), yard.search(run.run).passed_over) == ([run.run], ())


@pytest.mark.parametrize(("late", "is_over"), [(-0.5, False), (0.0, True), (0.5, True)])
def test_time_is_over_at_its_very_end(
    clean_yard: Yard, monkeypatch: pytest.MonkeyPatch, late: float, is_over: bool
) -> None:
    """By the ledger, and by tags alone, which tell whole seconds: half a second before it is not, and then it is."""
    yard, here, claimed = clean_yard, clean_yard.dead(host="elsewhere"), clean_yard.run()
    make_object(yard.root, claimed)
    monkeypatch.setattr(reaper, "time", SimpleNamespace(time=lambda: here.expires + late))
    assert (here.run in yard.found()) == is_over
    monkeypatch.setattr(reaper, "time", SimpleNamespace(time=lambda: Claim.of(claimed).expires + late))
    assert (claimed.run in yard.found()) == is_over
    monkeypatch.undo()
    assert yard.reap(yard.search(claimed.run)) == []


@pytest.mark.parametrize("seconds", [600, -1], ids=["in time", "expired"])
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"owner": "somebody"}, "belongs to somebody; pass --owner to reap it"),
        ({"owner": "a colleague"}, "belongs to a colleague; pass --owner to reap it"),
        ({"account": "999999999999"}, "is in account 999999999999, us-east-1; reap there"),
        ({"region": "eu-west-1"}, f"is in account {flow.ACCOUNT}, eu-west-1; reap there"),
    ],
)
def test_others_runs_are_left_alone(yard: Yard, fields: dict[str, str], reason: str, seconds: float) -> None:
    """Another owner's, account's or region's: told, and not touched, also if it is named or over."""
    run = yard.dead(seconds=seconds, **fields)
    for wanted in (None, run.run):
        assert yard.search(wanted) == Search((), (f"run {run.run}: {reason}",))


def test_a_named_run_is_the_only_one(yard: Yard) -> None:
    """Of others nothing is found, and nothing told."""
    first, _, kept = (yard.dead() for _ in range(3))
    yard.ledger.keep(kept.run)
    assert len(yard.found()) == 2
    assert yard.search("0a0a0a0a") == Search(())
    assert (yard.found(first.run), yard.search(first.run).passed_over) == ([first.run], ())


def test_a_run_without_anything_open_is_over(yard: Yard) -> None:
    """Whose things are all settled is not told, not even if it is kept."""
    run = yard.dead()
    yard.ledger.settle(run.run, Resource(Kind.MODEL, name_of(run)))
    yard.ledger.keep(run.run)
    assert yard.search() == Search(())


def test_tags_alone_tell_when_the_ledger_is_lost(clean_yard: Yard) -> None:
    """An expired claim is enough: all kinds, the endpoint's log group with it, in the order in which to delete."""
    yard, run = clean_yard, clean_yard.run(seconds=-1)
    make_all(yard.root, run)
    found = yard.search()
    [one] = found.abandoned
    assert (one.run, one.state, tuple(resource.kind for resource in one.resources)) == (run.run, None, ORDER)
    assert str(one).startswith(f"run {run.run} (tags): endpoint {name_of(run)}, log group {LOGS}{name_of(run)}, ")
    assert yard.reap(found) == []
    assert yard.search() == Search(())


def test_a_log_group_is_found_without_its_endpoint(clean_yard: Yard) -> None:
    """Nobody can tag it, so the model or the config of its name tells whose it is."""
    yard, run = clean_yard, clean_yard.run(seconds=-1)
    group = Resource(Kind.LOG_GROUP, f"{LOGS}{name_of(run)}")
    yard.root.client("logs").create_log_group(logGroupName=group.name)
    make_model(yard.root, run)
    found = yard.search()
    assert found.abandoned[0].resources.count(group) == 1
    assert yard.reap(found) == []


@pytest.mark.parametrize("stranger", ["somebody", "a colleague"])
def test_a_claim_in_time_is_left_alone_unless_it_is_named(clean_yard: Yard, stranger: str) -> None:
    """Without a ledger nobody knows whether its process lives: that is for the user to say, of their own runs."""
    yard, run, other = clean_yard, clean_yard.run(), clean_yard.run(owner=stranger, seconds=-1)
    for one in (run, other):
        make_object(yard.root, one)
    assert yard.search() == yard.search(other.run) == Search(())
    assert yard.found(run.run) == [run.run]
    assert yard.reap(yard.search(run.run)) == []
    yard.owner = stranger
    assert yard.reap(yard.search()) == []


def test_ledger_and_tags_are_told_once(clean_yard: Yard) -> None:
    """What the ledger has is not told again by its tags; what it has lost of a dead run is told by them."""
    yard, run = clean_yard, clean_yard.run()
    known = make_object(yard.root, run)
    lost = make_model(yard.root, run, f"{name_of(run)}-lost", known.name)
    write_down(yard.ledger, run, known)
    found = yard.search()
    by_ledger, by_tags = found.abandoned
    assert (by_ledger.resources, by_ledger.state is None) == ((known,), False)
    assert lost in by_tags.resources
    assert known not in by_tags.resources
    assert by_tags.state is None
    assert yard.reap(found) == []


@pytest.mark.parametrize("is_kept", [False, True], ids=["alive", "kept"])
def test_tags_do_not_betray_who_must_be_left_alone(clean_yard: Yard, is_kept: bool) -> None:
    """Alive or kept in the ledger: claims are no reason to touch it, though the ledger has nothing of these things."""
    yard, run = clean_yard, clean_yard.run()
    made = make_object(yard.root, run)
    write_down(yard.ledger, run)
    with contextlib.ExitStack() as stack:
        if is_kept:
            yard.ledger.keep(run.run)
        else:
            stack.enter_context(yard.ledger.alive(run.run))
        assert yard.search() == Search(())
    found = yard.search(run.run if is_kept else None)
    assert found.abandoned[0].resources[-1] == made
    assert yard.reap(found) == []


def test_a_ledger_that_is_damaged_in_the_middle_is_read_on(clean_yard: Yard) -> None:
    """What a spoilt line told is found by its tags; what stands before and after it is found as ever."""
    yard = clean_yard
    first, second = yard.run(), yard.run()
    for run in (first, second):
        stored = make_object(yard.root, run)
        write_down(yard.ledger, run, stored, make_model(yard.root, run, name_of(run), stored.name))
    lines = yard.ledger.path.read_bytes().splitlines(keepends=True)
    assert b'"MODEL"' in lines[2]
    yard.ledger.path.write_bytes(b"".join([*lines[:2], lines[2][:40], b"\xff\x00{\n", *lines[3:]]))
    found = yard.search()
    told = {(one.run, one.state is None, resource.kind) for one in found.abandoned for resource in one.resources}
    assert told - {(first.run, True, Kind.LOG_GROUP), (second.run, True, Kind.LOG_GROUP)} == {
        (first.run, False, Kind.OBJECT),
        (first.run, True, Kind.MODEL),
        (second.run, False, Kind.OBJECT),
        (second.run, False, Kind.MODEL),
    }
    assert yard.reap(found) == []


def test_an_object_of_several_versions_is_told_once(yard: Yard) -> None:
    """Also where a stranger's version lies above ours, whoever claims that: ours are deleted, theirs are not."""
    s3, run, region = yard.root.client("s3"), yard.run(seconds=-1), "eu-west-1"
    bucket, key = f"sagemaker-{region}-{flow.ACCOUNT}", "byom-a/model.tar.gz"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    ours = "&".join(f"{name}={value}" for name, value in Claim.of(run).tags.items())
    theirs = "byom:run=ffffffff&byom:owner=somebody&byom:expires=0"
    for size, tagging in enumerate((ours, ours, theirs, "")):
        s3.put_object(Bucket=bucket, Key=key, Body=bytes(size), Tagging=tagging)
    found = yard.elsewhere(region).search()
    assert [one.resources.count(Resource(Kind.OBJECT, f"s3://{bucket}/{key}")) for one in found.abandoned] == [1]
    assert all("does not carry this run's tags" in left.reason for left in yard.reap(found))
    assert sorted(entry["Size"] for entry in s3.list_object_versions(Bucket=bucket)["Versions"]) == [2, 3]


def test_without_a_bucket_there_are_no_objects(yard: Yard) -> None:
    """In a region that the SageMaker SDK was never used in, that is no error."""
    assert yard.elsewhere("ap-south-1").search() == Search(())


LOOKS = [
    ("sagemaker", "ListEndpoints"),
    ("sagemaker", "ListTags"),
    ("s3", "ListObjectVersions"),
    ("s3", "GetObjectTagging"),
]


def test_who_may_not_look_is_told(clean_yard: Yard) -> None:
    """Nothing is taken for absent that could not be looked at."""
    yard, run = clean_yard, clean_yard.run(seconds=-1)
    make_model(yard.root, run)
    for service, operation in LOOKS:
        with (
            spoilt(yard.cloud, service, operation, "AccessDeniedException"),
            pytest.raises(CloudError, match=r"reaping the simulated account: cannot look for leftovers: AccessDenied"),
        ):
            yard.search()
    assert yard.reap(yard.search()) == []


def test_what_goes_while_it_is_looked_at_is_left_out(clean_yard: Yard) -> None:
    """Somebody else deletes too: between a listing and a look at the tags, a thing may go."""
    yard, run = clean_yard, clean_yard.run(seconds=-1)
    model = make_model(yard.root, run)

    def seen() -> set[Kind]:
        return {resource.kind for one in yard.search().abandoned for resource in one.resources}

    with spoilt(yard.cloud, "sagemaker", "ListTags", "ValidationException", f"Could not find model {model.name}"):
        assert {Kind.MODEL, Kind.OBJECT} & seen() == {Kind.OBJECT}
    with spoilt(yard.cloud, "s3", "GetObjectTagging", "NoSuchKey"):
        assert {Kind.MODEL, Kind.OBJECT} & seen() == {Kind.MODEL}
    assert yard.reap(yard.search()) == []


def test_what_cannot_be_deleted_is_left_and_the_rest_is_not(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """By ledger and by tags, each with its price and reason; a run that begins then is stopped, and told the same."""
    in_ledger, by_tags = yard.run(), yard.run(seconds=-1)
    config, endpoint = Resource(Kind.ENDPOINT_CONFIG, "byom-c"), Resource(Kind.ENDPOINT, "byom-e")
    write_down(yard.ledger, in_ledger, config, endpoint, hourly=0.28)
    found = Search((*yard.search().abandoned, Abandoned(by_tags.run, (endpoint, config))))

    def stuck(_: Cloud, one: Resource, *__: Any, **___: Any) -> str:
        return "stuck" if one.kind is Kind.ENDPOINT else ""

    for module in ("reaper", "cleanup"):
        monkeypatch.setattr(f"harness.cloud.{module}.remove", stuck)
    told = "endpoint byom-e ($0.280 an hour): stuck"
    assert list(map(str, yard.reap(found))) == [told, "endpoint byom-e: stuck"]
    assert [intent.resource for state in yard.ledger.runs() for intent in state.open] == [endpoint]
    with pytest.raises(LeftoverError) as stopped:
        yard.begin()
    assert str(stopped.value).endswith(
        f"\n  {told}\nmend the reason, then delete them with: byom reap --run {in_ledger.run}"
    )


def test_a_run_begins_by_clearing_what_earlier_ones_have_left(clean_yard: Yard) -> None:
    """It tells what, deletes it, and drops from the ledger what is over; of another owner nothing is touched."""
    yard, run, other = clean_yard, clean_yard.run(seconds=-1e6), clean_yard.dead(owner="somebody", seconds=-1e6)
    made = make_object(yard.root, run)
    write_down(yard.ledger, run, made)
    [first, *_] = yard.begin()
    assert first == f"live AWS: deleting what an earlier run has left: run {run.run} (ledger): {made}"
    assert [state.run.run for state in yard.ledger.runs()] == [other.run]
    assert yard.begin() == []


def test_strangers_are_not_touched(yard: Yard) -> None:
    """Fifty things whose names, keys and tags look like ours stay as they are, beside a dead run of the same names."""
    root: Any = yard.root
    strangers.settle_in(root)
    before, account = strangers.census(root), flow.everything(root)
    yard.owner, run = flow.OWNER, yard.run(owner=flow.OWNER, run=flow.RUN, seconds=-1)
    for is_lost in (False, True):
        made = make_all(root, run)
        if not is_lost:
            write_down(yard.ledger, run, *made)
        found = yard.search()
        assert {one.run for one in found.abandoned} == {flow.RUN}
        assert yard.reap(found) == []
    assert (strangers.census(root), flow.everything(root)) == (before, account)
