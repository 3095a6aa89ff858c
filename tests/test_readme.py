"""The README is true: its example runs as written, and every command in it is run by CI or by a test."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

RUN_BY = {
    "make local": ".ci/run",
    "make test": ".ci/run",
    "python make_data.py": "tests/test_readme.py",
    "pytest -m local": "tests/test_readme.py",
    "pytest -m local -k 0.1": "tests/test_readme.py",
    "pytest -m local --engine xla": "tests/test_readme.py",
    "pytest -m local --artifacts kept": "tests/plugin/test_plugin_sessions.py",
    "pytest -m local --report report": "tests/plugin/test_plugin_telling.py",
    "pytest -m aws": "tests/plugin/test_plugin_selection.py",
    "byom policy": "tests/cloud/test_cloud_policy.py",
    "byom reap --dry-run": "tests/cloud/test_cloud_reap_command.py",
    "byom simulate": "tests/simulator/test_simulate_command.py",
    "byom verify model.tar.gz": "tests/tarball/test_tarball_cli.py",
    "byom inspect model.tar.gz": "tests/tarball/test_tarball_cli.py",
    "byom serve model.tar.gz": "tests/simulator/test_simulator_cli.py",
    "byom draw model.tar.gz": "tests/canvas/test_draw_command.py",
}
"""Where each command of the README is run."""


def commands() -> list[str]:
    """Every line of the README's shell blocks, comments stripped."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]


def test_every_command_is_run_somewhere() -> None:
    """Each command of the README stands in the list above, and the file it names mentions it."""
    assert commands() == list(RUN_BY)
    for command, place in RUN_BY.items():
        words = command.split()
        text = (ROOT / place).read_text(encoding="utf-8")
        assert all(word in text for word in words[:2]), (command, place)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the README's three files, the first of them run."""
    folder = tmp_path_factory.mktemp("readme")
    for name in ("make_data.py", "my_model.py", "test_my_model.py"):
        [code] = re.findall(rf"```python\n# {name}\n(.*?)```", README, re.DOTALL)
        (folder / name).write_text(code, encoding="utf-8")
    subprocess.run([sys.executable, "make_data.py"], cwd=folder, check=True)
    return folder


@pytest.mark.serving
def test_the_example_runs_as_written(example: Path, pytester: pytest.Pytester) -> None:
    """Copied from the README into an empty folder, ``pytest -m local`` trains, gates, deploys and predicts."""
    result = pytester.runpytest_subprocess("-m", "local", "--rootdir", example, example)
    result.assert_outcomes(passed=4, deselected=2)
    result.stdout.fnmatch_lines(["my-model *learning_rate=0.1,hidden=16 *mxnet *accuracy >= 0.9 *in service*deleted"])


def test_selecting_one_setting_trains_nothing_else(example: Path, pytester: pytest.Pytester) -> None:
    """``pytest -m local -k 0.1`` leaves the other learning rate untrained."""
    result = pytester.runpytest_subprocess("-m", "local", "-k", "0.1 and learns", "--rootdir", example, example)
    result.assert_outcomes(passed=1, deselected=5)
    assert "learning_rate=0.1," in result.stdout.str()
    assert "learning_rate=0.5" not in result.stdout.str()


def test_all_settings_train_at_once(example: Path, pytester: pytest.Pytester) -> None:
    """``pytest -m local --engine xla`` trains both settings with all seeds as one population, and they pass."""
    result = pytester.runpytest_subprocess(
        "-m", "local", "--engine", "xla", "-k", "learns", "--rootdir", example, example
    )
    result.assert_outcomes(passed=2, deselected=4)
    result.stdout.fnmatch_lines(["my-model: 6 trial(s) at once*", "my-model *hidden=16 *xla *accuracy >= 0.9 *"])
