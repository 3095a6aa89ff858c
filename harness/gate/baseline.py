"""Baselines: accepted results as small text files that are reviewed and kept in git, one per setting.

A file is JSON with one fact per line, so that a diff reads: summary and replicates at the top, then where they come
from, then every test image that a replicate got wrong. It holds no time and no machine: the same results give the same
bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import statistics
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import GateError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.experiment import Trial
    from harness.result import Replicates

RIGHT = "."
SYMBOLS = "0123456789abcdefghijklmnopqrstuvwxyz"
"""One for each class; where there are more classes, every wrong answer is ``WRONG``."""
WRONG = "x"

_ROUNDING = 1e-12
_UNFIT = (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """One replicate of a baseline."""

    seed: int
    accuracy: float
    loss: float
    weights: str


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The accepted results of one setting.

    Attributes:
        experiment: its name.
        hyperparameters: the setting in words.
        engine: what trained it.
        replicates: in the order of their seeds.
        graph: see `harness.result.Provenance`, as are the next four.
        train_data: digest.
        test_data: digest.
        settings: by name.
        versions: by package.
        images: number of test images.
        wrong: index of each test image that a replicate got wrong, to one character for each replicate: the answer, or
            a dot where it was right.
    """

    experiment: str
    hyperparameters: str
    engine: str
    replicates: tuple[Accepted, ...]
    graph: str
    train_data: str
    test_data: str
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    images: int
    wrong: Mapping[int, str]

    @classmethod
    def of(cls, replicates: Replicates) -> Baseline:
        """What is accepted of trained models."""
        first = replicates[0]
        provenance = first.provenance
        return cls(
            experiment=first.trial.experiment.name,
            hyperparameters=_setting(first.trial),
            engine=first.engine,
            replicates=tuple(
                Accepted(
                    seed=model.trial.seed,
                    accuracy=model.accuracy,
                    loss=round(model.loss, 8),
                    weights=model.provenance.weights,
                )
                for model in replicates
            ),
            graph=provenance.graph,
            train_data=provenance.train_data,
            test_data=provenance.test_data,
            settings=provenance.settings,
            versions=provenance.versions,
            images=len(first.labels),
            wrong=_wrong(replicates),
        )

    @cached_property
    def right(self) -> dict[int, NDArray[np.bool_]]:
        """Seed to (images,): which test images its model got right."""
        found = {accepted.seed: np.ones(self.images, bool) for accepted in self.replicates}
        for index, answers in self.wrong.items():
            for accepted, answer in zip(self.replicates, answers, strict=True):
                found[accepted.seed][index] = answer == RIGHT
        return found

    def to_text(self) -> str:
        """The content of the file."""
        facts = asdict(self)
        accuracies = [accepted.accuracy for accepted in self.replicates]
        losses = [accepted.loss for accepted in self.replicates]
        head = {name: facts.pop(name) for name in ("experiment", "hyperparameters", "engine")}
        summary = {"accuracy": _summary(accuracies, 4), "loss": _summary(losses, 4)}
        return _layout({**head, "summary": summary, **facts})

    @classmethod
    def from_text(cls, text: str, name: str) -> Baseline:
        """The baseline that a file of this name holds.

        Raises:
            GateError: it is not what `to_text` writes: edited by hand, or merged.
        """
        try:
            facts = json.loads(text)
            facts.pop("summary")
            replicates = tuple(Accepted(**accepted) for accepted in facts.pop("replicates"))
            wrong = {int(index): answers for index, answers in facts.pop("wrong").items()}
            found = cls(**facts, replicates=replicates, wrong=wrong)
            found._check(text)
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            MemoryError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            raise GateError(
                f"baseline {name}: expected a file as --update-baselines writes it, found one that was edited "
                f"or merged ({type(error).__name__}: {error}); restore it from git, or write it anew"
            ) from error
        return found

    def _check(self, text: str) -> None:
        """Refuse facts of other types, that do not agree, or that `to_text` would write otherwise."""
        words = (self.experiment, self.hyperparameters, self.engine, self.graph, self.train_data, self.test_data)
        seeds = [each.seed for each in self.replicates]
        figures = [figure for each in self.replicates for figure in (each.accuracy, each.loss)]
        sound = (
            all(isinstance(word, str) for word in (*words, *(each.weights for each in self.replicates)))
            and isinstance(self.settings, dict)
            and isinstance(self.versions, dict)
            and all(type(number) is int for number in (self.images, *seeds))
            and 0 < len(seeds) == len(set(seeds))
            and all(isinstance(figure, float | int) and math.isfinite(figure) for figure in figures)
            and all(0 <= index < self.images for index in self.wrong)
        )
        if not sound:
            raise ValueError("a fact is missing, double, or of another kind")
        agree = all(
            abs(self._accuracy(number) - each.accuracy) < _ROUNDING for number, each in enumerate(self.replicates)
        )
        if self.to_text() != text or not agree:
            raise ValueError("its lines do not agree with one another")

    def _accuracy(self, number: int) -> float:
        """Of the replicate of that place, by the answers."""
        return 1 - sum(answers[number] != RIGHT for answers in self.wrong.values()) / self.images


