"""How long to wait for AWS, and how often to look."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Waiting, in seconds.

    Attributes:
        poll: the longest pause between two looks.
        deploy: how long an endpoint may take to be in service.
        busy: how long it may take to be deletable, and to be gone: AWS deletes nothing that is still being created.
        broken: how long AWS may throttle, fail or not answer at all.
        settle: how long a request whose answer was lost may still take effect.
    """

    poll: float
    deploy: float
    busy: float
    broken: float
    settle: float

    def pauses(self, seconds: float) -> Iterator[None]:
        """Yield at once and then again and again, with growing, jittered pauses in between, for so many seconds.

        The last turn comes when the time is up. "Full jitter" of the AWS Architecture Blog's "Exponential Backoff And
        Jitter", with a lower bound, so that many who were throttled together do not come back together.
        """
        deadline, pause = time.monotonic() + seconds, self.poll / 16
        yield
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, pause * random.uniform(0.5, 1)))  # noqa: S311 - spreads load, keeps no secret
            yield
            pause = min(2 * pause, self.poll)


SIMULATED = Pace(poll=0.25, deploy=1800, busy=60, broken=10, settle=1)
LIVE = Pace(poll=15, deploy=1800, busy=1800, broken=120, settle=420)
"""botocore makes up to five attempts, waits a minute for each answer and up to 15 s in between, all told, and the last
request may be carried out a minute after that."""
