"""Whole sessions with engine ``xla``: what the selected tests of a module ask for is trained as one program."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from recorded_session import FIRST
from tiny_experiment import EXPERIMENT, PASSES, SWEEP, Ran, run, write

if TYPE_CHECKING:
    from pathlib import Path

XLA = EXPERIMENT.replace("seeds=range(2),", 'seeds=range(2),\n        engine="xla",')
DIVERGING = SWEEP.replace("0.2])", "0.2]) + grid(learning_rate=[0.3], wd=[1e30])")
"""Weights that decay by more than themselves overflow with the second update."""

PACKS = """

def test_packs(artifact):
    pass
"""

RECORDS_CALLS = """
from harness.train.xla.engine import XlaEngine

train = XlaEngine.train


def recorded(self, jobs, *rest):
    with open("calls.txt", "a", encoding="utf-8") as record:
        record.write(";".join(str(job.trial) for job in jobs) + "\\n")
    return train(self, jobs, *rest)


XlaEngine.train = recorded
"""


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three settings times two seeds; one of the settings cannot be trained."""
    folder = tmp_path_factory.mktemp("sweep")
    return write(folder, conftest=RECORDS_CALLS, test_sweep=XLA + DIVERGING + FIRST + PASSES + PACKS)


def calls(folder: Path, *arguments: str) -> tuple[Ran, list[list[str]]]:
    """``pytest ARGUMENTS``, and the trials of each call of the engine."""
    record = folder / "calls.txt"
    record.unlink(missing_ok=True)
    ran = run(folder, *arguments, "--retrain")  # as sessions share a folder, and its cache
    return ran, [line.split(";") for line in record.read_text(encoding="utf-8").splitlines()]


def trials(*settings: str, seeds: int = 2) -> list[str]:
    """Names of the trials of settings."""
    return [f"sweep[learning_rate={setting},seed={seed}]" for setting in settings for seed in range(seeds)]


@pytest.fixture(scope="module")
def whole(sweep: Path) -> tuple[Ran, list[list[str]]]:
    """A bare run of all of it."""
    return calls(sweep, "-v")


def test_a_sweep_is_one_program(whole: tuple[Ran, list[list[str]]]) -> None:
    """Six trials are one call of the engine, with one line of progress, and each setting has its row."""
    ran, made = whole
    assert [sorted(call) for call in made] == [sorted(trials("0.1", "0.2", "0.3,wd=1e+30"))]
    assert re.findall(r"^(sweep\[.*\]) epoch 3/3", ran.output, re.MULTILINE) == ["sweep[6 trials at once]"]
    rows = {row[1]: row for row in ran.rows("sweep")}
    assert rows.keys() == {"learning_rate=0.1", "learning_rate=0.2"}
    assert all((row[2], len(row[3].split()), len(row[6])) == ("xla", 2, 12) for row in rows.values())


def test_a_setting_that_diverges_fails_alone(whole: tuple[Ran, list[list[str]]]) -> None:
    """Its own tests name it; the ones beside it in the same program are none the worse."""
    ran, _ = whole
    assert ran.code == 1
    ran.matches("*test_packs?learning_rate=0.1? PASSED*", "*test_first?learning_rate=0.3,wd=1e+30? ERROR*")
    ran.matches("E   TrainingError: sweep?learning_rate=0.3,wd=1e+30,seed=0?: *no longer a number*")
    assert "6 passed, 3 errors" in ran.output


def test_only_what_is_selected_is_in_the_program(sweep: Path) -> None:
    """First seeds of two of the settings, if that is all that the selected tests use."""
    ran, made = calls(sweep, "-k", "(first or packs) and not wd")
    assert ran.code == 0, ran.output
    assert made == [trials("0.1", "0.2", seeds=1)]


def test_one_of_two_workers_trains_the_population(sweep: Path) -> None:
    """With ``-n 2`` the program is compiled and run once, for all tests of the module."""
    ran, made = calls(sweep, "-n", "2", "-k", "not wd")
    assert ran.code == 0, ran.output
    assert [sorted(call) for call in made] == [sorted(trials("0.1", "0.2"))]
