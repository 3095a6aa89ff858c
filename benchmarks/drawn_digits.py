"""How well digits drawn on the page are read: ``python -m benchmarks.drawn_digits``, a few minutes on one core.

MNIST's first test digits are traced into strokes (`benchmarks.tracing`) and drawn anew: as they are, off the centre,
larger, smaller, with a thinner and a thicker pen, in a hurry, and anyhow. Each drawing goes over HTTP to the page of
``byom draw`` twice, to be mapped to a picture as MNIST's were made and as the notebook's page does it; behind the page
is the notebook's model in AWS's model server.

It prints a table, and writes its figures to ``benchmarks/results/drawn_digits.json`` and ``drawn_digits.md``.
"""

from __future__ import annotations

import argparse
import http.client
import importlib.metadata
import json
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
from tabulate import tabulate
from tqdm import tqdm

from benchmarks import machine
from benchmarks.tracing import resampled, trace
from harness import Drawing, Experiment, Hyperparameters, mnist
from harness.canvas.drawing import PEN
from harness.canvas.picture import MAPPINGS
from harness.canvas.server import About, Page, PageServer
from harness.simulator.serve import one_answer, serve_tarball
from harness.tarball.export import pack
from harness.train import checkpoint
from harness.train.trainer import Trainer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from harness.canvas.server import Answerer
    from harness.result import TrainedModel

    Strokes = Sequence[NDArray[np.float64]]

ENTRY_POINT = Path(__file__).parent.parent / "experiments" / "mnist.py"
RESULTS = Path(__file__).parent / "results"

SPACING = 0.63
"""Pixels of MNIST's between two positions that a browser reports. Traces are 37.9 pixels long in the mean: that is a
digit in a second, at sixty positions a second, whatever its size, as people write large as fast as small. Drawn at 0.7
of the notebook's canvas, which is 140 pixels wide, the positions are 3.2 of its pixels apart."""

HURRY = 3 * SPACING
"""A digit in a third of a second."""

THIN, THICK = 0.03, 0.14
"""Pens, in sides of the canvas."""

ORDINARY, LARGE, SMALL = 0.7, 0.95, 0.4
"""Longer side of a digit with its ink, in sides of the canvas, drawn with the default pen."""

SIDES = [(right, down) for right in (-1, 0, 1) for down in (-1, 0, 1) if right or down]

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Hand:
    """How somebody draws a digit.

    Attributes:
        size: longer side of what the pen's middle draws, in sides of the canvas.
        place: to the right and down, from -1 where the ink touches the canvas's edge to 1 where it does on the other.
        pen: its width, in sides of the canvas.
        spacing: of the positions, in pixels of MNIST's.
    """

    size: float = ORDINARY - PEN
    place: tuple[float, float] = (0.0, 0.0)
    pen: float = PEN
    spacing: float = SPACING

    def draw(self, traces: Strokes) -> Drawing:
        """A traced digit, wholly on the canvas."""
        points = np.concatenate(traces)
        low, extent = points.min(axis=0), np.ptp(points, axis=0)
        scale = self.size / max(float(extent.max()), 1.0)  # a dot stays one
        free = 1 - (extent * scale + self.pen)
        corner = (np.array(self.place) + 1) / 2 * free + self.pen / 2
        return Drawing([(resampled(stroke, self.spacing) - low) * scale + corner for stroke in traces], pen=self.pen)


def _anyhow(draw: np.random.Generator) -> Hand:
    pen = float(np.exp(draw.uniform(np.log(THIN), np.log(THICK))))
    right, down = draw.uniform(-1, 1, size=2).tolist()
    size, spacing = draw.uniform(SMALL - PEN, LARGE - pen), draw.uniform(SPACING, HURRY)
    return Hand(size=size, place=(right, down), pen=pen, spacing=spacing)


HANDS: dict[str, Callable[[np.random.Generator], Hand]] = {
    "as it is": lambda _: Hand(),
    "off-centre": lambda draw: Hand(place=SIDES[draw.integers(len(SIDES))]),
    "larger": lambda _: Hand(size=LARGE - PEN),
    "smaller": lambda _: Hand(size=SMALL - PEN),
    "thinner": lambda _: Hand(pen=THIN),
    "thicker": lambda _: Hand(pen=THICK),
    "in a hurry": lambda _: Hand(spacing=HURRY),
    "anyhow": _anyhow,
}
"""Kind of drawing to what chooses the hand for a digit."""


def main() -> None:
    """Trace, draw, ask, print, write."""
    parser = argparse.ArgumentParser(description="Accuracy on drawn digits, by how they are mapped to a picture.")
    parser.add_argument("--digits", type=int, default=600, help="MNIST's first so many test digits (600)")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn at random (0)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write into")
    options = parser.parse_args()
    record = measure(options.digits, options.seed)
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "drawn_digits.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    (options.results / "drawn_digits.md").write_text(text(record) + "\n", encoding="utf-8")
    print(text(record))


