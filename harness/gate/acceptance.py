"""Accepting results as a baseline: only what ran, and only what passed its other rules."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import GateError
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
        flaw: why these results cannot be a baseline; "" if they can.
    """

    experiment: str
    hyperparameters: str
    path: str
    text: str
    flaw: str

    @classmethod
    def of(cls, replicates: Replicates, rules: Iterable[Rule[Any]], least: int = 1) -> Proposal | None:
        """What replicates propose that were judged by these rules, if at least so many; None if no rule compares."""
        comparing = next((rule for rule in rules if isinstance(rule, NotWorse)), None)
        if comparing is None:
            return None
        trial = replicates[0].trial
        flaw = _flaw(replicates, least)
        return cls(
            experiment=trial.experiment.name,
            hyperparameters=str(trial.hyperparameters),
            path=str(comparing.baseline.folder / file_name(trial)),
            text="" if flaw else Baseline.of(replicates).to_text(),
            flaw=flaw,
        )

    def accept(self, findings: Sequence[Finding], spoiled: str = "") -> str:
        """Write the baseline if every rule let the setting pass, a floor among them; what was done, in words.

        Args:
            findings: of all rules that looked at the setting.
            spoiled: what else went wrong with it, or with the run; "" if nothing did.

        Raises:
            GateError: it is not written, and why; an older file is as it was.
            OSError: it cannot be written; an older file is as it was.
        """
        failed = [finding.rule for finding in findings if not finding.passed]
        why = self.flaw or spoiled or (f"it did not pass {', '.join(failed)}" if failed else "")
        if not why and not any(finding.floor for finding in findings):
            why = "expected a floor that it passed, such as AccuracyFloor(0.9), found none that was checked in this run"
        if why:
            raise GateError(f"{self._name}: baseline NOT written: {why}")
        path, content = Path(self.path), self.text.encode()
        if path.exists() and path.read_bytes() == content:
            return f"{self._name}: baseline unchanged"
        write_atomically(path, content)
        return f"{self._name}: baseline written to {os.path.relpath(path)}"

    @property
    def _name(self) -> str:
        return f"{self.experiment}[{self.hyperparameters}]"


def _flaw(replicates: Replicates, least: int) -> str:
    figures = (*replicates.accuracies, *replicates.losses)
    if not all(map(math.isfinite, figures)):
        return "expected accuracies and losses that are numbers, found some that are not"
    if len(replicates) < least:
        return (
            f"expected at least {least} replicates, found {len(replicates)}; ask for the fixture baseline as an "
            f"argument of the test, so that it is seen before they are trained"
        )
    return ""
