"""How often the regression gate cries wolf, and how often it notices: ``python -m benchmarks.gate_calibration``.

Comparisons of 6 replicates with a baseline of 24, as the experiments make them, where nothing has changed, and where
0.2 or 0.5 points of accuracy are lost: so many more test images are wrong in each new model. Their loss is unchanged,
so it is of no help. Real ones are between models that were trained: the notebook's perceptron on MNIST, on a part of
MNIST, and on MNIST by the other engine from the same seeds. Simulated ones draw models whose seeds differ as the real
ones' do, or with heavier tails, or mostly alike but for unlucky ones, or who answer as the baseline's but for a few
images.

It prints a table, and writes its figures to ``benchmarks/results/gate_calibration.json``; docs/gates.md shows them.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import Experiment, Hyperparameters, Xavier, arrays, mnist
from harness.errors import TrainingError
from harness.gate.comparison import Pair, badness, compare
from harness.train.arrays import Arrays
from harness.train.entry_point import build_job
from harness.train.mxnet_engine import MXNetEngine
from harness.train.progress import Bar, Lines
from harness.train.scores import cross_entropy
from harness.train.xla.engine import XlaEngine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from harness.train.engine import Engine

ENTRY_POINT = Path(__file__).parent.parent / "experiments" / "mnist.py"
RESULTS = Path(__file__).parent / "results"

NEW, ACCEPTED = 6, 24
POPULATION = 300
"""So many models are trained at once."""

FALSE_ALARMS = 0.01
FALLS = (0.0, 0.002, 0.005)
"""Of the accuracy of every new model, shares of 1."""


@dataclass(frozen=True)
class Models:
    """Trained models, or simulated ones.

    Attributes:
        right: bool (models, images).
        loss: float64 (models,), nats.
    """

    right: NDArray[np.bool_]
    loss: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.loss)

    def __getitem__(self, chosen: NDArray[np.int64] | slice) -> Models:
        return Models(self.right[chosen], self.loss[chosen])

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """Of each model, float64 (models,)."""
        result: NDArray[np.float64] = self.right.mean(axis=1)
        return result

    def with_fall(self, fall: float, draw: np.random.Generator) -> Models:
        """The same with so many of the images that were right, chosen anew for each model, wrong."""
        right = self.right.copy()
        for row in right:
            row[draw.choice(np.flatnonzero(row), size=round(fall * len(row)), replace=False)] = False
        return Models(right, self.loss)


Draw = Callable[[np.random.Generator], tuple[Models, Models]]
"""Gives a baseline and new models, the first of which have the seeds of the baseline's first."""

Shifts = Callable[[np.random.Generator, int], "NDArray[np.float64]"]
"""Gives so many random numbers of mean 0 and variance 1."""


def main() -> None:
    """Train, simulate, compare, print, write."""
    parser = argparse.ArgumentParser(description="False alarms and power of the regression gate.")
    parser.add_argument("--models", type=int, default=150, help="trained on MNIST (150)")
    parser.add_argument("--real", type=int, default=200, help="comparisons of models that no other shares (200)")
    parser.add_argument("--draws", type=int, default=2000, help="comparisons of every other kind (2000)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write into")
    options = parser.parse_args()
    record = [dataclasses.asdict(row) for row in rows(options.models, options.real, options.draws)]
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "gate_calibration.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(table(record))


@dataclass(frozen=True)
class Row:
    """One kind of comparison.

    Attributes:
        kind: in words.
        comparisons: how many.
        deviation: standard deviation of the accuracy between seeds.
        noticed: fall, as text, to the share of comparisons that were called worse.
    """

    kind: str
    comparisons: int
    deviation: float
    noticed: dict[str, float]


