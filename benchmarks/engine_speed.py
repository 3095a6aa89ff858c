"""Seconds per epoch of the engines beside the notebook's loop, PyTorch and hand-written JAX, interleaved in one run.

``python -m benchmarks.engine_speed`` trains the notebook's perceptron on the real MNIST, once and as sweeps, prints
medians and ratios, and writes ``benchmarks/results/engine_speed.json`` and ``.svg``; ``--help`` lists options,
``docs/benchmarks.md`` says how to read it, `benchmarks.summary` what exactly is measured.

Every contender lives in a process of its own, started once and asleep while others train; repeats go round in rotating
order. Who cannot run here is left out by name. Contenders that train one trial after the other are not made to train a
sweep: their figure per trial is the one that they have for one trial, measured in the same run.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import chart, machine, options, report, summary, workload
from benchmarks.contenders import CONTENDERS, UnavailableError
from benchmarks.process import FailedError, Worker, worker
from benchmarks.summary import Sample
from benchmarks.workload import Workload

if TYPE_CHECKING:
    from benchmarks.options import Options

_PAUSE_SECONDS = 0.3  # thread pools spin for a while after their last task; the next contender is not to feel it
_START_EPOCHS = 2
_BUSY = 0.5


@dataclass
class Measured:
    """What has come of a run so far."""

    samples: list[Sample] = field(default_factory=list)
    contenders: dict[str, dict[str, Any]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    memory: dict[str, Any] | None = None


def main() -> None:
    """Measure, print, write."""
    asked = options.parse()
    described = machine.describe(asked.device)
    if described["load_before"] > _BUSY:
        print(
            f"Load {described['load_before']:.1f} before the first training: something else runs, figures will be off"
        )
    measured = Measured()
    with tempfile.TemporaryDirectory(prefix="byom-bench-") as folder:
        _prepare(Path(folder), tiny=asked.quick)
        _measure(measured, Path(folder), asked)
    if not measured.samples:
        sys.exit("Nothing was measured: none of the contenders that were asked for can run here")
    try:
        summary.check_same_work(measured.samples)
    except summary.DisagreementError as error:
        sys.exit(f"Nothing is written: {error}")
    rows = summary.rows(measured.samples)
    print(report.text(rows, measured.contenders, measured.memory))
    _write(measured, rows, described, asked)
    if measured.failed:
        sys.exit(f"Failed: {', '.join(measured.failed)}")


def _prepare(folder: Path, *, tiny: bool) -> None:
    from harness import mnist
    from harness.train.arrays import Arrays

    workload.save(workload.tiny() if tiny else Arrays.from_mapping("mnist", mnist().load()), folder)
    (folder / "symbol.json").write_text(workload.SYMBOL.read_text())


def _measure(measured: Measured, folder: Path, asked: Options) -> None:
    with ExitStack() as running:
        workers = {}
        for name in asked.only:
            if (started := _started(name, measured, folder, asked.device, running)) is not None:
                workers[name] = started
        for trials in asked.trials:
            able = {name: one for name, one in workers.items() if trials == 1 or CONTENDERS[name].together}
            _interleave(measured, able, asked.workload(trials), asked.repeats_of(trials), pause=not asked.quick)
    # The others' memory is free again: what the engine may take depends on it.
    if max(asked.trials) > 1 and "xla" in measured.contenders and "xla" not in measured.failed:
        _tell("memory of xla")
        try:
            with worker("xla", folder, asked.device, folder / "memory") as fresh:
                measured.memory = fresh.ask("memory", Workload(max(asked.trials), _START_EPOCHS))
        except FailedError as error:
            _fail(measured, "xla", error)


def _started(name: str, measured: Measured, folder: Path, device: str, running: ExitStack) -> Worker | None:
    """A worker that has trained once, after one that did the same with nothing kept from earlier runs."""
    entry, kept = CONTENDERS[name], folder / f"kept-{name}"
    try:
        starts = {}
        if entry.keeps:
            _tell(f"{name}: first process")
            with worker(name, folder, device, kept) as cold:
                starts["cold"] = _start(cold, name)
        _tell(f"{name}: {'second' if entry.keeps else 'first'} process")
        stays = running.enter_context(worker(name, folder, device, kept))
        starts["warm" if entry.keeps else "cold"] = _start(stays, name)
    except UnavailableError as error:
        measured.left_out[name] = str(error)
        print(f"{name}: left out: {error}")
        return None
    except FailedError as error:
        _fail(measured, name, error)
        return None
    measured.contenders[name] = {
        "description": entry.description,
        "notes": stays.notes,
        "versions": stays.versions,
        "libraries": stays.libraries,
        "starts": starts,
    }
    return stays


def _start(started: Worker, name: str) -> dict[str, float]:
    sample = _sample(name, started, Workload(1, _START_EPOCHS), repeat=0)
    return {
        "loading_seconds": started.loading_seconds,
        "setup_seconds": sample.setup_seconds,
        "wall_seconds": sample.wall_seconds,
    }


def _interleave(measured: Measured, workers: dict[str, Worker], asked: Workload, repeats: int, *, pause: bool) -> None:
    names = list(workers)
    for repeat in range(repeats):
        turn = repeat % max(1, len(names))
        for name in [*names[turn:], *names[:turn]]:
            if name in measured.failed:
                continue
            _tell(f"{asked.trials} trial(s), repeat {repeat + 1} of {repeats}: {name}")
            time.sleep(_PAUSE_SECONDS if pause else 0)
            try:
                measured.samples.append(_sample(name, workers[name], asked, repeat=repeat))
            except FailedError as error:
                _fail(measured, name, error)


def _sample(name: str, asked_of: Worker, asked: Workload, *, repeat: int) -> Sample:
    answer = asked_of.ask("train", asked)
    return Sample(
        contender=name,
        trials=asked.trials,
        repeat=repeat,
        wall_seconds=answer["wall_seconds"],
        epochs_done_at=answer["epochs_done_at"],
        history=answer["history"],
    )


def _fail(measured: Measured, name: str, error: FailedError) -> None:
    first, *_ = str(error).splitlines()
    measured.failed[name] = first
    print(f"{name}: FAILED: {error}")


def _write(measured: Measured, rows: list[summary.Row], described: dict[str, Any], asked: Options) -> None:
    asked.results.mkdir(parents=True, exist_ok=True)
    path = asked.results / ("engine_speed.json" if asked.device == "cpu" else f"engine_speed_{asked.device}.json")
    record = {
        "device": asked.device,
        "machine": described,
        "versions": {name: one for known in measured.contenders.values() for name, one in known["versions"].items()},
        "options": {"repeats": asked.repeats, "epochs": asked.epochs, "data": "tiny" if asked.quick else "mnist"},
        "contenders": measured.contenders,
        "left_out": measured.left_out,
        "failed": measured.failed,
        "workloads": [
            {**asdict(row), "ratios": summary.ratios(row, rows), "whole_ratios": summary.ratios(row, rows, "whole")}
            for row in rows
        ],
        "learnt": report.learnt(measured.samples),
        "memory": measured.memory,
        "samples": [sample.record() for sample in measured.samples],
    }
    path.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n")
    print(f"Written: {path}")
    try:
        chart.draw(rows, path.with_suffix(".svg"), report.subtitle(described))
        print(f"Written: {path.with_suffix('.svg')}")
    except ImportError as error:
        print(f"No picture: it needs matplotlib ({error}); make bench installs it")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
