"""From a trial to a trained model that counts: train, store, load again with MXNet, score."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import HarnessError, TrainingError
from harness.experiment import check_engine
from harness.result import TrainedModel
from harness.train import checkpoint
from harness.train.arrays import Arrays
from harness.train.entry_point import build_job
from harness.train.progress import Progress, Silent
from harness.train.scores import accuracy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.experiment import Dataset, Trial
    from harness.train.engine import Engine, Job, Outcome, Training

AGREEMENT = 1e-3
"""How far the probabilities that MXNet predicts from the reloaded checkpoint may lie from those that the engine saw
last. Two float32 implementations of a network differ by some 1e-6; a checkpoint that was stored wrong is off by far
more."""

Key = tuple["Trial", str]


class Trainer:
    """Trains trials, each one once, and keeps data sets loaded between them.

    Trials that were `plan`-ned are trained along with the first of their kind that is asked for, if the engine can.
    """

    def __init__(self, progress: Progress | None = None, engine: str | None = None) -> None:
        self._progress = progress or Silent()
        self._engine = engine
        self._planned: dict[Trial, None] = {}
        self._outcomes: dict[Key, Outcome] = {}
        self._models: dict[Key, TrainedModel] = {}
        self._arrays: dict[Dataset, Arrays] = {}

    def plan(self, trials: Iterable[Trial]) -> None:
        """Say which trials will be asked for; nothing is trained yet."""
        self._planned.update(dict.fromkeys(trials))

    def train(self, trial: Trial) -> TrainedModel:
        """The trained model of a trial, trained now unless this trainer has trained it, script and all, before.

        Raises:
            DataError: the data set cannot be had.
            TrainingError: see `harness.train.engine.Engine.train`.
        """
        key = _key(trial)
        if key not in self._outcomes:
            self._train_population(trial)
        if key not in self._models:
            outcome = self._outcomes[key]
            if isinstance(outcome, TrainingError):
                raise outcome
            self._models[key] = self._score(trial, outcome)
        return self._models[key]

    def arrays(self, dataset: Dataset) -> Arrays:
        """The checked arrays of a data set, loaded once."""
        if dataset not in self._arrays:
            self._arrays[dataset] = Arrays.from_mapping(dataset.name, dataset.load())
        return self._arrays[dataset]

    def _train_population(self, asked: Trial) -> None:
        """Train a trial, and with it those of its kind that were planned."""
        engine = _engine_named(self._engine_of(asked))
        arrays = self.arrays(asked.experiment.dataset)
        job = build_job(asked)
        jobs = [job, *self._companions(job, engine)]
        outcomes = engine.train(jobs, arrays, self._progress)
        self._outcomes |= {_key(job.trial): outcome for job, outcome in zip(jobs, outcomes, strict=True)}

    def _companions(self, job: Job, engine: Engine) -> list[Job]:
        """Jobs that were planned, are not trained yet, and can be trained together with one."""
        kind, asked = engine.kind(job), job.trial
        if kind is None:
            return []
        found = []
        for trial in self._planned:
            same = trial.experiment.dataset == asked.experiment.dataset and self._engine_of(trial) == engine.name
            if trial == asked or not same:
                continue
            try:
                if _key(trial) in self._outcomes:
                    continue
                other = build_job(trial)
            except (HarnessError, OSError):
                continue  # it will say so when it is asked for
            if engine.kind(other) == kind:
                found.append(other)
        return found

    def _engine_of(self, trial: Trial) -> str:
        return self._engine or trial.experiment.engine

    def _score(self, trial: Trial, training: Training) -> TrainedModel:
        arrays = self.arrays(trial.experiment.dataset)
        with tempfile.TemporaryDirectory(prefix="byom-checkpoint-") as directory:
            checkpoint.save(training.checkpoint, Path(directory))
            probabilities = checkpoint.predict(Path(directory), arrays.test_data)
        engine = self._engine_of(trial)
        difference = float(np.abs(probabilities - training.probabilities).max())
        if not difference <= AGREEMENT:
            raise TrainingError(
                f"{trial}: engine {engine} ended at test accuracy {training.history[-1].validation_accuracy:.4f}, but "
                f"the stored checkpoint scores {accuracy(probabilities, arrays.test_label):.4f} when MXNet loads it "
                f"(probabilities differ by up to {difference:.2g}); the checkpoint does not hold what was trained"
            )
        return TrainedModel(
            trial=trial,
            engine=engine,
            checkpoint=training.checkpoint,
            history=training.history,
            probabilities=probabilities,
            engine_probabilities=training.probabilities,
            accuracy=accuracy(probabilities, arrays.test_label),
            seconds=sum(epoch.seconds for epoch in training.history),
        )


def _key(trial: Trial) -> Key:
    return trial, hashlib.sha256(trial.experiment.entry_point.read_bytes()).hexdigest()


def _engine_named(name: str) -> Engine:
    check_engine(name)
    if name == "xla":
        try:
            from harness.train.xla.engine import XlaEngine
        except ImportError as error:
            raise TrainingError(
                f"engine xla: expected the package jax, found none that can be imported ({error}); "
                f"install it with: pip install 'byom-harness[xla]'"
            ) from error
        return XlaEngine()
    from harness.train.mxnet_engine import MXNetEngine

    return MXNetEngine()
