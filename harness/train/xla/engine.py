"""Engine ``xla``: whole populations at once, on any device that JAX has."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import DeviceError, TrainingError
from harness.train.engine import DATA
from harness.train.randomness import own_initializers
from harness.train.xla.compilation import kept_programs
from harness.train.xla.devices import devices_of
from harness.train.xla.epoch import EpochOf
from harness.train.xla.graph import Graph
from harness.train.xla.lowering import Lowered
from harness.train.xla.memory import Share, fit, readable
from harness.train.xla.optimizers import multipliers, optimizer_for
from harness.train.xla.population import Population, Recipe
from harness.train.xla.resident import resident

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from harness.train.arrays import Arrays
    from harness.train.engine import Job, Outcome
    from harness.train.progress import Progress

_TEST_IMAGES = 1000


class XlaEngine:
    """Trains the same symbols as MXNet, by XLA; see `harness.train.engine.Engine`."""

    name = "xla"

    def __init__(self, share: Share | None = None) -> None:
        """Take no more memory than a share; by default what is safe of the device's."""
        self._share = share

    def kind(self, job: Job) -> Hashable:
        """Trials that are the same program: graph, data, batch size, epochs, optimizer, schedule, devices."""
        trial, experiment = job.trial, job.trial.experiment
        return (
            job.symbol_json,
            experiment.dataset,
            trial.batch_size,
            trial.epochs,
            trial.optimizer,
            optimizer_for(trial.optimizer, trial.optimizer_settings).variant,
            experiment.schedule,
            experiment.num_gpus,
        )

    def train(self, jobs: Sequence[Job], arrays: Arrays, progress: Progress) -> Sequence[Outcome]:
        """See `harness.train.engine.Engine.train`."""
        try:
            recipe = recipe_of(jobs[0], arrays)
            return self._train(recipe, jobs, progress)
        except DeviceError:
            raise
        except TrainingError as error:
            return [TrainingError(f"{job.trial}: {error}") for job in jobs]

    def _train(self, recipe: Recipe, jobs: Sequence[Job], progress: Progress) -> list[Outcome]:
        share, started = self._share or Share.of(recipe.devices[0]), time.perf_counter()
        with kept_programs():
            fitting = fit(len(jobs), share, recipe.compile_for, multiple=len(recipe.devices))
        runs = "at once" if fitting.parts == 1 else f"in {fitting.parts} runs of {fitting.size}"
        progress.say(
            f"{jobs[0].trial.experiment.name}: {len(jobs)} trial(s) {runs} on {recipe.devices[0].device_kind}, "
            f"{readable(fitting.taken)} of at most {readable(share.size)} ({share.place}), "
            f"compiled in {time.perf_counter() - started:.1f} s"
        )
        outcomes: list[Outcome] = []
        for start in range(0, len(jobs), fitting.size):
            part = jobs[start : start + fitting.size]
            with progress.following([job.trial for job in part], len(recipe.arrays.train_data)) as report:
                outcomes += Population(recipe, fitting.program, part, fitting.size).train(report)
        return outcomes


def recipe_of(job: Job, arrays: Arrays) -> Recipe:
    """What is common to all trials of a job's kind.

    Raises:
        DeviceError: a device is missing.
        TrainingError: the graph holds something that is not supported, or does not fit the data.
    """
    trial, experiment = job.trial, job.trial.experiment
    devices = devices_of(experiment)
    arrays.check_trial(trial, 1)
    graph = Graph.parse(job.symbol_json)
    label = _label_of(graph)
    shape = (trial.batch_size, *arrays.train_data.shape[1:])
    lowered = Lowered(graph, {DATA: shape, label: (trial.batch_size,)})
    _check_output(lowered, trial.batch_size)
    arrays.check_labels(experiment.dataset.name, lowered.outputs[0][1])
    updates = -(-len(arrays.train_data) // trial.batch_size)
    attributes = {name: node.attributes for name, node in graph.variables.items()}
    epoch = EpochOf(
        lowered=lowered,
        optimizer=optimizer_for(
            trial.optimizer,
            trial.optimizer_settings,
            batch_size=trial.batch_size,
            multipliers=multipliers(lowered.parameters, attributes),
        ),
        data=DATA,
        label=label,
        train_count=len(arrays.train_data),
        test_count=len(arrays.test_data),
    )
    factors = [experiment.schedule.factor(update, updates) for update in range(1, trial.epochs * updates + 1)]
    return Recipe(
        epoch=epoch,
        resident=resident(arrays, _test_batch(graph, shape, label, lowered)),
        arrays=arrays,
        shape=shape,
        epochs=trial.epochs,
        rates=np.array(factors, np.float32).reshape(trial.epochs, updates),
        own=own_initializers(job.symbol_json),
        devices=devices,
    )


def _test_batch(graph: Graph, shape: tuple[int, ...], label: str, lowered: Lowered) -> int:
    """How many test images are predicted together: many at once is faster, if the graph takes other batches at all."""
    batch = shape[0] * max(1, _TEST_IMAGES // shape[0])
    try:
        wider = Lowered(graph, {DATA: (batch, *shape[1:]), label: (batch,)})
    except TrainingError:
        return shape[0]
    same = wider.parameters == lowered.parameters and wider.outputs == [(batch, *lowered.outputs[0][1:])]
    return batch if same else shape[0]


def _label_of(graph: Graph) -> str:
    labels = [name for name in graph.variables if name.endswith("label")]
    if DATA not in graph.variables or len(labels) != 1 or len(graph.heads) != 1:
        raise TrainingError(
            f"graph: expected an input named {DATA!r}, one label and one output, found inputs "
            f"{', '.join(graph.variables)} and {len(graph.heads)} output(s); mend build_graph()"
        )
    return labels[0]


def _check_output(lowered: Lowered, batch: int) -> None:
    [shape] = lowered.outputs
    if len(shape) != 2 or shape[0] != batch:  # noqa: PLR2004 - one row of class probabilities per image
        raise TrainingError(f"expected an output of shape ({batch}, classes), found {shape}; mend build_graph()")
