"""From an MXNet graph to one pure JAX function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import jax

from harness.errors import TrainingError
from harness.train.xla.attributes import unsupported
from harness.train.xla.graph import VARIABLE, Edge, Graph
from harness.train.xla.inference import Step, infer
from harness.train.xla.operators.operator import Array, Run

if TYPE_CHECKING:
    from harness.artifact import Shape

Values = Mapping[str, Array]


class Lowered:
    """A graph as a function of its parameters, auxiliary states and inputs.

    Attributes:
        parameters: name to shape of what is trained, in the order of ``Symbol.list_arguments()``.
        auxiliary: name to shape of what operators update themselves, in the order of ``list_auxiliary_states()``.
        fixed: name to value of parameters that operators hold at it, as MXNet sets a fixed gamma to 1 whenever it is
            used; an optimizer that decays it changes nothing.
        outputs: shape of each head.
        random: whether training draws random numbers.
    """

    def __init__(self, graph: Graph, inputs: Mapping[str, Shape]) -> None:
        """Find every shape from those of the data and labels, batch first.

        Raises:
            TrainingError: an operator or attribute that is not supported, or shapes that do not fit together.
        """
        self._graph = graph
        self._steps = [Step.of(node) for node in graph.nodes.values() if node.operator != VARIABLE]
        self.random = any(step.operator.random for step in self._steps)
        states = _states(self._steps)
        shapes = infer(graph, self._steps, inputs)
        known = {
            name: (node.position, shapes[Edge(node.position, 0)])
            for name, node in graph.variables.items()
            if name not in inputs
        }
        self.auxiliary = {name: shape for name, (position, shape) in known.items() if position in states}
        self.parameters = {name: shape for name, (position, shape) in known.items() if position not in states}
        held = (
            (graph.nodes[step.node.inputs[position].node].name, value)
            for step in self._steps
            for position, value in step.operator.fixed(step.settings).items()
        )
        self.fixed = {name: value for name, value in held if name in self.parameters}
        self.outputs = [shapes[head] for head in graph.heads]
        self._widths = Counter(edge.node for edge in shapes)

    def __call__(
        self,
        parameters: Values,
        auxiliary: Values,
        inputs: Values,
        *,
        training: bool,
        key: Array | None = None,
    ) -> tuple[tuple[Array, ...], dict[str, Array]]:
        """Outputs, and the auxiliary states after them.

        Args:
            parameters: what is trained.
            auxiliary: moving statistics and their kin.
            inputs: the data; and the labels, unless this is a prediction.
            training: whether this is a step of training.
            key: a JAX random key, which training a graph with dropout needs.

        Raises:
            TrainingError: an output, or a random number, cannot be had from what was given.
        """
        given = {**parameters, **auxiliary, **inputs}
        values: dict[Edge, Array] = {
            Edge(node.position, 0): given.get(name) for name, node in self._graph.variables.items()
        }
        updated = dict(auxiliary)
        for step in self._steps:
            arguments = [values[edge] for edge in step.node.inputs]
            if any(argument is None for argument in _without(arguments, step.operator.labels)):
                outputs: tuple[Array, ...] = (None,) * self._widths[step.node.position]  # it comes of a label alone
            else:
                result = step.compute(arguments, _run(step, key, training=training))
                outputs = result.outputs
                for position, value in result.auxiliary.items():
                    updated[self._graph.nodes[step.node.inputs[position].node].name] = value
            values |= {Edge(step.node.position, number): output for number, output in enumerate(outputs)}
        heads = tuple(values[head] for head in self._graph.heads)
        if any(head is None for head in heads):
            missing = [name for name, node in self._graph.variables.items() if values[Edge(node.position, 0)] is None]
            raise TrainingError(
                f"expected a value for every variable that the graph's outputs come from, found none for "
                f"{', '.join(missing)}; pass it, also for predictions"
            )
        return heads, updated


def _without(arguments: list[Array], positions: tuple[int, ...]) -> list[Array]:
    return [argument for position, argument in enumerate(arguments) if position not in positions]


def _states(steps: list[Step]) -> set[int]:
    """Positions of the variables that operators update themselves."""
    states: set[int] = set()
    for step in steps:
        own = {step.node.inputs[position].node for position in step.operator.auxiliary}
        if own & states:
            raise unsupported(step.node, "an auxiliary state that another node updates as well")
        states |= own
    return states


def _run(step: Step, key: Array | None, *, training: bool) -> Run:
    own = jax.random.fold_in(key, step.node.position) if step.operator.random and key is not None else None
    return Run(training, own)
