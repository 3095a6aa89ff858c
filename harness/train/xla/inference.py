"""Every shape of a graph from those of its data, as MXNet finds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from harness.errors import TrainingError
from harness.train.xla.attributes import Settings, misfit, parse_integers, settings, unsupported
from harness.train.xla.graph import Edge, Graph, Node
from harness.train.xla.operators.operator import Array, Operator, Run, Updated
from harness.train.xla.operators.registry import operator_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.artifact import Shape


@dataclass(frozen=True)
class Step:
    """A node with what is known of its operator."""

    node: Node
    operator: Operator
    settings: Settings

    @classmethod
    def of(cls, node: Node) -> Step:
        """Find the operator and read the attributes.

        Raises:
            TrainingError: not supported, or another number of inputs than the operator takes.
        """
        operator = operator_of(node)
        values = settings(node, operator.attributes)
        count = operator.inputs(values)
        if len(node.inputs) != count:
            raise TrainingError(
                f"{node}: expected {count} input(s), found {len(node.inputs)}; "
                f"let MXNet 1.9.1 write the graph: mx.sym.load(path).tojson()"
            )
        return cls(node, operator, values)

    def compute(self, arguments: Sequence[Array], run: Run) -> Updated:
        """Outputs, and new auxiliary states if it has any."""
        result = self.operator.apply(self.settings, arguments, run)
        if isinstance(result, Updated):
            return result
        return Updated(result if isinstance(result, tuple) else (result,), {})


def infer(graph: Graph, steps: Sequence[Step], inputs: Mapping[str, Shape]) -> dict[Edge, Shape]:
    """Shape of every output of every node; of a variable that is output 0.

    Shapes travel down the graph, and up through operators whose inputs and outputs are alike, until none is new.

    Raises:
        TrainingError: shapes that do not fit together, or that cannot be found.
    """
    search = _Search(graph, inputs)
    while sum(search.visit(step) for step in steps):
        pass
    for step in steps:
        for edge in step.node.inputs:
            search.check_found(edge, str(step.node))
    for edge in graph.heads:
        search.check_found(edge, "head")
    return search.shapes


class _Search:
    """What is known so far."""

    def __init__(self, graph: Graph, inputs: Mapping[str, Shape]) -> None:
        self._graph, self._computed = graph, set[int]()
        self._declared: dict[Edge, Shape] = {}
        self.shapes: dict[Edge, Shape] = {}
        for name, node in graph.variables.items():
            edge, declared = Edge(node.position, 0), _declared_shape(node)
            if declared:
                self._declared[edge] = declared
            if name in inputs:
                self._learn(node, edge, inputs[name])
            elif declared and all(declared):
                self._learn(node, edge, declared)

    def visit(self, step: Step) -> bool:
        """Whether a look at a step told anything new."""
        before = len(self.shapes)
        edges = step.node.inputs
        known = [self.shapes.get(edge) for edge in edges]
        found = {edges[position]: shape for position, shape in step.operator.infer(step.settings, known).items()}
        if step.operator.alike:
            sides = [*edges, Edge(step.node.position, 0)]
            for shape in [self.shapes[edge] for edge in sides if edge in self.shapes][:1]:
                found |= dict.fromkeys(sides, shape)
        for edge, shape in found.items():
            self._learn(step.node, edge, shape)
        if step.node.position not in self._computed and all(edge in self.shapes for edge in edges):
            self._computed.add(step.node.position)
            outputs = _output_shapes(step, [self.shapes[edge] for edge in edges])
            for number, shape in enumerate(outputs):
                self._learn(step.node, Edge(step.node.position, number), shape)
            return True
        return len(self.shapes) > before

    def check_found(self, edge: Edge, reader: str) -> None:
        """Refuse an output whose shape was not found.

        Raises:
            TrainingError: names the output, and what reads it.
        """
        if edge in self.shapes:
            return
        name = self._graph.nodes[edge.node].name
        if edge.node in self._computed:
            raise TrainingError(f"{reader}: expected output {edge.output} of {name!r}, found fewer; mend the graph")
        raise TrainingError(
            f"{reader}: expected to find the shape of {name!r} from the data's, found none; "
            f"give the variable a shape: mx.sym.var({name!r}, shape=...)"
        )

    def _learn(self, node: Node, edge: Edge, shape: Shape) -> None:
        before, declared = self.shapes.get(edge, shape), self._declared.get(edge, shape)
        for other in (before, declared):
            if len(other) != len(shape) or any(size not in (0, new) for size, new in zip(other, shape, strict=True)):
                raise misfit(node, f"{self._graph.nodes[edge.node].name!r} of shape {shape}", other)
        self.shapes[edge] = shape


def _declared_shape(variable: Node) -> Shape:
    """What ``mx.sym.var(shape=...)`` said; a 0 in it stands for a size that is not known, () for no shape.

    Raises:
        TrainingError: the variable is of a type that this engine has no numbers of, or its shape is no shape.
    """
    for attribute, expected in (("__dtype__", "0"), ("__storage_type__", "0")):
        text = variable.attributes.get(attribute, expected)
        if text not in (expected, "-1"):
            raise unsupported(variable, f"attribute {attribute}={text}", expected="dense float32")
    text = variable.attributes.get("__shape__", "()")
    try:
        shape = parse_integers(text)
    except ValueError as error:
        raise misfit(variable, "a shape", text) from error
    return tuple(max(size, 0) for size in shape)


def _output_shapes(step: Step, shapes: Sequence[Shape]) -> list[Shape]:
    def outputs(*arguments: Array) -> tuple[Array, ...]:
        key = jax.random.key(0) if step.operator.random else None
        return step.compute(arguments, Run(training=False, key=key)).outputs

    try:
        found = jax.eval_shape(outputs, *(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes))  # type: ignore[no-untyped-call]
    except (TypeError, ValueError, IndexError, ZeroDivisionError) as error:
        reason = (str(error).strip().splitlines() or [""])[0]
        raise _contradiction(step, shapes, reason) from error
    if not all(output.shape and all(output.shape) for output in found):
        raise _contradiction(step, shapes, "nothing would be left")
    return [tuple(output.shape) for output in found]


def _contradiction(step: Step, shapes: Sequence[Shape], reason: str) -> TrainingError:
    return TrainingError(
        f"{step.node}: inputs of shapes {', '.join(map(str, shapes))} do not fit together: {reason}; mend the graph"
    )
