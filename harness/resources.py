"""What was made in the cloud, in the order it was made: clean-up walks the list backwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    """The kinds of resource a deployment makes."""

    OBJECT = "s3 object"
    MODEL = "model"
    ENDPOINT_CONFIG = "endpoint config"
    ENDPOINT = "endpoint"


@dataclass(frozen=True)
class Resource:
    """One thing in an account. The name of an `Kind.OBJECT` is its ``s3://bucket/key``."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind.value} {self.name}"


@dataclass
class Inventory:
    """Resources in the order of their making, noted *before* the call that makes them."""

    made: list[Resource] = field(default_factory=list)

    def note(self, kind: Kind, name: str) -> None:
        """Write down what is about to be made; noting the same thing twice keeps one entry."""
        resource = Resource(kind, name)
        if resource not in self.made:
            self.made.append(resource)

    def newest_first(self) -> tuple[Resource, ...]:
        """The order in which to delete."""
        return tuple(reversed(self.made))
