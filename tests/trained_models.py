"""Models that nobody trained, with the predictions that a test wants them to have."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import Experiment, Hyperparameters, arrays
from harness.experiment import Trial
from harness.result import Checkpoint, Epoch, Provenance, Replicates, TrainedModel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CLASSES = 10


def experiment_in(folder: Path, **fields: Any) -> Experiment:
    """An experiment called tiny, whose script lies in a folder; nothing of it is ever trained."""
    script = folder / "tiny.py"
    script.write_text("def build_graph(): ...", encoding="utf-8")
    data, label = np.zeros((2, 3)), np.zeros(2)
    dataset = arrays("nothing", train_data=data, train_label=label, test_data=data, test_label=label)
    return Experiment(**{"name": "tiny", "entry_point": script, "dataset": dataset, **fields})


def labels_of(images: int) -> np.ndarray:
    """Classes of so many test images, in turn."""
    return np.arange(images) % CLASSES


def model_with(
    experiment: Experiment,
    seed: int,
    wrong: Sequence[int] = (),
    *,
    images: int = 1000,
    loss: float = 0.1,
    weights: str = "",
    hyperparameters: Hyperparameters | None = None,
    **fields: Any,
) -> TrainedModel:
    """A model that takes the test images listed in ``wrong`` for the class after theirs, and is right on all others."""
    labels = labels_of(images)
    answers = labels.copy()
    answers[list(wrong)] = (answers[list(wrong)] + 1) % CLASSES
    accuracy = float((answers == labels).mean())
    history = tuple(
        Epoch(number=number, train_accuracy=0, train_loss=0, validation_accuracy=reached, seconds=1)
        for number, reached in ((1, accuracy / 2), (2, accuracy))
    )
    probabilities = np.eye(CLASSES, dtype=np.float32)[answers]
    provenance = Provenance(
        graph="g" * 64,
        train_data="a" * 64,
        test_data="b" * 64,
        settings={"optimizer": "sgd", "learning_rate": 0.2, "epochs": 2},
        versions={"numpy": "1"},
        weights=weights or f"{seed:064x}",
    )
    model = TrainedModel(
        trial=Trial(
            experiment=experiment, hyperparameters=hyperparameters or Hyperparameters(learning_rate=0.2), seed=seed
        ),
        engine="mxnet",
        checkpoint=Checkpoint(symbol_json="", parameters={}, auxiliary={}, data_shapes=()),
        history=history,
        probabilities=probabilities,
        engine_probabilities=probabilities,
        labels=labels,
        accuracy=accuracy,
        loss=loss,
        seconds=2,
        provenance=provenance,
    )
    return dataclasses.replace(model, **fields)


def replicates_of(models: Sequence[TrainedModel]) -> Replicates:
    """Replicates that are all there are: their experiment has just these seeds."""
    seeds = [model.trial.seed for model in models]
    experiment = dataclasses.replace(models[0].trial.experiment, seeds=seeds)
    return Replicates(
        [dataclasses.replace(model, trial=dataclasses.replace(model.trial, experiment=experiment)) for model in models]
    )


def noisy_replicates(
    experiment: Experiment,
    seeds: Sequence[int],
    *,
    errors: float = 30,
    deviation: float = 2,
    loss: float = 0.1,
    draw: int = 0,
    **fields: Any,
) -> Replicates:
    """Models with ``errors`` wrong answers of 1,000, give or take ``deviation``, and a loss that goes with them.

    The same ``draw`` gives the same seed the same model; another draw gives it other errors.
    """
    models = []
    for seed in seeds:
        numbers = np.random.default_rng((draw, seed))
        count = max(0, round(errors + deviation * float(numbers.normal())))
        wrong = numbers.choice(200, size=count, replace=False).tolist()  # some images are harder than others
        noise = 0.002 * float(numbers.normal())
        weights = f"{draw:032x}{seed:032x}"
        models.append(model_with(experiment, seed, wrong, loss=loss + 0.001 * count + noise, weights=weights, **fields))
    return replicates_of(models)
