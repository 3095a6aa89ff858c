"""``pytest -m aws``, against an account on this machine that stands in for AWS: what is made, kept and left."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

import pytest
from live_account import ASKS, HEAD, OFFER, SMALL, WAITS, StandIn, ledger, settings, small, stand_in
from marked_processes import wait_for, wait_until_gone
from tiny_experiment import EXPERIMENT, PASSES, SERVES, SETTING, SWEEP, run, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from forked_sessions import Nursery, Session

LATE = """

def test_is_late(cloud, artifact, experiment):
    from harness.cloud.deploy import deploy, resource_name

    deploy(cloud, artifact, name=resource_name(cloud, "late"), entry_point=experiment.entry_point)
"""


SECOND = """

@pytest.fixture(scope="module")
def artifact(artifact):
    import time

    while not list(Path().glob("*.ready")):
        time.sleep(0.02)
    return artifact
"""
"""Deploys once another module's endpoint is in service."""


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """The account that all tests here share but the one that wants a model behind its endpoint."""
    with stand_in(tmp_path_factory.mktemp("account")) as made:
        yield made


def begun(session: Session) -> list[str]:
    """The endpoints that tests of a session have and hold on to."""
    return [path.stem for path in session.folder.glob("*.ready")]


def test_a_live_run_says_what_it_makes_and_leaves_nothing(forks: Nursery, account: StandIn, tmp_path: Path) -> None:
    """Two settings: twice the endpoints and the dollars, told before the first test; all of it is deleted."""
    folder = account.write(tmp_path, with_sdk=True, test_swept=EXPERIMENT + SWEEP + ASKS)
    ran = forks.run(folder, "pytest", "-m", "aws", env=account.environment(folder))
    assert ran.code == 0, ran.output
    ran.matches(
        f"byom: live AWS: {account.url} stands in for it (BYOM_AWS_STAND_IN); AWS itself is not tried",
        f"{OFFER.format(2, 'ml.m4.xlarge', '0.280', 60, '0.56', '1.00')}They are deleted when their tests are done",
        "test_swept.py *",
        "* 2 passed*",
    )
    rows = ran.rows("swept")
    assert [re.sub(r"[0-9.]+ s", "N s", row[7]) for row in rows] == ["live: in service after N s, deleted"] * 2
    assert account.left(folder) == []
    [state] = ledger(folder)
    assert len(state.intents) == 12
    assert state.open == ()


@pytest.mark.serving
def test_the_whole_path_ends_at_a_model(tmp_path: Path) -> None:
    """Trained, gated, packed, loaded, deployed and asked, by a user who may do what ``byom policy`` prints and no more.

    The test bodies are those that run against the simulated account; AWS's model server answers.
    """
    from simulator_users import User

    from harness.cloud.policy import policy
    from harness.cloud.session import redirected_session
    from harness.simulator.account import REGION, SimulatedAccount

    folder = write(tmp_path, test_whole=EXPERIMENT + SETTING + PASSES + SERVES)
    with SimulatedAccount() as simulated:
        environment = settings(folder, simulated.url)
        user = User(redirected_session(simulated.url, REGION), "byom-tester")
        user.permit(*policy(account="123456789012", region=REGION, role=environment["SAGEMAKER_ROLE"])["Statement"])
        keys = {"AWS_ACCESS_KEY_ID": user.keys.access_key, "AWS_SECRET_ACCESS_KEY": user.keys.secret}
        ran = run(folder, "-m", "local or aws", "-k", "not simulated", env={**environment, **keys})
        endpoints = user.session.client("sagemaker").list_endpoints()["Endpoints"]
    assert ran.code == 0, ran.output
    ran.matches("* 4 passed*")
    assert re.fullmatch(r"live: in service after [0-9.]+ s, deleted", ran.row("whole")[7])
    assert "IAM" not in ran.output
    assert endpoints == []
    [state] = ledger(folder)
    assert (state.run.owner, len(state.intents), state.open) == (user.arn, 6, ())


def test_options_stand_in_for_the_environment(forks: Nursery, account: StandIn, tmp_path: Path) -> None:
    """``--aws-role`` and ``--aws-region`` are enough where the environment names neither."""
    folder = small(tmp_path)
    environment = account.environment(folder, AWS_DEFAULT_REGION="", SAGEMAKER_ROLE="")
    options = ("--aws-role", "arn:aws:iam::123456789012:role/mine", "--aws-region", "eu-west-1")
    ran = forks.run(folder, "pytest", "-m", "aws and not serving", *options, env=environment)
    assert ran.code == 0, ran.output
    ran.matches("* 1 passed*")
    assert [state.run.region for state in ledger(folder)] == ["eu-west-1"]


