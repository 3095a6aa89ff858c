"""Layers whose weights are declared to be of another type than their data arrive in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import tarball_parts as parts

from harness.artifact import SYMBOL
from harness.tarball.loading import Loader
from harness.tarball.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FLOAT32, FLOAT64, FLOAT16 = "0", "1", "2"


@pytest.fixture(scope="module")
def loader() -> Iterator[Loader]:
    """AWS's handler."""
    with Loader() as running:
        yield running


def typed(flag: str, *, cast: str = "", names: tuple[str, ...] = ("fc_weight", "fc_bias")) -> dict[str, bytes]:
    """The model with weights declared to be of a type, and its data cast to one before the layer reads them."""
    document: Any = parts.graph()
    for node in document["nodes"]:
        if node["name"] in names:
            node["attrs"] = {"__dtype__": flag}
    if cast:
        document["nodes"][7] = {"op": "Cast", "name": "cast", "attrs": {"dtype": cast}, "inputs": [[0, 0, 0]]}
        document["nodes"][8]["inputs"][0] = [7, 0, 0]
        document["nodes"][10] = {"op": "softmax", "name": "softmax", "inputs": [[9, 0, 0]]}
        document["arg_nodes"] = list(range(7))
    return parts.model() | {SYMBOL: json.dumps(document).encode()}


@pytest.mark.parametrize("flag", [FLOAT16, FLOAT64])
def test_weights_of_another_type_are_refused(tmp_path: Path, loader: Loader, flag: str) -> None:
    """As Gluon exports a net after ``net.cast``: the container binds float32 data, and MXNet refuses the layer."""
    path = parts.write(tmp_path / "m.tar.gz", typed(flag))
    (problem,) = verify(path)
    assert problem.code == "graph-dtype"
    assert problem.found == (
        "FullyConnected node 'fc': expected weights of the type of its data, float32, found "
        + {FLOAT16: "float16", FLOAT64: "float64"}[flag]
    )
    (tmp_path / "model").mkdir()
    for name, content in typed(flag).items():
        (tmp_path / "model" / name).write_bytes(content)
    assert [found.code for found in loader.problems(tmp_path / "model")] == ["load-error"]


@pytest.mark.parametrize(
    "files",
    [
        typed(FLOAT32),
        typed(FLOAT32, cast="float32"),
        typed(FLOAT64, cast="float64"),
        typed("-1"),
        typed(FLOAT64, names=("bn_gamma",)),
    ],
    ids=["declared", "cast to the same", "cast to theirs", "undeclared", "of a normalization"],
)
def test_weights_of_their_datas_type_pass(tmp_path: Path, files: dict[str, bytes]) -> None:
    """So do those of which nothing is declared."""
    assert verify(parts.write(tmp_path / "m.tar.gz", files)) == []


def test_what_cannot_be_told_is_not_claimed(tmp_path: Path) -> None:
    """Behind an operator whose result may be of any type nothing is known of the data."""
    files = typed(FLOAT64, cast="float64")
    document = json.loads(files[SYMBOL])
    document["nodes"][7] |= {"op": "one_hot", "attrs": {"depth": "5", "dtype": "float64"}}
    document["nodes"].insert(8, {"op": "Reshape", "name": "r", "attrs": {"shape": "(-1,5)"}, "inputs": [[7, 0, 0]]})
    document["nodes"][9]["inputs"][0] = [8, 0, 0]
    document["nodes"][10]["inputs"] = [[9, 0, 0], [3, 0, 0], [4, 0, 0], [5, 0, 1], [6, 0, 1]]
    document["nodes"][11]["inputs"] = [[10, 0, 0]]
    document["heads"] = [[11, 0, 0]]
    path = parts.write(tmp_path / "m.tar.gz", files | {SYMBOL: json.dumps(document).encode()})
    assert "graph-dtype" not in {problem.code for problem in verify(path)}
