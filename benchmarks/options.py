"""What can be asked for on the command line."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import CONTENDERS
from benchmarks.workload import Workload

RESULTS = Path(__file__).parent / "results"

_SMALL, _MIDDLE = 8, 32
"""Sweeps up to the first are repeated as often as one trial, up to the second half as often, larger ones twice."""


@dataclass(frozen=True)
class Options:
    """A run.

    Attributes:
        only: names of contenders.
        trials: sizes of the workloads, ascending; one trial, which others are compared with, is always among them.
        repeats: trainings of one trial.
        epochs: of each training; None for 3, or 2 if there are many trials.
        device: ``cpu`` or ``gpu``.
        quick: tiny data, to see that everything runs.
        results: the folder to write into.
    """

    only: tuple[str, ...]
    trials: tuple[int, ...]
    repeats: int
    epochs: int | None
    device: str
    quick: bool
    results: Path

    def workload(self, trials: int) -> Workload:
        """Of this many trials."""
        return Workload(trials, self.epochs or (3 if trials <= _MIDDLE else 2))

    def repeats_of(self, trials: int) -> int:
        """How often a workload of this many trials is trained by each contender."""
        if trials <= _SMALL:
            return self.repeats
        return min(self.repeats, -(-self.repeats // 2) if trials <= _MIDDLE else 2)


def parse(arguments: list[str] | None = None) -> Options:
    """From the command line; ends the program with a message if that makes no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engine_speed",
        description="Seconds per epoch of the engines beside others, interleaved in one run.",
    )
    parser.add_argument("--repeats", type=_at_least(1), help="trainings of one trial by each contender (7)")
    parser.add_argument("--epochs", type=_at_least(2), help="epochs of each training (3, or 2 for more than 32 trials)")
    parser.add_argument(
        "--only", type=_names, default=tuple(CONTENDERS), help=f"contenders, by comma: {','.join(CONTENDERS)}"
    )
    parser.add_argument("--trials", type=_sizes, help="sizes of the workloads, by comma (1,8,32,128)")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu", help="where to train (cpu)")
    parser.add_argument("--quick", action="store_true", help="tiny data, one repeat: only to see that everything runs")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write into (benchmarks/results)")
    given = parser.parse_args(arguments)
    if given.quick and given.results == RESULTS:
        parser.error("--quick measures nothing that is worth keeping: name another folder with --results")
    return Options(
        only=given.only,
        trials=given.trials or ((1, 2) if given.quick else (1, 8, 32, 128)),
        repeats=given.repeats or (1 if given.quick else 7),
        epochs=given.epochs,
        device=given.device,
        quick=given.quick,
        results=given.results,
    )


def _at_least(least: int):  # noqa: ANN202 - what argparse takes for a type
    def whole(text: str) -> int:
        value = int(text)
        if value < least:
            reason = "; the first epoch carries the set-up and is not counted" if least > 1 else ""
            raise argparse.ArgumentTypeError(f"expected at least {least}, found {value}{reason}")
        return value

    return whole


def _names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(text.split(",")))
    unknown = [name for name in names if name not in CONTENDERS]
    if unknown:
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(CONTENDERS)}, found {', '.join(unknown)}")
    return names


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(sorted({1, *(_at_least(1)(size) for size in text.split(","))}))
