"""Baselines as files: what they hold, that they repeat, and that a changed one is not believed."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trained_models import labels_of, model_with, noisy_replicates, replicates_of

from harness import Experiment, Hyperparameters
from harness.errors import GateError
from harness.experiment import Trial
from harness.gate.baseline import Baseline, file_name, read

if TYPE_CHECKING:
    from pathlib import Path

    from harness.hyperparameters import Value


@pytest.fixture(scope="module")
def text(experiment: Experiment) -> str:
    """A small baseline of two replicates."""
    models = [model_with(experiment, 0, [3, 41]), model_with(experiment, 1, [41], loss=0.123456789)]
    return Baseline.of(replicates_of(models)).to_text()


def test_a_file_reads_line_by_line(text: str) -> None:
    """Summary and replicates come first, and each wrong image has a line: that is what a reviewer sees in a diff."""
    lines = text.splitlines()
    assert lines[1:6] == [
        ' "experiment": "tiny",',
        ' "hyperparameters": "learning_rate=0.2",',
        ' "engine": "mxnet",',
        ' "summary": {',
        '  "accuracy": "mean 0.9985, standard deviation 0.0007, 0.9980 to 0.9990, 2 replicates",',
    ]
    assert '  {"seed": 0, "accuracy": 0.998, "loss": 0.1, "weights": "' + "0" * 64 + '"},' in lines
    assert lines[-4:] == ['  "3": "4.",', '  "41": "22"', " }", "}"]


def test_a_file_gives_back_what_was_accepted(text: str, experiment: Experiment) -> None:
    """Reading and writing again gives the same bytes, and for each seed the images that its model got right."""
    baseline = Baseline.from_text(text, "it")
    assert baseline.to_text() == text
    assert np.flatnonzero(~baseline.right[0]).tolist() == [3, 41]
    assert np.flatnonzero(~baseline.right[1]).tolist() == [41]
    assert [accepted.loss for accepted in baseline.replicates] == [0.1, 0.12345679]


def test_the_same_results_give_the_same_bytes(experiment: Experiment) -> None:
    """No time, no machine, no order of a set: two runs that agree leave nothing to commit."""
    one, other = (Baseline.of(noisy_replicates(experiment, range(5))).to_text() for _ in range(2))
    assert one == other


def test_many_classes_keep_right_and_wrong(experiment: Experiment) -> None:
    """Where no single character names a class, a wrong answer is an x."""
    labels = labels_of(100)
    probabilities = np.zeros((100, 50), np.float32)
    probabilities[np.arange(100), labels] = 1
    probabilities[7] = 0
    probabilities[7, 49] = 1
    model = dataclasses.replace(model_with(experiment, 0), probabilities=probabilities, labels=labels, accuracy=0.99)
    baseline = Baseline.of(replicates_of([model]))
    assert baseline.wrong == {7: "x"}
    assert Baseline.from_text(baseline.to_text(), "it") == baseline


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"accuracy": 0.998', '"accuracy": 0.999'),  # a figure nicer than its answers
        ('"3": "4."', '"3": ".."'),
        ('"3": "4."', '"3": "4"'),
        ('"3": "4."', '"3000": "4."'),
        ('"engine"', '"motor"'),
        ('"mean 0.9985', '"mean 0.9999'),
        ("{\n", "<<<<<<< HEAD\n{\n"),
        (' "images": 1000', ' "images": 0'),
        (' "images": 1000', ' "images": 1000000000000000'),
        (' "images": 1000', ' "images": "1000"'),
        ('"seed": 1', '"seed": 0'),
        ('"seed": 1', '"seed": "1"'),
        ('"loss": 0.1,', '"loss": NaN,'),
        ('"engine": "mxnet"', '"engine": 5'),
        ('"3": "4."', '"-3": "4."'),
        (' "settings": {', ' "settings": 3, "else": {'),
    ],
)
def test_an_edited_file_is_not_believed(text: str, old: str, new: str) -> None:
    """A figure changed by hand, a line lost in a merge, a conflict marker: the file is refused by its name."""
    assert old in text
    with pytest.raises(
        GateError, match=r"baseline somewhere\.json: expected a file as --update-baselines writes it, found"
    ):
        Baseline.from_text(text.replace(old, new, 1), "somewhere.json")


@given(st.data())
def test_any_change_of_a_file_is_noticed(text: str, data: st.DataObject) -> None:
    """Whatever line is lost or doubled, what is left is another valid baseline or refused, never a crash."""
    lines = text.splitlines(keepends=True)
    number = data.draw(st.integers(0, len(lines) - 1))
    changed = "".join([*lines[:number], *data.draw(st.sampled_from([[], [lines[number]] * 2])), *lines[number + 1 :]])
    with contextlib.suppress(GateError):
        assert Baseline.from_text(changed, "it").to_text() == changed


@pytest.mark.parametrize("content", ["", "null", "[]", "{}", "3", '{"replicates": 3}', "\x00"])
def test_other_files_are_not_baselines(content: str) -> None:
    """Whatever JSON, or none: one clear error."""
    with pytest.raises(GateError, match="expected a file as --update-baselines writes it"):
        Baseline.from_text(content, "it")


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, "tiny/defaults.json"),
        ({"learning_rate": 0.2, "hidden": 8}, "tiny/hidden=8,learning_rate=0.2.json"),
        ({"hidden": 8, "learning_rate": 0.2}, "tiny/hidden=8,learning_rate=0.2.json"),
    ],
)
def test_a_setting_names_its_file(experiment: Experiment, values: dict[str, Value], name: str) -> None:
    """The file is found by eye."""
    assert file_name(_trial(experiment, values)) == name


def test_odd_settings_get_safe_names_of_their_own(experiment: Experiment) -> None:
    """Slashes, dots and length do not leave the folder, and two settings never share a file."""
    odd = ["a/b", "a:b", "../../etc", "x" * 300, "ä"]
    names = [file_name(_trial(experiment, {"hidden": value})) for value in odd]
    assert len(set(names)) == len(odd)
    for name in names:
        folder, _, file = name.partition("/")
        assert folder == "tiny"
        assert "/" not in file
        assert len(file) < 130


def test_reading_finds_the_file_or_nothing(experiment: Experiment, text: str, tmp_path: Path) -> None:
    """No file is no baseline; a file that cannot be read is an error, not a missing one."""
    trial = _trial(experiment, {"learning_rate": 0.2})
    assert read(tmp_path, trial) is None
    path = tmp_path / file_name(trial)
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    found = read(tmp_path, trial)
    assert found is not None
    assert json.loads(text)["engine"] == found.engine
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(GateError, match="expected a text file that can be read"):
        read(tmp_path, trial)


def _trial(experiment: Experiment, values: dict[str, Value]) -> Trial:
    experiment.entry_point.write_text("def build_graph(hidden=1): ...", encoding="utf-8")
    return Trial(experiment=experiment, hyperparameters=Hyperparameters(values), seed=0)
