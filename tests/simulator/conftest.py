"""A mark for every process that these tests start, one simulated account, and tarballs of tiny models."""

from __future__ import annotations

import os
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# The writer of MXNet's file formats without MXNet lives with the tarball tests.
sys.path.append(str(Path(__file__).parent.parent / "tarball"))

from hollow_account import HollowAccount, HollowWire
from marked_processes import MARK, kill_marked, wait_until_gone
from simulator_aws import Aws
from simulator_models import Perceptron

from harness.simulator.account import REGION, ROLE, SimulatedAccount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from marked_processes import Process


def _is_resource_tracker(process: Process) -> bool:
    """Whether this is the one that Python keeps beside the test process, once any test has spawned, until both end."""
    return process.parent == os.getpid() and process.mentions("from multiprocessing.resource_tracker import main")


@pytest.fixture(scope="session", autouse=True)
def session_mark() -> Iterator[str]:
    """The mark of everything that the test process starts itself; in the end nothing of it may be left."""
    mark = uuid.uuid4().hex
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MARK, mark)
        yield mark
    left = [process for process in wait_until_gone(mark) if not _is_resource_tracker(process)]
    assert left == [], "the tests of the simulator left processes behind"


@pytest.fixture
def mark() -> Iterator[str]:
    """A mark for one test's processes; whatever it left behind is killed, after the test has looked."""
    mark = uuid.uuid4().hex
    yield mark
    kill_marked(mark)


@pytest.fixture(scope="session")
def plain_tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``Perceptron(0)`` with an empty script, so that the container's defaults serve it."""
    return Perceptron().tarball(tmp_path_factory.mktemp("plain") / "model.tar.gz", inference="")


@pytest.fixture(scope="session")
def account() -> Iterator[SimulatedAccount]:
    """A simulated account for all tests."""
    with SimulatedAccount() as started:
        yield started


@pytest.fixture(scope="session")
def aws(account: SimulatedAccount) -> Aws:
    """That account, through boto3."""
    from harness.cloud.session import simulated_cloud

    return Aws(simulated_cloud(account.url, role=ROLE, region=REGION))


@pytest.fixture(scope="session")
def hollow_wire() -> Iterator[HollowWire]:
    """The way to all hollow accounts."""
    wire = HollowWire()
    yield wire
    wire.stop()


@pytest.fixture(scope="session")
def hollow_url(hollow_wire: HollowWire, plain_tarball: Path) -> str:
    """Where the tarball of ``Perceptron(0)`` is in the S3 of hollow accounts."""
    hollow_wire.plane = hollow_wire.moto
    return Aws(hollow_wire).upload(plain_tarball)  # type: ignore[arg-type]  # as much of a Cloud as Aws needs


@pytest.fixture
def hollow(hollow_wire: HollowWire, hollow_url: str) -> Iterator[HollowAccount]:
    """An account in this process, with hollow servers."""
    account = HollowAccount(hollow_wire, hollow_url)
    yield account
    account.stop()
