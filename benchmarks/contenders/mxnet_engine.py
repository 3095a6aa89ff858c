"""The harness's engine ``mxnet``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.contenders import Course, UnavailableError, engines
from harness.errors import DeviceError, TrainingError
from harness.train import compat
from harness.train.devices import contexts
from harness.train.mxnet_engine import MXNetEngine

if TYPE_CHECKING:
    from benchmarks.workload import Clock, History, Workload


class Made:
    """Trains one trial after the other, so it is asked for one."""

    packages = ("mxnet", "numpy")

    def __init__(self, course: Course) -> None:
        """See `benchmarks.contenders.Contender`."""
        self.notes: dict[str, Any] = {}
        self._course = course
        try:
            contexts(compat.mxnet(), engines.experiment(course, 1))
        except (TrainingError, DeviceError) as error:
            raise UnavailableError(str(error)) from error

    def train(self, workload: Workload, clock: Clock) -> History:
        """See `benchmarks.contenders.Contender`."""
        assert workload.trials == 1
        return engines.train(MXNetEngine(), self._course, workload, clock)
