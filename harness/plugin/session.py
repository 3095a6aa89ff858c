"""What one pytest session knows, on one object that is registered with pytest."""

from __future__ import annotations

import dataclasses
import itertools
import secrets
import sys
from contextlib import contextmanager
from functools import cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from harness.plugin import distribution

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.experiment import Experiment, Hyperparameters, Trial
    from harness.report.summary import Board, Row
    from harness.train.progress import Progress
    from harness.train.trainer import Trainer

NAME = "byom-session"


class HarnessSession:
    """State of a session.

    Attributes:
        run_id: eight hexadecimal digits that are part of every AWS name this run makes.
        live: whether ``-m aws`` selected a test, the only way to a real account.
        refusal: why no live account could be had, or "".
    """

    def __init__(self, config: pytest.Config, *, gpus: int | None = None) -> None:
        self._config = config
        self._gpus = gpus
        self._item: pytest.Item | None = None
        self._planned: set[Trial] = set()
        self._numbers = itertools.count(1)
        self.run_id = secrets.token_hex(4)
        self.live = False
        self.refusal = ""
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
        from harness.train.trainer import Trainer

        return Trainer(self._progress(), self._config.getoption("--engine"))

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

    def as_run(self, experiment: Experiment) -> Experiment:
        """An experiment as this session trains it: on as many GPUs as ``--gpus`` says, if it says any."""
        return experiment if self._gpus is None else dataclasses.replace(experiment, num_gpus=self._gpus)

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
        from harness.report.summary import Board

        return Board()

    def row(self, experiment: Experiment, hyperparameters: Hyperparameters) -> Row:
        """The row of a setting.

        Raises:
            DeclarationError: two experiments of a session have one name, so their rows would be mixed up.
        """
        experiment = self.as_run(experiment)
        known = self._experiments.setdefault(experiment.name, experiment)
        if _identity(known) != _identity(experiment):
            from harness.errors import DeclarationError

            raise DeclarationError(
                f"experiment {experiment.name}: expected a name of its own, found two different experiments called so "
                f"({known.entry_point.name}, {experiment.entry_point.name}); rename one"
            )
        return self.board.row(experiment.name, str(hyperparameters))

    def resource_name(self, experiment: Experiment) -> str:
        """A new name for AWS resources, at most 63 characters: what, which run, which of its deployments."""
        return f"byom-{experiment.name}-{self.run_id}-{next(self._numbers)}"

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


def _identity(experiment: Experiment) -> dict[str, object]:
    """What makes two experiments the same, were they made twice by a fixture; a data set counts by its name."""
    values = {field.name: getattr(experiment, field.name) for field in dataclasses.fields(experiment)}
    return values | {"dataset": experiment.dataset.name}
