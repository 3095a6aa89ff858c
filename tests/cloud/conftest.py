"""A simulated account shared by the room's tests; without endpoints it needs no model server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# Tiny models and their tarballs live with the tests of the simulator and of tarballs.
sys.path += [str(Path(__file__).parent.parent / room) for room in ("simulator", "tarball")]

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.artifact import Artifact
    from harness.cloud.session import Cloud


@pytest.fixture(scope="session")
def account_url() -> Iterator[str]:
    """Where the simulated account listens."""
    from harness.simulator.account import SimulatedAccount

    with SimulatedAccount() as running:
        yield running.url


@pytest.fixture(scope="session")
def account(account_url: str) -> Cloud:
    """The simulated account's cloud."""
    from harness.cloud.session import simulated_cloud
    from harness.simulator.account import REGION, ROLE

    return simulated_cloud(account_url, role=ROLE, region=REGION)


@pytest.fixture(scope="session")
def packed_hollow(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, Path]:
    """A valid tarball and its script, for accounts whose endpoints run no model."""
    from simulator_models import Perceptron

    from harness.tarball.verify import load_artifact

    folder = tmp_path_factory.mktemp("hollow")
    script = folder / "inference.py"
    script.write_text("def build_graph(): pass\n", encoding="ascii")
    return load_artifact(Perceptron().tarball(folder / "model.tar.gz")), script
