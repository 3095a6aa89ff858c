"""What one pytest session knows, on one object that is registered with pytest."""

from __future__ import annotations

import dataclasses
import itertools
import secrets
import sys
from contextlib import contextmanager
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from harness.plugin import distribution, properties

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.artifact import Artifact
    from harness.experiment import Experiment, Hyperparameters, Trial
    from harness.gate.acceptance import Proposal
    from harness.gate.rules import Rule
    from harness.report.board import Board, Row
    from harness.result import Replicates
    from harness.train.progress import Progress
    from harness.train.trainer import Trainer
    from harness.verdict import Verdict

NAME = "byom-session"
SHARED = "byom-shared-id"
"""Of the controller's session, in what pytest-xdist hands to a worker."""


class HarnessSession:
    """State of a session.

    Attributes:
        run_id: eight hexadecimal digits that are part of every AWS name this process makes.
        shared_id: the controller's under pytest-xdist: all its workers share one budget.
        live: whether ``-m aws`` selected a test, the only way to a real account.
        refusal: why no live account could be had, or "".
        heard: what is to be told at the end of a live account.
        versions: package to version, of what computed.
        proposals: results that want to become baselines.
        spoiled: experiment and setting to a test of it that failed.
        clashes: names that two workers have seen of two different experiments.
        incomplete: why not all that was selected has been seen; "" if it has.
        told: what was written at the end, in words, and whether it could be.
    """

    def __init__(self, config: pytest.Config, *, gpus: int | None = None, replicates: int = 1) -> None:
        self._config = config
        self._replicates = replicates
        self._gpus = gpus
        self._item: pytest.Item | None = None
        self._planned: set[Trial] = set()
        self._numbers = itertools.count(1)
        self.run_id = secrets.token_hex(4)
        self.shared_id: str = getattr(config, "workerinput", {}).get(SHARED, self.run_id)
        self.live = False
        self.refusal = ""
        self.heard: list[str] = []
        self.versions: dict[str, str] = {}
        self.proposals: list[Proposal] = []
        self.incomplete = ""
        self.told: list[tuple[str, bool]] = []
        self.spoiled: dict[tuple[str, str], str] = {}
        self.clashes: list[str] = []
        self._identities: dict[str, str] = {}
        self._artifacts: dict[str, Row] = {}
        self._experiments: dict[str, Experiment] = {}
        # Asked now, while pytest is configured: later its capturing stands between us and the terminal.
        self._is_terminal = sys.__stdout__ is not None and sys.__stdout__.isatty()

    @staticmethod
    def of(config: pytest.Config) -> HarnessSession:
        """The session's object."""
        found = config.pluginmanager.get_plugin(NAME)
        assert isinstance(found, HarnessSession)  # noqa: S101 - pytest_configure registered it
        return found

    @cached_property
    def trainer(self) -> Trainer:
        """Trains each trial of the session once."""
        from harness.storage import cache_directory
        from harness.train.store import Store
        from harness.train.trainer import Trainer

        option = self._config.getoption
        store = Store(cache_directory() / "trained")
        return Trainer(self._progress(), option("--engine"), store, retrain=option("--retrain"))

    def plan(self, asked: Sequence[Trial]) -> None:
        """Before trials of one setting are trained: tell the trainer what else this module's tests will ask for."""
        from harness.plugin.population import gather

        if self._planned.issuperset(asked):
            return
        found: list[Trial] = []
        if self._item is not None and distribution.keeps_modules_together(self._config):
            found = gather(self._item, asked[0], self._will_run)
        trials = list(dict.fromkeys([*found, *asked]))
        self._planned.update(trials)
        self.trainer.plan(trials)

    @property
    def updates_baselines(self) -> bool:
        """Whether this run writes baselines."""
        return bool(self._config.getoption("--update-baselines"))

    def as_run(self, experiment: Experiment) -> Experiment:
        """An experiment as this session trains it.

        On as many GPUs as ``--gpus`` says, if it says any; with as many seeds as a baseline has, if one is written.
        """
        if self._gpus is not None:
            experiment = dataclasses.replace(experiment, num_gpus=self._gpus)
        missing = self._replicates - len(experiment.seeds)
        if self.updates_baselines and missing > 0 and self._compares_with_baseline():
            more = itertools.islice((seed for seed in itertools.count() if seed not in experiment.seeds), missing)
            experiment = dataclasses.replace(experiment, seeds=(*experiment.seeds, *more))
        return experiment

    def _compares_with_baseline(self) -> bool:
        """Whether a test of the module whose turn it is uses our fixture ``baseline``, and none of its own."""
        from harness.plugin.population import uses

        item = self._item
        return item is not None and any(
            other.path == item.path and uses(other, "baseline") for other in item.session.items
        )

    def spoil(self, item: pytest.Item) -> None:
        """Note that a test has failed: what it used is not to be accepted."""
        for trial in properties.models_of(item):
            self.spoiled.setdefault((trial.experiment.name, str(trial.hyperparameters)), f"{item.nodeid} failed")

    @cached_property
    def missing_accelerator(self) -> str:
        """Why tests marked ``gpu`` cannot run, or "". Loads JAX."""
        from harness.errors import DeviceError

        try:
            from harness.train.xla.devices import devices_of

            devices_of(cast("Experiment", SimpleNamespace(num_gpus=1)))
        except (ImportError, DeviceError):
            return "needs an accelerator that JAX can use: install jax[cuda12] on a machine with an NVIDIA GPU"
        return ""

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Before the fixtures are set up: remember for whom, and skip what needs an accelerator if there is none."""
        self._item = item
        if item.get_closest_marker("gpu") and self.missing_accelerator:
            pytest.skip(self.missing_accelerator)

    @cached_property
    def board(self) -> Board:
        """The rows of the table at the end."""
        from harness.report.board import Board

        return Board()

    def row(self, experiment: Experiment, hyperparameters: Hyperparameters) -> Row:
        """The row of a setting.

        Raises:
            DeclarationError: two experiments of a session have one name, so their rows would be mixed up.
        """
        experiment = self.as_run(experiment)
        known = self._experiments.setdefault(experiment.name, experiment)
        self._identities[experiment.name] = repr(self._identity(experiment))
        if self._identity(known) != self._identity(experiment):
            from harness.errors import DeclarationError

            raise DeclarationError(
                f"experiment {experiment.name}: expected a name of its own, found two different experiments called so "
                f"({known.entry_point.name}, {experiment.entry_point.name}); rename one"
            )
        return self.board.row(experiment.name, str(hyperparameters))

    def packed(self, artifact: Artifact, experiment: Experiment, hyperparameters: Hyperparameters) -> None:
        """Note the tarball of a setting."""
        from harness.report.board import Packed

        row = self._artifacts[artifact.sha256] = self.row(experiment, hyperparameters)
        row.artifact = Packed(
            digest=artifact.digest, sha256=artifact.sha256, size=artifact.size, members=artifact.members
        )

    def trained(self, replicates: Replicates) -> None:
        """Note the models of a setting, and what a report will show of them."""
        from harness.report.board import Replicate

        first = replicates[0]
        row = self.row(first.trial.experiment, first.trial.hyperparameters)
        row.engine, row.settings = first.engine, dict(first.trial.hyperparameters)
        row.replicates |= {str(model.trial.seed): Replicate.of(model) for model in replicates}
        self.versions |= first.provenance.versions
        if self._config.getoption("--report") and (row.evidence is None or len(replicates) > 1):
            from harness.report.evidence import gather

            row.evidence = gather(replicates, self.trainer.arrays(first.trial.experiment.dataset).test_data)

    def judged(self, subject: Replicates | Artifact, rules: Sequence[Rule[Any]], verdict: Verdict) -> Row | None:
        """Note what rules said of a subject; its row, if it has one."""
        from harness.gate.acceptance import Proposal
        from harness.result import Replicates

        if not isinstance(subject, Replicates):
            row = self._artifacts.get(subject.sha256)
        else:
            trial = subject[0].trial
            row = self.row(trial.experiment, trial.hyperparameters)
            proposal = Proposal.of(subject, rules, self._replicates) if self.updates_baselines else None
            self.proposals += [proposal] if proposal else []
        if row is not None:
            row.found(verdict.findings)
        return row

    def number(self) -> int:
        """Of the next deployment, from 1 on."""
        return next(self._numbers)

    def _identity(self, experiment: Experiment) -> dict[str, object]:
        """What makes two experiments the same, were they made twice by a fixture; a data set counts by its name.

        Seeds do not count where baselines are written: modules that compare train more of them.
        """
        values = {field.name: getattr(experiment, field.name) for field in dataclasses.fields(experiment)}
        if self.updates_baselines:
            del values["seeds"]
        return values | {"dataset": experiment.dataset.name}

    def to_plain(self) -> dict[str, Any]:
        """Plain values, for a worker of pytest-xdist to send."""
        return {
            "rows": self.board.to_plain(),
            "refusal": self.refusal,
            "heard": self.heard,
            "versions": self.versions,
            "proposals": [dataclasses.asdict(proposal) for proposal in self.proposals],
            "spoiled": [[*setting, reason] for setting, reason in self.spoiled.items()],
            "identities": self._identities,
        }

    def absorb(self, sent: Mapping[str, Any]) -> None:
        """Add what a worker has sent."""
        from harness.gate.acceptance import Proposal

        self.board.merge(sent["rows"])
        self.refusal = self.refusal or sent["refusal"]
        self.heard += sent["heard"]
        self.versions |= sent["versions"]
        self.proposals += [Proposal(**proposal) for proposal in sent["proposals"]]
        self.spoiled |= {(experiment, setting): reason for experiment, setting, reason in sent["spoiled"]}
        for name, identity in sent["identities"].items():
            if self._identities.setdefault(name, identity) != identity:
                self.clashes.append(name)

    def hear(self, line: str) -> None:
        """Tell of a live account now, where somebody reads along, or else at the end."""
        if self._is_silent():
            self.heard.append(line)
        else:
            self.say(line)

    def say(self, line: str) -> None:
        """Tell what takes a while, where somebody reads along."""
        if not self._is_silent():
            with self._uncaptured():
                print(line, file=sys.__stdout__, flush=True)

    def _will_run(self, item: pytest.Item) -> bool:
        from harness.plugin.population import marked_to_run

        return marked_to_run(item) and not (item.get_closest_marker("gpu") and self.missing_accelerator)

    def _is_silent(self) -> bool:
        return hasattr(self._config, "workerinput") or self._config.get_verbosity() < 0

    def _progress(self) -> Progress:
        from harness.train.progress import Bar, Lines, Silent

        if self._is_silent():
            return Silent()
        stream = sys.__stdout__ or sys.stderr
        return Bar(stream, self._uncaptured) if self._is_terminal else Lines(stream, self._uncaptured)

    @contextmanager
    def _uncaptured(self) -> Iterator[None]:
        """A moment at the start of a fresh line of the terminal, in which pytest captures nothing."""
        capture = self._config.pluginmanager.getplugin("capturemanager")
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        with capture.global_and_fixture_disabled():
            if reporter is not None:
                reporter.ensure_newline()
                reporter.flush()
            yield
