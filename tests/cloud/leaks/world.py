"""A small world for a state machine: an account, its time, those who use it, and all that goes wrong for them.

Nothing waits and nothing runs beside anything else, so what happened once happens again. Seconds pass when somebody
sleeps or a test says so; a request is answered before the next one is sent; one that takes effect late does so when its
time has come. Whatever a request makes or deletes is seen at once, with whoever sent it.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

from harness.cloud.claim import LOGS
from harness.cloud.pace import LIVE
from harness.resources import Kind
from leaks.faults import _ERRORS, Fault, _copied, _error
from leaks.inner_account import BUCKET, CREATING, DELETING, REGION, Account, delete, make

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    from leaks.inner_account import Thing

TIMEOUT, LATE = 60.0, 115.0
"""Seconds that botocore waits for an answer, and until a request takes effect that nobody waits for any more."""

PACE = replace(LIVE, poll=60)
"""As patient as with AWS, and with fewer looks."""

LANDLORD = "landlord"
"""Who owns what others build upon."""

_TIMED = ("ledger", "recorder", "cleanup", "reaper", "pace")


class Moment(Enum):
    """When a process dies."""

    BEFORE = "before a request is sent"
    ON_ITS_WAY = "while a request is on its way"
    AFTER = "after the effect of a request"
    IN_LINE = "in the middle of a line of the ledger"
    AT_LINE_END = "before the end of a line of the ledger"


_AT_A_LINE = (Moment.IN_LINE, Moment.AT_LINE_END)


class Death(BaseException):
    """The process is gone: nothing else of it runs."""


@dataclass(frozen=True)
class Mishap:
    """What goes wrong in an operation.

    Attributes:
        what: a fault, a death, or nothing.
        at: which request, or line of the ledger, from 0 on.
        again: whether a fault comes back with each later request of the same kind.
        meanwhile: what others do in the middle of it; "" for nothing.
        pause: before which request.
    """

    what: Fault | Moment | None = None
    at: int = 0
    again: bool = False
    meanwhile: str = ""
    pause: int = 0


SMOOTH = Mishap()
"""Nothing goes wrong."""


@dataclass
class Operation:
    """Something that one process does.

    Attributes:
        actor: who.
        warrant: why it must not delete a thing; "" if it may.
        mishap: what goes wrong.
        meanwhile: what others do.
        has_failed: whether something went wrong by now.
        is_dead: whether it came to its end in the middle.
        requests: how many it has sent.
    """

    actor: str
    warrant: Callable[[Thing], str] = lambda _: ""
    mishap: Mishap = SMOOTH
    meanwhile: Callable[[str], object] = lambda _: None
    has_failed: bool = False
    is_dead: bool = False
    requests: int = 0
    _lines: int = 0
    _spoilt: str = ""

    def next_request(self, name: str) -> Fault | Moment | None:
        """What happens to the next request."""
        assert not self.is_dead, f"{self.actor} sent {name} after its end"
        number, self.requests = self.requests, self.requests + 1
        if number == self.mishap.pause:
            self.meanwhile(self.mishap.meanwhile)
        what = self.mishap.what
        if what is None or what in _AT_A_LINE:
            return None
        if number == self.mishap.at:
            self.has_failed, self._spoilt = True, name
        return what if number == self.mishap.at or (self.mishap.again and name == self._spoilt) else None

    def next_line(self) -> Fault | Moment | None:
        """What happens to the next line of the ledger."""
        number, self._lines = self._lines, self._lines + 1
        return self.mishap.what if number == self.mishap.at and self.mishap.what in _AT_A_LINE else None

    def die(self) -> NoReturn:
        """Now."""
        self.has_failed = self.is_dead = True
        raise Death


class Time:
    """Seconds as everybody has them, in place of the module ``time``."""

    def __init__(self) -> None:
        self._now = 1_800_000_000.0
        self._later: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()

    def time(self) -> float:
        """Seconds since the epoch."""
        return self._now

    monotonic = time

    def sleep(self, seconds: float) -> None:
        """Let time pass, and what was to happen meanwhile."""
        end = self._now + seconds
        while self._later and self._later[0][0] <= end:
            due, _, happen = heapq.heappop(self._later)
            self._now = max(self._now, due)
            happen()
        self._now = max(self._now, end)

    def after(self, seconds: float, happen: Callable[[], object]) -> None:
        """Let something happen later."""
        heapq.heappush(self._later, (self._now + seconds, next(self._numbers), happen))


class Seat:
    """What plays the boto3 session of one process after another: its clients are made once."""

    def __init__(self, boto: Any) -> None:
        services = ("sagemaker", "s3", "logs", "sagemaker-runtime")
        self._clients = {service: boto.client(service) for service in services}
        self._listening: list[tuple[str, Any]] = []
        self.events = SimpleNamespace(register=self._register)

    def client(self, service: str) -> Any:
        """One of its clients."""
        return self._clients[service]

    def vacate(self) -> None:
        """Forget who has listened."""
        for (name, handler), client in itertools.product(self._listening, self._clients.values()):
            client.meta.events.unregister(name, handler)
        self._listening.clear()

    def _register(self, name: str, handler: Any) -> None:
        self._listening.append((name, handler))
        for client in self._clients.values():
            client.meta.events.register(name, handler)


class World:
    """The account, its time, and who does what in it.

    Args:
        patch: lets the harness and boto3 live in it.

    Attributes:
        wrongs: what somebody has deleted without a warrant, in words.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        from moto import backends

        from harness.cloud import session

        self.time = Time()
        self.account = Account(self.time.time)
        self.wrongs: list[str] = []
        self._operations: list[Operation] = []
        # moto keeps one account for all of a process: another test's leavings are nobody's concern here.
        self._makers: dict[int, tuple[object, str]] = {
            id(thing.body): (thing.body, LANDLORD) for thing in self.account.things()
        }
        self._endpoint_makers: dict[str, str] = {}
        for module in (*(f"harness.cloud.{name}" for name in _TIMED), "botocore.endpoint"):
            patch.setattr(f"{module}.time", self.time)
        system = {**vars(os), "write": self._write, "fsync": lambda _: None}
        patch.setattr("harness.cloud.ledger.os", SimpleNamespace(**system))
        # No model is looked at, and nothing is left of one sequence that decides how often the next one tries again.
        patch.setattr("harness.simulator.endpoints.check", lambda _: None)
        patch.setattr("harness.simulator.endpoints.extract", lambda *_: None)
        patch.setattr("botocore.retries.quota.RetryQuota.acquire", lambda *_: True)
        # moto looks through its own folder at each request.
        patch.setattr(backends, "list_of_moto_modules", partial(tuple, tuple(backends.list_of_moto_modules())))
        patch.setattr(session, "_Redirect", lambda _: self._send)
        boto = session.redirected_session("http://127.0.0.1:9", REGION)
        self.strangers, self.reapers, *self.seats = (Seat(boto) for _ in range(4))
        self._furnish()

    def prepare(self, *, is_versioned: bool) -> None:
        """Let the bucket keep versions, or not; a second begins."""
        status = {"Status": "Enabled" if is_versioned else "Suspended"}
        with self.operation(Operation(LANDLORD)):
            self.strangers.client("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration=status)
        self.time.sleep(-self.time.time() % 1)

    @contextlib.contextmanager
    def operation(self, operation: Operation) -> Iterator[Operation]:
        """What is sent and written in this block is part of an operation. Death ends the block, and goes no further."""
        self._operations.append(operation)
        try:
            with contextlib.suppress(Death):
                yield operation
        finally:
            self._operations.remove(operation)

    def of(self, maker: str) -> list[Thing]:
        """What there is of somebody."""
        return [thing for thing in self.account.things() if self.made_by(thing) == maker]

    def made_by(self, thing: Thing) -> str:
        """Who has made something."""
        return self._makers[id(thing.body)][1]

    def remove(self, thing: Thing) -> None:
        """Delete something without asking, once that is possible."""
        self.time.sleep(CREATING)
        with self.operation(Operation(LANDLORD)):
            delete(self.strangers.client, thing)
        self.time.sleep(DELETING)

    def clear(self) -> None:
        """Delete everything but the landlord's, and forget who has made it."""
        self.time.sleep(LATE + DELETING)
        while left := [thing for thing in self.account.things() if self.made_by(thing) != LANDLORD]:
            self.remove(left[0])
        self.wrongs.clear()
        self._endpoint_makers.clear()
        there = {id(thing.body) for thing in self.account.things()}
        self._makers = {number: made for number, made in self._makers.items() if number in there}

    def _furnish(self) -> None:
        """A bucket, and what strangers make their endpoints of."""
        with self.operation(Operation(LANDLORD)):
            place = {"LocationConstraint": REGION}
            self.strangers.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
            for step in ("object", "model", "endpoint config"):
                make(self.strangers.client, step, LANDLORD)

    def _send(self, request: Any, event_name: str, **_: Any) -> Any:
        operation, name = self._operations[-1], event_name.removeprefix("before-send.")
        what = operation.next_request(name)
        if what is None:
            return self._carry_out(request, operation)
        if what in _ERRORS:
            return _error(what, name)
        if what in (Fault.TIMEOUT_LATE, Moment.ON_ITS_WAY) and _makes(name):
            late = _copied(request)
            self.time.after(LATE, lambda: self._carry_out(late, operation))
        elif what not in (Moment.BEFORE, Fault.TIMEOUT_BEFORE):
            # A deletion that came late could hit whatever has the name by then: nobody can prevent that.
            self._carry_out(request, operation)
        if isinstance(what, Moment):
            operation.die()
        from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

        if what is Fault.RESET:
            raise ConnectionClosedError(endpoint_url=request.url)
        self.time.sleep(TIMEOUT)
        raise ReadTimeoutError(endpoint_url=request.url)

    def _carry_out(self, request: Any, operation: Operation) -> Any:
        before = {id(thing.body): thing for thing in self.account.things() if not thing.is_leaving}
        answer = self.account.answer(request)
        after = {id(thing.body): thing for thing in self.account.things()}
        for number, thing in after.items():
            if number not in self._makers:
                self._makers[number] = thing.body, self._maker(thing, operation)
        for number, thing in before.items():
            reason = operation.warrant(thing) if number not in after or after[number].is_leaving else ""
            if reason:
                self.wrongs.append(f"{operation.actor} deleted {thing.resource}: {reason}")
        return answer

    def _maker(self, thing: Thing, operation: Operation) -> str:
        """Who has made something new: a log group comes with an endpoint, also once more when that is used."""
        kind, name = thing.resource.kind, thing.resource.name
        if kind is Kind.ENDPOINT:
            self._endpoint_makers[name] = operation.actor
        endpoint = name.removeprefix(LOGS)
        return self._endpoint_makers[endpoint] if kind is Kind.LOG_GROUP else operation.actor

    def _write(self, descriptor: int, line: bytes) -> int:
        operation = self._operations[-1]
        what = operation.next_line()
        if what is not None:
            os.write(descriptor, line[: len(line) // 2] if what is Moment.IN_LINE else line[:-1])
            operation.die()
        return os.write(descriptor, line)


def _makes(name: str) -> bool:
    return ".Create" in name or ".Put" in name
