"""Every way in which a model ends in AWS's handler, each in a process that may crash, and none of them in ours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tarball_parts as parts
from marked_processes import MARK, marked, wait_until_gone

from harness.artifact import PARAMETERS, SHAPES, SYMBOL
from harness.errors import ArtifactError
from harness.tarball.loading import Loader
from harness.tarball.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def loader() -> Iterator[Loader]:
    """One process for all models; each of them has four seconds."""
    with Loader(seconds=4, memory=2 << 30) as running:
        yield running


def unpacked(folder: Path, **contents: bytes) -> Path:
    """The model of `tarball_parts` in a folder, some of its files replaced."""
    names = {"symbol": SYMBOL, "parameters": PARAMETERS, "shapes": SHAPES}
    for name, content in (parts.model() | {names[key]: content for key, content in contents.items()}).items():
        (folder / name).write_bytes(content)
    return folder


def graph(**changes: Any) -> bytes:
    """The graph with nodes' fields replaced: ``n9_op="Pooling"``."""
    document = parts.graph()
    for key, value in changes.items():
        node, _, name = key.partition("_")
        document["nodes"][int(node[1:])][name] = value
    return json.dumps(document).encode()


def with_weights(value: float) -> bytes:
    """Parameters of one value."""
    return parts.parameters({name: np.full_like(array, value) for name, array in parts.arrays().items()})


def test_a_sound_model_loads(loader: Loader, tmp_path: Path) -> None:
    """AWS's handler loads it and predicts with it."""
    assert loader.problems(unpacked(tmp_path)) == []


CRASH = graph(n10_inputs=[[9, 0, 0], [7, 2**31 - 2, 0]])
"""SoftmaxOutput reads an output that a variable does not have: MXNet looks for it far outside of its memory."""

TWO_DROPOUTS = graph(
    n9_op="Dropout", n9_inputs=[[8, 0, 0]], n8_op="Dropout", n8_inputs=[[0, 0, 0]], n8_attrs={"p": "0.5"}
)
DATA = {"arg:data": np.ones((1, 5), np.float32)}
ENORMOUS = b'[{"name": "data", "shape": [1, 1000, 1000, 1000, 2]}]'

OUTCOMES = {
    "refused": (
        {"parameters": parts.parameters(parts.arrays())[:300]},
        "[load-error] expected AWS's handler to load the model, found MXNetError: Check failed: fi->Read(data): ",
    ),
    "a fault of MXNet's": (
        {"symbol": TWO_DROPOUTS, "parameters": parts.parameters({})},
        "[load-error] expected AWS's handler to load the model, found MXNetError: Check failed: in_arg_ctx_map.count(",
    ),
    "out of memory": ({"shapes": ENORMOUS}, "[load-memory] expected the model to load and to predict within bounded "),
    "crashed": (
        {"symbol": CRASH},
        "[load-crash] expected AWS's handler to load the model, found that MXNet crashed: ",
    ),
    "not finite": (
        {"parameters": with_weights(3e38)},
        "[not-finite-output] expected finite predictions for noise from 0 to 1, or normal, or from 1 to 256, found N",
    ),
}


@pytest.mark.parametrize(("contents", "words"), OUTCOMES.values(), ids=OUTCOMES)
def test_a_model_that_cannot_predict_is_one_problem(
    loader: Loader, tmp_path: Path, contents: dict[str, bytes], words: str
) -> None:
    """Whatever it did to the process, the problem says what that was, and the next model loads."""
    (problem,) = loader.problems(unpacked(tmp_path, **contents))
    assert words in str(problem)
    assert str(problem).isprintable()
    assert loader.problems(unpacked(tmp_path)) == []


def test_a_model_need_not_take_every_noise(loader: Loader, tmp_path: Path) -> None:
    """A logarithm has no value for what lies below its domain: a model need only predict for some input."""
    document = parts.graph()
    document["nodes"][8] = {"op": "log", "name": "log", "inputs": [[0, 0, 0]]}
    document["nodes"][9] = {"op": "sqrt", "name": "root", "inputs": [[8, 0, 0]]}
    document["nodes"][10] = {"op": "softmax", "name": "softmax", "inputs": [[9, 0, 0]]}
    contents = {"symbol": json.dumps(document).encode(), "parameters": parts.parameters({})}
    assert loader.problems(unpacked(tmp_path, **contents)) == []


def test_a_model_that_hangs_is_ended(loader: Loader, tmp_path: Path) -> None:
    """A fifo in a file's place blocks whoever opens it, for ever: after its four seconds the process is ended."""
    unpacked(tmp_path)
    (tmp_path / SYMBOL).unlink()
    os.mkfifo(tmp_path / SYMBOL)
    (problem,) = loader.problems(tmp_path)
    assert problem.code == "load-timeout"
    assert problem.found == "expected AWS's handler to load the model, found no answer within 4 s"


def test_a_tarball_that_passes_by_its_text_is_loaded(loader: Loader, tmp_path: Path) -> None:
    """`verify` with a loader finds what no text tells; without one, it cannot."""
    overflowing = parts.model() | {PARAMETERS: with_weights(3e38)}
    path = parts.write(tmp_path / "m.tar.gz", overflowing)
    assert verify(path) == []
    assert [problem.code for problem in verify(path, loader=loader)] == ["not-finite-output"]
    assert verify(parts.write(tmp_path / "n.tar.gz", parts.model()), loader=loader) == []


def test_a_tarball_that_does_not_pass_is_not_loaded(tmp_path: Path) -> None:
    """A loader that was never started is not missed: what is refused by its text never comes near MXNet."""
    path = parts.write(tmp_path / "m.tar.gz", parts.model() | {SYMBOL: CRASH})
    assert [problem.code for problem in verify(path, loader=Loader())] == ["graph-shape"]
    with pytest.raises(ArtifactError, match="expected a Loader inside a with statement"):
        verify(parts.write(tmp_path / "n.tar.gz", parts.model()), loader=Loader())


def test_without_awss_handler_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing package is one error that names it, the extra that brings it, and the way without."""
    package = tmp_path / "site" / "sagemaker_mxnet_serving_container"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ModuleNotFoundError('No module named sagemaker_mxnet')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    (tmp_path / "model").mkdir()
    with Loader() as loader, pytest.raises(ArtifactError) as caught:
        loader.problems(unpacked(tmp_path / "model"))
    assert str(caught.value) == (
        "expected to load models with AWS's handler, found that it does not start: ModuleNotFoundError: No module "
        "named sagemaker_mxnet; install it with: pip install 'byom-harness[simulator]'"
    )


HOLDER = """
import os, sys, time
from pathlib import Path
from harness.tarball.loading import Loader
with Loader(seconds=60) as loader:
    print("started", flush=True)
    loader.problems(Path(sys.argv[1]))
"""


def test_nothing_outlives_whoever_asked(tmp_path: Path) -> None:
    """Killed while a model hangs in the loader, the asking process takes the loader and the model with it."""
    unpacked(tmp_path)
    (tmp_path / SYMBOL).unlink()
    os.mkfifo(tmp_path / SYMBOL)
    mark = str(tmp_path)
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, env={**os.environ, MARK: mark}, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "started\n"
        with (tmp_path / SYMBOL).open("wb"):  # opens once the model's process reads: three processes are there now
            assert len(marked(mark)) == 3
            holder.send_signal(signal.SIGKILL)
            holder.wait()
            wait_until_gone(mark)
