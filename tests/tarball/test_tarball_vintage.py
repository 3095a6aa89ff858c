"""Models of old releases of MXNet, as these wrote them: valid, and loaded by AWS's handler on MXNet 1.9.1."""

from __future__ import annotations

import struct
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import tarball_parts as parts

from harness.artifact import PARAMETERS, SHAPES, SYMBOL
from harness.tarball.export import pack
from harness.tarball.facts import read_facts
from harness.tarball.loading import Loader
from harness.tarball.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import numpy as np

CPU, GPU = 1, 2


def version_1(array: np.ndarray) -> bytes:
    """An array as MXNet 0.9 to 0.11 saved it, here from a GPU: no storage type."""
    head = struct.pack("<I", 0xF993FAC8) + parts.shape_bytes(array.shape)
    return head + struct.pack("<iii", GPU, 0, 0) + array.tobytes()


def version_0(array: np.ndarray) -> bytes:
    """An array as MXNet 0.8 saved it: no magic number, sizes of 32 bits."""
    head = struct.pack(f"<I{array.ndim}I", array.ndim, *array.shape)
    return head + struct.pack("<iii", CPU, 0, 0) + array.tobytes()


MXNET_1_4 = """{
  "nodes": [
    {"op": "null", "name": "data", "inputs": []},
    {"op": "null", "name": "fc_weight", "attrs": {"num_hidden": "3"}, "inputs": []},
    {"op": "null", "name": "fc_bias", "attrs": {"num_hidden": "3"}, "inputs": []},
    {"op": "FullyConnected", "name": "fc", "attrs": {"num_hidden": "3"}, "inputs": [[0, 0, 0], [1, 0, 0], [2, 0, 0]]},
    {"op": "null", "name": "bn_gamma", "attrs": {"__lr_mult__": "0.0"}, "inputs": []},
    {"op": "null", "name": "bn_beta", "inputs": []},
    {"op": "null", "name": "bn_moving_mean", "attrs": {"__init__": "[\\"zero\\", {}]"}, "inputs": []},
    {"op": "null", "name": "bn_moving_var", "attrs": {"__init__": "[\\"one\\", {}]"}, "inputs": []},
    {"op": "BatchNorm", "name": "bn", "inputs": [[3, 0, 0], [4, 0, 0], [5, 0, 0], [6, 0, 1], [7, 0, 1]]},
    {"op": "null", "name": "softmax_label", "inputs": []},
    {"op": "SoftmaxOutput", "name": "softmax", "inputs": [[8, 0, 0], [9, 0, 0]]}
  ],
  "arg_nodes": [0, 1, 2, 4, 5, 6, 7, 9],
  "node_row_ptr": [0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13],
  "heads": [[10, 0, 0]],
  "attrs": {"mxnet_version": ["int", 10400]}
}"""
"""A node without attributes has no key for them, and variables have those of the layer that made them."""

MXNET_0_11 = MXNET_1_4.replace('"attrs": {"', '"attr": {"').replace(
    '"attr": {"mxnet_version": ["int", 10400]}', '"attrs": {"mxnet_version": ["int", 1100]}'
)
MXNET_0_9 = MXNET_0_11.replace("1100", "905")
"""Until MXNet 1.0 the key of a node's attributes was another."""

MXNET_0_8 = """{
  "nodes": [
    {"op": "null", "param": {}, "name": "data", "inputs": [], "backward_source_id": -1},
    {"op": "null", "param": {}, "name": "fc_weight", "inputs": [], "backward_source_id": -1, "attr": {"lr_mult": "2"}},
    {"op": "null", "param": {}, "name": "fc_bias", "inputs": [], "backward_source_id": -1, "attr": {"wd_mult": "0"}},
    {
      "op": "FullyConnected",
      "param": {"no_bias": "False", "num_hidden": "3"},
      "name": "fc",
      "inputs": [[0, 0], [1, 0], [2, 0]],
      "backward_source_id": -1,
      "attr": {"ctx_group": "stage1", "weight_lr_mult": "1.2"}
    },
    {"op": "null", "param": {}, "name": "softmax_label", "inputs": [], "backward_source_id": -1},
    {
      "op": "SoftmaxOutput",
      "param": {"grad_scale": "1", "ignore_label": "-1", "multi_output": "False", "normalization": "null"},
      "name": "softmax",
      "inputs": [[3, 0], [4, 0]],
      "backward_source_id": -1
    }
  ],
  "arg_nodes": [0, 1, 2, 4],
  "heads": [[5, 0]]
}"""
"""Settings apart from annotations, entries of two numbers, and no version."""

