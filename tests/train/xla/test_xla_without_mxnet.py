"""Engine xla needs no MXNet: from a symbol's text to trained weights where importing MXNet fails.

Run beside current versions of JAX and numpy by ``make test-current-jax``.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.experiment import Trial

SYMBOL = Path(__file__).with_name("perceptron-symbol.json")

BLOCK = "import sys; sys.modules['mxnet'] = None\n"

TRAIN = """
from pathlib import Path
import numpy as np
import sys
from harness import Experiment, Hyperparameters, arrays
from harness.train.arrays import Arrays
from harness.train.engine import Job
from harness.train.progress import Silent
from harness.train.xla.engine import XlaEngine

generator = np.random.default_rng(0)
centres = generator.normal(size=(4, 1, 4, 4))
label = generator.integers(0, 4, 600)
data = centres[label] + generator.normal(scale=0.3, size=(600, 1, 4, 4))
dataset = arrays("blobs", train_data=data[:500], train_label=label[:500], test_data=data[500:], test_label=label[500:])
script = Path(sys.argv[2])
script.write_text("def build_graph(): ...")
experiment = Experiment(name="blobs", entry_point=script, dataset=dataset, epochs=10, batch_size=50, seeds=range(3))
jobs = [
    Job(trial, Path(sys.argv[1]).read_text())
    for rate in (0.5, 0.3)
    for trial in experiment.trials(Hyperparameters(learning_rate=rate))
]
found = XlaEngine().train(jobs, Arrays.from_mapping("blobs", dataset.load()), Silent())
print("accuracies", *(one.history[-1].validation_accuracy for one in found))
"""


def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A Python process of its own, in which MXNet cannot be imported."""
    return subprocess.run(
        [sys.executable, "-c", BLOCK + program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_a_population_is_trained(tmp_path: Path) -> None:
    """Six trials, from the text of a symbol: all of them learn."""
    done = run(TRAIN, SYMBOL, tmp_path / "entry.py")
    assert done.returncode == 0, done.stderr
    accuracies = [float(word) for word in done.stdout.split()[1:]]
    assert len(accuracies) == 6
    assert min(accuracies) > 0.9


@pytest.mark.skipif(importlib.util.find_spec("mxnet") is None, reason="needs mxnet")
def test_mxnet_cannot_be_imported_there() -> None:
    """Control: in such a process the engine that needs MXNet says that it is missing."""
    done = run("from harness.train import compat\ncompat.mxnet()")
    assert "TrainingError: engine mxnet: expected the package mxnet 1.9.1, found none" in done.stderr


@pytest.mark.skipif(importlib.util.find_spec("mxnet") is None, reason="needs mxnet")
def test_the_symbol_is_what_mxnet_writes(make_trial: Callable[..., Trial]) -> None:
    """The file is the small trials' graph, as MXNet writes it today."""
    from harness.train.entry_point import build_job

    assert build_job(make_trial()).symbol_json == SYMBOL.read_text().rstrip("\n")
