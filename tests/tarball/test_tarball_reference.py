"""Our writer, our reader and our rules held against MXNet 1.9.1 and AWS's own handler, in processes of their own."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tarball_parts as parts

from harness.artifact import PARAMETERS, SHAPES, SYMBOL
from harness.tarball.export import pack
from harness.tarball.extract import extract
from harness.tarball.graph import read_graph
from harness.tarball.params import Stored, read_parameters
from harness.tarball.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

MXNET = "import json, sys, numpy; numpy.bool = bool; import mxnet as mx; folder = sys.argv[1]\n"


def run(script: str, folder: Path) -> list[str]:
    """The lines that a script prints, in a process with MXNet."""
    command = [sys.executable, "-W", "ignore", "-c", MXNET + script, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


SAVE = """
with mx.name.NameManager():
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc")
    net = mx.sym.SoftmaxOutput(mx.sym.BatchNorm(net, name="bn"), name="softmax")
module = mx.mod.Module(net)
module.bind([("data", (100, 5))], [("softmax_label", (100,))])
module.init_params()
module.save_checkpoint(f"{folder}/model", 0)
args, states = module.get_params()
arrays = {f"arg:{k}": v for k, v in args.items()} | {f"aux:{k}": v for k, v in states.items()}
numpy.savez(f"{folder}/arrays.npz", **{k: v.asnumpy() for k, v in arrays.items()})

types = ["float16", "float32", "float64", "uint8", "int8", "int32", "int64", "bool"]
arrays = {f"arg:{name}": mx.nd.array([[1, 2, 3]]).astype(name) for name in types}
sparse = mx.nd.array([[0, 1], [2, 0], [0, 0]])
arrays |= {"arg:rows": sparse.tostype("row_sparse"), "arg:csr": sparse.tostype("csr")}
mx.nd.waitall()  # or MXNet 1.9.1 may write the shape of a sparse array before that is known
mx.nd.save(f"{folder}/types", arrays)
print(json.dumps([net.list_arguments(), net.list_auxiliary_states()]))
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], list[str]]:
    """A folder that MXNet saved to, and the arguments and states of the model in it."""
    folder = tmp_path_factory.mktemp("saved")
    arguments, states = json.loads(run(SAVE, folder)[-1])
    return folder, arguments, states


def test_mxnet_writes_what_we_take_it_to_write(saved: tuple[Path, list[str], list[str]]) -> None:
    """The parameters that MXNet saves have the very bytes that our writer gives."""
    folder, _, _ = saved
    with np.load(folder / "arrays.npz") as file:
        arrays = {name: file[name] for name in file.files}
    assert (folder / PARAMETERS).read_bytes() == parts.parameters(arrays)


def test_sorts_variables_as_mxnet_does(saved: tuple[Path, list[str], list[str]]) -> None:
    """Arguments and auxiliary states of a saved symbol are those that MXNet lists."""
    folder, arguments, states = saved
    graph, _ = read_graph((folder / SYMBOL).read_bytes())
    assert graph is not None
    assert (graph.arguments, graph.auxiliary) == (frozenset(arguments), frozenset(states))


def test_a_checkpoint_of_mxnet_passes(saved: tuple[Path, list[str], list[str]], tmp_path: Path) -> None:
    """A model that MXNet saved can be packed and has no problems."""
    folder, _, _ = saved
    (tmp_path / "model").mkdir()
    for name in (SYMBOL, PARAMETERS):
        (tmp_path / "model" / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "model" / SHAPES).write_text('[{"name": "data", "shape": [100, 5]}]')
    assert verify(pack(tmp_path / "model", tmp_path / "model.tar.gz").path) == []


def test_reads_every_type_that_mxnet_saves(saved: tuple[Path, list[str], list[str]]) -> None:
    """All types, and both sparse storages, are read to the last byte."""
    folder, _, _ = saved
    content = (folder / "types").read_bytes()
    stored, problems = read_parameters(io.BytesIO(content), len(content))
    assert problems == []
    types = ["float16", "float32", "float64", "uint8", "int8", "int32", "int64", "bool"]
    assert stored == {f"arg:{name}": Stored((1, 3), name, 0) for name in types} | {
        "arg:rows": Stored((3, 2), "float32", 0, sparse=True),
        "arg:csr": Stored((3, 2), "float32", 0, sparse=True),
    }


SERVE = """
from sagemaker_mxnet_serving_container.default_inference_handler import DefaultModuleInferenceHandler
handler = DefaultModuleInferenceHandler()
for number in range(3):
    try:
        model = handler.default_model_fn(f"{folder}/{number}")
        request = handler.default_input_fn("[[1, 2, 3, 4, 5]]", "application/json", model)
        print(list(handler.default_predict_fn(request, model).shape))
    except Exception as error:
        print(type(error).__name__)
"""


def test_awss_handler_agrees(model_dir: Path, tmp_path: Path) -> None:
    """The handler serves what passes and refuses an unknown parameter; a missing one it serves, so the rule is ours."""
    whole = parts.arrays()
    variants = (
        (whole, []),
        (whole | {"arg:other": np.ones(3, np.float32)}, ["unknown-parameter"]),
        ({name: array for name, array in whole.items() if name != "arg:fc_bias"}, ["missing-parameter"]),
    )
    for number, (arrays, codes) in enumerate(variants):
        (model_dir / PARAMETERS).write_bytes(parts.parameters(arrays))
        path = pack(model_dir, tmp_path / "model.tar.gz").path
        assert [problem.code for problem in verify(path)] == codes
        extract(path, tmp_path / "served" / str(number))
    assert run(SERVE, tmp_path / "served")[-3:] == ["[1, 3]", "ValueError", "[1, 3]"]
