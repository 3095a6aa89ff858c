"""Baselines in whole sessions: written, compared with, refused, also by several workers at once."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from tiny_experiment import EXPERIMENT, SETTING, SWEEP, Ran, run, write

if TYPE_CHECKING:
    from pathlib import Path

COMPARES = """

def test_learns(replicates, gate):
    gate.check(replicates, AccuracyFloor(0.9))


def test_has_not_become_worse(replicates, gate, baseline):
    from harness import NotWorse

    gate.check(replicates, NotWorse(baseline, margin=0.1))
"""

MODULE = EXPERIMENT.replace("range(2)", "range(3)") + SETTING + COMPARES

UPDATE = ("-q", "--update-baselines", "--baseline-replicates", "9")


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A session that writes the baseline of one setting."""
    return run(write(tmp_path_factory.mktemp("accepted"), test_tiny=MODULE), *UPDATE)


@pytest.fixture
def folder(accepted: Ran, tmp_path: Path) -> Path:
    """A copy of that session's folder, its cache of trained models included."""
    return shutil.copytree(accepted.folder, tmp_path / "copy", ignore=shutil.ignore_patterns("scratch"))


def baseline_in(folder: Path) -> Path:
    """Its file."""
    return folder / "baselines" / "tiny" / "learning_rate=0.2.json"


def test_an_update_trains_more_replicates_and_writes_them(accepted: Ran) -> None:
    """Three seeds are the experiment's, nine the baseline's; the session says where it has put them."""
    assert accepted.code == 0, accepted.output
    accepted.matches("byom: tiny?learning_rate=0.2?: baseline written to baselines/tiny/learning_rate=0.2.json")
    found = json.loads(baseline_in(accepted.folder).read_text(encoding="utf-8"))
    assert [replicate["seed"] for replicate in found["replicates"]] == list(range(9))
    assert accepted.row("tiny")[3].endswith("(9 seeds)")


def test_the_next_run_is_identical_and_takes_its_models_from_the_cache(folder: Path) -> None:
    """Nothing has changed: no training, no statistics, and both are said."""
    ran = run(folder)
    assert ran.code == 0, ran.output
    ran.matches("tiny: trained models from *; --retrain trains them anew")
    assert ran.row("tiny")[4:6] == ["accuracy >= 0.9, not worse (notices 10 points)", "cached"]


def test_retraining_gives_the_same_bytes(folder: Path) -> None:
    """--retrain leaves the cache aside, and what it trains is identical to the baseline all the same."""
    ran = run(folder, "--retrain", "--report", "out")
    assert ran.code == 0, ran.output
    assert "trained models from" not in ran.output
    results = (folder / "out" / "results.jsonl").read_text(encoding="utf-8")
    assert "identical to the baseline" in results
    assert '"cached": true' not in results


def test_an_update_without_a_change_changes_no_file(folder: Path) -> None:
    """Writing the same results again leaves nothing to commit."""
    before = baseline_in(folder).read_bytes()
    ran = run(folder, *UPDATE)
    ran.matches("byom: tiny?learning_rate=0.2?: baseline unchanged")
    assert baseline_in(folder).read_bytes() == before


def test_without_a_baseline_the_command_that_writes_it_is_told(folder: Path) -> None:
    """The failure names the file that is missing, and a command that can be copied."""
    shutil.rmtree(folder / "baselines")
    ran = run(folder)
    assert ran.code == 1
    ran.matches(
        "E     - expected a baseline at baselines/tiny/learning_rate=0.2.json, found none",
        "E     To accept the results of this module as baselines: pytest -m local test_tiny.py --update-baselines",
    )


def test_other_data_are_refused(folder: Path) -> None:
    """One label changed: the comparison is not made, and the reason says which data are others."""
    module = folder / "test_tiny.py"
    text = module.read_text(encoding="utf-8")
    module.write_text(text.replace("labels[0] = 1 - labels[0]", "labels[1] = 1 - labels[1]"), encoding="utf-8")
    ran = run(folder, "-k", "worse")
    assert ran.code == 1
    ran.matches(
        "E     - expected what the baseline was made from, found something else (training data: * then, * now; *"
    )


def test_another_engine_is_refused(folder: Path) -> None:
    """--engine xla has no baseline here, whatever it reaches."""
    ran = run(folder, "-k", "worse", "--engine", "xla")
    assert ran.code == 1
    ran.matches(
        "E     - expected what the baseline was made from, found something else (engine: mxnet then, xla now)",
        "E     To accept *: pytest --engine xla -m local test_tiny.py --update-baselines",
    )


