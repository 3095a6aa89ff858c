"""From samples to medians and ratios.

The same two figures are taken of every contender, from one training's wall time and the moments at which its epochs
were over:

- *seconds per epoch*: from the end of an epoch to the end of the next one, its updates, its test images and its figures
  included. The first epoch is left out, for it is where libraries allocate, choose kernels and compile.
- *set-up*: the wall time of the whole training less these epochs, and less their median for the first one. That is all
  the rest: data to the device, graphs, compiling, weights back to the host.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

REFERENCES = ("notebook", "torch-eager", "jax-scan")
"""Contenders that others are compared with, where they took part."""

_LOSSES_AGREE = 0.02
"""Relative. Float32 in another order of additions moves an epoch's mean loss by a thousandth at most."""


class DisagreementError(Exception):
    """Contenders did not do the same work; says where."""


@dataclass(frozen=True)
class Sample:
    """One training.

    Attributes:
        contender: name.
        trials: trained together.
        repeat: counted from 0.
        wall_seconds: from arrays to trained weights in the host's memory.
        epochs_done_at: seconds after the start, by epoch; at least two.
        history: figures, see `benchmarks.workload.History`.
    """

    contender: str
    trials: int
    repeat: int
    wall_seconds: float
    epochs_done_at: Sequence[float]
    history: Sequence[Sequence[Sequence[float]]]

    @property
    def epoch_seconds(self) -> list[float]:
        """Of every epoch but the first."""
        return [after - before for before, after in zip(self.epochs_done_at, self.epochs_done_at[1:], strict=False)]

    @property
    def setup_seconds(self) -> float:
        """What the training took beside its epochs."""
        return self.wall_seconds - sum(self.epoch_seconds) - statistics.median(self.epoch_seconds)

    def record(self) -> dict[str, Any]:
        """For the results' file, without the history of each trial."""
        return {
            "contender": self.contender,
            "trials": self.trials,
            "repeat": self.repeat,
            "wall_seconds": self.wall_seconds,
            "epoch_seconds": self.epoch_seconds,
            "first_epoch_done_at": self.epochs_done_at[0],
            "setup_seconds": self.setup_seconds,
        }


@dataclass(frozen=True)
class Row:
    """What is told of a contender on a workload; seconds are medians.

    Attributes:
        contender: name.
        trials: of the workload.
        together: all trials were trained as one program; else the figures are those of one trial, measured in the same
            run: the others would come after it, each as long.
        epoch: seconds per epoch and trial.
        whole: seconds of a whole training per epoch and trial, set-up included.
        setup: seconds of set-up of a training, in a process that has trained before.
        samples: epochs measured.
    """

    contender: str
    trials: int
    together: bool
    epoch: float
    whole: float
    setup: float
    samples: int


def row(samples: Sequence[Sample], trials: int) -> Row:
    """Of one contender's samples of one workload; ``trials`` may be more than they trained."""
    trained = samples[0].trials
    epochs = [seconds for sample in samples for seconds in sample.epoch_seconds]
    # Where there is more than one, the first is left out: its process had not trained this before.
    settled = [sample for sample in samples if sample.repeat or len(samples) == 1]
    return Row(
        contender=samples[0].contender,
        trials=trials,
        together=trained == trials,
        epoch=statistics.median(epochs) / trained,
        whole=statistics.median(sample.wall_seconds / len(sample.epochs_done_at) for sample in settled) / trained,
        setup=statistics.median(sample.setup_seconds for sample in settled),
        samples=len(epochs),
    )


def rows(samples: Sequence[Sample]) -> list[Row]:
    """By workload, then in the order in which contenders first appear."""
    names = list(dict.fromkeys(sample.contender for sample in samples))
    made = []
    for trials in sorted({sample.trials for sample in samples}):
        for name in names:
            own = [sample for sample in samples if sample.contender == name]
            chosen = [sample for sample in own if sample.trials == trials]
            sweeps = any(sample.trials > 1 for sample in own)
            if not chosen and not sweeps:
                chosen = [sample for sample in own if sample.trials == 1]
            if chosen:
                made.append(row(chosen, trials))
    return made


def ratios(told: Row, among: Sequence[Row], figure: str = "epoch") -> dict[str, float]:
    """A row's figure over that of each reference on the same workload, and over its own for one trial."""
    own = getattr(told, figure)
    found = {
        other.contender: own / getattr(other, figure)
        for other in among
        if other.trials == told.trials and other.contender in REFERENCES
    }
    singles = [other for other in among if other.contender == told.contender and other.trials == 1]
    if singles:
        found["single"] = own / getattr(singles[0], figure)
    return found


def check_same_work(samples: Sequence[Sample]) -> None:
    """Hold contenders that start from the same weights and see the same batches to the same loss in the last epoch.

    The notebook's loop draws its own weights and batches and counts no loss: of it only numbers are asked.

    Raises:
        DisagreementError: names contenders, workload, trial and losses.
    """
    for trials in sorted({sample.trials for sample in samples}):
        for trial in range(trials):
            lasts = {
                (sample.contender, len(sample.history[trial])): sample.history[trial][-1]
                for sample in samples
                if sample.trials == trials
            }
            _check_trial(trials, trial, lasts)


def _check_trial(trials: int, trial: int, lasts: dict[tuple[str, int], Sequence[float]]) -> None:
    for (name, _), figures in lasts.items():
        if not math.isfinite(figures[0] + figures[2]):
            raise DisagreementError(f"{name}: accuracies of trial {trial} of {trials} are no numbers: {figures}")
    for epochs in {epochs for _, epochs in lasts}:
        losses = {name: figures[1] for (name, done), figures in lasts.items() if done == epochs and name != "notebook"}
        if losses and not _agree(list(losses.values())):
            raise DisagreementError(
                f"expected the same training loss of trial {trial} of {trials} after {epochs} epochs, found {losses}: "
                f"the contenders do not do the same work"
            )


def _agree(losses: Sequence[float]) -> bool:
    return all(map(math.isfinite, losses)) and max(losses) - min(losses) <= _LOSSES_AGREE * min(losses)
