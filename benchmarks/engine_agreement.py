"""Test accuracy of engines ``mxnet`` and ``xla`` on the notebook's experiment, from the same starts and orders.

``python -m benchmarks.engine_agreement [--seeds N] [--epochs N]`` trains every seed with both, prints each seed's
accuracies and how far the means lie apart, and writes ``benchmarks/results/engine_agreement.json``. Rounding grows in
any training, so single seeds differ by some images; the means have to agree to 0.2 points.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import statistics
from pathlib import Path

from harness import Experiment, Hyperparameters, mnist
from harness.train.trainer import Trainer

ENTRY_POINT = Path(__file__).parent.parent / "experiments" / "mnist.py"
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Train, compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    experiment = Experiment(
        name="mnist-mlp", entry_point=ENTRY_POINT, dataset=mnist(), epochs=options.epochs, seeds=range(options.seeds)
    )
    trials = experiment.trials(Hyperparameters(learning_rate=0.11))
    accuracies: dict[str, list[float]] = {}
    for engine in ("xla", "mxnet"):  # in this order, as MXNet's threads would slow XLA's
        trainer = Trainer(engine=engine)
        trainer.plan(trials)
        accuracies[engine] = [trainer.train(trial).accuracy for trial in trials]
        print(f"{engine:6}", *(f"{accuracy:.4f}" for accuracy in accuracies[engine]))
    means = {engine: statistics.fmean(values) for engine, values in accuracies.items()}
    points = 100 * abs(means["xla"] - means["mxnet"])
    print(f"means {means['xla']:.4f} and {means['mxnet']:.4f}: {points:.2f} points apart")
    RESULTS.mkdir(exist_ok=True)
    record = {
        "accuracies": accuracies,
        "means": means,
        "points": points,
        "epochs": options.epochs,
        "versions": {name: importlib.metadata.version(name) for name in ("mxnet", "jax", "jaxlib", "numpy")},
    }
    (RESULTS / "engine_agreement.json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
