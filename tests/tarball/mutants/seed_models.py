"""Three valid models to make mutants of, written without MXNet: perceptron, convolutional net, one kept in float16."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import tarball_parts as parts

from harness.artifact import PARAMETERS, SHAPES, SYMBOL

Files = dict[str, bytes]
"""Content of a model's files, by name."""

Form = Literal[0, 1, 2]
FORMS: tuple[Form, ...] = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)

SCRIPT = "code/inference.py"


@dataclass
class _Net:
    """A graph in the making, and the values of its variables.

    Attributes:
        nodes: as ``Symbol.tojson()`` writes them.
        arrays: parameters by their full name.
    """

    dtype: str = "float32"
    nodes: list[dict[str, Any]] = field(default_factory=list)
    arrays: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)

    def variable(self, name: str, *shape: int, kind: str = "arg") -> list[int]:
        """Add a variable; one with a shape gets values between a tenth and one."""
        self.nodes.append(parts.variable(name))
        if shape:
            values = np.linspace(0.1, 1, int(np.prod(shape))).reshape(shape)
            self.arrays[f"{kind}:{name}"] = values.astype(self.dtype if kind == "arg" else "float32")
        return [len(self.nodes) - 1, 0, 0]

    def apply(self, op: str, name: str, *inputs: list[int], **attrs: str) -> list[int]:
        """Add a step."""
        self.nodes.append({"op": op, "name": name, "attrs": attrs, "inputs": list(inputs)})
        return [len(self.nodes) - 1, 0, 0]

    def dense(self, name: str, data: list[int], width: int, count: int) -> list[int]:
        """Add a layer that joins each of `width` inputs with each of `count` outputs."""
        weight, bias = self.variable(f"{name}_weight", count, width), self.variable(f"{name}_bias", count)
        return self.apply("FullyConnected", name, data, weight, bias, num_hidden=str(count))

    def files(self, head: list[int], *shape: int) -> Files:
        """The files of the model that ends here, with a softmax."""
        head = self.apply("SoftmaxOutput", "softmax", head, self.variable("softmax_label"))
        variables = [place for place, node in enumerate(self.nodes) if node["op"] == "null"]
        document = {
            "nodes": self.nodes,
            "arg_nodes": variables,
            "node_row_ptr": list(range(len(self.nodes) + 1)),
            "heads": [head],
            "attrs": {"mxnet_version": ["int", 10901]},
        }
        return {
            SYMBOL: json.dumps(document, indent=2).encode(),
            PARAMETERS: parts.parameters(self.arrays),
            SHAPES: json.dumps([{"name": "data", "shape": list(shape)}]).encode(),
            SCRIPT: parts.SCRIPT,
        }


def perceptron() -> Files:
    """The notebook's kind: two layers, five inputs, three classes."""
    net = _Net()
    hidden = net.apply("Activation", "relu1", net.dense("fc1", net.variable("data"), 5, 4), act_type="relu")
    return net.files(net.dense("fc2", hidden, 4, 3), 1, 5)


def convolutional() -> Files:
    """Pictures of 6x6: convolution, normalization with its moving statistics, pooling, three classes."""
    net = _Net()
    data, weight, bias = net.variable("data"), net.variable("conv_weight", 2, 1, 3, 3), net.variable("conv_bias", 2)
    data = net.apply("Convolution", "conv", data, weight, bias, kernel="(3, 3)", num_filter="2")
    states = [net.variable(f"bn_{name}", 2) for name in ("gamma", "beta")]
    states += [net.variable(f"bn_moving_{name}", 2, kind="aux") for name in ("mean", "var")]
    data = net.apply("BatchNorm", "bn", data, *(states[:2]), [states[2][0], 0, 1], [states[3][0], 0, 1], eps="0.001")
    data = net.apply("Activation", "relu", data, act_type="relu")
    data = net.apply("Pooling", "pool", data, kernel="(2, 2)", stride="(2, 2)", pool_type="max")
    return net.files(net.dense("fc", net.apply("Flatten", "flat", data), 8, 3), 100, 1, 6, 6)


def half() -> Files:
    """A perceptron stored in float16, one layer of it bound so too; MXNet computes in float16 on GPUs only."""
    net = _Net(dtype="float16")
    data, weight, bias = net.variable("data"), net.variable("fc1_weight", 4, 5), net.variable("fc1_bias", 4)
    for variable in (weight, bias):
        net.nodes[variable[0]]["attrs"] = {"__dtype__": "2"}
    wide = [net.apply("Cast", f"cast{each[0]}", each, dtype="float32") for each in (weight, bias)]
    data = net.apply("tanh", "tanh", net.apply("FullyConnected", "fc1", data, *wide, num_hidden="4"))
    return net.files(net.dense("fc2", data, 4, 3), 10, 5)


SEEDS: dict[str, Files] = {"perceptron": perceptron(), "convolutional": convolutional(), "half": half()}


def tarred(files: Files) -> bytes:
    """The tar that `harness.tarball.export.pack` would write of them."""
    return parts.tar_bytes(files, form=tarfile.USTAR_FORMAT)


def entries(files: Files) -> list[tuple[tarfile.TarInfo, bytes]]:
    """Headers and contents, to be changed and joined again with `joined`."""
    return [(parts.entry(name, size=len(content)), content) for name, content in files.items()]


def joined(members: list[tuple[tarfile.TarInfo, bytes]], form: Form = tarfile.GNU_FORMAT) -> bytes:
    """A tar of any headers and contents, whether or not they fit together."""
    buffer = io.BytesIO()
    for info, content in members:
        buffer.write(info.tobuf(form, errors="surrogateescape"))
        buffer.write(content + bytes(-len(content) % tarfile.BLOCKSIZE))
    return buffer.getvalue() + bytes(2 * tarfile.BLOCKSIZE)
