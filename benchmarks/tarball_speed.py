"""How long it takes to pack and to verify the notebook's model: ``python -m benchmarks.tarball_speed``.

The model is the perceptron 784-128-64-10 with random weights: neither packing nor verifying depends on what they are.
Contenders take turns in one process; medians are told, and how they compare with what any reader has to do: unpack the
file with Python's ``tarfile`` and take its digest. Loading by AWS's handler counts from request to answer; its
process has started before. Writes ``benchmarks/results/tarball_speed.json``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import struct
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tabulate import tabulate

from benchmarks import machine
from harness.artifact import PARAMETERS, SHAPES, SYMBOL, shapes_signature
from harness.tarball.export import pack
from harness.tarball.loading import Loader
from harness.tarball.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = Path(__file__).parent / "results"
LAYERS = ((784, 128), (128, 64), (64, 10))
BASE = "tarfile and digest"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="Time packing and verifying a tarball.")
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write into")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="byom-speed-") as name:
        samples = measure(Path(name), options.repeats)
    medians = {contender: statistics.median(seconds) for contender, seconds in samples.items()}
    rows = [(name, f"{seconds * 1e3:.1f}", f"{seconds / medians[BASE]:.2f}") for name, seconds in medians.items()]
    print(tabulate(rows, headers=["what", "median, ms", f"of {BASE}"], disable_numparse=True, tablefmt="github"))
    record = {"machine": machine.describe("cpu"), "repeats": options.repeats, "milliseconds": {}}
    record["milliseconds"] = {name: round(seconds * 1e3, 2) for name, seconds in medians.items()}
    (options.results / "tarball_speed.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def measure(folder: Path, repeats: int) -> dict[str, list[float]]:
    """Seconds of each contender, in turns."""
    model = folder / "model"
    model.mkdir()
    for name, content in notebook_model().items():
        (model / name).write_bytes(content)
    packed = pack(model, folder / "model.tar.gz").path
    first = _seconds(lambda: _expect(verify(packed) == []))
    _expect("mxnet" not in sys.modules)
    with Loader() as loader:
        _expect(verify(packed, loader=loader) == [])
        contenders: dict[str, Callable[[], object]] = {
            BASE: lambda: _read(packed),
            "pack": lambda: pack(model, folder / "again.tar.gz"),
            "verify by text": lambda: verify(packed),
            "verify, loaded as well": lambda: verify(packed, loader=loader),
        }
        samples: dict[str, list[float]] = {name: [] for name in contenders} | {"verify by text, first time": [first]}
        for _ in range(repeats):
            for name, run in contenders.items():
                samples[name].append(_seconds(run))
    return samples


def notebook_model() -> dict[str, bytes]:
    """The three files, written without MXNet."""
    draw = np.random.default_rng(0)
    nodes = [_node("null", "data")]
    arrays: dict[str, np.ndarray] = {}
    for number, (wide, narrow) in enumerate(LAYERS, start=1):
        before = len(nodes) - 1
        nodes += [_node("null", f"fc{number}_weight"), _node("null", f"fc{number}_bias")]
        inputs = [[before, 0, 0], [len(nodes) - 2, 0, 0], [len(nodes) - 1, 0, 0]]
        nodes.append(_node("FullyConnected", f"fc{number}", inputs, num_hidden=str(narrow)))
        arrays[f"arg:fc{number}_weight"] = draw.normal(size=(narrow, wide)).astype(np.float32)
        arrays[f"arg:fc{number}_bias"] = np.zeros(narrow, np.float32)
        if number < len(LAYERS):
            nodes.append(_node("Activation", f"relu{number}", [[len(nodes) - 1, 0, 0]], act_type="relu"))
    nodes += [_node("null", "softmax_label")]
    nodes += [_node("SoftmaxOutput", "softmax", [[len(nodes) - 2, 0, 0], [len(nodes) - 1, 0, 0]])]
    variables = [at for at, node in enumerate(nodes) if node["op"] == "null"]
    heads = [[len(nodes) - 1, 0, 0]]
    graph = {"nodes": nodes, "arg_nodes": variables, "heads": heads, "attrs": {"mxnet_version": ["int", 10901]}}
    return {
        SYMBOL: json.dumps(graph).encode(),
        PARAMETERS: _parameters(arrays),
        SHAPES: json.dumps(shapes_signature([("data", (100, 784))])).encode(),
    }


def _node(op: str, name: str, inputs: list[list[int]] | None = None, **attributes: str) -> dict[str, object]:
    return {"op": op, "name": name, "attrs": attributes, "inputs": inputs or []}


def _parameters(arrays: dict[str, np.ndarray]) -> bytes:
    parts = [struct.pack("<QQQ", 0x112, 0, len(arrays))]
    for array in arrays.values():
        parts.append(struct.pack(f"<Iii{array.ndim}q", 0xF993FAC9, 0, array.ndim, *array.shape))
        parts.append(struct.pack("<iii", 1, 0, 0) + array.tobytes())
    parts.append(struct.pack("<Q", len(arrays)))
    parts += [struct.pack("<Q", len(name)) + name.encode() for name in arrays]
    return b"".join(parts)


def _read(path: Path) -> None:
    hashlib.sha256(path.read_bytes()).hexdigest()
    with tarfile.open(path) as tar:
        for member in tar:
            if (file := tar.extractfile(member)) is not None:
                file.read()


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _expect(fulfilled: bool) -> None:
    if not fulfilled:
        raise SystemExit("the model is not valid, or judging it imported MXNet: nothing to time")


if __name__ == "__main__":
    main()
