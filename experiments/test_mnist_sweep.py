"""How the learning rate decides what the notebook's perceptron reaches in ten epochs."""

from pathlib import Path

import pytest

from harness import AccuracyFloor, Experiment, grid, mnist


@pytest.fixture(scope="module")
def experiment():
    return Experiment(
        name="mnist-mlp-sweep",
        entry_point=Path(__file__).with_name("mnist.py"),
        dataset=mnist(),
        epochs=10,
        batch_size=100,
        seeds=range(2),
    )


@pytest.fixture(scope="module", params=grid(learning_rate=[0.05, 0.2, 0.3]), ids=str)
def hyperparameters(request):
    return request.param


def test_learns(replicates, gate):
    gate.check(replicates, AccuracyFloor(0.94))
