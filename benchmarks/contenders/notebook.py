"""The notebook's loop: ``train()`` of the entry point, as it is."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from benchmarks.contenders import Course, UnavailableError
from benchmarks.workload import BATCH, ENTRY_POINT
from harness.errors import TrainingError
from harness.train import compat

if TYPE_CHECKING:
    from benchmarks.workload import Clock, History, Workload

_FIGURE = re.compile(r"Epoch\[\d+\] (Train|Validation)-accuracy=([\d.]+)")


class Made:
    """``Module.fit`` counts training accuracy alone: its loss is missing from the figures."""

    packages = ("mxnet", "numpy")

    def __init__(self, course: Course) -> None:
        """See `benchmarks.contenders.Contender`."""
        self.notes: dict[str, Any] = {}
        try:
            self._mx = compat.mxnet()
        except TrainingError as error:
            raise UnavailableError(str(error)) from error
        self._gpus = int(course.device == "gpu")
        if self._mx.context.num_gpus() < self._gpus:
            raise UnavailableError("needs an MXNet that was built for GPUs, found one that sees none")
        self._data = vars(course.arrays)
        self._script: dict[str, Any] = {"__name__": "_notebook"}
        exec(compile(ENTRY_POINT.read_bytes(), str(ENTRY_POINT), "exec"), self._script)  # noqa: S102 - our own script

    def train(self, workload: Workload, clock: Clock) -> History:
        """See `benchmarks.contenders.Contender`."""
        assert workload.trials == 1
        log = _EpochLog(clock)
        root = logging.getLogger()
        level = root.level
        root.setLevel(logging.INFO)
        root.addHandler(log)
        try:
            with self._mx.name.NameManager():
                model = self._script["train"](
                    self._data,
                    batch_size=BATCH,
                    epochs=workload.epochs,
                    learning_rate=workload.learning_rates[0],
                    num_gpus=self._gpus,
                )
        finally:
            root.removeHandler(log)
            root.setLevel(level)
        for value in model.get_params()[0].values():
            value.asnumpy()
        pairs = zip(log.figures["Train"], log.figures["Validation"], strict=True)
        return [[(accuracy, float("nan"), test) for accuracy, test in pairs]]


class _EpochLog(logging.Handler):
    """``Module.fit`` tells of an epoch in the log; the last line is that of the test images."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.figures: dict[str, list[float]] = {"Train": [], "Validation": []}

    def emit(self, record: logging.LogRecord) -> None:
        if found := _FIGURE.match(record.getMessage()):
            self.figures[found[1]].append(float(found[2]))
            if found[1] == "Validation":
                self._clock.epoch_done()