MXNET_0_8_STATES = """{
  "nodes": [
    {"op": "null", "param": {}, "name": "data", "inputs": [], "backward_source_id": -1},
    {"op": "null", "param": {}, "name": "fc_weight", "inputs": [], "backward_source_id": -1},
    {"op": "null", "param": {}, "name": "fc_bias", "inputs": [], "backward_source_id": -1},
    {
      "op": "FullyConnected",
      "param": {"no_bias": "False", "num_hidden": "3"},
      "name": "fc",
      "inputs": [[0, 0], [1, 0], [2, 0]],
      "backward_source_id": -1
    },
    {"op": "null", "param": {}, "name": "bn_gamma", "inputs": [], "backward_source_id": -1},
    {"op": "null", "param": {}, "name": "bn_beta", "inputs": [], "backward_source_id": -1},
    {
      "op": "BatchNorm",
      "param": {"eps": "0.001", "fix_gamma": "True", "momentum": "0.9", "use_global_stats": "False"},
      "name": "bn",
      "inputs": [[3, 0], [4, 0], [5, 0]],
      "backward_source_id": -1
    },
    {"op": "null", "param": {}, "name": "softmax_label", "inputs": [], "backward_source_id": -1},
    {"op": "SoftmaxOutput", "param": {}, "name": "softmax", "inputs": [[6, 0], [7, 0]], "backward_source_id": -1}
  ],
  "arg_nodes": [0, 1, 2, 4, 5, 7],
  "heads": [[8, 0]]
}"""
"""Moving statistics were no nodes then: ``UpgradeJSON_000800_000900`` in ``src/nnvm/legacy_json_util.cc`` adds them."""


@dataclass(frozen=True)
class Vintage:
    """What a release of MXNet wrote.

    Attributes:
        symbol: the text of the graph.
        array: how it saved one array.
        version: as the file tells it.
        normalized: whether the model has the layer with moving statistics.
    """

    symbol: str
    array: Callable[[np.ndarray], bytes]
    version: str = ""
    normalized: bool = True

    def arrays(self) -> dict[str, np.ndarray]:
        """The parameters by full name."""
        return {name: array for name, array in parts.arrays().items() if self.normalized or ":bn_" not in name}

    def files(self, *, symbol: str = "", arrays: Mapping[str, np.ndarray] | None = None) -> dict[str, bytes]:
        """The three files in the order of the notebook, the graph or the arrays replaced."""
        saved = self.arrays() if arrays is None else arrays
        return {
            SHAPES: b'[{"shape": [100, 5], "name": "data"}]',
            SYMBOL: (symbol or self.symbol).replace(",\n", ", \n").encode(),  # as their writer of JSON did
            PARAMETERS: parts.container(map(self.array, saved.values()), saved),
        }


VINTAGES = {
    "1.4": Vintage(MXNET_1_4, parts.array_bytes, "1.4.0"),
    "0.11": Vintage(MXNET_0_11, version_1, "0.11.0"),
    "0.9": Vintage(MXNET_0_9, version_1, "0.9.5"),
    "0.8": Vintage(MXNET_0_8, version_0, normalized=False),
    "0.8 with moving statistics": Vintage(MXNET_0_8_STATES, version_0),
}


@pytest.fixture(scope="module")
def loader() -> Iterator[Loader]:
    """AWS's handler, for all models."""
    with Loader() as running:
        yield running


def codes(path: Path, loader: Loader | None = None) -> list[str]:
    """The codes of all problems."""
    return [problem.code for problem in verify(path, loader=loader)]


def packed(path: Path, files: Mapping[str, bytes]) -> Path:
    """As the notebook packed: the empty folder first that `tar.add` had left there."""
    return parts.write(path, files, before=[parts.entry("model", type=tarfile.DIRTYPE, mode=0o755)])


@pytest.mark.parametrize("name", VINTAGES)
def test_models_of_old_releases_are_served(name: str, loader: Loader, tmp_path: Path) -> None:
    """What MXNet 1.9.1 loads in AWS's handler is valid, whichever release wrote it."""
    path = packed(tmp_path / "m.tar.gz", VINTAGES[name].files())
    assert [str(problem) for problem in verify(path)] == []
    assert [str(problem) for problem in verify(path, loader=loader)] == []


@pytest.mark.parametrize("name", VINTAGES)
def test_models_of_old_releases_can_be_packed_again(name: str, loader: Loader, tmp_path: Path) -> None:
    """Their JSON in our spelling is what AWS's handler loads as well."""
    (tmp_path / "model").mkdir()
    for member, content in VINTAGES[name].files().items():
        (tmp_path / "model" / member).write_bytes(content)
    path = pack(tmp_path / "model", tmp_path / "m.tar.gz").path
    assert [str(problem) for problem in verify(path, loader=loader)] == []