def test_a_failed_test_keeps_the_old_baseline(folder: Path) -> None:
    """What a plain assertion of the module refuses is not accepted, though every rule let it pass."""
    with (folder / "test_tiny.py").open("a", encoding="utf-8") as module:
        module.write("\n\ndef test_zz_is_better(replicates):\n    assert min(replicates.accuracies) > 1\n")
    before = baseline_in(folder).read_bytes()
    ran = run(folder, *UPDATE)
    assert ran.code == 1
    ran.matches("byom: tiny?learning_rate=0.2?: baseline NOT written: test_tiny.py::test_zz_is_better failed")
    assert baseline_in(folder).read_bytes() == before


def test_a_run_that_was_cut_short_keeps_the_old_baseline(folder: Path) -> None:
    """With ``-x`` the floors behind a failed test are never heard: nothing is accepted, however well it began."""
    module = folder / "test_tiny.py"
    text = module.read_text(encoding="utf-8")
    module.write_text(text + "\n\ndef test_zz_fails():\n    assert False\n", encoding="utf-8")
    before = baseline_in(folder).read_bytes()
    ran = run(folder, *UPDATE, "-x")
    assert ran.code == 1
    ran.matches("byom: tiny?learning_rate=0.2?: baseline NOT written: the run was stopped before its end")
    assert baseline_in(folder).read_bytes() == before


def test_a_worker_that_dies_keeps_the_old_baseline(folder: Path) -> None:
    """What it had seen of the floors is lost with it."""
    module = folder / "test_tiny.py"
    text = module.read_text(encoding="utf-8")
    module.write_text(text + "\n\ndef test_zz_dies():\n    __import__('os')._exit(3)\n", encoding="utf-8")
    ran = run(folder, *UPDATE, "-n", "1")
    assert ran.code == 1
    assert "baseline written" not in ran.output
    assert "baseline unchanged" not in ran.output


def test_two_experiments_of_one_name_accept_nothing(tmp_path: Path) -> None:
    """Under -n two workers meet them apart from each other; the controller hears of both, and refuses."""
    named = MODULE.replace('name=__name__.removeprefix("test_").replace("_", "-")', 'name="same"')
    folder = write(tmp_path / "clash", test_one=named, test_two=named.replace("epochs=3", "epochs=4"))
    ran = run(folder, *UPDATE, "-n", "2", "--dist", "loadfile")
    assert ran.code == 1
    assert "two different experiments" in ran.output
    assert not (folder / "baselines").exists()


def test_an_update_without_a_comparison_says_so(folder: Path) -> None:
    """No test uses the baseline: nothing is trained beyond the experiment's seeds, nothing is written."""
    ran = run(folder, *UPDATE, "-k", "learns")
    assert ran.code == 1
    ran.matches("byom: --update-baselines: nothing written, as no test that ran compares with a baseline")


def test_a_baseline_that_cannot_be_written_fails_the_session(folder: Path) -> None:
    """A file where the folder should be: one line says what is in the way, and the exit status is 1."""
    shutil.rmtree(folder / "baselines")
    (folder / "baselines").write_text("in the way", encoding="utf-8")
    ran = run(folder, *UPDATE)
    assert ran.code == 1
    assert "cannot be written" in ran.output


@pytest.mark.parametrize("count", ["1", "many", "-3"])
def test_a_baseline_of_less_than_two_is_refused(folder: Path, count: str) -> None:
    """One model says nothing of noise; the option is refused before anything runs."""
    ran = run(folder, "--update-baselines", f"--baseline-replicates={count}")
    assert ran.code == 4
    assert f"--baseline-replicates: expected a whole number of at least 2, found '{count}'" in ran.output


@pytest.mark.parametrize("mode", ["load", "worksteal"])
def test_workers_propose_and_the_controller_writes(tmp_path: Path, mode: str) -> None:
    """Under -n two settings of a sweep are accepted once each, wherever their tests ran; the next run is identical."""
    sweep = EXPERIMENT.replace("range(2)", "range(3)") + SWEEP + COMPARES
    folder = write(tmp_path / mode, test_sweep=sweep)
    ran = run(folder, *UPDATE, "-n", "2", "--dist", mode)
    assert ran.code == 0, ran.output
    names = sorted(path.name for path in (folder / "baselines" / "sweep").iterdir())
    assert names == ["learning_rate=0.1.json", "learning_rate=0.2.json"]
    assert ran.output.count("baseline written to") == 2
    again = run(folder, "-n", "2", "--dist", mode)
    assert again.code == 0, again.output
    assert {cells[5] for cells in again.rows("sweep")} == {"cached"}
