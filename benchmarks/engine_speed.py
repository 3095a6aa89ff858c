"""Seconds per epoch of engine ``mxnet`` beside the notebook's own loop, interleaved in one run, on the real MNIST.

``python -m benchmarks.engine_speed [--repeats N] [--epochs N]`` prints medians and their ratio, and writes
``benchmarks/results/engine_speed.json``. Both sides are timed whole: from arrays in numpy to a trained model, the test
images scored after every epoch.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import time
import warnings
from pathlib import Path
from typing import Any

from harness import Experiment, Hyperparameters, mnist
from harness.train import compat
from harness.train.arrays import Arrays
from harness.train.mxnet_engine import MXNetEngine
from harness.train.progress import Silent

ENTRY_POINT = Path(__file__).parent.parent / "experiments" / "mnist.py"
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)
    seconds = measure(options.repeats, options.epochs)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    ratio = medians["engine"] / medians["notebook"]
    for name, values in seconds.items():
        print(f"{name:9} median {medians[name]:.3f} s/epoch of {sorted(round(value, 3) for value in values)}")
    print(f"engine / notebook: {ratio:.2f}")
    RESULTS.mkdir(exist_ok=True)
    record = {"seconds_per_epoch": seconds, "medians": medians, "ratio": ratio, "epochs": options.epochs, **machine()}
    (RESULTS / "engine_speed.json").write_text(json.dumps(record, indent=2) + "\n")


def measure(repeats: int, epochs: int) -> dict[str, list[float]]:
    """Seconds per epoch of each side, by repeat; one unmeasured round first."""
    mx = compat.mxnet()
    experiment = Experiment(name="mnist-mlp", entry_point=ENTRY_POINT, dataset=mnist(), epochs=epochs)
    data = dict(experiment.dataset.load())
    arrays = Arrays.from_mapping("mnist", data)
    notebook = _load(ENTRY_POINT)

    def run_notebook() -> None:
        with mx.name.NameManager():
            model = notebook.train(data, epochs=epochs)
        model.get_params()[0]["fc1_weight"].wait_to_read()

    [trial] = experiment.trials(Hyperparameters(learning_rate=0.11))

    def run_engine() -> None:
        MXNetEngine().train(trial, arrays, Silent())

    seconds: dict[str, list[float]] = {"notebook": [], "engine": []}
    for repeat in range(repeats + 1):
        for name, run in (("notebook", run_notebook), ("engine", run_engine)):
            started = time.perf_counter()
            run()
            if repeat:
                seconds[name].append((time.perf_counter() - started) / epochs)
    return seconds


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    versions = {name: importlib.metadata.version(name) for name in ("mxnet", "numpy", "byom-harness")}
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "versions": versions,
    }


def _load(script: Path) -> Any:
    spec = importlib.util.spec_from_file_location("_notebook", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
