"""From a trial to a trained model that counts: remember, or train, store, load again with MXNet, and score."""

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
from harness.train.provenance import provenance
from harness.train.recollection import Recollection
from harness.train.scores import accuracy, cross_entropy
from harness.train.store import Stored

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.experiment import Dataset, Trial
    from harness.train.engine import Engine, Job, Outcome, Training
    from harness.train.store import Store

AGREEMENT = 1e-3
"""How far the probabilities that MXNet predicts from the reloaded checkpoint may lie from those that the engine saw
last. Two float32 implementations of a network differ by some 1e-6; a checkpoint that was stored wrong is off by far
more."""

Key = tuple["Trial", str]


class Trainer:
    """Trains trials, each one once, and keeps data sets loaded between them.

    Trials that were `plan`-ned are trained along with the first of their kind that is asked for, if the engine can.

    Args:
        progress: what to tell of it, and how.
        engine: trains with this one, whatever the experiments name.
        store: models of earlier runs; None looks for none and keeps none.
        retrain: train anew what the store holds, and keep that instead.
    """

    def __init__(
        self,
        progress: Progress | None = None,
        engine: str | None = None,
        store: Store | None = None,
        *,
        retrain: bool = False,
    ) -> None:
        self._progress = progress or Silent()
        self._engine = engine
        self._recollection = Recollection(store, self._progress, retrain=retrain)
        self._planned: dict[Trial, None] = {}
        self._outcomes: dict[Key, TrainedModel | TrainingError] = {}
        self._arrays: dict[Dataset, Arrays] = {}

    def plan(self, trials: Iterable[Trial]) -> None:
        """Say which trials will be asked for; nothing is trained yet."""
        self._planned.update(dict.fromkeys(trials))

    def train(self, trial: Trial) -> TrainedModel:
        """The trained model of a trial, trained now unless that was done before, by this trainer or in an earlier run.

        Raises:
            DataError: the data set cannot be had.
            TrainingError: see `harness.train.engine.Engine.train`.
        """
        key = _key(trial)
        if key not in self._outcomes:
            arrays, job, engine = self.arrays(trial.experiment.dataset), build_job(trial), self._engine_of(trial)
            check_engine(engine)
            known = self._recollection.recall(job, arrays, engine)
            if known is None:
                self._train_population(key, job, arrays)
            else:
                self._outcomes[key] = _model(job, engine, arrays, known, cached=True)
        outcome = self._outcomes[key]
        if isinstance(outcome, TrainingError):
            raise outcome
        return outcome

    def arrays(self, dataset: Dataset) -> Arrays:
        """The checked arrays of a data set, loaded once."""
        if dataset not in self._arrays:
            self._arrays[dataset] = Arrays.from_mapping(dataset.name, dataset.load())
        return self._arrays[dataset]

    def _train_population(self, key: Key, asked: Job, arrays: Arrays) -> None:
        """Train a trial, and with it those of its kind that were planned."""
        engine = _engine_named(self._engine_of(asked.trial))
        jobs = {key: asked, **self._companions(asked, arrays, engine)}
        outcomes = engine.train(list(jobs.values()), arrays, self._progress)
        # All of them are kept at once: who stops a run here finds them again in the next.
        pending = dict(zip(jobs, zip(jobs.values(), outcomes, strict=True), strict=True))
        try:
            self._finish_all(pending, arrays, engine.name)
        except KeyboardInterrupt:
            self._progress.say(
                f"interrupted: keeping {len(pending)} trained model(s) first; interrupt again to lose them"
            )
            self._finish_all(pending, arrays, engine.name)
            raise

    def _finish_all(self, pending: dict[Key, tuple[Job, Outcome]], arrays: Arrays, engine: str) -> None:
        """Note what came of jobs; what has been noted is no longer pending."""
        for key, (job, outcome) in list(pending.items()):
            self._outcomes[key] = self._finish(job, outcome, arrays, engine)
            del pending[key]

    def _companions(self, job: Job, arrays: Arrays, engine: Engine) -> dict[Key, Job]:
        """Jobs that were planned, are not trained yet, and can be trained together with one."""
        kind, asked = engine.kind(job), job.trial
        if kind is None:
            return {}
        found = {}
        for trial in self._planned:
            same = trial.experiment.dataset == asked.experiment.dataset and self._engine_of(trial) == engine.name
            if trial == asked or not same:
                continue
            try:
                key = _key(trial)
                if key in self._outcomes:
                    continue
                other = build_job(trial)
            except (HarnessError, OSError):
                continue  # it will say so when it is asked for
            if engine.kind(other) == kind and not self._recollection.holds(other, arrays, engine.name):
                found[key] = other
        return found

    def _engine_of(self, trial: Trial) -> str:
        return self._engine or trial.experiment.engine

    def _finish(self, job: Job, outcome: Outcome, arrays: Arrays, engine: str) -> TrainedModel | TrainingError:
        """A model that counts, kept for later runs; or the error of a trial, for whoever asks for it."""
        if isinstance(outcome, TrainingError):
            return outcome
        try:
            scored = _score(job.trial, outcome, arrays, engine)
        except TrainingError as error:
            return error
        self._recollection.keep(job, arrays, engine, scored)
        return _model(job, engine, arrays, scored)


def _score(trial: Trial, training: Training, arrays: Arrays, engine: str) -> Stored:
    """What MXNet predicts from the checkpoint once it is stored and loaded.

    Raises:
        TrainingError: it cannot be loaded, or does not predict what the engine did.
    """
    with tempfile.TemporaryDirectory(prefix="byom-checkpoint-") as directory:
        checkpoint.save(training.checkpoint, Path(directory))
        probabilities = checkpoint.predict(Path(directory), arrays.test_data)
    difference = float(np.abs(probabilities - training.probabilities).max())
    if not difference <= AGREEMENT:
        raise TrainingError(
            f"{trial}: engine {engine} ended at test accuracy {training.history[-1].validation_accuracy:.4f}, but "
            f"the stored checkpoint scores {accuracy(probabilities, arrays.test_label):.4f} when MXNet loads it "
            f"(probabilities differ by up to {difference:.2g}); the checkpoint does not hold what was trained"
        )
    return Stored(
        checkpoint=training.checkpoint,
        history=training.history,
        probabilities=probabilities,
        engine_probabilities=training.probabilities,
    )


def _model(job: Job, engine: str, arrays: Arrays, stored: Stored, *, cached: bool = False) -> TrainedModel:
    labels = arrays.test_label.astype(np.int64)
    return TrainedModel(
        trial=job.trial,
        engine=engine,
        checkpoint=stored.checkpoint,
        history=stored.history,
        probabilities=stored.probabilities,
        engine_probabilities=stored.engine_probabilities,
        labels=labels,
        accuracy=accuracy(stored.probabilities, labels),
        loss=cross_entropy(stored.probabilities, labels),
        seconds=sum(epoch.seconds for epoch in stored.history),
        provenance=provenance(job, arrays, engine, stored.checkpoint),
        cached=cached,
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
