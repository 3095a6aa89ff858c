"""A small valid model made without MXNet, a writer of MXNet's parameter container, and tar.gz files to order.

`test_tarball_reference.py` holds these against MXNet itself.
"""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.artifact import PARAMETERS, SHAPES, SYMBOL
from harness.tarball.documents import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

DTYPES = {"float32": 0, "float64": 1, "float16": 2, "uint8": 3, "int32": 4, "int8": 5, "int64": 6}
SCRIPT = b"def model_fn(model_dir):\n    return model_dir\n"


def variable(name: str) -> dict[str, Any]:
    """A node of the graph that holds an input, a parameter or a label."""
    return {"op": "null", "name": name, "inputs": []}


def graph() -> dict[str, Any]:
    """FullyConnected, BatchNorm and SoftmaxOutput, as ``Symbol.tojson()`` writes them."""
    names = ["data", "fc_weight", "fc_bias", "bn_gamma", "bn_beta", "bn_moving_mean", "bn_moving_var", "softmax_label"]
    inputs = [[0, 0, 0], [1, 0, 0], [2, 0, 0]]
    states = [[8, 0, 0], [3, 0, 0], [4, 0, 0], [5, 0, 1], [6, 0, 1]]
    nodes = [variable(name) for name in names]
    nodes.append({"op": "FullyConnected", "name": "fc", "attrs": {"num_hidden": "3"}, "inputs": inputs})
    nodes.append({"op": "BatchNorm", "name": "bn", "inputs": states})
    nodes.append({"op": "SoftmaxOutput", "name": "softmax", "inputs": [[9, 0, 0], [7, 0, 0]]})
    return {
        "nodes": nodes,
        "arg_nodes": list(range(8)),
        "heads": [[10, 0, 0]],
        "attrs": {"mxnet_version": ["int", 10901]},
    }


def arrays() -> dict[str, np.ndarray]:
    """The parameters of `graph`, by full name."""
    ones = np.ones(3, np.float32)
    return {
        "arg:fc_weight": np.linspace(-1, 1, 15, dtype=np.float32).reshape(3, 5),
        "arg:fc_bias": ones,
        "arg:bn_gamma": ones,
        "arg:bn_beta": ones,
        "aux:bn_moving_mean": ones,
        "aux:bn_moving_var": ones,
    }


def shape_bytes(shape: Iterable[int]) -> bytes:
    """A ``TShape``: int32 number of dimensions, int64 each."""
    sizes = tuple(shape)
    return struct.pack(f"<i{len(sizes)}q", len(sizes), *sizes)


def array_bytes(array: np.ndarray) -> bytes:
    """A dense NDArray, version 2, from the CPU."""
    head = struct.pack("<Ii", 0xF993FAC9, 0) + shape_bytes(array.shape)
    return head + struct.pack("<iii", 1, 0, DTYPES[array.dtype.name]) + array.tobytes()


def container(blobs: Iterable[bytes], names: Iterable[str]) -> bytes:
    """A list of NDArrays and their names."""
    parts, labels = list(blobs), [name.encode() for name in names]
    head = struct.pack("<QQQ", 0x112, 0, len(parts))
    tail = b"".join(struct.pack("<Q", len(label)) + label for label in labels)
    return head + b"".join(parts) + struct.pack("<Q", len(labels)) + tail


def parameters(stored: Mapping[str, np.ndarray]) -> bytes:
    """What ``mx.nd.save(path, stored)`` writes."""
    return container([array_bytes(array) for array in stored.values()], stored)


def model() -> dict[str, bytes]:
    """The three files of a model that can be served."""
    return {
        SYMBOL: canonical(graph()),
        PARAMETERS: parameters(arrays()),
        SHAPES: canonical([{"name": "data", "shape": [100, 5]}]),
    }


def entry(name: str, **fields: Any) -> tarfile.TarInfo:
    """A header with the given fields."""
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def tar_bytes(
    files: Mapping[str, bytes], *, before: Iterable[tarfile.TarInfo] = (), form: int = tarfile.PAX_FORMAT
) -> bytes:
    """An uncompressed tar: headers without content first, then files."""
    buffer = io.BytesIO()
    with tarfile.open(mode="w", fileobj=buffer, format=form) as tar:
        for info in before:
            tar.addfile(info)
        for name, content in files.items():
            tar.addfile(entry(name, size=len(content)), io.BytesIO(content))
    return buffer.getvalue()


def write(path: Path, files: Mapping[str, bytes], **options: Any) -> Path:
    """A tar.gz at `path`."""
    path.write_bytes(gzip.compress(tar_bytes(files, **options), mtime=0))
    return path