def test_credentials_that_aws_refuses_are_an_error(forks: Nursery, account: StandIn, tmp_path: Path) -> None:
    """A deleted key is no reason to skip: every live test fails with one message, and nothing is made."""
    from simulator_users import User

    user = User(account.bystander.boto, "dismissed")
    key = user.keys.access_key
    user.iam.delete_access_key(UserName=user.name, AccessKeyId=key)
    folder = small(tmp_path)
    ran = forks.run(folder, "pytest", "-m", "aws", env=account.environment(folder, AWS_ACCESS_KEY_ID=key))
    assert ran.code == 1
    ran.matches(
        "test_small.py EE*",
        "E   CloudError: live AWS: expected credentials that AWS accepts, found InvalidClientTokenId: "
        "The security token included in the request is invalid.; renew them, or mend the network",
        "* 2 errors*",
    )
    assert "Traceback" not in ran.output
    assert ledger(folder) == []


def test_a_kept_endpoint_goes_when_it_is_told_to(forks: Nursery, account: StandIn, tmp_path: Path) -> None:
    """It stays, and the run says so; ``byom reap`` passes it by, and the command that is printed deletes it."""
    folder = account.write(tmp_path, test_kept=HEAD + ASKS)
    environment = account.environment(folder)
    ran = forks.run(folder, "pytest", "-m", "aws", "--keep-endpoint", env=environment)
    assert ran.code == 0, ran.output
    assert "deleted" not in ran.output
    assert re.fullmatch(r"live: in service after [0-9.]+ s, kept on purpose", ran.row("kept")[7])
    [state] = ledger(folder)
    name = f"byom-kept-{state.run.run}-1"
    assert (state.kept, account.status(name), len(account.left(folder))) == (True, "InService", 5)

    passed = forks.run(folder, "byom", "reap", env=environment)
    assert passed.code == 0, passed.output
    passed.matches(
        f"Not touched: run {state.run.run}: is kept on purpose for * more minutes; pass --run {state.run.run} *"
    )
    assert account.status(name) == "InService"

    ran.matches("byom: live AWS: kept on purpose, and billed at up to $0.280 an hour until you remove it: endpoint *")
    [command] = re.findall("; (byom reap .*)", ran.output)
    reaped = forks.run(folder, *command.split(), env=environment)
    assert reaped.code == 0, reaped.output
    assert account.left(folder) == []
    [state] = ledger(folder)
    assert state.open == ()


def test_what_is_kept_is_told_after_ctrl_c_too(forks: Nursery, account: StandIn, tmp_path: Path) -> None:
    """A worker's last words do not reach a controller that was interrupted: it looks into the ledger itself."""
    folder = account.write(tmp_path, test_kept=HEAD + WAITS)
    options = ("pytest", "-m", "aws", "-n", "1", "--keep-endpoint")
    session = forks.start(folder, *options, env=account.environment(folder))
    try:
        assert wait_for(lambda: begun(session), 60), session.told
        session.press(signal.SIGINT)
        ran = session.wait()
        assert wait_until_gone(session.mark) == []
    finally:
        session.kill()
    assert ran.code == 2
    [state] = ledger(folder)
    assert (state.kept, len(account.left(folder))) == (True, 5)
    ran.matches(f"byom: live AWS: kept on purpose, *; byom reap --run {state.run.run} --region us-east-1")


def test_what_was_never_made_is_not_called_kept(forks: Nursery, account: StandIn, tmp_path: Path) -> None:
    """AWS refuses the endpoint: with ``--keep-endpoint`` too, what was made until then is deleted."""
    folder = account.write(tmp_path, with_sdk=True, test_kept=HEAD + ASKS)
    options = ("--keep-endpoint", "--aws-instance-type", "ml.none", "--aws-hourly-price", "0.1")
    ran = forks.run(folder, "pytest", "-m", "aws", *options, env=account.environment(folder))
    assert ran.code == 1
    ran.matches("E   CloudError: deploying byom-kept-*-1 to the live account: ValidationException: *", "* 1 error*")
    assert account.left(folder) == []
    assert "kept on purpose" not in ran.output


def short_lived(forks: Nursery, account: StandIn, folder: Path) -> Session:
    """A session that waits with an endpoint whose time will soon be over; a busy machine takes longer to get there."""
    for minutes in ("0.1", "0.5"):
        session = forks.start(folder, "pytest", "-m", "aws", "--aws-ttl", minutes, env=account.environment(folder))
        assert wait_for(lambda: begun(session) or session.is_over, 60), session.told  # noqa: B023
        if begun(session):
            return session
        session.kill()
    pytest.fail(session.told)


