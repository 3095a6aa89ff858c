"""What a session leaves: a report, a summary for GitHub, properties for JUnit, runs in MLflow."""

from __future__ import annotations

import importlib.util
import json
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest
from tiny_experiment import EXPERIMENT, PASSES, SETTING, Ran, run, write

if TYPE_CHECKING:
    from pathlib import Path

TIMED = """

def test_is_quick(replicates, gate, reference_seconds, data):
    from harness import TrainingTimeRatio

    assert len(data.train_data) == 200
    gate.check(replicates, TrainingTimeRatio(1e6, reference_seconds))
"""

OTHER = PASSES.replace("test_learns", "test_also_learns").replace("0.9", "1")


@pytest.fixture(scope="module", params=[(), ("-n", "2")], ids=["alone", "workers"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Two experiments, one of which fails its gate, with everything told that can be."""
    folder = write(
        tmp_path_factory.mktemp("told"),
        test_one=EXPERIMENT + SETTING + PASSES + TIMED,
        test_two=EXPERIMENT + SETTING + OTHER,
    )
    summary = {"GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    return run(folder, "--report", "out", "--junitxml", "junit.xml", *request.param, env=summary)


def test_the_report_is_a_page_and_lines(told: Ran) -> None:
    """Both experiments are on the page and in the lines, with their replicates and the test images they got wrong."""
    assert told.code == 1
    told.matches("byom: report written to out/index.html")
    page = (told.folder / "out" / "index.html").read_text(encoding="utf-8")
    assert "one" in page
    assert "accuracy &gt;= 1" in page
    assert "training time ratio &lt;= 1e+06" in page
    lines = [json.loads(line) for line in (told.folder / "out" / "results.jsonl").read_text().splitlines()]
    assert {line["experiment"] for line in lines} == {"one", "two"}


def test_the_summary_is_appended(told: Ran) -> None:
    """GitHub's summary gets the failed rule and the reason."""
    told.matches("byom: summary appended for GitHub")
    summary = (told.folder / "summary.md").read_text(encoding="utf-8")
    assert "expected accuracy of at least 1" in summary


def test_junit_knows_every_trial(told: Ran) -> None:
    """Each test case has properties for each trial behind it: accuracy, loss, seconds, engine, cached."""
    cases = ET.parse(told.folder / "junit.xml").getroot().iter("testcase")  # noqa: S314 - written by pytest just now
    for case in cases:
        found = {node.get("name", ""): node.get("value", "") for node in case.iter("property")}
        name = case.get("classname", "").removeprefix("test_")
        for seed in (0, 1):
            trial = f"byom.{name}[learning_rate=0.2,seed={seed}]"
            assert float(found[f"{trial}.accuracy"]) >= 0.9
            assert found[f"{trial}.engine"] == "mxnet"
            assert {f"{trial}.loss", f"{trial}.seconds", f"{trial}.cached"} <= found.keys()


def test_without_the_options_nothing_is_left(tmp_path: Path) -> None:
    """A plain run writes no file beside the tests."""
    folder = write(tmp_path / "plain", test_one=EXPERIMENT + SETTING + PASSES)
    before = {path.name for path in folder.iterdir()}
    run(folder)
    assert {path.name for path in folder.iterdir()} - before <= {"scratch", "__pycache__", ".cache"}


def test_a_report_that_cannot_be_written_fails_the_session(tmp_path: Path) -> None:
    """Who asked for a report and gets none must not see a green run."""
    blocks = "\n\ndef test_zz_blocks():\n    Path('out').write_text('in the way')\n"
    folder = write(tmp_path / "full", test_one=EXPERIMENT + SETTING + PASSES + blocks)
    ran = run(folder, "-m", "not aws", "--report", "out")
    assert ran.code == 1
    assert "2 passed" in ran.output
    assert "out" in next(line for line in ran.lines if line.startswith("byom: "))


def test_a_file_is_no_folder_for_a_report(tmp_path: Path) -> None:
    """``--report test_one.py`` swallows the module; it is refused before anything runs, and no file is touched."""
    ran = run(write(tmp_path / "slip", test_one="def test_one(): ..."), "--report", "test_one.py")
    assert ran.code == 4
    assert "--report: expected a folder to write into, found the file test_one.py" in ran.output


@pytest.mark.parametrize("arguments", [("--collect-only", "-q"), ("-k", "nothing"), ("-m", "local", "nowhere")])
def test_a_run_without_models_keeps_the_last_report(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Nothing trained, nothing to tell: an older report is not emptied."""
    folder = write(tmp_path / "kept", test_one="def test_one(): ...")
    (folder / "out").mkdir()
    (folder / "out" / "results.jsonl").write_text("before", encoding="utf-8")
    run(folder, *arguments, "--report", "out")
    assert (folder / "out" / "results.jsonl").read_text(encoding="utf-8") == "before"


def test_fixtures_of_other_projects_are_left_alone(tmp_path: Path) -> None:
    """A project may call its own things replicates, trained or baseline: they reach its tests as they are."""
    own = """
import pytest


@pytest.fixture
def replicates():
    return iter([1, 2])


@pytest.fixture
def trained():
    return 3


@pytest.fixture
def baseline():
    return 0.5


def test_own(replicates, trained, baseline):
    assert (list(replicates), trained, baseline) == ([1, 2], 3, 0.5)
"""
    assert run(write(tmp_path / "own", test_own=own)).code == 0


def test_a_path_is_no_tracking_uri(tmp_path: Path) -> None:
    """``--mlflow-uri experiments`` swallows what was meant as a folder of tests; it is refused before anything runs."""
    ran = run(write(tmp_path / "slip"), "--mlflow-uri", "experiments")
    assert ran.code == 4
    assert "--mlflow-uri" in ran.output


@pytest.mark.skipif(not importlib.util.find_spec("mlflow"), reason="needs mlflow: pip install 'byom-harness[mlflow]'")
def test_mlflow_gets_a_run_for_each_trial(tmp_path: Path) -> None:
    """``--mlflow-uri`` alone keeps runs in a file beside the tests."""
    folder = write(tmp_path / "tracked", test_one=EXPERIMENT + SETTING + PASSES)
    ran = run(folder, "--mlflow-uri")
    assert ran.code == 0, ran.output
    ran.matches("byom: 2 runs logged to MLflow")
    assert (folder / "mlflow.db").exists()
    assert not (folder / "mlruns").exists()
