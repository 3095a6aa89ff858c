"""What is made in the cloud, in words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """The kinds of resource a deployment makes, in the order of their making."""

    OBJECT = "s3 object"
    MODEL = "model"
    ENDPOINT_CONFIG = "endpoint config"
    LOG_GROUP = "log group"
    ENDPOINT = "endpoint"


@dataclass(frozen=True)
class Resource:
    """One thing in an account. The name of an `Kind.OBJECT` is its ``s3://bucket/key``."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind.value} {self.name}"
