"""Trials of one kind, trained as one program: ``vmap`` over trials, ``scan`` over updates, one call an epoch."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from harness.result import Checkpoint, Epoch
from harness.train.divergence import diverged
from harness.train.engine import DATA, Training
from harness.train.randomness import epoch_order, initial_values, noise_seed
from harness.train.xla.devices import shardings
from harness.train.xla.epoch import Course, EpochOf, Seen, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    from numpy.typing import NDArray

    from harness.initializer import Initializer
    from harness.train.arrays import Arrays
    from harness.train.engine import Job, Outcome
    from harness.train.progress import Report
    from harness.train.xla.resident import Resident

_BY_TRIAL = (0, 0, None, None)  # state, course, rates, resident: the axis along which trials lie


@dataclass(frozen=True)
class Recipe:
    """What the trials of a population have in common.

    Attributes:
        epoch: one epoch of one trial.
        resident: the data, in the host's memory.
        arrays: the data as they came.
        shape: of one batch of the data input.
        epochs: passes over the training data.
        rates: float32 (epochs, updates), the schedule's factor on the learning rate.
        own: variables that say themselves how they start.
        devices: JAX devices; trials are spread over them evenly.
    """

    epoch: EpochOf
    resident: Resident
    arrays: Arrays
    shape: tuple[int, ...]
    epochs: int
    rates: NDArray[np.float32]
    own: Mapping[str, Initializer]
    devices: Sequence[Any]

    @property
    def updates(self) -> int:
        """In one epoch."""
        return int(self.rates.shape[1])

    def compile_for(self, trials: int) -> tuple[Any, int]:
        """The program of one epoch for a number of trials, and the bytes a run takes on each device.

        Counted are the program's arguments, its results and what it needs in between, and the orders of the next
        epoch, which are drawn meanwhile.
        """
        by_trial, whole = shardings(self.devices)
        course = Course(
            settings=dict.fromkeys(self.epoch.optimizer.settings, _abstract((), np.float32)),
            order=_abstract((self.updates, self.shape[0]), np.int32),
            noise=_abstract((2,), np.uint32),
        )
        arguments = (self._start_of_one(), course, _abstract((self.updates,), np.float32), self.resident)
        placed = [
            _placed(argument, by_trial if axis == 0 else whole, trials if axis == 0 else None)
            for argument, axis in zip(arguments, _BY_TRIAL, strict=True)
        ]
        together = jax.vmap(self.epoch, in_axes=_BY_TRIAL) if trials > 1 else self._alone

        def epoch_of_population(*arguments: Any) -> Any:  # a name for the cache and for profiles
            return together(*arguments)

        program = jax.jit(epoch_of_population, donate_argnums=0).lower(*placed).compile()
        order = trials * self.updates * self.shape[0] * np.dtype(np.int32).itemsize // len(self.devices)
        return program, _bytes_of(program) + order

    def _alone(self, state: State, course: Course, rates: Any, resident: Resident) -> tuple[State, Seen]:
        """A population of one: without ``vmap``, products of matrices have no axis of length one to carry along."""
        state, seen = self.epoch(_row(state, 0), _row(course, 0), rates, resident)
        return jax.tree.map(lambda leaf: leaf[None], state), jax.tree.map(lambda leaf: leaf[None], seen)

    def start(self, job: Job) -> State:
        """A trial before its first update, in the host's memory."""
        lowered = self.epoch.lowered
        values = initial_values(
            {**lowered.parameters, **lowered.auxiliary},
            job.trial.seed,
            initializer=job.trial.experiment.initializer,
            own=self.own,
        )
        parameters = {name: values[name] for name in lowered.parameters}
        slots = jax.tree.map(lambda slot: np.zeros(slot.shape, slot.dtype), self._start_of_one().optimizer)
        return State(parameters, {name: values[name] for name in lowered.auxiliary}, slots)

    def _start_of_one(self) -> State:
        lowered = self.epoch.lowered
        parameters, auxiliary = (
            {name: _abstract(shape, np.float32) for name, shape in shapes.items()}
            for shapes in (lowered.parameters, lowered.auxiliary)
        )
        return State(parameters, auxiliary, jax.eval_shape(self.epoch.optimizer.init, parameters))


