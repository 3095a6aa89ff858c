"""From a trial to a trained model that counts: train, store, load again with MXNet, score."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import TrainingError
from harness.experiment import check_engine
from harness.result import TrainedModel
from harness.train import checkpoint
from harness.train.arrays import Arrays
from harness.train.progress import Progress, Silent
from harness.train.scores import accuracy

if TYPE_CHECKING:
    from harness.experiment import Dataset, Trial
    from harness.train.engine import Engine

AGREEMENT = 0.001
"""How far the reloaded checkpoint's accuracy may lie from what the engine saw last: a tenth of a point covers images on
the edge between two classes; a checkpoint that was stored wrong is off by far more."""


class Trainer:
    """Trains trials, each one once, and keeps data sets loaded between them."""

    def __init__(self, progress: Progress | None = None, engine: str | None = None) -> None:
        self._progress = progress or Silent()
        self._engine = engine
        self._models: dict[tuple[Trial, str], TrainedModel] = {}
        self._arrays: dict[Dataset, Arrays] = {}

    def train(self, trial: Trial) -> TrainedModel:
        """The trained model of a trial, trained now unless this trainer has trained it, script and all, before.

        Raises:
            DataError: the data set cannot be had.
            TrainingError: see `harness.train.engine.Engine.train`.
        """
        key = trial, hashlib.sha256(trial.experiment.entry_point.read_bytes()).hexdigest()
        if key not in self._models:
            self._models[key] = self._train(trial)
        return self._models[key]

    def arrays(self, dataset: Dataset) -> Arrays:
        """The checked arrays of a data set, loaded once."""
        if dataset not in self._arrays:
            self._arrays[dataset] = Arrays.from_mapping(dataset.name, dataset.load())
        return self._arrays[dataset]

    def _train(self, trial: Trial) -> TrainedModel:
        engine = _engine_named(self._engine or trial.experiment.engine)
        arrays = self.arrays(trial.experiment.dataset)
        training = engine.train(trial, arrays, self._progress)
        with tempfile.TemporaryDirectory(prefix="byom-checkpoint-") as directory:
            checkpoint.save(training.checkpoint, Path(directory))
            probabilities = checkpoint.predict(Path(directory), arrays.test_data)
        scored = accuracy(probabilities, arrays.test_label)
        seen = training.history[-1].validation_accuracy
        if abs(scored - seen) > AGREEMENT:
            raise TrainingError(
                f"{trial}: engine {engine.name} ended at test accuracy {seen:.4f}, but the stored checkpoint scores "
                f"{scored:.4f} when MXNet loads it; the checkpoint does not hold what was trained"
            )
        return TrainedModel(
            trial=trial,
            engine=engine.name,
            checkpoint=training.checkpoint,
            history=training.history,
            probabilities=probabilities,
            accuracy=scored,
            seconds=sum(epoch.seconds for epoch in training.history),
        )


def _engine_named(name: str) -> Engine:
    check_engine(name)
    from harness.train.mxnet_engine import MXNetEngine

    return MXNetEngine()
