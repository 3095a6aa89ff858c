"""What the harness's own engines need: jobs, and a progress that watches the clock."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.workload import BATCH, ENTRY_POINT
from harness import Experiment, Hyperparameters, mnist
from harness.experiment import Trial
from harness.train.engine import Job

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.contenders import Course
    from benchmarks.workload import Clock, History, Workload
    from harness.result import Epoch
    from harness.train.engine import Engine
    from harness.train.progress import Report


class Timed:
    """A `harness.train.progress.Progress` that marks the end of each epoch."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.said: list[str] = []

    @contextmanager
    def following(self, trials: Sequence[Trial], images: int) -> Iterator[Report]:
        """See `harness.train.progress.Progress`."""
        del trials, images

        def report(epochs: Sequence[Epoch]) -> None:
            del epochs
            self._clock.epoch_done()

        yield report

    def say(self, line: str) -> None:
        """See `harness.train.progress.Progress`."""
        self.said.append(line)


def experiment(course: Course, epochs: int) -> Experiment:
    """The benchmark's, on the device that is asked for."""
    return Experiment(
        name="benchmark",
        entry_point=ENTRY_POINT,
        dataset=mnist(),
        epochs=epochs,
        batch_size=BATCH,
        num_gpus=int(course.device == "gpu"),
    )


def jobs(course: Course, workload: Workload) -> list[Job]:
    """One for each trial."""
    declared = experiment(course, workload.epochs)
    return [
        Job(
            Trial(experiment=declared, hyperparameters=Hyperparameters(learning_rate=rate), seed=seed),
            course.symbol_json,
        )
        for seed, rate in enumerate(workload.learning_rates)
    ]


def train(engine: Engine, course: Course, workload: Workload, clock: Clock) -> History:
    """Train with an engine.

    Raises:
        TrainingError: a trial failed.
    """
    history: History = []
    for outcome in engine.train(jobs(course, workload), course.arrays, Timed(clock)):
        if isinstance(outcome, Exception):
            raise outcome
        history.append(
            [(epoch.train_accuracy, epoch.train_loss, epoch.validation_accuracy) for epoch in outcome.history]
        )
    return history
