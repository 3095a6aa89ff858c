"""Bring your own model to Amazon SageMaker: experiments as plain pytest modules.

What an experiment module needs is here; the fixtures come from the pytest plugin.
"""

from __future__ import annotations

from harness.canvas.drawing import Drawing, read_drawings
from harness.data.arrays import arrays
from harness.data.mnist import mnist
from harness.errors import HarnessError
from harness.experiment import Dataset, Experiment
from harness.gate.regression import NotWorse
from harness.gate.rules import AccuracyFloor, ArtifactCeiling, ClassFloor, LossCeiling, TrainingTimeRatio
from harness.hyperparameters import Hyperparameters, grid
from harness.initializer import Constant, MSRAPrelu, Normal, One, Orthogonal, Uniform, Xavier, Zero
from harness.schedule import ConstantRate, CosineDecay, MultiStepDecay, PolynomialDecay, StepDecay
from harness.tarball.verify import load_artifact

__all__ = [
    "AccuracyFloor",
    "ArtifactCeiling",
    "ClassFloor",
    "Constant",
    "ConstantRate",
    "CosineDecay",
    "Dataset",
    "Drawing",
    "Experiment",
    "HarnessError",
    "Hyperparameters",
    "LossCeiling",
    "MSRAPrelu",
    "MultiStepDecay",
    "Normal",
    "NotWorse",
    "One",
    "Orthogonal",
    "PolynomialDecay",
    "StepDecay",
    "TrainingTimeRatio",
    "Uniform",
    "Xavier",
    "Zero",
    "arrays",
    "grid",
    "load_artifact",
    "mnist",
    "read_drawings",
]
