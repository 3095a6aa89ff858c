"""Accepting results as a baseline: only what ran, and only what passed its other rules."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.gate.baseline import Baseline, file_name
from harness.gate.regression import NotWorse
from harness.storage import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.gate.rules import Rule
    from harness.result import Replicates
    from harness.verdict import Finding


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """Results that want to become a baseline. Plain values: it travels between processes.

    Attributes:
        experiment: its name.
        hyperparameters: the setting in words.
        path: of the baseline's file.
        text: its content.
        rule: the comparison, in words, for which it is made.
        flaw: why these results cannot be a baseline; "" if they can.
    """

    experiment: str
    hyperparameters: str
    path: str
    text: str
    rule: str
    flaw: str

    @classmethod
    def of(cls, replicates: Replicates, rules: Iterable[Rule[Replicates]]) -> Proposal | None:
        """What replicates propose that were judged by these rules; None if none of the rules compares."""
        comparing = next((rule for rule in rules if isinstance(rule, NotWorse)), None)
        if comparing is None:
            return None
        trial = replicates[0].trial
        figures = (*replicates.accuracies, *replicates.losses)
        finite = all(map(math.isfinite, figures))
        return cls(
            experiment=trial.experiment.name,
            hyperparameters=str(trial.hyperparameters),
            path=str(comparing.baseline.folder / file_name(trial)),
            text=Baseline.of(replicates).to_text() if finite else "",
            rule=str(comparing),
            flaw="" if finite else "expected accuracies and losses that are numbers, found some that are not",
        )

    def accept(self, findings: Sequence[Finding]) -> str:
        """Write the baseline if the other rules let the setting pass; what was done, in words.

        Raises:
            OSError: the file cannot be written; an older one is as it was.
        """
        path, others = Path(self.path), [finding for finding in findings if finding.rule != self.rule]
        failed = [finding.rule for finding in others if not finding.passed]
        if self.flaw or failed or not others:
            why = self.flaw or (f"did not pass {', '.join(failed)}" if failed else "no floor was checked beside it")
            return f"{self._name}: baseline NOT written: {why}"
        if path.exists() and path.read_text(encoding="utf-8") == self.text:
            return f"{self._name}: baseline unchanged"
        write_atomically(path, self.text.encode())
        return f"{self._name}: baseline written to {os.path.relpath(path)}"

    @property
    def _name(self) -> str:
        return f"{self.experiment}[{self.hyperparameters}]"
