"""What clean-up and reaper promise, held to after each of them.

- Whatever a run has made, or still makes when a request of its takes effect late, is open in the ledger.
- Nobody deletes what is a stranger's. A run deletes its own things, of the deployment that it was asked for. A reaper
  deletes things of its owner's runs that are over: whose time is over, or that are in its ledger, dead and not kept. Of
  the one run that it was asked for it does, too, if that was kept or is in no ledger.
- Once they return, all that they may delete is gone, or they have said what is left: by the ledger that is everything,
  by tags alone what carries tags and is listed. If no request was spoilt, nothing is said to be left but what has a
  stranger's thing in its place.
"""

from __future__ import annotations

import contextlib
import platform
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from harness.cloud.claim import LOGS
from harness.cloud.ledger import Ledger, Run
from harness.cloud.recorder import Recorder
from harness.cloud.session import SIMULATED, Cloud
from harness.errors import CloudError, LeftoverError
from harness.resources import Kind, Resource
from leaks.inner_account import ACCOUNT, BUCKET, LAG, REGION, ROLE, make
from leaks.world import PACE, SMOOTH, Mishap, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from leaks.inner_account import Thing
    from leaks.world import Seat, World

STRANGER = "stranger"
NUMBERS = (1, 10)
"""Of a run's deployments; one name begins like the other."""


@dataclass
class Process:
    """What has the id of a run: while it is there, and what is left of it afterwards."""

    run: Run
    cloud: Cloud
    seat: Seat
    life: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    is_there: bool = True
    is_kept: bool = False

    @property
    def id(self) -> str:
        """The run's."""
        return self.run.run

    @property
    def names(self) -> tuple[str, ...]:
        """Of all that it may deploy."""
        return tuple(self.name(number) for number in NUMBERS)

    def name(self, number: int) -> str:
        """Of a deployment."""
        return f"byom-leak-{self.id}-{number}"

    def end(self) -> None:
        """From now on it is gone; the kernel frees its locks."""
        self.life.close()
        self.is_there = False


