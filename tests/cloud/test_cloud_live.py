"""The live account: what it needs and says when that is missing, and how it is used from beginning to end."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest
from leaks import flow
from leaks.hollow_account import hollow_account

from harness.cloud import live, pace
from harness.cloud.ledger import Ledger
from harness.cloud.live import Terms, execution_role, identify, in_use, live_cloud, live_session
from harness.cloud.session import STAND_IN
from harness.errors import CloudError, LeftoverError, MissingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from subprocess import Popen

    from harness.artifact import Artifact

ROLE = "arn:aws:iam::123456789012:role/r"


@pytest.fixture(scope="module")
def stand_in() -> Iterator[str]:
    """Address of an account that stands in for AWS."""
    with hollow_account() as url:
        yield url


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without anything of AWS's, and no metadata service to ask."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("SAGEMAKER_ROLE", "BYOM_OWNER", STAND_IN):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("BYOM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(live, "_METADATA", tmp_path / "metadata.json")
    return monkeypatch


@pytest.fixture
def keys(no_aws: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The same, with credentials."""
    no_aws.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    no_aws.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    return no_aws


@pytest.fixture
def as_aws(keys: pytest.MonkeyPatch, stand_in: str) -> str:
    """The same, with an account that stands in for AWS; its address."""
    keys.setenv(STAND_IN, stand_in)
    return stand_in


def opened(**terms: object) -> live.Cloud:
    """A live cloud of a new run."""
    run = os.urandom(4).hex()
    return live_cloud(Terms(role=ROLE, region="us-east-1", **terms), run=run, session=run)  # type: ignore[arg-type]


def end(process: Popen[bytes]) -> None:
    """Kill it, and leave nothing of it."""
    with process:
        process.kill()


def silent(_: str) -> None:
    """Nobody reads along."""


def test_without_credentials_the_live_account_is_missing(no_aws: pytest.MonkeyPatch) -> None:
    """The error names credentials and how to give them."""
    with pytest.raises(MissingError, match="live AWS: expected credentials, found none; run `aws configure`"):
        live_session("us-east-1")


def test_without_a_region_the_live_account_is_missing(keys: pytest.MonkeyPatch) -> None:
    """The error names the region and both ways to give it."""
    with pytest.raises(MissingError, match="expected a region, found none; pass --aws-region"):
        live_session(None)