@pytest.mark.parametrize("name", VINTAGES)
def test_old_releases_are_told(name: str, tmp_path: Path) -> None:
    """The version is told where the file has one, and the parameters in any case."""
    facts = read_facts(packed(tmp_path / "m.tar.gz", VINTAGES[name].files()))
    assert facts.mxnet_version == VINTAGES[name].version
    assert facts.parameters == sum(array.size for array in VINTAGES[name].arrays().values())
    assert facts.layers[0].parameters == 3 * 5 + 3


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("1.4", '"fc", "attrs": {"num_hidden": "3"}', '"fc", "attrs": {"num_hidden": "4"}', ["parameter-shape"]),
        ("1.4", '"name": "bn_beta"', '"name": "bn_alpha"', ["missing-parameter", "unknown-parameter"]),
        ("1.4", '"op": "BatchNorm"', '"op": "BatchNorm_v0"', ["unknown-operator"]),
        ("0.11", '"fc", "attr": {"num_hidden": "3"}', '"fc", "attr": {"num_hidden": 3}', ["symbol-graph"]),
        ("0.11", '"fc", "attr": {"num_hidden": "3"}', '"fc", "attr": {"hidden": "3"}', ["operator-attribute"] * 2),
        ("0.9", "[[10, 0, 0]]", "[[11, 0, 0]]", ["symbol-graph"]),
        ("0.9", '"fc", "attr": {"num_hidden": "3"}', '"fc", "attr": {"num_hidden": "4"}', ["parameter-shape"]),
        ("0.8", '"backward_source_id": -1', '"backward_source_id": "-1"', ["symbol-graph"] * 6),
        ("0.8", '"name": "fc_bias"', '"name": "bias"', ["missing-parameter", "unknown-parameter"]),
        ("0.8", '"inputs": [[0, 0], [1, 0], [2, 0]]', '"inputs": [[0, 0], [1, 0], [3, 0]]', ["symbol-graph"]),
        ("0.8", '"op": "FullyConnected"', '"op": "FullyConected"', ["unknown-operator"]),
    ],
)
def test_old_graphs_are_held_to_the_rules(name: str, old: str, new: str, expected: list[str], tmp_path: Path) -> None:
    """A fault in an old graph is found like one in a new one."""
    symbol = VINTAGES[name].symbol
    assert old in symbol
    path = packed(tmp_path / "m.tar.gz", VINTAGES[name].files(symbol=symbol.replace(old, new)))
    assert sorted(codes(path)) == expected


@pytest.mark.parametrize("name", VINTAGES)
def test_old_models_need_all_parameters(name: str, tmp_path: Path) -> None:
    """Each that is not there is missed, moving statistics too, even where the file of the graph does not have them."""
    arrays = VINTAGES[name].arrays()
    for missing in arrays:
        rest = {key: array for key, array in arrays.items() if key != missing}
        (problem,) = verify(packed(tmp_path / "m.tar.gz", VINTAGES[name].files(arrays=rest)))
        assert problem.code == "missing-parameter"
        assert problem.found.endswith(f"found none for {missing!r}")


@pytest.mark.parametrize("name", VINTAGES)
def test_old_models_have_no_other_parameters(name: str, tmp_path: Path) -> None:
    """One that no release has a place for is unknown."""
    arrays = VINTAGES[name].arrays() | {"aux:fc_moving_mean": parts.arrays()["arg:fc_bias"]}
    (problem,) = verify(packed(tmp_path / "m.tar.gz", VINTAGES[name].files(arrays=arrays)))
    assert problem.code == "unknown-parameter"
    assert problem.found.endswith("found 'aux:fc_moving_mean'")


@pytest.mark.parametrize("name", ["0.11", "0.8"])
def test_old_parameters_are_held_to_the_rules(name: str, tmp_path: Path) -> None:
    """A byte too few in either of the older formats is found."""
    files = VINTAGES[name].files()
    path = packed(tmp_path / "m.tar.gz", files | {PARAMETERS: files[PARAMETERS][:-1]})
    assert codes(path) == ["params-format"]


def test_what_no_text_tells_of_an_old_graph_loading_does(loader: Loader, tmp_path: Path) -> None:
    """Shapes of graphs from before 0.9 are left to MXNet: the loader is what finds a layer that does not fit."""
    symbol = MXNET_0_8.replace('"num_hidden": "3"', '"num_hidden": "4"')
    path = packed(tmp_path / "m.tar.gz", VINTAGES["0.8"].files(symbol=symbol))
    assert codes(path) == []
    assert codes(path, loader) == ["load-error"]
