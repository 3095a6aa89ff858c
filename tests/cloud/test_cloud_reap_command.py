"""``byom reap``, as a user runs it: what it says, what it deletes, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from leaks import flow
from left_things import make_all, make_model, make_object, name_of, new_run, write_down
from stand_in_account import invoked, least, stand_in_account

from harness.cloud.session import STAND_IN
from harness.resources import Kind, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result
    from stand_in_account import StandIn

    from harness.cloud.ledger import Ledger, Run

BYOM = Path(sys.executable).with_name("byom")

NOTHING = f"Nothing to delete in account {flow.ACCOUNT}, {flow.REGION}, of {flow.OWNER}.\n"


@pytest.fixture(scope="module")
def aws() -> Iterator[StandIn]:
    """An account that stands in for AWS, with the bucket that the SageMaker SDK would make."""
    with stand_in_account() as account:
        account.root.client("s3").create_bucket(Bucket=flow.BUCKET)
        yield account


@pytest.fixture
def ledger(aws: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """An empty ledger of an owner in an empty account; afterwards the account is empty again."""
    monkeypatch.setenv("BYOM_OWNER", flow.OWNER)
    aws.be_root()
    yield aws.remember_in(tmp_path)
    assert flow.everything(aws.root) == set()


def reaped(*arguments: object) -> Result:
    """A run of the command that ends as it should: with a status, not with an error of Python's."""
    done = invoked("reap", *arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done


def left_behind(aws: StandIn, ledger: Ledger, **fields: str) -> Run:
    """A dead run of the ledger, with one thing of each kind."""
    run = new_run(**fields)
    write_down(ledger, run, *make_all(aws.root, run), hourly=0.28)
    return run


def test_nothing_is_no_failure(ledger: Ledger) -> None:
    """It says where it has looked, and for whose things."""
    for arguments in ((), ("--dry-run",), ("--run", "0a0a0a0a")):
        done = reaped(*arguments)
        assert (done.exit_code, done.stdout, done.stderr) == (0, NOTHING, "")


def test_it_tells_what_it_deletes(aws: StandIn, ledger: Ledger) -> None:
    """A dead run's things, with their price; done again there is nothing."""
    run = left_behind(aws, ledger)
    done = reaped()
    assert (done.exit_code, done.stderr) == (0, "")
    first, last = done.stdout.splitlines()
    assert first.startswith(
        f"Deleting run {run.run} (ledger, up to $0.280 an hour): endpoint {name_of(run)}, log group "
    )
    assert last == "All of it is gone."
    assert reaped().stdout == NOTHING


def test_a_dry_run_deletes_nothing(aws: StandIn, ledger: Ledger) -> None:
    """It tells what would be deleted, ends with 1, and asks for nothing but looks; the ledger stays as it was."""
    run = left_behind(aws, ledger)
    before, there = ledger.path.read_bytes(), flow.everything(aws.root)
    aws.requests.clear()
    for _ in range(2):
        done = reaped("--dry-run")
        assert (done.exit_code, done.stderr) == (1, "")
        assert done.stdout.startswith(f"Would delete run {run.run} (ledger, up to $0.280 an hour): endpoint ")
        assert len(done.stdout.splitlines()) == 1
    assert {action.partition(":")[2] for action in aws.requests.actions} == {
        "ListEndpoints",
        "ListEndpointConfigs",
        "ListModels",
        "ListTags",
        "ListBucketVersions",
        "GetObjectVersionTagging",
    }
    assert (ledger.path.read_bytes(), flow.everything(aws.root)) == (before, there)
    assert reaped().exit_code == 0


def test_it_tells_what_it_leaves_alone(aws: StandIn, ledger: Ledger) -> None:
    """A run in use and a kept one are told with the reason, which is no failure; the latter goes by its number."""
    used, kept = new_run(), new_run()
    for run in (used, kept):
        write_down(ledger, run, make_object(aws.root, run))
    ledger.keep(kept.run)
    with ledger.alive(used.run):
        done = reaped()
        assert (done.exit_code, done.stderr) == (0, "")
        first, second, third = done.stdout.splitlines(keepends=True)
        assert first.startswith(f"Not touched: run {used.run}: is in use by a process on ")
        assert second.startswith(
            f"Not touched: run {kept.run}: is kept on purpose for 60 more minutes; pass --run {kept.run}"
        )
        assert third == NOTHING
        named = reaped("--run", kept.run)
        assert named.stdout.startswith(f"Deleting run {kept.run} (ledger): s3 object s3://")
        assert used.run not in named.stdout
    assert reaped().exit_code == 0


def test_another_owner_is_named(aws: StandIn, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's own things unless an owner is given; without BYOM_OWNER the caller is who the keys belong to."""
    other = left_behind(aws, ledger, owner="somebody")
    assert reaped().stdout == f"Not touched: run {other.run}: belongs to somebody; pass --owner to reap it\n{NOTHING}"
    done = reaped("--owner", "somebody")
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "All of it is gone.")
    monkeypatch.delenv("BYOM_OWNER")
    user = aws.user("reaper")
    user.permit(*least()["Statement"])
    aws.be(user)
    run = new_run(owner=user.arn)
    write_down(ledger, run, make_object(aws.root, run))
    assert reaped().stdout.startswith(f"Deleting run {run.run} (ledger): ")


def test_a_region_is_named(aws: StandIn, ledger: Ledger) -> None:
    """What lies elsewhere is told, and deleted there."""
    run = new_run(region="eu-west-1")
    write_down(ledger, run, Resource(Kind.MODEL, name_of(run)))
    assert (
        reaped().stdout == f"Not touched: run {run.run}: is in account {flow.ACCOUNT}, eu-west-1; reap there\n{NOTHING}"
    )
    done = reaped("--region", "eu-west-1")
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "All of it is gone.")


