"""What a session knows about each setting of each experiment: the source of every report.

Rows are filled as a session goes on. They hold plain values only, so that they travel between the processes of
pytest-xdist; the controller merges what its workers send.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from harness.verdict import Change, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.result import TrainedModel


@dataclass(frozen=True, kw_only=True)
class Replicate:
    """One trained model of a setting.

    Attributes:
        seed: of its trial.
        accuracy: share of test images classified right.
        loss: mean cross-entropy over the test images, in nats.
        seconds: training time.
        cached: whether it was trained in an earlier run and came out of the cache.
        history: one mapping per epoch, with the fields of `harness.result.Epoch`.
    """

    seed: int
    accuracy: float
    loss: float
    seconds: float
    cached: bool
    history: tuple[Mapping[str, float], ...]

    @classmethod
    def of(cls, model: TrainedModel) -> Replicate:
        """What is told of a model."""
        return cls(
            seed=model.trial.seed,
            accuracy=model.accuracy,
            loss=model.loss,
            seconds=model.seconds,
            cached=model.cached,
            history=tuple(asdict(epoch) for epoch in model.history),
        )


@dataclass(frozen=True, kw_only=True)
class Packed:
    """The tarball of a setting.

    Attributes:
        digest: the first twelve digits of its SHA-256.
        sha256: all 64.
        size: bytes.
        members: names, in their order.
    """

    digest: str
    sha256: str
    size: int
    members: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """An endpoint of a setting.

    Attributes:
        kind: of account, ``simulated`` or ``live``.
        name: of the endpoint.
        instance_type: such as ``ml.m4.xlarge``.
        state: what became of it, such as ``in service after 3.0 s, deleted``.
    """

    kind: str
    name: str
    instance_type: str
    state: str


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A test image that replicates got wrong.

    Attributes:
        index: which test image.
        label: its class.
        answers: seed to the class that this replicate took it for; every replicate, right or wrong.
        probability: what the replicates gave the true class, on average.
        picture: the image as PNG in a ``data:`` URI; "" for data that are no pictures.
    """

    index: int
    label: int
    answers: Mapping[str, int]
    probability: float
    picture: str


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """How the replicates of a setting classified the test images; gathered only if a report asks for it.

    Attributes:
        confusion: row: true class, column: answer; counts over all replicates.
        mistakes: the worst-classified images, worst first.
    """

    confusion: tuple[tuple[int, ...], ...]
    mistakes: tuple[Mistake, ...]


@dataclass
class Row:
    """What became of one setting.

    Attributes:
        experiment: its name.
        hyperparameters: the setting in words.
        settings: the setting as values.
        engine: what trained it.
        replicates: seed, as text, to the model.
        findings: what the rules said; one entry per rule and test.
        artifact: its tarball.
        endpoints: one per deployment.
        evidence: confusion and mistakes.
    """

    experiment: str
    hyperparameters: str
    settings: dict[str, int | float | str | bool] = field(default_factory=dict)
    engine: str = ""
    replicates: dict[str, Replicate] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    artifact: Packed | None = None
    endpoints: dict[str, Deployed] = field(default_factory=dict)
    evidence: Evidence | None = None

    @property
    def passed(self) -> bool | None:
        """Whether all rules let it pass; None if no rule has looked at it."""
        return all(finding.passed for finding in self.findings) if self.findings else None

    def found(self, findings: Iterable[Finding]) -> None:
        """Note what rules said; what is already there is not noted twice."""
        self.findings += [finding for finding in findings if finding not in self.findings]

    def absorb(self, other: Row) -> None:
        """Add what another process knows of the same setting."""
        self.settings = self.settings or other.settings
        self.engine = self.engine or other.engine
        self.artifact = self.artifact or other.artifact
        self.evidence = _fuller(self.evidence, other.evidence)
        self.replicates |= other.replicates
        self.endpoints |= other.endpoints
        self.found(other.findings)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Row:
        """The inverse of ``dataclasses.asdict``."""
        replicates = {
            seed: Replicate(**{**values, "history": tuple(values["history"])})
            for seed, values in plain["replicates"].items()
        }
        endpoints = {name: Deployed(**values) for name, values in plain["endpoints"].items()}
        changes = [tuple(Change(**change) for change in finding["changes"]) for finding in plain["findings"]]
        findings = [
            Finding(**{**finding, "changes": change})
            for finding, change in zip(plain["findings"], changes, strict=True)
        ]
        nested: dict[str, Any] = {"replicates": replicates, "endpoints": endpoints, "findings": findings}
        if plain["artifact"]:
            nested["artifact"] = Packed(**{**plain["artifact"], "members": tuple(plain["artifact"]["members"])})
        if plain["evidence"]:
            nested["evidence"] = Evidence(
                confusion=tuple(map(tuple, plain["evidence"]["confusion"])),
                mistakes=tuple(Mistake(**mistake) for mistake in plain["evidence"]["mistakes"]),
            )
        return cls(**{**plain, **nested})


class Board:
    """The rows of a session, in the order in which their settings first appeared."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Row] = {}

    def row(self, experiment: str, hyperparameters: str) -> Row:
        """The row of a setting, made when first asked for."""
        return self._rows.setdefault((experiment, hyperparameters), Row(experiment, hyperparameters))

    def rows(self) -> list[Row]:
        """All rows."""
        return list(self._rows.values())

    def to_plain(self) -> list[dict[str, Any]]:
        """Plain values, for a worker to send."""
        return [asdict(row) for row in self.rows()]

    def merge(self, plain: Iterable[Mapping[str, Any]]) -> None:
        """Add what another process's board holds: two workers may have seen replicates of one setting."""
        for content in plain:
            other = Row.from_plain(content)
            self.row(other.experiment, other.hyperparameters).absorb(other)


def _fuller(one: Evidence | None, other: Evidence | None) -> Evidence | None:
    """The evidence that more replicates gave: two workers may have seen different tests of one setting."""
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda evidence: sum(map(sum, evidence.confusion)))
