"""An experiment that trains in milliseconds, and whole pytest sessions that run it in a process of their own."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SECONDS = 150
"""How long an inner session may hang before the outer test fails; none takes a fifth of it."""

INI = """
[pytest]
addopts = --strict-markers --strict-config -p no:cacheprovider
markers =
    serving: starts the model server
filterwarnings = error
"""

ENTRY_POINT = '''
"""Two classes, one layer."""

import mxnet as mx


def build_graph():
    data = mx.sym.flatten(data=mx.sym.var("data"))
    scores = mx.sym.FullyConnected(data=data, num_hidden=2, name="scores")
    return mx.sym.SoftmaxOutput(data=scores, name="softmax")
'''

EXPERIMENT = '''
from pathlib import Path

import numpy as np
import pytest

from harness import AccuracyFloor, Experiment, Hyperparameters, arrays, grid


def examples(count, seed):
    """Two clouds, far apart; the first label is wrong, so that no model reaches 1."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 2, count)
    data = draw.normal(size=(count, 1, 2, 2)) + np.where(labels, 2.0, -2.0).reshape(-1, 1, 1, 1)
    labels[0] = 1 - labels[0]
    return data.astype(np.float32), labels


@pytest.fixture(scope="module")
def experiment():
    (train_data, train_label), (test_data, test_label) = examples(200, 1), examples(100, 2)
    dataset = arrays(
        "clouds", train_data=train_data, train_label=train_label, test_data=test_data, test_label=test_label
    )
    return Experiment(
        name=__name__.removeprefix("test_").replace("_", "-"),
        entry_point=Path(__file__).with_name("tiny.py"),
        dataset=dataset,
        epochs=3,
        batch_size=20,
        seeds=range(2),
    )
'''
"""The head of an inner module; its experiment is named after the module. 100 test examples, one of them unlearnable."""

SETTING = """

@pytest.fixture(scope="module")
def hyperparameters():
    return Hyperparameters(learning_rate=0.2)
"""

SWEEP = """

@pytest.fixture(scope="module", params=grid(learning_rate=[0.1, 0.2]), ids=str)
def hyperparameters(request):
    return request.param
"""

PASSES = """

def test_learns(replicates, gate):
    gate.check(replicates, AccuracyFloor(0.9))
"""

SERVES = """

@pytest.mark.serving
@pytest.mark.parametrize("content_type", ["application/json", "text/csv", "application/x-npy"])
def test_serves(predictor, trained, data, content_type):
    np.testing.assert_allclose(predictor.predict(data.test_data, content_type), trained.probabilities, atol=1e-5)
"""

LEAVES_NOTHING = '''

def test_leaves_nothing(cloud):
    """Runs in a module of its own, after all others: what they deployed has to be gone."""
    sagemaker, s3 = cloud.client("sagemaker"), cloud.client("s3")
    assert sagemaker.list_endpoints()["Endpoints"] == []
    assert sagemaker.list_endpoint_configs()["EndpointConfigs"] == []
    assert sagemaker.list_models()["Models"] == []
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert len(buckets) == 1  # or nothing was ever uploaded, and this test proves nothing
    assert s3.list_objects_v2(Bucket=buckets[0])["KeyCount"] == 0
'''


@dataclass(frozen=True)
class Ran:
    """A session that is over.

    Attributes:
        code: its exit status.
        output: everything it printed.
        folder: its working directory.
        scratch: what it had for temporary files.
    """

    code: int
    output: str
    folder: Path
    scratch: Path

    @property
    def lines(self) -> list[str]:
        """The output by lines."""
        return self.output.splitlines()

    def matches(self, *patterns: str) -> None:
        """Assert that lines match these globs, in this order."""
        pytest.LineMatcher(self.lines).fnmatch_lines(patterns)

    def row(self, experiment: str) -> list[str]:
        """The cells of an experiment's only row in the table at the end."""
        [row] = self.rows(experiment)
        return row

    def rows(self, experiment: str) -> list[list[str]]:
        """The cells of each row of an experiment, by the columns under the header's rules."""
        start = next(number for number, line in enumerate(self.lines) if line.startswith("experiment  "))
        ends = [0]
        for rule in self.lines[start + 1].split("  "):
            ends.append(ends[-1] + len(rule) + 2)
        table = [
            [line[left:right].strip() for left, right in itertools.pairwise(ends)] for line in self.lines[start + 2 :]
        ]
        return [cells for cells in table if cells[0] == experiment]


def write(folder: Path, **modules: str) -> Path:
    """Write an ini file, the entry point and modules, each given by its name and text, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pytest.ini").write_text(INI, encoding="utf-8")
    for name, text in {"tiny": ENTRY_POINT, **modules}.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


def run(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Ran:
    """``pytest ARGUMENTS`` in a folder, as a user with no AWS account starts it.

    ``env`` is added to an environment without anything of AWS's or of the outer session's.
    """
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=folder,
        env={**foreign_environment(folder), **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return Ran(done.returncode, done.stdout, folder, folder / "scratch")


def foreign_environment(folder: Path) -> dict[str, str]:
    """An environment for a process in a folder, without anything of AWS's or of the outer session's."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "BYOM_", "PYTEST_", "SAGEMAKER_"))
    }
    return {**kept, "HOME": str(folder), "TMPDIR": str(scratch), "AWS_EC2_METADATA_DISABLED": "true"}
