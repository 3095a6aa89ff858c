"""A deployment cannot leak: a sample of the faults at every call, and of deaths at every call.

All of them are tried by ``make leaks`` (`benchmarks.leak_campaign`), whose results are in ``benchmarks/results``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from leaks import flow, strangers
from leaks.faults import Fault
from leaks.flow import Rig, Trial
from leaks.hollow_account import hollow_account

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.artifact import Artifact

KILLS = Path(__file__).parent / "leaks" / "kills.py"


@pytest.fixture(scope="module")
def account_with_strangers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an account in which fifty things look like ours; all of them are there afterwards, as they were."""
    with hollow_account() as url:
        bystander = flow.open_account(url, tmp_path_factory.mktemp("bystander"), run="11111111")
        strangers.settle_in(bystander)
        before = strangers.census(bystander)
        yield url
        assert strangers.census(bystander) == before


@pytest.fixture(scope="module")
def rig(
    account_with_strangers: str, tmp_path_factory: pytest.TempPathFactory, packed_hollow: tuple[Artifact, Path]
) -> Iterator[Rig]:
    """Tries one flow after another; botocore does not sleep between its own attempts."""
    with pytest.MonkeyPatch.context() as patch:
        import botocore.endpoint

        patch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _: None))
        yield Rig(account_with_strangers, tmp_path_factory.mktemp("rig"), *packed_hollow)


@pytest.fixture(scope="module")
def calls(rig: Rig) -> list[str]:
    """The requests of a deployment, a prediction and the clean-up, in order."""
    return rig.record()


def test_a_flow_makes_these_requests(calls: list[str]) -> None:
    """What the campaigns spoil is the whole flow: each service, each creation and each deletion."""
    assert len(calls) > 40
    made = {"s3.PutObject", "sagemaker.CreateModel", "sagemaker.CreateEndpointConfig", "sagemaker.CreateEndpoint"}
    deleted = {"s3.DeleteObject", "sagemaker.DeleteModel", "sagemaker.DeleteEndpointConfig", "sagemaker.DeleteEndpoint"}
    assert made | deleted | {"sagemaker-runtime.InvokeEndpoint", "sts.GetCallerIdentity"} <= set(calls)


@pytest.mark.parametrize("operation", ["s3.PutObject", "sagemaker.CreateModel", "sagemaker.CreateEndpoint"])
@pytest.mark.parametrize("fault", [Fault.TIMEOUT_AFTER, Fault.TIMEOUT_LATE], ids=lambda fault: fault.value)
def test_what_was_made_unheard_is_deleted(rig: Rig, operation: str, fault: Fault) -> None:
    """A creation that took effect after nobody waited for it any more leaves nothing."""
    trial = rig.attempt(fault, operation, persistent=True)
    assert trial.outcome in ("ok", "error"), trial


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.value)
def test_one_fault_in_clean_up_changes_nothing(rig: Rig, fault: Fault) -> None:
    """A single fault at the deletion that matters most is not even told."""
    assert rig.attempt(fault, "sagemaker.DeleteEndpoint") == Trial("ok")


@pytest.mark.parametrize(
    "fault", [Fault.DENIED, Fault.SERVER_ERROR, Fault.TIMEOUT_BEFORE], ids=lambda fault: fault.value
)
def test_a_deletion_that_never_works_is_loud(rig: Rig, fault: Fault) -> None:
    """What is left is named, never called clean, and a later reap deletes it."""
    trial = rig.attempt(fault, "sagemaker.DeleteEndpoint", persistent=True)
    assert trial.outcome == "loud", trial
    assert f"endpoint {flow.NAME}" in trial.error


@pytest.mark.parametrize("step", range(8))
def test_no_fault_at_any_call_leaks(rig: Rig, calls: list[str], step: int) -> None:
    """A sample over all calls, with each fault in turn, once and persistently."""
    at = len(calls) * (2 * step + 1) // 16
    occurrence = calls[:at].count(calls[at])
    trial = rig.attempt(list(Fault)[(3 * step) % len(Fault)], calls[at], occurrence, persistent=bool(step % 2))
    assert trial.outcome in ("ok", "error", "loud"), (calls[at], trial)


def test_a_leak_would_be_seen(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: with a clean-up that does nothing and says nothing, the same trial fails, and names what is left."""
    from harness.cloud import deploy

    monkeypatch.setattr(deploy, "delete_all", lambda *_, **__: None)
    trial = rig.attempt(None)
    assert trial.outcome.startswith(f"LEAKED ['endpoint {flow.NAME}', 'endpoint config {flow.NAME}', "), trial
    monkeypatch.undo()
    rig.clear()


def test_death_at_any_call_leaks_nothing(
    account_with_strangers: str, tmp_path: Path, packed_hollow: tuple[Artifact, Path]
) -> None:
    """Live runs, killed at a sample of their calls: a watcher, or byom reap where that was killed too, deletes all."""
    command = [sys.executable, "-W", "ignore", str(KILLS), account_with_strangers, str(tmp_path), "--step", "31"]
    environment = {**os.environ, "PYTHONPATH": str(KILLS.parents[3])}
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=250, env=environment)
    assert ran.returncode == 0, ran.stderr
    deaths = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(deaths) > 5
    assert [death for death in deaths if death["left"]] == []
    assert max(death["made"] for death in deaths) > 3