def rows(models: int, real: int, draws: int) -> Iterator[Row]:
    """Every row of the table, as soon as it is known."""
    whole = trained(mnist_experiment(range(models)), XlaEngine())
    part = trained(part_experiment(range(real * (NEW + ACCEPTED))), XlaEngine())
    reference = trained(mnist_experiment(range(ACCEPTED)), MXNetEngine())
    yield row("real: MNIST, models drawn from a pool of all", whole, draws, drawn_from(whole))
    yield row("real: 6,000 images of MNIST, no model used twice", part, real, in_turn(part))
    yield row("real: 6,000 images of MNIST, drawn from a pool", part, draws, drawn_from(part))
    yield row("real: MNIST, same seeds on the other engine", reference, draws, same_seeds(reference, whole))
    for kind, shifts in SHIFTS.items():
        yield row(f"simulated: {kind}", whole, draws, simulated(whole, shifts))
    yield row("simulated: same seeds, 30 images flipped", whole, draws, flipped(whole, 30))


def row(kind: str, models: Models, count: int, draw: Draw) -> Row:
    """Make so many comparisons for each fall, with the same models for all of them."""
    print(f"{kind}: {count} comparisons", file=sys.stderr, flush=True)
    worse = dict.fromkeys(FALLS, 0)
    numbers = np.random.default_rng(0)
    for _ in range(count):
        baseline, new = draw(numbers)
        for fall in FALLS:
            worse[fall] += is_worse(baseline, new.with_fall(fall, numbers))
    return Row(
        kind=kind,
        comparisons=count,
        deviation=float(models.accuracy.std(ddof=1)),
        noticed={f"{fall:g}": worse[fall] / count for fall in FALLS},
    )


def is_worse(baseline: Models, new: Models) -> bool:
    """What the gate says: as `harness.gate.regression.NotWorse` asks."""
    pairs = [
        Pair(lost=int((before & ~now).sum()), gained=int((now & ~before).sum()), images=len(now))
        for before, now in zip(baseline.right, new.right, strict=False)
    ]
    sides = [badness(models.accuracy, models.loss) for models in (baseline, new)]
    return bool(compare(*sides, pairs).worse(FALSE_ALARMS))


def mnist_experiment(seeds: range) -> Experiment:
    """The notebook's."""
    return Experiment(name="mnist-mlp", entry_point=ENTRY_POINT, dataset=mnist(), seeds=seeds)


def part_experiment(seeds: range) -> Experiment:
    """The same network on a tenth of the images, for four epochs from a start without a plateau."""
    whole = mnist().load()
    part = {name: array[: 6000 if name.startswith("train") else None] for name, array in whole.items()}
    return Experiment(
        name="mnist-part",
        entry_point=ENTRY_POINT,
        dataset=arrays("part", **part),
        epochs=4,
        seeds=seeds,
        initializer=Xavier(),
    )


def trained(experiment: Experiment, engine: Engine) -> Models:
    """Its models, one for each seed, as the engine itself sees them; none but these figures are kept."""
    data = Arrays.from_mapping(experiment.name, experiment.dataset.load())
    progress = Bar() if sys.stderr.isatty() else Lines(seconds=60)
    labels = data.test_label
    right, loss = [], []
    for start in range(0, len(experiment.seeds), POPULATION):
        some = dataclasses.replace(experiment, seeds=experiment.seeds[start : start + POPULATION])
        jobs = [build_job(trial) for trial in some.trials(Hyperparameters(learning_rate=0.11))]
        for outcome in engine.train(jobs, data, progress):
            if isinstance(outcome, TrainingError):
                raise outcome
            right.append(outcome.probabilities.argmax(axis=1) == labels)
            loss.append(cross_entropy(outcome.probabilities, labels))
    return Models(np.stack(right), np.array(loss))


def drawn_from(pool: Models) -> Draw:
    """Baseline and new models are different ones of a pool, drawn anew each time."""

    def draw(numbers: np.random.Generator) -> tuple[Models, Models]:
        chosen = numbers.permutation(len(pool))[: NEW + ACCEPTED]
        return pool[chosen[NEW:]], pool[chosen[:NEW]]

    return draw


def in_turn(pool: Models) -> Draw:
    """No model is used in two comparisons."""
    groups = iter(range(0, len(pool), NEW + ACCEPTED))

    def draw(numbers: np.random.Generator) -> tuple[Models, Models]:
        del numbers
        start = next(groups)
        return pool[start + NEW : start + NEW + ACCEPTED], pool[start : start + NEW]

    return draw


