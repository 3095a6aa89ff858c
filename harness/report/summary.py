"""The table at the end of a session: one row per setting of an experiment."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass
class Row:
    """What became of one setting. Filled as a session goes on; plain values, so that it travels between processes.

    Attributes:
        experiment: its name.
        hyperparameters: the setting in words.
        engine: what trained it.
        accuracies: seed to test accuracy.
        seconds: seed to training time.
        limits: the rules of each gate, in words, to whether they passed.
        artifact: short digest of its tarball.
        endpoints: kind of account to what became of the endpoint there.
    """

    experiment: str
    hyperparameters: str
    engine: str = ""
    accuracies: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    limits: dict[str, bool] = field(default_factory=dict)
    artifact: str = ""
    endpoints: dict[str, str] = field(default_factory=dict)


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
            other = Row(**content)
            mine = self.row(other.experiment, other.hyperparameters)
            mine.engine = mine.engine or other.engine
            mine.artifact = mine.artifact or other.artifact
            for limit, passed in other.limits.items():
                mine.limits[limit] = passed and mine.limits.get(limit, True)
            mine.accuracies |= other.accuracies
            mine.seconds |= other.seconds
            for kind, result in other.endpoints.items():  # each worker has endpoints of its own
                mine.endpoints[kind] = f"{mine.endpoints[kind]}; {result}" if kind in mine.endpoints else result


def as_table(rows: Iterable[Row]) -> str:
    """The rows as aligned text, a header above."""
    from tabulate import tabulate

    headers = (
        "experiment",
        "hyperparameters",
        "engine",
        "accuracy by seed",
        "limit",
        "training s",
        "artifact",
        "endpoint",
    )
    return tabulate([_cells(row) for row in rows], headers, tablefmt="simple", disable_numparse=True)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.experiment,
        row.hyperparameters,
        row.engine or "-",
        " ".join(f"{accuracy:.4f}" for accuracy in row.accuracies.values()) or "-",
        ", ".join(limit if passed else f"{limit} FAILED" for limit, passed in row.limits.items()) or "-",
        f"{sum(row.seconds.values()):.1f}" if row.seconds else "-",
        row.artifact or "-",
        ", ".join(f"{kind}: {result}" for kind, result in row.endpoints.items()) or "-",
    )
