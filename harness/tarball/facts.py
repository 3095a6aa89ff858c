"""What a tarball holds, for people and programs: members, inputs, layers, parameters."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from harness.tarball.examination import Examination, examine
from harness.tarball.match import for_one_example, infer_shapes
from harness.tarball.member import Kind, shown
from harness.tarball.node import VARIABLE
from harness.tarball.reader import members
from harness.tarball.unpacked import LIMITS, Limits

if TYPE_CHECKING:
    from pathlib import Path

    from harness.artifact import Problem, Shape
    from harness.tarball.graph import Graph
    from harness.tarball.params import Stored
    from harness.tarball.shapes.inference import Inferred


@dataclass(frozen=True)
class Layer:
    """A node that computes.

    Attributes:
        name: as in the graph.
        operator: MXNet's name of what it computes.
        output: shape of its first output for one example, or None where that is not known.
        parameters: how many values of the tarball it is the first to read.
    """

    name: str
    operator: str
    output: Shape | None
    parameters: int


@dataclass(frozen=True)
class Facts:
    """A tarball at a glance; what could not be read is empty.

    Attributes:
        path: the file, as it was named.
        sha256: of the file, 64 hexadecimal digits.
        size: bytes of the file.
        members: name and bytes of every file in it.
        mxnet_version: of the MXNet that wrote the graph, such as 1.9.1, or "".
        inputs: name and shape of the data, for one example.
        outputs: name and shape of what the model answers, for one example.
        layers: in an order in which they can be computed.
        parameters: number of values.
        dtypes: of the parameters, the most frequent first.
        problems: why the container could not serve it.
    """

    path: str
    sha256: str
    size: int
    members: tuple[tuple[str, int], ...]
    mxnet_version: str
    inputs: dict[str, Shape]
    outputs: dict[str, Shape | None]
    layers: tuple[Layer, ...]
    parameters: int
    dtypes: tuple[str, ...]
    problems: tuple[Problem, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self) | {"members": [{"name": name, "size": size} for name, size in self.members]}


def read_facts(path: Path, *, limits: Limits = LIMITS) -> Facts:
    """Look into a file, valid or not; raises nothing, as whatever is wrong is one of its problems."""
    found = examine(members(path, limits=limits))
    graph, stored = found.contents.graph, found.contents.stored or {}
    inputs = for_one_example(found.contents.inputs or {})
    inferred = infer_shapes(graph, inputs) if graph is not None else None
    counts = Counter(array.dtype for array in stored.values())
    sha256, size = _digest(path, found)
    return Facts(
        path=str(path),
        sha256=sha256,
        size=size,
        members=tuple((member.label, member.size) for member in found.members if member.kind is Kind.FILE),
        mxnet_version=_version(graph.version) if graph is not None else "",
        inputs={shown(name): shape for name, shape in inputs.items()},
        outputs=_outputs(graph, inferred),
        layers=tuple(_layers(graph, stored, inferred)),
        parameters=sum(array.size for array in stored.values()),
        dtypes=tuple(name for name, _ in counts.most_common()),
        problems=tuple(found.problems),
    )


def _digest(path: Path, found: Examination) -> tuple[str, int]:
    if any(problem.code == "unreadable" for problem in found.problems):
        return "", 0
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size


def _version(number: int) -> str:
    """``10901`` is 1.9.1: ``MXNET_VERSION`` in ``include/mxnet/base.h``."""
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}" if number > 0 else ""


def _outputs(graph: Graph | None, inferred: Inferred | None) -> dict[str, Shape | None]:
    if graph is None:
        return {}
    shapes = inferred.shapes if inferred else {}
    heads = Counter(position for position, _ in graph.heads)
    outputs = {}
    for position, number in graph.heads:
        name = shown(graph.nodes[position].name)
        outputs[f"{name}[{number}]" if heads[position] > 1 else name] = shapes.get((position, number))
    return outputs


def _layers(graph: Graph | None, stored: dict[str, Stored], inferred: Inferred | None) -> list[Layer]:
    layers: list[Layer] = []
    if graph is None:
        return layers
    left = {name.partition(":")[2]: array.size for name, array in stored.items()}
    for position, node in graph.nodes.items():
        if node.operator == VARIABLE:
            continue
        values = sum(left.pop(graph.nodes[source].name, 0) for source, _ in node.inputs)
        output = inferred.shapes.get((position, 0)) if inferred else None
        layers.append(Layer(shown(node.name), shown(node.operator), output, values))
    return layers
