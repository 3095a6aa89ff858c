"""No module of engine xla needs MXNet to be imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.train.compat import mxnet

BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "mxnet":
            raise ImportError("mxnet is not here")

sys.meta_path.insert(0, Blocker())
"""

IMPORT_ALL = """
import importlib, pkgutil
import harness.train.xla

names = [module.name for module in pkgutil.walk_packages(harness.train.xla.__path__, "harness.train.xla.")]
for name in names:
    importlib.import_module(name)
print("imported:", *names)
"""

TRAIN = """
import numpy as np
from harness.train.xla.graph import Graph
from harness.train.xla.lowering import Lowered

lowered = Lowered(Graph.parse(open(sys.argv[1]).read()), {"data": (2, 3), "softmax_label": (2,)})
parameters = {name: np.ones(shape, np.float32) for name, shape in lowered.parameters.items()}
[probabilities], _ = lowered(parameters, {}, {"data": np.ones((2, 3), np.float32)}, training=False)
print("probabilities:", *probabilities.ravel().tolist())
"""


def run(*program: str, arguments: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """A Python of its own."""
    return subprocess.run(
        [sys.executable, "-c", "".join(program), *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_every_module_can_be_imported() -> None:
    """None of them needs MXNet, at its top or through another module."""
    done = run(BLOCKER, IMPORT_ALL)
    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stdout.splitlines() if line.startswith("imported:")]
    folder = Path(__file__).resolve().parents[3] / "harness" / "train" / "xla"
    expected = {
        ".".join(("harness.train.xla", *path.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__")
        for path in folder.rglob("*.py")
    } - {"harness.train.xla"}
    assert set(line.split()[1:]) == expected


@pytest.mark.parametrize("statement", ["import mxnet", "import harness.train.compat\nharness.train.compat.mxnet()"])
def test_the_blocker_blocks(statement: str) -> None:
    """Control: under the same blocker whoever needs MXNet cannot have it."""
    done = run(BLOCKER, statement)
    assert done.returncode == 1
    assert "mxnet is not here" in done.stderr


def test_a_graph_can_be_computed(tmp_path: Path) -> None:
    """From a file that MXNet wrote elsewhere."""
    mx = mxnet()
    symbol = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, name="fc"), name="softmax")
    path = tmp_path / "symbol.json"
    path.write_text(symbol.tojson(), encoding="utf-8")
    done = run(BLOCKER, TRAIN, arguments=(str(path),))
    assert done.returncode == 0, done.stderr
    [line] = [line for line in done.stdout.splitlines() if line.startswith("probabilities:")]
    assert [float(text) for text in line.split()[1:]] == pytest.approx([0.5] * 4)
