"""What AWS refuses because there is too much of it: requests at a time, and instances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.simulator.aws_request import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping


class Throttle:
    """A token bucket for each key: it holds a second's worth of requests, and one at least.

    Args:
        rate: requests a second in the long run; 0 lets all pass.
        clock: seconds.
    """

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def take(self, key: Hashable) -> None:
        """Let one request pass.

        Raises:
            Refusal: the bucket is empty; in AWS's words.
        """
        if not self._rate:
            return
        now, full = self._clock(), max(1.0, self._rate)
        tokens, then = self._buckets.get(key, (full, now))
        tokens = min(full, tokens + (now - then) * self._rate)
        self._buckets[key] = (max(tokens - 1, 0) if tokens >= 1 else tokens, now)
        if tokens < 1:
            raise Refusal("ThrottlingException", "Rate exceeded")


def check_quota(quotas: Mapping[str, int], instance_type: str, *, used: int, wanted: int) -> None:
    """Refuse more instances of a type than its quota for endpoints allows.

    Raises:
        Refusal: in AWS's words, which name the quota as Service Quotas does.
    """
    limit = quotas.get(instance_type)
    if limit is None or used + wanted <= limit:
        return
    raise Refusal(
        "ResourceLimitExceeded",
        f"The account-level service limit '{instance_type} for endpoint usage' is {limit} Instances, with current "
        f"utilization of {used} Instances and a request delta of {wanted} Instances. Please use AWS Service Quotas to "
        f"request an increase for this quota. If AWS Service Quotas is not available, contact AWS support to request "
        f"an increase for this quota.",
    )