@pytest.mark.parametrize("is_lost", [False, True], ids=["ledger", "tags"])
def test_what_it_may_not_delete_is_loud(aws: StandIn, ledger: Ledger, is_lost: bool) -> None:
    """One thing is left, with the policy line that is lacking, and the status is 1; the others are gone.

    Once that line is there, another run of the command deletes it.
    """
    run = new_run(seconds=-1)
    made = make_all(aws.root, run)
    if not is_lost:
        write_down(ledger, run, *made)
    user = aws.user(f"unable-{is_lost}")
    user.permit(*least("sagemaker:DeleteModel")["Statement"])
    aws.be(user)
    done = reaped()
    assert done.exit_code == 1
    assert done.stdout.startswith(f"Deleting run {run.run} ")
    assert "gone" not in done.stdout
    [line] = done.stderr.splitlines()
    assert line.startswith(f"byom: left over, and possibly billed: model {name_of(run)}: AccessDeniedException: User: ")
    assert (
        '"Action": "sagemaker:DeleteModel", "Resource": "arn:aws:sagemaker:us-east-1:123456789012:model/byom-*"' in line
    )
    assert flow.everything(aws.root) == {Resource(Kind.MODEL, name_of(run))}
    user.permit(*least()["Statement"])
    assert reaped().exit_code == 0


def test_who_cannot_look_is_told(aws: StandIn, ledger: Ledger) -> None:
    """Status 2 and the policy line; nothing was deleted, though the ledger could have told of it."""
    run = new_run()
    write_down(ledger, run, made := make_object(aws.root, run))
    user = aws.user("blind")
    user.permit(*least("sagemaker:ListModels")["Statement"])
    aws.be(user)
    done = reaped()
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("byom: reaping the live account: cannot look for leftovers: AccessDeniedException: ")
    assert '{"Effect": "Allow", "Action": "sagemaker:ListModels", "Resource": "*"}' in done.stderr
    assert made in flow.everything(aws.root)
    user.permit(*least()["Statement"])
    assert reaped().exit_code == 0


def test_a_ledger_that_cannot_be_read_is_told(ledger: Ledger) -> None:
    """Status 2: what it might have told of must not be passed over in silence."""
    ledger.path.mkdir(parents=True)
    done = reaped()
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(
        f"byom: ledger {ledger.path}: expected a file to write down what is made in AWS, found "
    )


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "live AWS: expected credentials, found none; run `aws conf"),
        (("AWS_DEFAULT_REGION",), "live AWS: expected a region, found none; pass --"),
    ],
    ids=["credentials", "region"],
)
def test_what_is_missing_is_named(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...], message: str
) -> None:
    """Status 2 and one line: without credentials or a region it cannot look."""
    for name in missing:
        monkeypatch.delenv(name)
    done = reaped()
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"byom: {message}")
    assert len(done.stderr.splitlines()) == 1


def test_keys_that_aws_does_not_take_are_told(aws: StandIn, ledger: Ledger) -> None:
    """Status 2, in AWS's words: a deleted key is no empty account."""
    user = aws.user("gone")
    aws.be(user)
    user.iam.delete_access_key(UserName="gone", AccessKeyId=user.keys.access_key)
    done = reaped()
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("byom: live AWS: expected credentials that AWS accepts, found InvalidClientTokenId: ")


def test_two_at_once_do_not_quarrel(aws: StandIn, ledger: Ledger) -> None:
    """Two processes delete the same things, by ledger and by tags: both end well, and the ledger has nothing open."""
    run, lost = left_behind(aws, ledger), new_run(seconds=-1)
    make_model(aws.root, lost)
    processes = [
        subprocess.Popen([BYOM, "reap"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    ended = [(process.communicate(timeout=60), process.returncode) for process in processes]
    for (output, errors), status in ended:
        assert (errors, status) == ("", 0), output
    assert [state.open for state in ledger.runs() if state.run.run == run.run] == [()]


def test_a_stand_in_is_on_this_machine(monkeypatch: pytest.MonkeyPatch, ledger: Ledger) -> None:
    """An address that is not on this machine is refused: the switch for tests leads nobody's keys elsewhere."""
    monkeypatch.setenv(STAND_IN, "http://192.0.2.1:1")
    done = reaped()
    assert done.exit_code == 2
    assert "expected an address on 127.0.0.1" in done.stderr
