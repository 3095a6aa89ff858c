"""A small world for a state machine: an account in the test's own process, its time, and all that goes wrong in it.

Nothing waits and nothing runs beside anything else, so what happened once happens again. Seconds pass when somebody
sleeps or a test says so; a request is answered before the next one is sent; one that takes effect late does so when its
time has come. Whatever a request makes or deletes is seen at once, with whoever sent it.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
from dataclasses import dataclass
from enum import Enum
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hollow_account import Gates, Hollow

from harness.cloud.pace import Pace
from harness.resources import Kind, Resource
from leaks.faults import _ERRORS, Fault, _copied, _error, _Raw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

ACCOUNT, REGION = "123456789012", "eu-central-1"
"""A region that no other test uses: moto keeps one account for all of a process."""

BUCKET = f"sagemaker-{REGION}-{ACCOUNT}"
LOGS = "/aws/sagemaker/Endpoints/"

PACE = Pace(poll=60, deploy=600, busy=1800, broken=120, settle=90)
"""As patient as with AWS, and with fewer looks."""

CREATING, DELETING, LAG, LATE = 6.0, 4.0, 3.0, 40.0
"""Seconds: of an endpoint's beginning and end, until a listing shows what has changed, until a late effect."""

_TIMED = ("ledger", "recorder", "cleanup", "reaper", "pace")


class Moment(Enum):
    """When a process dies."""

    BEFORE = "before a request is sent"
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
    """

    what: Fault | Moment | None = None
    at: int = 0
    again: bool = False


@dataclass(frozen=True)
class Thing:
    """Something in the account.

    Attributes:
        resource: what it is called.
        body: itself, whatever else may get its name later.
        is_leaving: whether it is being deleted.
    """

    resource: Resource
    body: object
    is_leaving: bool = False


@dataclass
class Operation:
    """Something that one process does.

    Attributes:
        actor: who.
        warrant: why it must not delete a thing; "" if it may.
        mishap: what goes wrong.
        meanwhile: before which request another process does what.
        has_failed: whether something went wrong by now.
        is_dead: whether it came to its end in the middle.
    """

    actor: str
    warrant: Callable[[Thing], str]
    mishap: Mishap = Mishap()
    meanwhile: tuple[int, Callable[[], object]] = (-1, lambda: None)
    has_failed: bool = False
    is_dead: bool = False
    _requests: int = 0
    _lines: int = 0
    _spoilt: str = ""

    def next_request(self, name: str) -> Fault | Moment | None:
        """What happens to the next request."""
        assert not self.is_dead, f"{self.actor} sent {name} after its end"
        number, self._requests = self._requests, self._requests + 1
        if number == self.meanwhile[0]:
            self.meanwhile[1]()
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

    def die(self) -> None:
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


class Account:
    """A simulated account that answers in the caller's own thread, and whose inside can be looked at.

    Args:
        time: its clock.
    """

    def __init__(self, time: Time) -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app

        from harness.simulator.behaviour import Behaviour
        from harness.simulator.control_plane import ControlPlane

        behaviour = Behaviour(creating_seconds=CREATING, deleting_seconds=DELETING, list_lag_seconds=LAG)
        gates, moto = Gates(), DomainDispatcherApplication(create_backend_app)
        self._time = time
        self._plane = ControlPlane(moto, behaviour=behaviour, server=lambda: Hollow(gates), clock=time.time)

    def answer(self, request: Any) -> Any:
        """What it answers to a request of botocore's; all that it does about it is done by then."""
        from botocore.awsrequest import AWSResponse
        from werkzeug.test import EnvironBuilder

        from harness.simulator.aws_request import call

        address = urlsplit(request.url)
        builder = EnvironBuilder(
            method=request.method,
            base_url=f"{address.scheme}://{address.netloc}",
            path=address.path,
            query_string=address.query,
            headers={name: _text(value) for name, value in request.headers.items() if name != "Transfer-Encoding"},
            data=request.body.read() if hasattr(request.body, "read") else request.body,
        )
        answer = call(self._plane, builder.get_environ())
        builder.close()
        for endpoint in self._plane.endpoints:
            endpoint._thread.join()
        return AWSResponse(request.url, answer.status, dict(answer.headers), _Raw(answer.body))

    def things(self) -> list[Thing]:
        """Everything that there is at this moment, whatever listings show."""
        return [*self._of_sagemaker(), *self._of_s3(), *self._of_logs()]

    def stop(self) -> None:
        """End its endpoints."""
        self._plane.endpoints.stop_all()

    def _of_sagemaker(self) -> Iterator[Thing]:
        kinds = {"Model": Kind.MODEL, "EndpointConfig": Kind.ENDPOINT_CONFIG, "Endpoint": Kind.ENDPOINT}
        for entry in self._plane._catalogue._newest.values():
            status = entry.lifetime.status(self._time.time())
            if status:
                yield Thing(Resource(kinds[entry.kind.noun], entry.name), entry, is_leaving=status == "Deleting")

    def _of_s3(self) -> Iterator[Thing]:
        from moto.s3.models import s3_backends

        bucket = s3_backends[ACCOUNT]["aws"].buckets[BUCKET]
        for key, versions in bucket.keys.iterlists():
            yield from (Thing(Resource(Kind.OBJECT, f"s3://{BUCKET}/{key}"), version) for version in versions)
        for upload in bucket.multiparts.values():
            yield Thing(Resource(Kind.OBJECT, f"s3://{BUCKET}/{upload.key_name}"), upload)

    def _of_logs(self) -> Iterator[Thing]:
        from moto.logs.models import logs_backends

        for name, group in logs_backends[ACCOUNT][REGION].groups.items():
            yield Thing(Resource(Kind.LOG_GROUP, name), group)