def file_name(trial: Trial) -> str:
    """Where the baseline of a trial's setting lies, within the folder of all baselines."""
    setting = _setting(trial)
    safe = re.sub(r"[^A-Za-z0-9=.,_+-]", "_", setting)[:100]
    if safe != setting or safe.startswith("."):
        safe += "-" + hashlib.sha256(setting.encode()).hexdigest()[:8]
    return f"{trial.experiment.name}/{safe}.json"


def read(folder: Path, trial: Trial) -> Baseline | None:
    """The baseline of a trial's setting; None if there is none.

    Raises:
        GateError: there is a file, but no baseline in it.
    """
    path = folder / file_name(trial)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise GateError(f"baseline {path}: expected a text file that can be read, found: {error}") from error
    found = Baseline.from_text(text, str(path))
    expected, named = (trial.experiment.name, _setting(trial)), (found.experiment, found.hyperparameters)
    if named != expected:
        raise GateError(
            f"baseline {path}: expected that of {expected[0]}[{expected[1]}], found that of {named[0]}[{named[1]}]; "
            f"give it back its name, or write it anew"
        )
    return found


def _setting(trial: Trial) -> str:
    """The setting in words, in an order of its own: equal settings have one baseline."""
    values = sorted(trial.hyperparameters.items())
    return ",".join(f"{name}={value}" for name, value in values) or str(trial.hyperparameters)


def _wrong(replicates: Replicates) -> dict[int, str]:
    answers = np.stack([model.probabilities.argmax(axis=1) for model in replicates])
    labels, classes = replicates[0].labels, replicates[0].probabilities.shape[1]
    symbols = SYMBOLS if classes <= len(SYMBOLS) else WRONG * classes
    return {
        int(index): "".join(
            RIGHT if answer == labels[index] else symbols[answer] for answer in answers[:, index].tolist()
        )
        for index in np.flatnonzero((answers != labels).any(axis=0))
    }


def _summary(values: list[float], digits: int) -> str:
    spread = f", standard deviation {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return (
        f"mean {statistics.fmean(values):.{digits}f}{spread}, {min(values):.{digits}f} to {max(values):.{digits}f}, "
        f"{len(values)} replicates"
    )


def _layout(facts: Mapping[str, Any]) -> str:
    """JSON with one line for each entry of each collection at the top."""
    parts = []
    for name, value in facts.items():
        if isinstance(value, dict):
            lines = [f"  {json.dumps(str(key))}: {json.dumps(entry)}" for key, entry in value.items()]
            text = "{\n" + ",\n".join(lines) + "\n }" if lines else "{}"
        elif isinstance(value, list | tuple):
            text = "[\n" + ",\n".join(f"  {json.dumps(entry)}" for entry in value) + "\n ]"
        else:
            text = json.dumps(value)
        parts.append(f" {json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
