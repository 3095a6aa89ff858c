"""Sessions in which nothing is trained: what they would have trained is written down."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from harness.experiment import Trial

ALL = """

def test_all(replicates):
    pass
"""

FIRST = """

def test_first(trained):
    pass
"""

NO_FIXTURES = """

def test_plain():
    pass
"""

INI = """
[pytest]
addopts = --strict-markers
filterwarnings =
    error
    # The harness is: by the outer session.
    ignore:Module already imported:pytest.PytestAssertRewriteWarning
"""
"""Of sessions inside a test's own process."""

QUICK = ("-p", "no:hypothesispytest", "-p", "no:anyio", "-q")
"""The first two would be imported anew each time, for a second: pytester forgets what an inner session imports."""


@dataclass
class Recorder:
    """A trainer that writes down what a session told it and asked of it.

    Attributes:
        result: how the session ended.
        planned: the trials of each plan.
        trained: the trials that were asked for.
    """

    result: pytest.RunResult = field(init=False)
    planned: list[list[Trial]] = field(default_factory=list)
    trained: list[Trial] = field(default_factory=list)

    @property
    def plans(self) -> list[list[str]]:
        """The trials of each plan, in short: setting and seed."""
        return [[f"{trial.hyperparameters} {trial.seed}" for trial in trials] for trials in self.planned]

    @property
    def outcomes(self) -> dict[str, int]:
        """How many tests passed, failed and so on."""
        return self.result.parseoutcomes()

    def plan(self, trials: list[Trial]) -> None:
        """See `harness.train.trainer.Trainer.plan`."""
        self.planned.append(trials)

    def train(self, trial: Trial) -> SimpleNamespace:
        """As much of a trained model as the fixtures look at; nobody trained it."""
        self.trained.append(trial)
        provenance = SimpleNamespace(versions={})
        figures = {"accuracy": 1.0, "loss": 0.0, "seconds": 0.0, "cached": False, "history": ()}
        return SimpleNamespace(trial=trial, engine="none", provenance=provenance, **figures)
