"""How the simulated account behaves where AWS is slow, late or sparing: seconds, a rate and quotas, in plain JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.errors import DeclarationError


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What a simulated account does besides holding AWS's rules; nothing of it unless asked for.

    Attributes:
        creating_seconds: an endpoint is ``Creating`` at least so long.
        deleting_seconds: an endpoint is ``Deleting`` at least so long.
        list_lag_seconds: listings show the account as it was that long ago.
        requests_per_second: how many requests each operation of SageMaker takes in the long run; 0 takes all.
        quotas: instances for endpoint usage, by instance type; a type that is not there has no limit.

    Raises:
        DeclarationError: a figure is no number, or below 0; names it.
    """

    creating_seconds: float = 0.0
    deleting_seconds: float = 0.0
    list_lag_seconds: float = 0.0
    requests_per_second: float = 0.0
    quotas: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("creating_seconds", "deleting_seconds", "list_lag_seconds", "requests_per_second"):
            _check(name, getattr(self, name), (int, float))
        if not isinstance(self.quotas, Mapping):
            raise DeclarationError(f"quotas: expected instances by instance type, found {self.quotas!r}")
        for instance_type, instances in self.quotas.items():
            _check(f"quotas[{instance_type!r}]", instances, (int,))

    def to_json(self) -> str:
        """One line that `from_json` reads."""
        return json.dumps({**dataclasses.asdict(self), "quotas": dict(self.quotas)})

    @classmethod
    def from_json(cls, text: str) -> Behaviour:
        """The behaviour that `to_json` wrote.

        Raises:
            DeclarationError: it is no JSON object, or has a field that there is not.
        """
        try:
            fields = json.loads(text)
        except json.JSONDecodeError as error:
            raise DeclarationError(f"behaviour: expected JSON, found {text!r} ({error})") from error
        known = [one.name for one in dataclasses.fields(cls)]
        unknown = [name for name in fields if name not in known] if isinstance(fields, dict) else [text]
        if unknown:
            raise DeclarationError(
                f"behaviour: expected an object of {', '.join(known)}, found {', '.join(map(repr, unknown))}"
            )
        return cls(**fields)


def _check(name: str, value: object, kinds: tuple[type, ...]) -> None:
    if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value) or value < 0:  # type: ignore[operator,arg-type]  # a number by now
        kind = "a number" if float in kinds else "a whole number"
        raise DeclarationError(f"{name}: expected {kind}, 0 or more, found {value!r}")


PROMPT = Behaviour()
"""As fast as this machine is, up to date and without limits."""
