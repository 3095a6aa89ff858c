"""How the learning rate decides what the notebook's perceptron reaches in ten epochs; all trials train at once."""

from pathlib import Path

import numpy as np
import pytest

from harness import AccuracyFloor, Experiment, NotWorse, grid, mnist


@pytest.fixture(scope="module")
def experiment():
    return Experiment(
        name="mnist-mlp-sweep",
        entry_point=Path(__file__).with_name("mnist.py"),
        dataset=mnist(),
        epochs=10,
        batch_size=100,
        seeds=range(6),
        engine="xla",
    )


@pytest.fixture(scope="module", params=grid(learning_rate=[0.05, 0.2, 0.3]), ids=str)
def hyperparameters(request):
    return request.param


def test_learns(replicates, gate):
    gate.check(replicates, AccuracyFloor(0.94))


def test_has_not_become_worse(replicates, gate, baseline):
    gate.check(replicates, NotWorse(baseline))


@pytest.mark.serving
@pytest.mark.parametrize("hyperparameters", grid(learning_rate=[0.3]), ids=str, indirect=True)
def test_serves_what_xla_trained(predictor, trained, data):
    served = predictor.predict(data.test_data, "application/x-npy")
    np.testing.assert_allclose(served, trained.engine_probabilities, atol=1e-5)