class Promises:
    """Runs that share an account and a ledger, and reapers, each step of theirs checked.

    Args:
        world: where.
        folder: for the ledger.
    """

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.ledger, self._lost = Ledger(folder / "ledger"), Ledger(folder / "empty")
        self.processes: list[Process] = []
        world.reapers.vacate()
        self._reaping = self._cloud(world.reapers, "", owner="", seconds=0, host="")

    @property
    def there(self) -> list[Process]:
        """Those that are running."""
        return [process for process in self.processes if process.is_there]

    def start(self, owner: str, seconds: float, *, host: str) -> Process:
        """A run begins, on this machine or on one that shares the ledger."""
        taken = [process.seat for process in self.there]
        seat = next(seat for seat in self.world.seats if seat not in taken)
        seat.vacate()
        cloud = self._cloud(seat, f"0a1b2c3{len(self.processes)}", owner=owner, seconds=seconds, host=host)
        process = Process(cloud.recorder.run, cloud, seat)
        process.life.enter_context(self.ledger.alive(process.id))
        self.processes.append(process)
        return process

    def deploy(self, process: Process, steps: tuple[str, ...], number: int, mishap: Mishap = SMOOTH) -> None:
        """As far as it gets; nothing of a run is made whose time is over."""
        is_over = process.run.expires <= self.world.time.time()
        with self._own(process, mishap) as operation, contextlib.suppress(*refusals(), CloudError):
            for step in steps:
                make(process.seat.client, step, process.name(number))
        assert not (is_over and operation.requests), "something was made after the run's time was over"

    def invoke(self, process: Process, number: int) -> None:
        """An endpoint answers if it is there."""
        name, runtime = process.name(number), process.seat.client("sagemaker-runtime")
        there = [thing.resource for thing in self.world.account.things() if not thing.is_leaving]
        with self._own(process), contextlib.suppress(*refusals()):
            answer = runtime.invoke_endpoint(EndpointName=name, Body=b"[[1]]", ContentType="application/json")
            assert answer["Body"].read() == b"[[1]]"
            return
        assert Resource(Kind.ENDPOINT, name) not in there

    def keep(self, process: Process, mishap: Mishap = SMOOTH) -> None:
        """What it has made is to stay; it ends."""
        with self._own(process, mishap) as operation:
            self.ledger.keep(process.id)
        state = self.ledger.find(process.id)
        process.is_kept = state is not None and state.kept
        assert process.is_kept or operation.is_dead or state is None
        process.end()

    def compact(self, mishap: Mishap = SMOOTH) -> None:
        """The ledger, as each run does at its start."""
        with self.world.operation(Operation("compaction", lambda _: "nobody asked for it", mishap)):
            self.ledger.compact()

    def settle_in(self, step: str, name: str, origin: str, tags: dict[str, str]) -> None:
        """A stranger makes something, unless there is such a thing."""
        operation = Operation(STRANGER, lambda thing: "" if self.world.made_by(thing) == STRANGER else "it was there")
        with self.world.operation(operation), contextlib.suppress(*refusals()):
            make(self.world.strangers.client, step, name, origin=origin, tags=tags)

    def delete(self, process: Process, number: int = 0, mishap: Mishap = SMOOTH) -> None:
        """A run deletes one of its deployments; 0 for all that it has made."""
        from harness.cloud.cleanup import delete_all

        deployment, told = process.name(number) if number else "", ""
        with self._own(process, mishap, deployment=deployment) as operation:
            try:
                delete_all(process.cloud, deployment=deployment or None)
            except LeftoverError as error:
                told = str(error)
        if operation.is_dead:
            return
        left = {resource for resource in self._left([process]) if _belongs(resource, deployment)}
        self._compare(left, {resource for resource in left if f"  {resource}" in told}, operation)
        assert bool(told) == bool(left) or operation.has_failed, f"expected a list of {left}, found {told!r}"

    def reap(self, owner: str, wanted: str | None = None, *, is_lost: bool = False, mishap: Mishap = SMOOTH) -> None:
        """A reaper of an owner deletes what it may; with an empty ledger where the runs' own is lost."""
        shown = {id(thing.body) for thing in self.world.account.things()}
        if is_lost:
            self.world.time.sleep(LAG)
        began = self.world.time.time()
        reason = partial(self._reason_to_stay, owner=owner, wanted=wanted, is_lost=is_lost)
        over = [process for process in self.processes if not reason(process)]
        operation = Operation(f"reaper of {owner}", partial(self._warrant, reason), mishap, self._meanwhile)
        said = self._said(owner, wanted, self._lost if is_lost else self.ledger, operation)
        if said is None:
            return
        if is_lost:  # tags tell whole seconds
            over = [process for process in over if wanted or process.run.expires + 1 <= began]
            things = [thing for process in over for thing in self.world.of(process.id)]
            left = {thing.resource for thing in things if id(thing.body) in shown and _is_tagged(thing)}
        else:
            left = self._left(over)
        self._compare(left, said, operation)

    def check_ledger(self) -> None:
        """What the ledger calls settled is not there, and what it does not know is not there."""
        known = {state.run.run: {intent.resource for intent in state.open} for state in self.ledger.runs()}
        for process in self.processes:
            unknown = {thing.resource for thing in self.world.of(process.id)} - known.get(process.id, set())
            assert not unknown, f"run {process.id} has {unknown}, which its ledger does not tell"

    def missing(self) -> list[Resource]:
        """What is open in the ledger and not there."""
        there = {thing.resource for thing in self.world.account.things()}
        intents = [intent for state in self.ledger.runs() for intent in state.open]
        return [intent.resource for intent in intents if intent.resource not in there]

    def owner(self, thing: Thing) -> str:
        """Who has made something; of a log group, whose endpoint has its name now, else whose name that is."""
        if thing.resource.kind is not Kind.LOG_GROUP:
            return self.world.made_by(thing)
        endpoint = Resource(Kind.ENDPOINT, thing.resource.name.removeprefix(LOGS))
        owners = [self.world.made_by(one) for one in self.world.account.things() if one.resource == endpoint]
        named = [process.id for process in self.processes if endpoint.name in process.names]
        return (owners + named + [self.world.made_by(thing)])[0]

    def _cloud(self, seat: Seat, run: str, *, owner: str, seconds: float, host: str) -> Cloud:
        expires = self.world.time.time() + seconds
        who = Run(run=run, session=run, owner=owner, account=ACCOUNT, region=REGION, expires=expires, host=host)
        return Cloud(kind=SIMULATED, boto=seat, role=ROLE, recorder=Recorder(self.ledger, who), pace=PACE)

    @contextlib.contextmanager
    def _own(self, process: Process, mishap: Mishap = SMOOTH, *, deployment: str = "") -> Iterator[Operation]:
        """Something that a run does; if it dies of it, it is gone."""

        def warrant(thing: Thing) -> str:
            if self.owner(thing) != process.id:
                return f"it is {self.owner(thing)}'s"
            return "" if _belongs(thing.resource, deployment) else f"it is not of {deployment}"

        operation = Operation(process.id, warrant, mishap, partial(self._meanwhile, busy=process))
        with self.world.operation(operation):
            yield operation
        if operation.is_dead:
            process.end()

    def _meanwhile(self, what: str, busy: Process | None = None) -> None:
        """What others do while somebody is at work."""
        others = [process for process in self.there if process is not busy]
        if what == "reap":
            self.reap(busy.run.owner if busy else self.processes[0].run.owner)
        elif what == "wait":
            self.world.time.sleep(100)
        elif what == "crash" and others:
            others[0].end()
        elif what == "deploy" and others:
            self.deploy(others[0], ("object", "upload in parts", "model"), 1)

    def _said(self, owner: str, wanted: str | None, ledger: Ledger, operation: Operation) -> set[Resource] | None:
        """What a reaper says that it has left; None if it came to no end."""
        from harness.cloud.reaper import reap, search

        said = None
        with self.world.operation(operation):
            try:
                found = search(self._reaping, ledger, owner, run=wanted)
                said = {leftover.resource for leftover in reap(self._reaping, ledger, found.abandoned)}
            except CloudError:
                assert operation.has_failed
        return said

    def _left(self, processes: list[Process]) -> set[Resource]:
        """What there is of them, or may still come, as far as the ledger tells."""
        there = {thing.resource for process in processes for thing in self.world.of(process.id)}
        opened = {state.run.run: state.open for state in self.ledger.runs()}
        return there | {intent.resource for process in processes for intent in opened.get(process.id, ())}

    def _compare(self, left: set[Resource], said: set[Resource], operation: Operation) -> None:
        assert left <= said, f"{operation.actor} left {left - said} and did not say so"
        if not operation.has_failed:
            strange = {thing.resource for thing in self.world.account.things() if self.owner(thing) == STRANGER}
            assert said <= strange, f"{operation.actor} could not delete {said - strange}"

    def _warrant(self, reason: Callable[[Process], str], thing: Thing) -> str:
        owner = next((process for process in self.processes if process.id == self.owner(thing)), None)
        return reason(owner) if owner else "it is a stranger's"

    def _reason_to_stay(self, process: Process, *, owner: str, wanted: str | None, is_lost: bool) -> str:
        """Why a reaper must not touch what a run has made; "" if it is to delete that."""
        run = process.run
        if run.owner != owner:
            return f"it is {run.owner}'s"
        if wanted not in (None, run.run):
            return f"only {wanted}'s were asked for"
        if run.expires <= self.world.time.time() or (wanted and (is_lost or process.is_kept)):
            return ""
        if is_lost:
            return "its time is not over, and nothing is known of its run"
        if process.is_kept:
            return "it is kept"
        return "its run is there" if process.is_there or run.host != platform.node() else ""


def refusals() -> tuple[type[Exception], ...]:
    """What a call to AWS raises that comes to nothing."""
    from botocore.exceptions import BotoCoreError, ClientError

    return BotoCoreError, ClientError


def _belongs(resource: Resource, deployment: str) -> bool:
    """Whether something was made for a deployment, if one is named."""
    name = resource.name.removeprefix(LOGS).removeprefix(f"s3://{BUCKET}/")
    return not deployment or name == deployment or name.startswith(f"{deployment}/")


def _is_tagged(thing: Thing) -> bool:
    """Whether tags tell whose it is: of uploads and log groups, the ledger alone does."""
    return thing.resource.kind is not Kind.LOG_GROUP and not thing.is_upload
