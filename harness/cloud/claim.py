"""What says, on the thing itself, whose it is: tags with the run, the owner and the end of its time."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.cloud.ledger import Run

RUN, OWNER, EXPIRES = "byom:run", "byom:owner", "byom:expires"

PREFIX = "byom-"
"""Every name that the harness chooses begins so."""

LOGS = "/aws/sagemaker/Endpoints/"
"""Where SageMaker puts an endpoint's log: a log group that it makes, and leaves behind."""

_NOT_FOR_TAGS = re.compile(r"[^\w .:/=+@-]", re.ASCII)


@dataclass(frozen=True)
class Claim:
    """Whose a thing is.

    Attributes:
        run: which run made it.
        owner: who may delete it when its time is over.
        expires: seconds since the epoch, as whole seconds.
    """

    run: str
    owner: str
    expires: int

    @classmethod
    def of(cls, run: Run) -> Claim:
        """What a run writes on the things it makes."""
        return cls(run.run, run.owner, math.ceil(run.expires))  # never over before the run is

    @classmethod
    def read(cls, tags: Mapping[str, str]) -> Claim | None:
        """What tags say; None if they are not the harness's own."""
        try:
            return cls(tags[RUN], tags[OWNER], int(tags[EXPIRES]))
        except (KeyError, ValueError):
            return None

    @property
    def tags(self) -> dict[str, str]:
        """As tags: name to value."""
        return {RUN: self.run, OWNER: self.owner, EXPIRES: str(self.expires)}


def as_owner(text: str) -> str:
    """A name of an owner that every AWS service takes as the value of a tag: at most 256 of a few characters."""
    return _NOT_FOR_TAGS.sub("_", text)[:256]


def principal_of(arn: str) -> str:
    """Of an assumed role's session the role, whose path is not in the session's ARN; anybody else as he is."""
    _, partition, _, _, account, rest = arn.split(":", 5)
    if rest.startswith("assumed-role/"):
        return f"arn:{partition}:iam::{account}:role/{rest.split('/')[1]}"
    return arn
