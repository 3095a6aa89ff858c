"""The harness's engine ``xla``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.contenders import Course, UnavailableError, engines
from harness.errors import DeviceError

try:
    import jax

    from harness.train.xla.compilation import kept_programs
    from harness.train.xla.devices import devices_of
    from harness.train.xla.engine import XlaEngine, recipe_of
    from harness.train.xla.memory import Share, fit
except ModuleNotFoundError as error:
    if error.name not in ("jax", "jaxlib"):
        raise
    raise UnavailableError("needs jax, found none; install byom-harness[xla]") from error

if TYPE_CHECKING:
    from benchmarks.workload import Clock, History, Workload


class Made:
    """Trains all trials at once."""

    packages = ("jax", "jaxlib", "numpy")

    def __init__(self, course: Course) -> None:
        """See `benchmarks.contenders.Contender`."""
        self._course = course
        try:
            [self._device] = devices_of(engines.experiment(course, 1))
        except DeviceError as error:
            raise UnavailableError(str(error)) from error
        self.notes: dict[str, Any] = {"device": self._device.device_kind, "jax": jax.__version__}

    def train(self, workload: Workload, clock: Clock) -> History:
        """See `benchmarks.contenders.Contender`."""
        return engines.train(XlaEngine(), self._course, workload, clock)

    def memory(self) -> Share:
        """What the engine may take, as of now."""
        return Share.of(self._device)

    def announced(self, workload: Workload, share: Share) -> int:
        """Bytes that the engine says a run of this workload takes: the very function that decides how it is split."""
        jobs = engines.jobs(self._course, workload)
        with kept_programs():
            fitting = fit(len(jobs), share, recipe_of(jobs[0], self._course.arrays).compile_for)
        assert fitting.parts == 1, f"{workload} is split in {fitting.parts} runs; measure fewer trials"
        return fitting.taken

    def peak_on_device(self) -> int | None:
        """Bytes, the most that was taken of an accelerator so far; None where memory is the host's."""
        statistics = self._device.memory_stats() if self._device.platform != "cpu" else None
        return statistics["peak_bytes_in_use"] if statistics else None