class World:
    """The account, its time, and who does what in it.

    Args:
        patch: lets the harness and boto3 live in it.

    Attributes:
        wrongs: what somebody has deleted without a warrant, in words.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        from harness.cloud import session

        self.time = Time()
        self.account = Account(self.time)
        self.wrongs: list[str] = []
        self._operations: list[Operation] = []
        self._makers: dict[int, tuple[object, str]] = {}
        self._endpoint_makers: dict[str, str] = {}
        for module in (*(f"harness.cloud.{name}" for name in _TIMED), "botocore.endpoint"):
            patch.setattr(f"{module}.time", self.time)
        system = {**vars(os), "write": self._write, "fsync": lambda _: None}
        patch.setattr("harness.cloud.ledger.os", SimpleNamespace(**system))
        # No model is looked at, and nothing is left of one sequence that decides how often the next one tries again.
        patch.setattr("harness.simulator.endpoints.check", lambda _: None)
        patch.setattr("harness.simulator.endpoints.extract", lambda *_: None)
        patch.setattr("botocore.retries.quota.RetryQuota.acquire", lambda *_: True)
        patch.setattr(session, "_Redirect", lambda _: self._send)
        boto = session.redirected_session("http://127.0.0.1:9", REGION)
        self.strangers, self.reapers, *self.seats = (Seat(boto) for _ in range(4))

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

    def forget(self) -> None:
        """Who has made what is gone."""
        there = {id(thing.body) for thing in self.account.things()}
        self._makers = {number: made for number, made in self._makers.items() if number in there}

    def _send(self, request: Any, event_name: str, **_: Any) -> Any:
        operation, name = self._operations[-1], event_name.removeprefix("before-send.")
        what = operation.next_request(name)
        if what is None:
            return self._carry_out(request, operation)
        if what in _ERRORS:
            return _error(what, name)
        if what is Fault.TIMEOUT_LATE and _makes(name):
            late = _copied(request)
            self.time.after(LATE, lambda: self._carry_out(late, operation))
        elif what not in (Moment.BEFORE, Fault.TIMEOUT_BEFORE):
            # A deletion that came late could hit whatever has the name by then: nobody can prevent that.
            self._carry_out(request, operation)
        if isinstance(what, Moment):
            operation.die()
        from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

        raise (ConnectionClosedError if what is Fault.RESET else ReadTimeoutError)(endpoint_url=request.url)

    def _carry_out(self, request: Any, operation: Operation) -> Any:
        before = {id(thing.body): thing for thing in self.account.things() if not thing.is_leaving}
        answer = self.account.answer(request)
        after = {id(thing.body): thing for thing in self.account.things()}
        for number in after.keys() - self._makers.keys():
            self._makers[number] = after[number].body, self._maker(after[number], operation)
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
        return self._endpoint_makers.get(name.removeprefix(LOGS), operation.actor) if kind is Kind.LOG_GROUP else operation.actor

    def _write(self, descriptor: int, line: bytes) -> int:
        operation = self._operations[-1]
        what = operation.next_line()
        if what is None:
            return os.write(descriptor, line)
        os.write(descriptor, line[: len(line) // 2] if what is Moment.IN_LINE else line[:-1])
        operation.die()
        raise AssertionError("unreachable")


def _makes(name: str) -> bool:
    return ".Create" in name or ".Put" in name


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
