"""What there is in the account now, and what there was: models, endpoint configurations and endpoints over time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.simulator.aws_request import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

ACCOUNT = "123456789012"
"""The account that moto simulates."""

CREATING, IN_SERVICE, FAILED, DELETING = "Creating", "InService", "Failed", "Deleting"


@dataclass(frozen=True)
class Kind:
    """A kind of thing, and what SageMaker calls it.

    Attributes:
        noun: in operations, such as ``CreateEndpointConfig``.
        segment: in ARNs.
        said: in refusals.
    """

    noun: str
    segment: str
    said: str

    @property
    def parameter(self) -> str:
        """What requests give its name as."""
        return f"{self.noun}Name"

    def arn(self, region: str, name: str) -> str:
        """The ARN of one of that name."""
        return f"arn:aws:sagemaker:{region}:{ACCOUNT}:{self.segment}/{name}"

    def missing(self, region: str, name: str) -> Refusal:
        """There is none of that name."""
        return Refusal("ValidationException", f'Could not find {self.said} "{self.arn(region, name)}".')

    def taken(self, region: str, name: str) -> Refusal:
        """There is one of that name."""
        return Refusal("ValidationException", f'Cannot create already existing {self.said} "{self.arn(region, name)}".')


MODEL = Kind("Model", "model", "model")
CONFIG = Kind("EndpointConfig", "endpoint-config", "endpoint configuration")
ENDPOINT = Kind("Endpoint", "endpoint", "endpoint")
KINDS = (MODEL, CONFIG, ENDPOINT)


class Lifetime:
    """When something came, changed and went. Its status is worked out from that, for any moment.

    Args:
        created: the moment it was created, in seconds.
        creating: for how many seconds at least it is being created.
        deleting: for how many seconds at least it is being deleted.
    """

    def __init__(self, created: float, *, creating: float = 0.0, deleting: float = 0.0) -> None:
        self.created = created
        self._creating, self._deleting = creating, deleting
        self._outcome = ""
        self._settled = self._asked = self._ended = math.inf

    def settle(self, outcome: str, now: float) -> None:
        """Its creation has come to an end."""
        self._outcome = outcome  # first: whoever sees the moment must see the outcome
        self._settled = max(now, self.created + self._creating)

    def ask_to_end(self, now: float) -> None:
        """Its deletion has begun."""
        self._asked = now

    def end(self, now: float) -> None:
        """Nothing of it is left."""
        self._asked = min(self._asked, now)
        self._ended = max(now, self._asked + self._deleting)

    def status(self, moment: float) -> str:
        """``Creating``, ``InService``, ``Failed`` or ``Deleting``; "" before it was there and after it was gone."""
        if not self.created <= moment < self._ended:
            return ""
        if moment >= self._asked:
            return DELETING
        return self._outcome if moment >= self._settled else CREATING

    def is_over(self, moment: float) -> bool:
        """Whether it was gone by then."""
        return moment >= self._ended

    def modified(self, moment: float) -> float:
        """When its status had changed last."""
        return max(at for at in (self.created, self._settled, self._asked) if at <= moment)


@dataclass(frozen=True)
class Entry:
    """One thing of the account."""

    kind: Kind
    region: str
    name: str
    lifetime: Lifetime

    @property
    def arn(self) -> str:
        """Of AWS, of this thing."""
        return self.kind.arn(self.region, self.name)


@dataclass(frozen=True)
class Listed:
    """One thing as a listing shows it."""

    name: str
    arn: str
    created: float
    modified: float
    status: str


class Catalogue:
    """Everything that listings and look-ups find.

    Args:
        clock: seconds.
        lag: for how many seconds what has changed is not yet listed.
    """

    def __init__(self, clock: Callable[[], float], *, lag: float = 0.0) -> None:
        self._clock, self._lag = clock, lag
        self._newest: dict[tuple[str, str, str], Entry] = {}
        self._all: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """Note something new."""
        oldest = self._clock() - self._lag
        self._all = [one for one in self._all if not one.lifetime.is_over(oldest)]
        self._all.append(entry)
        self._newest = {(one.kind.noun, one.region, one.name): one for one in self._all}

    def need(self, kind: Kind, region: str, name: str) -> Entry:
        """The one of that name.

        Raises:
            Refusal: there is none now.
        """
        entry = self._newest.get((kind.noun, region, name))
        if entry is None or not entry.lifetime.status(self._clock()):
            raise kind.missing(region, name)
        return entry

    def check_new(self, kind: Kind, region: str, name: str) -> None:
        """Refuse a name that is taken: moto would store the new one over the old.

        Raises:
            Refusal: there is one now, were it about to go.
        """
        try:
            self.need(kind, region, name)
        except Refusal:
            return
        raise kind.taken(region, name)

    def listed(self, kind: Kind, region: str) -> list[Listed]:
        """What listings show of a kind: that of a while ago, if they lag."""
        moment = self._clock() - self._lag
        return [
            Listed(one.name, one.arn, one.lifetime.created, one.lifetime.modified(moment), status)
            for one in self._all
            if (one.kind, one.region) == (kind, region) and (status := one.lifetime.status(moment))
        ]
