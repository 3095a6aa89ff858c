"""The figures as text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from benchmarks.summary import REFERENCES, ratios

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.summary import Row, Sample

_GIBI = 2**30


def text(rows: Sequence[Row], contenders: Mapping[str, Any], memory: Mapping[str, Any] | None) -> str:
    """All tables."""
    parts = [
        _workload([row for row in rows if row.trials == trials], rows)
        for trials in sorted({row.trials for row in rows})
    ]
    parts.append(_starts(rows, contenders))
    if memory:
        parts.append(_memory(memory))
    return "\n\n".join(parts)


def subtitle(described: Mapping[str, Any]) -> str:
    """The machine in one line."""
    return ", ".join(
        [
            *([described["gpu"]] if "gpu" in described else []),
            f"{described['processor']}",
            f"{described['cores']} cores",
        ]
    )


def learnt(samples: Sequence[Sample]) -> dict[str, dict[str, float | None]]:
    """The last epoch's figures of one trial, by contender: what makes their times comparable."""
    names = ("train_accuracy", "train_loss", "test_accuracy")
    return {
        sample.contender: {
            "epochs": len(sample.history[0]),
            **{
                name: value if math.isfinite(value) else None
                for name, value in zip(names, sample.history[0][-1], strict=True)
            },
        }
        for sample in samples
        if sample.trials == 1
    }


def _workload(panel: Sequence[Row], rows: Sequence[Row]) -> str:
    trials = panel[0].trials
    head = ["contender", "s/epoch", *(f"/ {name}" for name in REFERENCES), "whole, s/epoch"]
    title = "One trial"
    if trials > 1:
        head = [*head[:1], "trains", "s/epoch/trial", *head[2:5], "/ one trial", "whole, s/epoch/trial"]
        title = f"{trials} trials; seconds are per trial"
    lines = []
    for row in panel:
        found = ratios(row, rows)
        line: list[Any] = [row.contender, f"{row.epoch:.4f}", *(_ratio(found.get(name)) for name in REFERENCES)]
        if trials > 1:
            line.insert(1, "at once" if row.together else "one by one*")
            line.append(_ratio(found.get("single")))
        lines.append([*line, f"{row.whole:.4f}"])
    note = "" if all(row.together for row in panel) else "\n* not run: the figure of one trial, from this run"
    return f"{title}\n{_table(lines, head)}{note}"


def _starts(rows: Sequence[Row], contenders: Mapping[str, Any]) -> str:
    again = {row.contender: row.setup for row in rows if row.trials == 1}
    lines = [
        [
            name,
            *(_seconds(known["starts"].get(start, {}).get("setup_seconds")) for start in ("cold", "warm")),
            _seconds(again.get(name)),
            _seconds(next(iter(known["starts"].values()))["loading_seconds"]),
        ]
        for name, known in contenders.items()
    ]
    head = ["contender", "first process", "second process", "again", "loading libraries"]
    return f"Set-up of one trial, seconds (compiling, data to the device, weights back)\n{_table(lines, head)}"


def _memory(memory: Mapping[str, Any]) -> str:
    share, announced, measured = (memory[f"{name}_bytes"] / _GIBI for name in ("share", "announced", "measured"))
    return (
        f"Memory of xla, {memory['trials']} trials: announced {announced:.2f} GiB of at most {share:.2f} GiB "
        f"({memory['share_place']}), measured {measured:.2f} GiB ({memory['measured']})"
    )


def _table(lines: Sequence[Sequence[Any]], head: Sequence[str]) -> str:
    return tabulate(lines, head, disable_numparse=True, colalign=("left", *("right",) * (len(head) - 1)))


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
