"""A process for one contender: ``python -m benchmarks.worker NAME FOLDER DEVICE``.

It reads commands from its input and writes answers to its output, a JSON object a line, and sleeps in between: the
thread pools of other libraries are in other processes. What libraries print goes to standard error.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import resident_memory, workload
from benchmarks.contenders import Contender, Course, UnavailableError, contender
from benchmarks.workload import Clock, Workload

if TYPE_CHECKING:
    from typing import TextIO

LIBRARIES = ("mxnet", "jax", "torch")


def main() -> None:
    """Answer until the input ends."""
    name, folder, device = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    warnings.simplefilter("ignore", DeprecationWarning)
    answers = _output_of_our_own()
    course = Course(workload.load(folder), device, (folder / "symbol.json").read_text())
    started = time.perf_counter()
    try:
        made = contender(name, course)
    except UnavailableError as error:
        _answer(answers, {"unavailable": str(error)})
        return
    _answer(
        answers, {"loading_seconds": time.perf_counter() - started, "notes": made.notes, "versions": _versions(made)}
    )
    for line in sys.stdin:
        command = json.loads(line)
        asked = Workload(command["trials"], command["epochs"])
        try:
            answer = {"train": _train, "memory": _memory}[command["do"]](made, asked)
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent says it and goes on with the others
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"}
        _answer(answers, answer)


def _train(made: Contender, asked: Workload) -> dict[str, Any]:
    clock, started = Clock(), time.perf_counter()
    history = made.train(asked, clock)
    ended = time.perf_counter()
    assert len(clock.marks) == asked.epochs, (
        f"{asked} was trained in parts: {len(clock.marks)} epochs; try fewer trials"
    )
    return {
        "wall_seconds": ended - started,
        "epochs_done_at": [mark - started for mark in clock.marks],
        "history": history,
        "libraries": [name for name in LIBRARIES if name in sys.modules],
    }


def _memory(made: Any, asked: Workload) -> dict[str, Any]:
    share = made.memory()
    before = resident_memory.now()
    resident_memory.forget_peak()
    made.train(asked, Clock())
    taken = resident_memory.peak() - before
    on_device = made.peak_on_device()
    return {
        "trials": asked.trials,
        "epochs": asked.epochs,
        "share_bytes": share.size,
        "share_place": share.place,
        "announced_bytes": made.announced(asked, share),
        "measured_bytes": taken if on_device is None else on_device,
        "measured": "growth of resident memory" if on_device is None else "peak of the device's allocator",
    }


def _versions(made: Contender) -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in made.packages}


def _output_of_our_own() -> TextIO:
    """Standard output under another number; what else is printed, by C libraries too, goes to standard error."""
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return own


def _answer(answers: TextIO, answer: dict[str, Any]) -> None:
    print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