def test_when_its_time_is_over_all_is_deleted(forks: Nursery, account: StandIn, tmp_path: Path) -> None:
    """Pytest is still in its test when the watcher deletes what it has; what a later test wants to make is refused."""
    folder = account.write(tmp_path, test_slow=HEAD + WAITS + LATE)
    session = short_lived(forks, account, folder)
    try:
        assert wait_for(lambda: not account.left(folder), 60), session.told
        assert not session.is_over, session.told
        (folder / "go").touch()
        ran = session.wait()
    finally:
        session.kill()
    assert ran.code == 1
    state = ledger(folder)[-1]
    ran.matches(
        "test_slow.py *",
        f"E   CloudError: *byom-late-{state.run.run}-1*: expected to make it before the run's time is over, found that "
        "it is; give the run more time with --aws-ttl",
        "* 1 failed, 1 passed*",
    )
    assert state.open == ()
    log = (folder / "state" / "runs" / f"{state.run.run}.log").read_text(encoding="utf-8")
    assert "its time is over: deleting endpoint byom-slow-" in log
    assert "all is gone" in log


def test_the_next_run_deletes_what_a_killed_one_has_left(forks: Nursery, account: StandIn, tmp_path: Path) -> None:
    """Whose watcher was killed too; the next run of the same owner says what it deletes, another owner's lets it be."""
    folder = account.write(tmp_path, test_left=HEAD + WAITS, test_small=SMALL)
    environment = account.environment(folder, BYOM_OWNER="alice")
    session = forks.start(folder, "pytest", "-m", "aws", "test_left.py", env=environment)
    try:
        assert wait_for(lambda: begun(session), 60), session.told
    finally:
        session.kill()
    [state] = ledger(folder)
    left = account.left(folder)
    assert len(left) == 5

    look = ("pytest", "-m", "aws and not serving", "test_small.py")
    other = forks.run(folder, *look, env={**environment, "BYOM_OWNER": "bob"})
    assert other.code == 0, other.output
    assert "deleting what" not in other.output
    assert account.left(folder) == left

    same = forks.run(folder, *look, env=environment)
    assert same.code == 0, same.output
    same.matches(
        f"live AWS: deleting what an earlier run has left: run {state.run.run} (ledger, up to $0.280 an hour): "
        f"endpoint byom-left-{state.run.run}-1, *"
    )
    assert account.left(folder) == []


def test_two_runs_of_one_module_do_not_meet(forks: Nursery, account: StandIn, tmp_path: Path) -> None:
    """Side by side, with one ledger: each has an endpoint of its own, and neither deletes the other's."""
    folder = account.write(tmp_path, test_twin=HEAD + WAITS)
    environment = account.environment(folder)
    twins = [forks.start(folder, "pytest", "-m", "aws", env=environment) for _ in range(2)]
    try:
        assert wait_for(lambda: len(begun(twins[0])) == 2, 60), [twin.told for twin in twins]
        assert [account.status(name) for name in begun(twins[0])] == ["InService"] * 2
        (folder / "go").touch()
        assert [twin.wait().code for twin in twins] == [0, 0], [twin.told for twin in twins]
    finally:
        for twin in twins:
            twin.kill()
    assert account.left(folder) == []


def test_workers_share_one_budget_and_say_it_once(forks: Nursery, account: StandIn, tmp_path: Path) -> None:
    """Under ``-n 2`` the second endpoint would be too much beside the first: nothing of it is made, none is left."""
    folder = account.write(tmp_path, test_one=HEAD + WAITS, test_two=HEAD + SECOND + WAITS)
    environment = account.environment(folder)
    session = forks.start(folder, "pytest", "-m", "aws", "-v", "-n", "2", "--aws-budget", "0.3", env=environment)
    try:
        assert wait_for(lambda: "ERROR" in session.told, 60), session.told
        [name] = begun(session)
        assert all(name in resource for resource in account.left(folder)), account.left(folder)
        (folder / "go").touch()
        ran = session.wait()
    finally:
        session.kill()
    assert ran.code == 1
    ran.matches(
        "byom: live AWS: will make some endpoint(s) in us-east-1, * 60 minutes: at most $0.30 (--aws-budget). *",
        "E   CloudError: *budget: expected at most $0.30, found that 1 more endpoint(s) at $0.280 an hour for up to 60 "
        "minutes can cost $0.28, after $0.28 so far; *",
        "byom: live AWS: IAM could not be asked *",  # said in a worker, and heard at the end
        "* 1 passed, 1 error*",
    )
    assert ran.output.count("will make") == 1
    assert account.left(folder) == []
    assert sorted((len(state.intents), len(state.open)) for state in ledger(folder)) == [(0, 0), (5, 0)]
