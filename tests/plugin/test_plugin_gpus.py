"""The option ``--gpus``, and tests that need an accelerator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from recorded_session import FIRST, NO_FIXTURES
from tiny_experiment import EXPERIMENT, PASSES, SETTING, SWEEP, run, write

from harness.experiment import ENGINES
from harness.plugin.session import HarnessSession

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from recorded_session import Recorder

MANY_GPUS = EXPERIMENT.replace("seeds=range(2),", "seeds=range(2),\n        num_gpus=64,")

DECLARED = """

def test_declared(experiment, trained):
    assert experiment.num_gpus == 64
    assert trained.trial.experiment.num_gpus == {expected}
"""

PACKS = """

def test_packs(artifact):
    pass
"""

OTHER_CLASS = """

class TestOther:
    @pytest.fixture(scope="module")
    @classmethod
    def hyperparameters(cls):
        return Hyperparameters(learning_rate=0.0)

    def test_other(self, trained):
        pass
"""

REASON = "needs an accelerator that JAX can use: install jax[cuda12] on a machine with an NVIDIA GPU"

MARKED = """
import pytest


@pytest.mark.gpu
def test_on_gpu():
    print("on the gpu")


def test_plain():
    pass
"""

REPORTS_JAX = """
import sys


def pytest_unconfigure():
    print("jax loaded:", "jax" in sys.modules)
"""

SEES_A_GPU = """
import jax

jax.devices = lambda platform=None: [object()]
"""

NO_JAX = """
import sys

sys.modules["jax"] = None
"""

ON_CPU = {"JAX_PLATFORMS": "cpu"}
"""Hides a GPU that this machine may have."""


@pytest.mark.parametrize(("arguments", "expected"), [((), 64), (("--gpus", "0"), 0), (("--gpus=3",), 3)])
def test_gpus_replaces_what_experiments_say(
    session: Callable[..., Recorder], arguments: tuple[str, ...], expected: int
) -> None:
    """Trained is what the option says, or, without it, what the experiment declares; the declaration stays as it is."""
    ran = session(*arguments, test_gpus=MANY_GPUS + SETTING + DECLARED.format(expected=expected))
    assert ran.outcomes == {"passed": 1}
    assert {trial.experiment.num_gpus for trial in ran.trained} == {expected}
    assert ran.planned == [ran.trained]


def test_gpus_reaches_a_whole_population(session: Callable[..., Recorder]) -> None:
    """Settings that are planned along are planned for the same GPUs, or they would be trained twice."""
    ran = session("--gpus", "2", test_gpus=MANY_GPUS + SWEEP + FIRST)
    assert ran.planned == [ran.trained]
    assert [trial.experiment.num_gpus for trial in ran.trained] == [2, 2]


def test_gpus_does_not_hide_another_classs_model(session: Callable[..., Recorder]) -> None:
    """Control: a model of another setting is still refused, with the option as without it."""
    for arguments in ((), ("--gpus", "2")):
        ran = session(*arguments, test_gpus=MANY_GPUS + SETTING + FIRST + OTHER_CLASS)
        assert ran.outcomes == {"passed": 1, "errors": 1}
        ran.result.stdout.fnmatch_lines(["*expected one experiment per module, found another*"])


def test_gpus_0_trains_on_the_cpu(tmp_path: Path) -> None:
    """An experiment for 64 GPUs is trained, gated and packed here, in one row; without the option it asks for them."""
    folder = write(tmp_path, test_gpus=MANY_GPUS + SETTING + PASSES + PACKS)
    ran = run(folder, "--gpus", "0")
    assert ran.code == 0, ran.output
    row = ran.row("gpus")
    assert (row[4], len(row[6])) == ("accuracy >= 0.9", 12)
    ran = run(folder, "-k", "learns")
    assert ran.code == 1
    ran.matches("E   DeviceError: num_gpus=64: expected 64 GPU(s), *")


@pytest.mark.parametrize("value", ["-1", "two", "1.5", "", "²"])
def test_gpus_has_to_be_a_count(session: Callable[..., Recorder], value: str) -> None:
    """Anything else ends with pytest's status for a wrong command line, before anything is collected."""
    ran = session(f"--gpus={value}", test_plain=NO_FIXTURES)
    assert ran.result.ret == pytest.ExitCode.USAGE_ERROR
    ran.result.stderr.fnmatch_lines([f"ERROR: --gpus: expected a whole number of at least 0, found '{value}'; *"])


def test_help_names_every_engine(session: Callable[..., Recorder]) -> None:
    """The text of ``--engine`` lists what it takes."""
    text = " ".join(session("--help").result.outlines)
    told = text.partition("--engine=NAME")[2].partition("--gpus=N")[0]
    assert all(engine in told for engine in ENGINES)
    assert "0 trains on the CPU" in " ".join(text.split())


def test_a_gpu_test_is_skipped_where_jax_sees_none(tmp_path: Path) -> None:
    """The reason says what is missing; other tests run."""
    ran = run(write(tmp_path, conftest=REPORTS_JAX, test_marked=MARKED), "-rs", env=ON_CPU)
    assert ran.code == 0, ran.output
    ran.matches(f"SKIPPED * {REASON.replace('[', '[[]')}", "*1 passed, 1 skipped*", "jax loaded: True")


def test_a_gpu_test_is_skipped_without_jax(tmp_path: Path) -> None:
    """Where JAX is not installed, the same reason says what to install."""
    ran = run(write(tmp_path, conftest=NO_JAX, test_marked=MARKED), "-rs")
    ran.matches(f"SKIPPED * {REASON.replace('[', '[[]')}", "*1 passed, 1 skipped*")


def test_a_gpu_test_runs_where_jax_sees_one(tmp_path: Path) -> None:
    """Control: with a GPU among JAX's devices the same test runs."""
    ran = run(write(tmp_path, conftest=SEES_A_GPU, test_marked=MARKED), "-s", env=ON_CPU)
    assert ran.code == 0, ran.output
    ran.matches("*on the gpu*", "*2 passed*")


@pytest.mark.parametrize("arguments", [("-m", "not gpu"), ("--collect-only", "-q"), ("-k", "plain or never")])
def test_jax_is_not_asked_unless_a_gpu_test_is_about_to_run(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Neither collecting such tests, nor leaving them out, nor skipping them for another reason, loads JAX."""
    never = MARKED.replace("test_on_gpu", "test_never").replace(
        "@pytest.mark.gpu", "@pytest.mark.gpu\n@pytest.mark.skip"
    )
    ran = run(write(tmp_path, conftest=REPORTS_JAX, test_marked=MARKED, test_never=never), *arguments)
    assert ran.code == 0, ran.output
    ran.matches("jax loaded: False")


@pytest.mark.parametrize(("missing", "expected"), [(REASON, 1), ("", 2)])
def test_a_setting_for_gpus_is_not_trained_along_without_one(
    session: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch, missing: str, expected: int
) -> None:
    """A setting that is marked ``gpu`` is part of its population only where its test will run."""
    monkeypatch.setattr(HarnessSession, "missing_accelerator", missing)
    marked = "[*grid(learning_rate=[0.1]), pytest.param(Hyperparameters(learning_rate=3), marks=pytest.mark.gpu)]"
    ran = session(test_gpus=EXPERIMENT + SWEEP.replace("grid(learning_rate=[0.1, 0.2])", marked) + FIRST)
    assert len(ran.planned[0]) == expected
    assert len(ran.trained) == expected
