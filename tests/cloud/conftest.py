"""A simulated account shared by the room's tests; without endpoints it needs no model server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

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