class Population:
    """One run of a compiled program.

    The program takes ``size`` trials and no fewer: if there are fewer jobs, the last one fills it up, and what comes of
    that is dropped.
    """

    def __init__(self, recipe: Recipe, program: Any, jobs: Sequence[Job], size: int) -> None:
        self._recipe, self._program, self._jobs = recipe, program, jobs
        self._rows = [*jobs, *[jobs[-1]] * (size - len(jobs))]
        self._by_trial, self._whole = shardings(recipe.devices)
        self._resident = jax.device_put(recipe.resident, self._whole)
        scalars = [recipe.epoch.optimizer.scalars(row.trial.optimizer_settings) for row in self._rows]
        self._settings = self._put(_stacked(scalars))
        starts = [recipe.start(job) for job in self._rows]
        self._state = self._put(_stacked(starts))
        self._histories: list[list[Epoch]] = [[] for _ in jobs]
        self._errors: dict[int, Outcome] = {}

    def train(self, report: Report) -> list[Outcome]:
        """All epochs; an outcome for each trial."""
        recipe = self._recipe
        # One thread draws the next epoch's orders while the device is at work.
        with ThreadPoolExecutor(1) as ahead:
            drawn = ahead.submit(self._draw, 1)
            for number in range(1, recipe.epochs + 1):
                seen, drawn = self._epoch(number, drawn, ahead)
                living = [history[-1] for history in self._histories if history and history[-1].number == number]
                if not living:
                    drawn.cancel()
                    break
                report(living)
        return self._outcomes(seen)

    def _epoch(self, number: int, drawn: Future[Any], ahead: ThreadPoolExecutor) -> tuple[Seen, Future[Any]]:
        recipe, started = self._recipe, time.perf_counter()
        course = Course(self._settings, *drawn.result())
        rates = jax.device_put(recipe.rates[number - 1], self._whole)
        self._state, seen = self._program(self._state, course, rates, self._resident)
        following = ahead.submit(self._draw, number + 1)
        figures = jax.device_get(seen._replace(probabilities=None))
        self._record(number, figures, (time.perf_counter() - started) / len(self._jobs))
        return seen, following

    def _record(self, number: int, seen: Seen, seconds: float) -> None:
        arrays = self._recipe.arrays
        for index, job in enumerate(self._jobs):
            if index in self._errors:
                continue
            finite = np.isfinite(seen.loss[index])
            if not finite.all():
                self._errors[index] = diverged(job.trial, number, int(finite.argmin()) + 1)
                continue
            self._histories[index].append(
                Epoch(
                    number=number,
                    train_accuracy=float(seen.correct[index].sum() / len(arrays.train_data)),
                    train_loss=float(seen.loss[index].sum(dtype=np.float64) / len(arrays.train_data)),
                    validation_accuracy=float(seen.test_correct[index] / len(arrays.test_data)),
                    seconds=seconds,
                )
            )

    def _outcomes(self, seen: Seen) -> list[Outcome]:
        state, probabilities = jax.device_get((self._state, seen.probabilities))
        return [
            self._errors.get(index) or self._outcome(index, State(*_row(state, index)), probabilities[index])
            for index in range(len(self._jobs))
        ]

    def _outcome(self, index: int, state: State, probabilities: NDArray[np.float32]) -> Outcome:
        job, lowered = self._jobs[index], self._recipe.epoch.lowered
        if not np.isfinite(probabilities).all():
            return diverged(job.trial, self._recipe.epochs, None)
        return Training(
            checkpoint=Checkpoint(
                symbol_json=job.symbol_json,
                # JAX sorts names; MXNet's order is the graph's.
                parameters={name: state.parameters[name] for name in lowered.parameters},
                auxiliary={name: state.auxiliary[name] for name in lowered.auxiliary},
                data_shapes=((DATA, self._recipe.shape),),
            ),
            history=tuple(self._histories[index]),
            probabilities=probabilities,
        )

    def _draw(self, number: int) -> tuple[Any, Any]:
        """Orders, int32 (rows, updates, batch), and noise, uint32 (rows, 2), of an epoch, on the device."""
        if number > self._recipe.epochs:
            return None, None
        count, batch = len(self._recipe.arrays.train_data), self._recipe.shape[0]
        seeds = [row.trial.seed for row in self._rows]
        distinct = sorted(set(seeds))

        def draw(seed: int) -> NDArray[np.int32]:
            # As NDArrayIter does: a last batch that is not full is filled from the epoch's start.
            order = epoch_order(seed, number, count).astype(np.int32)
            return np.resize(order, (self._recipe.updates, batch))

        with ThreadPoolExecutor(os.cpu_count()) as pool:  # numpy lets go of the interpreter while it draws
            drawn = dict(zip(distinct, pool.map(draw, distinct), strict=True))
        orders = np.stack([drawn[seed] for seed in seeds])
        noise = np.stack([noise_seed(seed, number) for seed in seeds])
        return self._put(orders), self._put(noise)

    def _put(self, tree: Any) -> Any:
        return jax.device_put(tree, self._by_trial)


def _bytes_of(program: Any) -> int:
    """What a run of a compiled program takes: what is given to it, what it gives, and what it needs in between."""
    memory = program.memory_analysis()
    taken = memory.argument_size_in_bytes + memory.output_size_in_bytes + memory.temp_size_in_bytes
    return int(taken - memory.alias_size_in_bytes)


def _abstract(shape: tuple[int, ...], dtype: Any) -> Any:
    return jax.ShapeDtypeStruct(shape, dtype)  # type: ignore[no-untyped-call]


def _placed(tree: Any, sharding: Any, trials: int | None) -> Any:
    """The shapes of arrays, with an axis for the trials in front, as they lie on the devices."""
    front = () if trials is None else (trials,)
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((*front, *leaf.shape), leaf.dtype, sharding=sharding),  # type: ignore[no-untyped-call]
        tree,
    )


def _stacked(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def _row(tree: Any, index: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[index], tree)
