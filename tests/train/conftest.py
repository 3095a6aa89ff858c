"""Small trials: four well separated classes of 4x4 images, and a perceptron of one hidden layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from small_graph import GRAPH

from harness import Experiment, Hyperparameters, arrays

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.data.arrays import ArrayDataset
    from harness.experiment import Trial


@pytest.fixture(scope="session")
def blobs() -> ArrayDataset:
    """530 training and 90 test images, float32 (n, 1, 4, 4): neither number is a multiple of a batch."""
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(4, 1, 4, 4)).astype(np.float32)

    def draw(count: int) -> tuple[Any, Any]:
        labels = generator.integers(0, 4, count)
        return centres[labels] + generator.normal(scale=0.3, size=(count, 1, 4, 4)).astype(np.float32), labels

    (train_data, train_label), (test_data, test_label) = draw(530), draw(90)
    return arrays("blobs", train_data=train_data, train_label=train_label, test_data=test_data, test_label=test_label)


@pytest.fixture
def make_trial(tmp_path: Path, blobs: ArrayDataset) -> Callable[..., Trial]:
    """Makes a trial; whatever is given replaces the small experiment's own."""

    def make(graph: str = GRAPH, seed: int = 0, dataset: Any = blobs, **settings: Any) -> Trial:
        script = tmp_path / "graph.py"
        script.write_text(graph)
        given = ("num_cpus", "num_gpus", "epochs", "batch_size", "initializer", "schedule")
        fields = {name: settings.pop(name) for name in given if name in settings}
        experiment = Experiment(
            **{
                "name": "blobs",
                "entry_point": script,
                "dataset": dataset,
                "epochs": 3,
                "batch_size": 50,
                "seeds": [seed],
                **fields,
            }
        )
        return experiment.trials(Hyperparameters({"learning_rate": 0.5, **settings}))[0]

    return make