def measure(digits: int, seed: int) -> dict[str, Any]:
    """All that is reported."""
    described = machine.describe("cpu")
    data = mnist().load()
    pictures, labels = data["test_data"][:digits], data["test_label"][:digits].astype(int)
    model = trained()
    traces = [trace(picture[0]) for picture in tqdm(pictures, desc="trace", unit="digit")]
    with served(model) as ask:
        originals = np.array([ask(picture).argmax() for picture in tqdm(pictures, desc="MNIST", unit="picture")])
        with PageServer(Page(ask, About(source="the notebook's model"))) as page:
            drawn = {kind: drawings(kind, traces, seed) for kind in HANDS}
            variants = {kind: scores(kind, page.url, some, labels) for kind, some in drawn.items()}
    return {
        "digits": digits,
        "seed": seed,
        "pen": PEN,
        "spacing_pixels": SPACING,
        "strokes_mean": round(float(np.mean([len(strokes) for strokes in traces])), 2),
        "points_mean": round(float(np.mean([len(drawing.points) for drawing in drawn["as it is"]])), 1),
        "model": {"engine": model.engine, "test_accuracy": model.accuracy, "weights": model.provenance.weights},
        "originals": score(originals, labels) | {"ink_mean": round(float(pictures.sum(axis=(1, 2, 3)).mean()), 1)},
        "variants": variants,
        "date": time.strftime("%Y-%m-%d"),
        "machine": described,
        "versions": {name: importlib.metadata.version(name) for name in ("mxnet", "numpy", "scipy")},
    }


def drawings(kind: str, traces: Sequence[Strokes], seed: int) -> list[Drawing]:
    """Every digit in one kind of drawing; how each is drawn does not depend on how many there are."""
    at = list(HANDS).index(kind)
    return [HANDS[kind](np.random.default_rng((seed, at, n))).draw(strokes) for n, strokes in enumerate(traces)]


def scores(kind: str, url: str, drawings: Sequence[Drawing], labels: NDArray[np.int64]) -> dict[str, Any]:
    """How many of these drawings are read right, by mapping."""
    found = {}
    for mapping in MAPPINGS:
        bar = tqdm(drawings, desc=f"{kind}, {mapping}", unit="drawing", file=sys.stderr)
        answers, ink = zip(*(answer(url, drawing, mapping) for drawing in bar), strict=True)
        found[mapping] = score(np.array(answers), labels) | {"ink_mean": round(float(np.mean(ink)), 1)}
    return found


def answer(url: str, drawing: Drawing, mapping: str) -> tuple[int, float]:
    """What the page at that address takes a drawing for, and the sum of the picture's pixels, 1 for full ink."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        body = json.dumps({**drawing.to_dict(), "mapping": mapping})
        connection.request("POST", "/answer", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = json.loads(response.read())
    finally:
        connection.close()
    assert response.status == HTTPStatus.OK, content
    return int(np.argmax(content["probabilities"])), sum(content["picture"]) / 255


def score(answers: NDArray[np.int64], labels: NDArray[np.int64]) -> dict[str, Any]:
    """How many are right, and Wilson's interval for their share."""
    from scipy.stats import binomtest

    right = int((answers == labels).sum())
    interval = binomtest(right, len(labels)).proportion_ci(CONFIDENCE, method="wilson")
    return {
        "right": right,
        "accuracy": round(right / len(labels), 4),
        "interval": [round(float(interval.low), 4), round(float(interval.high), 4)],
    }


def trained() -> TrainedModel:
    """The notebook's model, with seed 0."""
    experiment = Experiment(name="mnist-mlp", entry_point=ENTRY_POINT, dataset=mnist(), seeds=range(1))
    [trial] = experiment.trials(Hyperparameters(learning_rate=0.11))
    return Trainer(engine="xla").train(trial)


@contextmanager
def served(model: TrainedModel) -> Iterator[Answerer]:
    """A model in AWS's model server: probabilities for a picture."""
    with tempfile.TemporaryDirectory(prefix="byom-drawn-") as name:
        folder = Path(name) / "model"
        folder.mkdir()
        checkpoint.save(model.checkpoint, folder)
        packed = pack(folder, Path(name) / "model.tar.gz", entry_point=ENTRY_POINT)
        with serve_tarball(packed.path) as server:
            yield lambda picture: one_answer(server, picture.reshape(1, 28, 28))


def text(record: Mapping[str, Any]) -> str:
    """What it was taken from, and the table in Markdown."""
    model, originals = record["model"], record["originals"]
    right = record["variants"]["as it is"]["mnist"]["right"]
    return f"""\
{record["digits"]:,} test digits of MNIST, traced into strokes and drawn anew (seed {record["seed"]}): accuracy in
percent, with Wilson's interval of {CONFIDENCE:.0%}, and the mean sum of a picture's pixels, by how a drawing is mapped.

The model's accuracy is {100 * model["test_accuracy"]:.2f} on all of MNIST's test pictures, and {_told(originals)} on
those of these digits, whose mean sum is {originals["ink_mean"]:.1f}. It reads {right:,} traces right, drawn as they are
and mapped as MNIST's. A trace has {record["strokes_mean"]} strokes and {record["points_mean"]} positions in the mean.
The pen is {record["pen"]:g} of the canvas wide, {THIN:g} where thinner and {THICK:g} where thicker.

{_table(record["variants"])}"""


def _table(variants: Mapping[str, Any]) -> str:
    head = ["drawn", *(f"{mapping} {what}" for mapping in MAPPINGS for what in ("%", "ink"))]
    rows = []
    for kind, found in variants.items():
        rows.append([kind])
        for mapping in MAPPINGS:
            rows[-1] += [_told(found[mapping]), f"{found[mapping]['ink_mean']:.1f}"]
    sides = ("left", *["right"] * (len(head) - 1))
    return tabulate(rows, head, tablefmt="github", disable_numparse=True, colalign=sides)


def _told(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return f"{100 * found['accuracy']:.1f} ({100 * low:.1f} to {100 * high:.1f})"


if __name__ == "__main__":
    main()
