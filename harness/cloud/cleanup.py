"""Deleting what a run has made: newest first, by name, until it is seen to be gone; and nothing else."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.cloud.claim import LOGS, RUN
from harness.cloud.refusal import is_busy, is_gone, is_passing, told
from harness.cloud.sighting import look
from harness.errors import LeftoverError
from harness.resources import Kind, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.cloud.ledger import Intent, Ledger
    from harness.cloud.session import Cloud


REFUSALS = 3
"""How often in a row AWS may refuse for good before it is believed: permissions take seconds to reach all of AWS."""


@dataclass(frozen=True)
class Leftover:
    """Something that could not be deleted.

    Attributes:
        resource: what.
        reason: why not.
        hourly: dollars that it costs an hour.
    """

    resource: Resource
    reason: str
    hourly: float = 0.0

    def __str__(self) -> str:
        price = f" (${self.hourly:.3f} an hour)" if self.hourly else ""
        return f"{self.resource}{price}: {self.reason}"


def clean(
    cloud: Cloud,
    ledger: Ledger,
    run: str,
    *,
    deployment: str | None = None,
    is_answered: Callable[[Resource], bool] = lambda _: False,
) -> list[Leftover]:
    """Delete what the ledger says that a run may have made, newest first. What is already gone counts as deleted.

    One that cannot be deleted does not keep the others from being deleted. Doing it twice, or twice at once, is fine.

    Args:
        cloud: the account.
        ledger: where the run has written down what it makes.
        run: whose things.
        deployment: delete what was made under this name only.
        is_answered: whether it is known for sure if a resource was ever made; otherwise one that is not there yet
            is waited for, as long as its creation may still take effect.

    Returns:
        What is left; empty if all is gone.

    Raises:
        CloudError: the ledger cannot be read or written.
    """
    state = ledger.find(run)
    left: list[Leftover] = []
    seen: set[Resource] = set()
    for intent in state.open if state else ():
        if intent.resource in seen or (deployment is not None and not _belongs(intent.resource, deployment)):
            continue
        seen.add(intent.resource)
        problem = remove(
            cloud, intent.resource, run, final=0.0 if is_answered(intent.resource) else _final(cloud, intent)
        )
        if problem:
            left.append(Leftover(intent.resource, problem, intent.hourly))
        else:
            ledger.settle(run, intent.resource)
    return left


def remove(cloud: Cloud, resource: Resource, run: str, *, final: float = 0.0) -> str:
    """Delete one thing if it carries a run's tags, and wait until it is gone.

    Args:
        cloud: the account.
        resource: what.
        run: whose it must be.
        final: from when on, in seconds since the epoch, "not there" means that it will not come any more.

    Returns:
        Why it is still there, or "" if it is gone.
    """
    import botocore.exceptions

    problem, heard, refusals = "", time.monotonic(), 0
    for _ in cloud.pace.pauses(cloud.pace.busy):
        try:
            problem, is_waiting = _step(cloud, resource, run, final)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            problem = told(error)
            if is_gone(error) or is_busy(error):
                heard = time.monotonic()
                continue
            refusals += 1
            if time.monotonic() - heard > cloud.pace.broken if is_passing(error) else refusals >= REFUSALS:
                return problem
            continue
        if not is_waiting:
            return problem
        heard, refusals = time.monotonic(), 0
    return problem


def leftover_error(cloud: Cloud, run: str, left: Sequence[Leftover]) -> LeftoverError:
    """The loud list."""
    names = "\n".join(f"  {leftover}" for leftover in left)
    return LeftoverError(
        f"clean-up of the {cloud.kind} account: expected everything to be deleted, left over and possibly billed:\n"
        f"{names}\nmend the reason, then delete them with: byom reap --run {run}"
    )


def delete_all(cloud: Cloud, *, deployment: str | None = None, because: BaseException | None = None) -> None:
    """Delete what this process has made in an account, or just what it has made for one deployment.

    Raises:
        LeftoverError: names what could not be deleted, why, and what it costs.
    """
    recorder = cloud.recorder
    recorder.begin()
    run = recorder.run.run
    left = clean(cloud, recorder.ledger, run, deployment=deployment, is_answered=recorder.is_answered)
    if left:
        raise leftover_error(cloud, run, left) from because


def _step(cloud: Cloud, resource: Resource, run: str, final: float) -> tuple[str, bool]:
    """Look, and delete what may be deleted: why it is still there, or "", and whether that may change by itself."""
    sighting = look(cloud, resource, run)
    if sighting is None:
        is_final = time.time() >= final
        return "" if is_final else "it is not there, but the call that makes it may be on its way", not is_final
    if sighting.tags is not None and sighting.tags.get(RUN) != run:
        return "it does not carry this run's tags, so it was not touched; if it is yours, delete it by hand", False
    if sighting.is_changing:
        return "AWS is still creating or deleting it", True
    sighting.delete()
    return "AWS was told to delete it, and it is still there", True


def _final(cloud: Cloud, intent: Intent) -> float:
    return intent.at + cloud.pace.settle


def _belongs(resource: Resource, deployment: str) -> bool:
    if resource.kind is Kind.OBJECT:
        return resource.name.removeprefix("s3://").partition("/")[2].startswith(f"{deployment}/")
    return resource.name in (deployment, f"{LOGS}{deployment}")
