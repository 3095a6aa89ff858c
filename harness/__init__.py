"""Bring your own model to Amazon SageMaker: experiments as plain pytest modules.

What an experiment module needs is here; the fixtures come from the pytest plugin.
"""

from __future__ import annotations

from harness.data.arrays import arrays
from harness.data.mnist import mnist
from harness.errors import HarnessError
from harness.experiment import Dataset, Experiment, Hyperparameters, grid
from harness.gate.rules import AccuracyFloor
from harness.tarball.verify import load_artifact

__all__ = [
    "AccuracyFloor",
    "Dataset",
    "Experiment",
    "HarnessError",
    "Hyperparameters",
    "arrays",
    "grid",
    "load_artifact",
    "mnist",
]
