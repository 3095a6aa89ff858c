"""The fixture ``drawn``: an experiment asks its endpoint about a digit that was drawn by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from live_account import write_live
from tiny_experiment import EXPERIMENT, SETTING

from harness import Drawing
from harness.artifact import PARAMETERS, SHAPES, SYMBOL
from harness.canvas.picture import mnist_picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forked_sessions import Nursery
    from recorded_session import Recorder

DRAWINGS = {
    "one": {"pen": 0.1, "strokes": [[[0.5, 0.1], [0.5, 0.9]]]},
    "seven": {"pen": 0.05, "strokes": [[[0.1, 0.1], [0.8, 0.1], [0.3, 0.9]], [[0.3, 0.5], [0.7, 0.5]]]},
}

WEIGHTS = np.random.default_rng(5).normal(scale=0.1, size=(10, 784)).astype(np.float32)

PREPARED = """
from contextlib import nullcontext

from harness.cloud import deploy

deploy.Loader = nullcontext  # the tarball is sound, and loading it takes seconds


@pytest.fixture(scope="module")
def artifact():
    from harness.tarball.verify import load_artifact

    return load_artifact(Path({tarball!r}))
"""

READS = """
from harness import Drawing

DRAWINGS = {drawings!r}


@pytest.mark.serving
@pytest.mark.parametrize("name", DRAWINGS)
def test_reads(drawn, name):
    answer = drawn(Drawing.from_dict(DRAWINGS[name]))
    assert (answer.shape, answer.dtype) == ((10,), np.float64)
    Path(name + ".answer").write_text(repr(answer.tolist()), encoding="ascii")


@pytest.mark.serving
def test_asks_the_same_endpoint(drawn, predictor):
    from harness.canvas.picture import mnist_picture

    drawing = Drawing.from_dict(DRAWINGS["seven"])
    batch = mnist_picture(drawing)[np.newaxis, np.newaxis]
    np.testing.assert_array_equal(drawn(drawing), predictor.predict(batch)[0])


@pytest.mark.serving
def test_takes_a_seven_for_nothing(drawn):
    assert drawn(Drawing.from_dict(DRAWINGS["seven"])).max() > 1
"""


def tarball(path: Path) -> Path:
    """One layer of ten classes, with weights that the test knows."""
    import tarball_parts as parts

    nodes = [parts.variable(name) for name in ("data", "fc_weight", "fc_bias", "softmax_label")]
    inputs = [[0, 0, 0], [1, 0, 0], [2, 0, 0]]
    nodes.append({"op": "FullyConnected", "name": "fc", "attrs": {"num_hidden": "10"}, "inputs": inputs})
    nodes.append({"op": "SoftmaxOutput", "name": "softmax", "inputs": [[4, 0, 0], [3, 0, 0]]})
    graph = {"nodes": nodes, "arg_nodes": [0, 1, 2, 3], "heads": [[5, 0, 0]]}
    arrays = {"arg:fc_weight": WEIGHTS, "arg:fc_bias": np.zeros(10, np.float32)}
    shapes = [{"name": "data", "shape": [1, 1, 28, 28]}]
    files = {
        SYMBOL: json.dumps(graph).encode(),
        PARAMETERS: parts.parameters(arrays),
        SHAPES: json.dumps(shapes).encode(),
    }
    return parts.write(path, files)


def expected(entry: dict[str, Any]) -> Any:
    """What that model makes of a drawing."""
    powers = np.exp(WEIGHTS.astype(float) @ mnist_picture(Drawing.from_dict(entry)).ravel())
    return powers / powers.sum()


def test_an_endpoint_reads_what_is_drawn(forks: Nursery, tmp_path_factory: pytest.TempPathFactory) -> None:
    """In the simulated account: the model's probabilities for the picture that MNIST would have made of the drawing.

    They are those that the predictor gives; an assertion on them that does not hold fails its test, and no other.
    """
    folder = tmp_path_factory.mktemp("drawn")  # a short name: unix sockets lie below it
    packed = tarball(folder / "model.tar.gz")
    inner = EXPERIMENT + SETTING + PREPARED.format(tarball=str(packed)) + READS.format(drawings=DRAWINGS)
    ran = forks.run(write_live(folder, test_drawn=inner), "pytest", "-v")
    assert ran.code == 1, ran.output
    ran.matches(
        "test_drawn.py::test_reads?simulated-one? PASSED*",
        "test_drawn.py::test_reads?simulated-seven? PASSED*",
        "test_drawn.py::test_asks_the_same_endpoint?simulated? PASSED*",
        "test_drawn.py::test_takes_a_seven_for_nothing?simulated? FAILED*",
    )
    for name, entry in DRAWINGS.items():
        answer = json.loads((ran.folder / f"{name}.answer").read_text(encoding="ascii"))
        np.testing.assert_allclose(answer, expected(entry), atol=1e-6)
    assert np.abs(expected(DRAWINGS["one"]) - expected(DRAWINGS["seven"])).max() > 0.01


@pytest.mark.parametrize(("options", "account"), [((), "simulated"), (("-m", "aws"), "live")])
def test_each_account_has_its_own(session: Callable[..., Recorder], options: tuple[str, ...], account: str) -> None:
    """A test that asks what is drawn is one for the simulated account and, where AWS is asked for, one for the live."""
    ran = session("--collect-only", *options, test_drawn="def test_reads(drawn):\n    assert drawn\n")
    assert ran.result.outlines[0] == f"test_drawn.py::test_reads[{account}]"
    assert sum("::" in line for line in ran.result.outlines) == 1