def same_seeds(accepted: Models, others: Models) -> Draw:
    """The baseline's own seeds, trained by somebody who rounds otherwise; which six of them is drawn anew."""

    def draw(numbers: np.random.Generator) -> tuple[Models, Models]:
        order = numbers.permutation(len(accepted))
        return accepted[order], others[order[:NEW]]

    return draw


def simulated(pool: Models, shifts: Shifts) -> Draw:
    """Models whose images are as hard as a pool's, and which are better or worse as a whole by a random shift.

    The probability that an image is classified right is the pool's share, moved on the scale of log odds; loss follows
    accuracy as it does in the pool.
    """
    share = np.clip(pool.right.mean(axis=0), 0.05 / len(pool), 1 - 0.05 / len(pool))
    odds = np.log(share / (1 - share))
    slope, offset = np.polyfit(pool.accuracy, pool.loss, 1)
    residual = (pool.loss - (slope * pool.accuracy + offset)).std()
    scale = _scale(pool, odds)

    def draw(numbers: np.random.Generator) -> tuple[Models, Models]:
        count = NEW + ACCEPTED
        moved = odds + scale * shifts(numbers, count)[:, np.newaxis]
        right = numbers.random((count, len(odds))) < 1 / (1 + np.exp(-moved))
        loss = slope * right.mean(axis=1) + offset + residual * numbers.normal(size=count)
        models = Models(right, loss)
        return models[slice(NEW, count)], models[slice(NEW)]

    return draw


def flipped(pool: Models, count: int) -> Draw:
    """New models are the baseline's own but for some images near the border, whose answers are drawn anew."""
    share = pool.right.mean(axis=0)
    border = np.flatnonzero((share > 0) & (share < 1))

    def draw(numbers: np.random.Generator) -> tuple[Models, Models]:
        accepted = pool[numbers.permutation(len(pool))[:ACCEPTED]]
        new = Models(accepted.right[:NEW].copy(), accepted.loss[:NEW] + 1e-4 * numbers.normal(size=NEW))
        for row in new.right:
            chosen = numbers.choice(border, size=count, replace=False)
            row[chosen] = numbers.random(count) < share[chosen]
        return accepted, new

    return draw


SHIFTS: dict[str, Shifts] = {
    "seeds differ normally": lambda numbers, count: numbers.normal(size=count),
    "heavy tails (Student's t, 3 degrees)": lambda numbers, count: numbers.standard_t(3, size=count) / np.sqrt(3),
    "now and then an unlucky seed": lambda numbers, count: 1 - numbers.exponential(size=count),
}
"""Kind to what draws shifts of mean 0 and variance 1."""


def table(record: Sequence[Mapping[str, Any]]) -> str:
    """The rows in Markdown."""
    lines = [
        "| comparisons of 6 with 24 | how many | seeds differ by | false alarms | 0.2 points seen | 0.5 points seen |",
        "|---|---|---|---|---|---|",
    ]
    for each in record:
        alarms, small, large = (f"{100 * each['noticed'][f'{fall:g}']:.1f} %" for fall in FALLS)
        deviation = f"{100 * each['deviation']:.2f}"
        lines.append(f"| {each['kind']} | {each['comparisons']:,} | {deviation} | {alarms} | {small} | {large} |")
    return "\n".join(lines)


def _scale(pool: Models, odds: NDArray[np.float64]) -> float:
    """Of shifts in log odds, for which accuracies differ as much between seeds as the pool's."""
    share = 1 / (1 + np.exp(-odds))
    by_chance = float((share * (1 - share)).sum()) / len(odds) ** 2
    by_shift = float((share * (1 - share)).mean())  # how much accuracy moves for a unit of log odds
    return float(np.sqrt(max(pool.accuracy.var(ddof=1) - by_chance, 0))) / by_shift


if __name__ == "__main__":
    main()
