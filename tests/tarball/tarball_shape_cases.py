"""Random operators, valid and broken, and what MXNet says of their shapes.

MXNet computes nothing here, but broken graphs make it read memory that is not its own: it is asked in a process that
may die.
"""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from harness.tarball.node import VARIABLE, Node, Output
from harness.tarball.shapes.inference import Inferred, infer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from hypothesis.strategies import SearchStrategy

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
    """What one of both says: shapes of the variables by name and of the heads, None where it does not know them."""

    refused: bool
    variables: Mapping[str, Shape | None] = field(default_factory=dict)
    heads: Sequence[Shape | None] = ()

    @property
    def complete(self) -> bool:
        """Whether every shape is known."""
        return not self.refused and None not in self.variables.values() and None not in self.heads


def ours(case: Case) -> Answer:
    """The answer of `infer`."""
    nodes, heads = case.nodes()
    found = infer(nodes, heads, case.shapes)
    if found.faults:
        return Answer(refused=True)
    variables = {
        node.name: found.shapes.get((position, 0)) for position, node in nodes.items() if node.operator == VARIABLE
    }
    return Answer(refused=False, variables=variables, heads=[found.shapes.get(head) for head in heads])


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
    return answers if len(answers) == len(cases) else [*answers, Answer(refused=True)]


def _answers(stream: Any) -> Iterator[Answer]:
    while True:
        try:
            yield pickle.load(stream)  # noqa: S301 - from our own child
        except (EOFError, pickle.UnpicklingError):
            return


def _ask(mx: Any, case: Case) -> Answer:
    try:
        symbol = mx.sym.load_json(case.symbol)
        arguments, heads, states = symbol.infer_shape_partial(**case.shapes)
    except (mx.base.MXNetError, ValueError):
        return Answer(refused=True)
    names = [*symbol.list_arguments(), *symbol.list_auxiliary_states()]
    variables = dict(zip(names, map(_whole, arguments + states), strict=True))
    return Answer(refused=False, variables=variables, heads=[_whole(shape) for shape in heads])


def _whole(shape: Shape) -> Shape | None:
    return tuple(shape) if shape and all(size > 0 for size in shape) else None


# What follows draws operators. Most fit together, as their inputs are drawn alike; a good part does not.

SIZES = st.sampled_from([1, 1, 2, 2, 3, 4, 6])
SHAPES = st.lists(SIZES, min_size=1, max_size=5).map(tuple)
FLAGS = st.booleans()
AXES = st.integers(-5, 4)
OPTIONAL_AXES = st.none() | AXES
COUNTS = st.integers(-1, 4)


def tuples(numbers: SearchStrategy[Any], most: int = 4) -> SearchStrategy[tuple[Any, ...]]:
    """A tuple of up to so many numbers."""
    return st.lists(numbers, max_size=most).map(tuple)


def images(dimensions: int) -> SearchStrategy[Shape]:
    """Batch, channels, and more dimensions, large enough for a window."""
    return st.tuples(SIZES, st.sampled_from([1, 2, 4, 6]), *[st.integers(3, 9)] * dimensions)


@st.composite
def varied(draw: st.DrawFn, shape: Shape) -> Shape | None:
    """A shape like another: the same, unknown, or changed in one or another way."""
    kind = draw(st.sampled_from(["same"] * 5 + ["unknown"] * 2 + ["size", "ones", "front", "fresh"]))
    if kind == "unknown":
        return None
    if kind == "fresh":
        return draw(SHAPES)
    if kind == "front":
        return shape[draw(st.integers(0, len(shape) - 1)) :]
    if kind == "ones":
        return tuple(1 if draw(FLAGS) else size for size in shape)
    if kind == "size":
        axis = draw(st.integers(0, len(shape) - 1))
        return (*shape[:axis], draw(SIZES), *shape[axis + 1 :])
    return shape


@st.composite
def operators(
    draw: st.DrawFn,
    name: str,
    inputs: int | tuple[int, ...] = 1,
    *,
    shapes: SearchStrategy[Shape] = SHAPES,
    known: int = 9,
    outputs: int = 1,
    **attributes: SearchStrategy[Any],
) -> Case:
    """An operator: any number of its attributes given, inputs with shapes like the first's, most of them unknown."""
    count = draw(st.sampled_from([inputs] if isinstance(inputs, int) else inputs))
    given = {key: draw(values) for key, values in attributes.items() if draw(st.integers(0, 3))}
    if "num_args" in attributes:
        given["num_args"] = count
    if not draw(st.integers(0, 19)):
        count = max(0, count + draw(st.sampled_from([-1, 1])))
    first = draw(shapes)
    rest = [draw(varied(first)) if number < known else None for number in range(1, count)]
    return Case.of_one(name, given, [first, *rest][:count], draw(st.integers(0, outputs - 1)))


def windows(name: str, inputs: tuple[int, ...], **attributes: SearchStrategy[Any]) -> SearchStrategy[Case]:
    """An operator with a window of one to three dimensions."""

    def of(dimensions: int) -> SearchStrategy[Case]:
        def measure(least: int, most: int) -> SearchStrategy[Any]:
            right = st.tuples(*[st.integers(least, most)] * dimensions)
            return st.integers(0, 11).flatmap(lambda odd: right if odd else tuples(st.integers(0, 3), 3))

        layouts = {1: ["NCW", "NWC"], 2: ["NCHW", "NHWC"], 3: ["NCDHW", "NDHWC"]}[dimensions]
        measures = {"kernel": measure(1, 3), "stride": measure(1, 3), "pad": measure(0, 2)}
        more = {key: value(measure, layouts) if callable(value) else value for key, value in attributes.items()}
        return operators(name, inputs, known=0, shapes=images(dimensions) | SHAPES, **measures, **more)

    return st.integers(1, 3).flatmap(of)


DILATE = lambda measure, _layouts: measure(1, 2)  # noqa: E731 - a setting among others
LAYOUT = lambda _measure, layouts: st.sampled_from(["None", *layouts])  # noqa: E731 - likewise
