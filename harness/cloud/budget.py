"""What endpoints may cost at most, and the refusal to make one that could cost more."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import CloudError
from harness.resources import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harness.cloud.ledger import Intent, Run, RunState

HOUR = 3600.0

HOURLY = {
    "ml.t2.medium": 0.065,
    "ml.t2.large": 0.130,
    "ml.t2.xlarge": 0.260,
    "ml.t2.2xlarge": 0.520,
    "ml.m4.xlarge": 0.280,
    "ml.m4.2xlarge": 0.560,
    "ml.m4.4xlarge": 1.120,
    "ml.m5.large": 0.134,
    "ml.m5.xlarge": 0.269,
    "ml.m5.2xlarge": 0.538,
    "ml.m5.4xlarge": 1.075,
    "ml.c5.large": 0.119,
    "ml.c5.xlarge": 0.238,
    "ml.c5.2xlarge": 0.476,
    "ml.c5.4xlarge": 0.952,
    "ml.g4dn.xlarge": 0.736,
    "ml.g4dn.2xlarge": 1.053,
    "ml.p3.2xlarge": 4.284,
}
"""Dollars an hour for one instance behind a real-time endpoint in us-east-1: the highest list price that AWS has asked,
as prices only fell (https://aws.amazon.com/sagemaker/pricing/). Bounds, not a bill."""

_ROUNDING = 1e-6
"""Dollars: three endpoints at ten cents cost a little more than thirty in floating point."""

DEAREST_REGION = 1.8
"""How many times as much as in us-east-1 the same instance costs in the dearest region, rounded up."""


def hourly_price(instance_type: str, region: str, given: float | None = None) -> float:
    """Dollars an hour that one instance costs at most.

    Args:
        instance_type: such as ``ml.m4.xlarge``.
        region: such as ``us-east-1``.
        given: the price as the user knows it; it counts alone.

    Raises:
        CloudError: the price is not known, and none was given.
    """
    if given is not None:
        return given
    if instance_type not in HOURLY:
        raise CloudError(
            f"budget: expected an instance type whose price is known ({', '.join(HOURLY)}), found {instance_type!r}; "
            f"look up its hourly price and pass --aws-hourly-price"
        )
    return HOURLY[instance_type] * (1.0 if region == "us-east-1" else DEAREST_REGION)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """A cap on what the endpoints of a session may cost together.

    Attributes:
        cap: dollars.
        hourly: dollars an hour for one endpoint.
        seconds: how long one may live.
    """

    cap: float
    hourly: float
    seconds: float

    def worst(self, endpoints: int) -> float:
        """Dollars that so many endpoints cost if each lives as long as it may."""
        return endpoints * self.hourly * self.seconds / HOUR

    def check(self, endpoints: int, spent: float = 0.0) -> None:
        """Let so many endpoints be made, after so many dollars were spent.

        Raises:
            CloudError: they could cost more than the cap.
        """
        # Not "if more than": what is not a number is not within the cap either.
        if not self.worst(endpoints) + spent <= self.cap + _ROUNDING:
            raise CloudError(
                f"budget: expected at most ${self.cap:.2f}, found that {endpoints} more endpoint(s) at "
                f"${self.hourly:.3f} an hour for up to {self.seconds / 60:g} minutes can cost "
                f"${self.worst(endpoints):.2f}"
                f"{f', after ${spent:.2f} so far' if spent else ''}; none of that is made: raise --aws-budget, lower "
                f"--aws-ttl or select fewer tests"
            )

    def allows(self, run: Run) -> Callable[[list[RunState]], None]:
        """A check of one more endpoint against all that the session's runs have made, for `Ledger.intend`."""

        def allow(states: list[RunState]) -> None:
            self.check(1, sum(_spent(state, time.time()) for state in states if state.run.session == run.session))

        return allow


def _spent(state: RunState, now: float) -> float:
    """Dollars that a run's endpoints have cost, or can still cost."""
    return sum(cost(intent, state.run.expires, now) for intent in _endpoints(state.intents))


def cost(intent: Intent, expires: float, now: float) -> float:
    """Dollars that an endpoint has cost; of one that may exist, what it will have cost when its time is over."""
    end = max(expires, now) if intent.settled is None else intent.settled
    return intent.hourly * max(0.0, end - intent.at) / HOUR


def _endpoints(intents: Iterable[Intent]) -> list[Intent]:
    return [intent for intent in intents if intent.resource.kind is Kind.ENDPOINT]
