"""The notebook "MXNet BYOM: train locally and deploy on SageMaker" as an experiment, at the notebook's own settings."""

from pathlib import Path

import numpy as np
import pytest

from harness import (
    AccuracyFloor,
    ArtifactCeiling,
    ClassFloor,
    Experiment,
    Hyperparameters,
    LossCeiling,
    NotWorse,
    mnist,
    read_drawings,
)

DRAWN = read_drawings(Path(__file__).with_name("drawn-digits.json"))


@pytest.fixture(scope="module")
def experiment():
    return Experiment(
        name="mnist-mlp",
        entry_point=Path(__file__).with_name("mnist.py"),
        dataset=mnist(),
        epochs=10,
        batch_size=100,
        seeds=range(6),
    )


@pytest.fixture(scope="module")
def hyperparameters():
    return Hyperparameters(learning_rate=0.11)


def test_learns(replicates, gate):
    gate.check(replicates, AccuracyFloor(0.955), ClassFloor(0.85), LossCeiling(0.15))


def test_has_not_become_worse(replicates, gate, baseline):
    gate.check(replicates, NotWorse(baseline))


def test_packs(artifact, gate):
    gate.check(artifact, ArtifactCeiling(500_000))
    assert set(artifact.members) == {"model-symbol.json", "model-0000.params", "model-shapes.json", "code/mnist.py"}


@pytest.mark.serving
@pytest.mark.parametrize("content_type", ["application/json", "text/csv", "application/x-npy"])
def test_serves(predictor, trained, data, content_type):
    served = predictor.predict(data.test_data[:500], content_type)
    np.testing.assert_allclose(served, trained.probabilities[:500], atol=1e-5)


@pytest.mark.serving
def test_answers_with_the_most_likely_digit(predictor, trained, data):
    answer = predictor.classify(data.test_data[0])
    print("Most likely answer:", answer[0])
    assert answer[0].label == str(trained.probabilities[0].argmax())
    assert answer == sorted(answer, reverse=True)


@pytest.mark.serving
@pytest.mark.parametrize("digit", DRAWN)
def test_reads_what_is_drawn_by_hand(drawn, digit):
    answers = [drawn(drawing).argmax() for drawing in DRAWN[digit]]
    assert answers.count(int(digit)) >= len(answers) - 1