def test_without_a_role_the_live_account_is_missing(no_aws: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error names the role and both ways to give it; a given one counts first, SageMaker's own last."""
    with pytest.raises(MissingError, match=r"expected the ARN of a role .*--aws-role or set SAGEMAKER_ROLE"):
        execution_role(None)
    (tmp_path / "metadata.json").write_text(json.dumps({"ExecutionRoleArn": "of-the-notebook"}), encoding="utf-8")
    assert execution_role(None) == "of-the-notebook"
    no_aws.setenv("SAGEMAKER_ROLE", "of-the-environment")
    assert execution_role(None) == "of-the-environment"
    assert execution_role("given") == "given"


@pytest.mark.parametrize("content", ["{}", "[]", "not JSON", '{"ExecutionRoleArn": null}'])
def test_a_machine_that_names_no_role_has_none(no_aws: pytest.MonkeyPatch, tmp_path: Path, content: str) -> None:
    """An older notebook instance, and a file that is something else, are no error of their own."""
    (tmp_path / "metadata.json").write_text(content, encoding="utf-8")
    with pytest.raises(MissingError, match="expected the ARN of a role"):
        execution_role(None)


def test_a_profile_that_does_not_exist_is_named(keys: pytest.MonkeyPatch) -> None:
    """Botocore's own error is translated, with what to do."""
    keys.setenv("AWS_PROFILE", "nosuch")
    with pytest.raises(MissingError, match=r"profile.*nosuch.*unset AWS_PROFILE"):
        live_session("us-east-1")


def test_a_stand_in_is_on_this_machine(keys: pytest.MonkeyPatch) -> None:
    """The switch for tests cannot lead a run's credentials anywhere else."""
    keys.setenv(STAND_IN, "http://192.0.2.1:9")
    with pytest.raises(CloudError, match=r"expected an address on 127\.0\.0\.1, found 'http://192"):
        live_session("us-east-1")


def test_credentials_that_aws_does_not_take_are_an_error(keys: pytest.MonkeyPatch) -> None:
    """Nobody answers there: that is told, and is no reason to skip."""
    keys.setenv(STAND_IN, "http://127.0.0.1:9")
    keys.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(
        CloudError, match=r"expected credentials that AWS accepts, found .*renew them, or mend the"
    ) as told:
        identify(live_session("us-east-1"))
    assert not isinstance(told.value, MissingError)


def test_an_owner_is_the_caller_unless_named(as_aws: str, keys: pytest.MonkeyPatch) -> None:
    """BYOM_OWNER names it, in characters that tags take."""
    identity = identify(live_session("us-east-1"))
    assert (identity.account, identity.owner) == ("123456789012", identity.arn)
    keys.setenv("BYOM_OWNER", "ci, of team 7")
    assert identity.owner == "ci_ of team 7"


def test_nobody_waits_long_for_a_stand_in(as_aws: str, keys: pytest.MonkeyPatch) -> None:
    """AWS takes minutes where a simulated account takes none."""
    assert opened().pace is pace.SIMULATED
    keys.delenv(STAND_IN)
    assert live.patience() is pace.LIVE


def test_a_run_knows_who_where_and_until_when(as_aws: str) -> None:
    """Its expiry is its time-to-live from now; its budget has the price of the region."""
    cloud = opened(minutes=5, budget=3, instance_type="ml.m5.large")
    run, budget = cloud.recorder.run, cloud.recorder.budget
    assert (run.account, run.region, run.session) == ("123456789012", "us-east-1", run.run)
    assert 290 < run.expires - time.time() <= 300
    assert budget is not None
    assert (budget.cap, budget.seconds, budget.hourly) == (3, 300, 0.134)


def test_a_run_is_in_the_ledger_watched_and_cleaned(as_aws: str, packed_hollow: tuple[Artifact, Path]) -> None:
    """Its end deletes what a test has forgotten, its watcher ends, and the ledger has nothing open."""
    cloud = opened()
    artifact, script = packed_hollow
    from harness.cloud.deploy import deploy, resource_name

    before = flow.everything(cloud)
    with in_use(cloud, say=silent):
        deploy(cloud, artifact, name=resource_name(cloud, "forgotten"), entry_point=script)
        state = Ledger().find(cloud.recorder.run.run)
        assert state is not None
        assert len(state.open) == 6
        assert Ledger().is_alive(state.run)
    assert flow.everything(cloud) == before
    state = Ledger().find(cloud.recorder.run.run)
    assert state is not None
    assert (state.open, Ledger().is_alive(state.run)) == ((), False)


def test_a_kept_run_stays_and_says_so(as_aws: str, packed_hollow: tuple[Artifact, Path]) -> None:
    """With keep, nothing is deleted at the end, and the ledger knows that it is on purpose."""
    from harness.cloud.deploy import deploy, resource_name
    from harness.cloud.reaper import reap, search

    cloud = opened()
    artifact, script = packed_hollow
    run, ledger, owner = cloud.recorder.run.run, cloud.recorder.ledger, cloud.recorder.run.owner
    before = flow.everything(cloud)
    with in_use(cloud, say=silent, keep=True):
        deploy(cloud, artifact, name=resource_name(cloud, "kept"), entry_point=script)
    assert len(flow.everything(cloud) - before) == 6
    state = ledger.find(run)
    assert state is not None
    assert state.kept
    assert reap(cloud, ledger, search(cloud, ledger, owner).abandoned) == []
    assert len(flow.everything(cloud) - before) == 6
    assert reap(cloud, ledger, search(cloud, ledger, owner, run=run).abandoned) == []
    assert flow.everything(cloud) == before


def test_what_cannot_be_deleted_at_the_end_is_loud(
    as_aws: str, packed_hollow: tuple[Artifact, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that leaves something ends with its names and prices; a later one deletes it first, and says so."""
    from harness.cloud import cleanup
    from harness.cloud.deploy import deploy, resource_name

    artifact, script = packed_hollow
    cloud = opened()
    before = flow.everything(cloud)
    with monkeypatch.context() as patch:
        # The watcher would delete it after us.
        patch.setattr("harness.cloud.watcher.Watcher.__exit__", lambda self, *_: end(self._process))
        use = in_use(cloud, say=silent)
        use.__enter__()
        deploy(cloud, artifact, name=resource_name(cloud, "stuck"), entry_point=script)
        patch.setattr(cleanup, "_step", lambda *_: ("it sticks", False))
        with pytest.raises(LeftoverError, match=r"endpoint byom-.* \(\$0\.280 an hour\): it sticks"):
            use.__exit__(None, None, None)
    told: list[str] = []
    later = opened()
    with in_use(later, say=told.append):
        assert flow.everything(cloud) == before
    assert any(line.startswith("live AWS: deleting what an earlier run has left: run ") for line in told)


def test_a_watcher_that_does_not_start_keeps_everything_from_being_made(
    as_aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One clear error with its log; the ledger has no intent."""
    monkeypatch.setattr("sys.executable", "/bin/false")
    cloud = opened()
    with (
        pytest.raises(CloudError, match=r"watcher of run .*: expected it to start within 60 s, it did not"),
        in_use(cloud, say=silent),
    ):
        pytest.fail("there is no watcher")
    state = cloud.recorder.ledger.find(cloud.recorder.run.run)
    assert state is not None
    assert state.intents == ()
