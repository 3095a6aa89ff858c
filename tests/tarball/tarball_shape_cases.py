"""Random operators, valid and broken, and what MXNet says of their shapes.

MXNet computes nothing here, but broken graphs make it read memory that is not its own: it is asked in a process that
may die.
"""

from __future__ import annotations

import faulthandler
import json
import os
import pickle
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.tarball.node import VARIABLE, Node, Output
from harness.tarball.shapes.inference import Inferred, infer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.artifact import Shape

MXNET = {"mxnet_version": ["int", 10901]}


@dataclass(frozen=True)
class Case:
    """A graph, and the shapes of some of its variables."""

    symbol: str
    shapes: Mapping[str, Shape] = field(default_factory=dict)

    @classmethod
    def of_one(cls, operator: str, attributes: Mapping[str, Any], shapes: Sequence[Shape | None], output: int) -> Case:
        """One operator, with a variable x0, x1 ... for each input; its shape may be left open."""
        names = [f"x{number}" for number in range(len(shapes))]
        nodes: list[dict[str, Any]] = [{"op": VARIABLE, "name": name, "inputs": []} for name in names]
        settings = {name: str(value) for name, value in attributes.items()}
        inputs = [[number, 0, 0] for number in range(len(shapes))]
        nodes.append({"op": operator, "name": "node", "attrs": settings, "inputs": inputs})
        heads = [[len(shapes), output, 0]]
        document = {"nodes": nodes, "arg_nodes": list(range(len(shapes))), "heads": heads, "attrs": MXNET}
        given = {name: shape for name, shape in zip(names, shapes, strict=True) if shape is not None}
        return cls(json.dumps(document), given)

    def nodes(self) -> tuple[dict[int, Node], list[Output]]:
        """The graph, as `infer` takes it."""
        document = json.loads(self.symbol)
        nodes = {
            position: Node(
                node["name"], node["op"], node.get("attrs", {}), tuple((a, b) for a, b, *_ in node["inputs"])
            )
            for position, node in enumerate(document["nodes"])
        }
        return nodes, [(node, output) for node, output, *_ in document["heads"]]

    def inferred(self) -> Inferred:
        """What we say."""
        return infer(*self.nodes(), self.shapes)


@dataclass(frozen=True)
class Answer:
    """What one of both says.

    Attributes:
        refused: whether these shapes are impossible.
        reason: why they are.
        variables: shape by name, None where it is not known.
        heads: shape of each.
        outputs: how many outputs the last head's node has, whether others can read them or not.
    """

    refused: bool
    reason: str = field(default="", compare=False)
    variables: Mapping[str, Shape | None] = field(default_factory=dict)
    heads: Sequence[Shape | None] = ()
    outputs: int | None = None

    @property
    def complete(self) -> bool:
        """Whether every shape is known."""
        return not self.refused and None not in self.variables.values() and None not in self.heads


def ours(case: Case) -> Answer:
    """The answer of `infer`."""
    nodes, heads = case.nodes()
    found = infer(nodes, heads, case.shapes)
    if found.faults:
        return Answer(refused=True, reason="; ".join(found.faults))
    variables = {
        node.name: found.shapes.get((position, 0))
        for position, node in nodes.items()
        if node.operator == VARIABLE and position in found.outputs
    }
    shapes = [found.shapes.get(head) for head in heads]
    return Answer(refused=False, variables=variables, heads=shapes, outputs=found.outputs.get(heads[-1][0]))


def of_mxnet(cases: Sequence[Case]) -> list[Answer]:
    """The answers of MXNet; run this in a process of its own. Where MXNet dies of a graph, it has refused it."""
    from harness.train.compat import mxnet

    mx = mxnet()
    answers: list[Answer] = []
    while len(answers) < len(cases):
        answers += _until_death(mx, cases[len(answers) :])
    return answers


def _until_death(mx: Any, cases: Sequence[Case]) -> list[Answer]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        faulthandler.disable()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        with os.fdopen(writer, "wb") as stream:
            for case in cases:
                pickle.dump(_ask(mx, case), stream)
                stream.flush()
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        answers = list(_answers(stream))
    os.waitpid(child, 0)
    return answers if len(answers) == len(cases) else [*answers, Answer(refused=True, reason="died")]


def _answers(stream: Any) -> Iterator[Answer]:
    while True:
        try:
            yield pickle.load(stream)  # noqa: S301 - from our own child
        except (EOFError, pickle.UnpicklingError):
            return


def _ask(mx: Any, case: Case) -> Answer:
    try:
        symbol = mx.sym.load_json(case.symbol)
        given = {name: shape for name, shape in case.shapes.items() if name in symbol.list_inputs()}
        arguments, heads, states = symbol.infer_shape_partial(**given)
    except (mx.base.MXNetError, ValueError) as error:
        return Answer(refused=True, reason=str(error))
    names = [*symbol.list_arguments(), *symbol.list_auxiliary_states()]
    variables = dict(zip(names, map(_whole, arguments + states), strict=True))
    entries = json.loads(symbol.tojson())["node_row_ptr"]
    shapes = [_whole(shape) for shape in heads]
    return Answer(refused=False, variables=variables, heads=shapes, outputs=entries[-1] - entries[-2])


def _whole(shape: Shape) -> Shape | None:
    return tuple(shape) if shape and all(size > 0 for size in shape) else None


STRICTER = {
    "expected outputs of": "MXNet reads memory behind the node's shapes, which may look like one",
    r"^(softmax|log_softmax|softmin) node .* an axis of data": "MXNet refuses when it computes",
    "^norm node .* expected ord": "MXNet refuses when it computes",
    "^LRN node .* expected data of 4 dimensions": "MXNet refuses when it computes",
    "^[A-Za-z_1]*(BatchNorm|GroupNorm|InstanceNorm)[A-Za-z_1]* node .* of shape": "MXNet forgets a shape that it knew",
    r"^FullyConnected node .* of shape \(\d+,\)": "MXNet takes a column for a bias, and refuses when it computes",
    "^Pad node .* a reflection": "MXNet reflects at most once, and reads memory before or behind the data",
    "^Deconvolution node .* a target_shape of": "MXNet looks at the first number alone",
    "^take node .* inputs": "MXNet refuses when it computes",
    "^Reshape node .* elements": "MXNet refuses when it computes, or answers with memory behind the tensor",
    "^transpose node .* axes that order": "MXNet reads memory that nobody wrote",
    "^stack node .* input": "MXNet refuses when it computes, or answers with memory that nobody wrote",
    "^where node .* a condition": "MXNet may die of it when it computes",
}
"""Words of a fault to why it is one although MXNet finds shapes. Each was tried."""


def disagreements(cases: Sequence[Case], answers: Sequence[Answer]) -> list[str]:
    """Cases of which we say what MXNet does not: a shape, that all are known, or that they are impossible."""
    pairs = zip(cases, answers, strict=True)
    return [f"{case}: {found}, MXNet: {answer}" for case, answer in pairs if not _agree(found := ours(case), answer)]


def _agree(found: Answer, expected: Answer) -> bool:
    if found.refused:
        stricter = all(any(re.search(words, fault) for words in STRICTER) for fault in found.reason.split("; "))
        return stricter or not expected.complete
    if found.complete or expected.complete:
        return found == expected
    return expected.refused or all(shape in (None, expected.variables[name]) for name, shape in found.variables.items())
