"""Every shape of a graph from those of its data, as MXNet finds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from harness.tarball.node import VARIABLE, Node, Output
from harness.tarball.operators import Settings, operator
from harness.tarball.shapes.registry import RULES
from harness.tarball.shapes.rule import MisfitError, Rule, shown, size_fault
from harness.tarball.shapes.variables import Declared, declared, fits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.artifact import Shape

_SWEEPS = 8
"""How often the graph is gone through. Networks take two or three; what would take more is left unknown, so that the
time stays in proportion to the file's size."""

_FAULTS = 10


@dataclass(frozen=True)
class Inferred:
    """What is known of a graph's shapes.

    Attributes:
        shapes: of every output found, by node position and output; of a variable that is output 0.
        faults: what does not fit together, in words; the first ten.
        outputs: number of outputs of each node whose operator has a rule, by position.
        unknown: names of operators in the graph that there is no rule for.
    """

    shapes: Mapping[Output, Shape]
    faults: tuple[str, ...]
    outputs: Mapping[int, int]
    unknown: frozenset[str]


def infer(nodes: Mapping[int, Node], heads: Sequence[Output], inputs: Mapping[str, Shape]) -> Inferred:
    """Shapes of all that the heads depend on.

    Shapes travel down the graph, and up to parameters and through operators whose inputs and outputs are alike.

    Args:
        nodes: by position; an input lies at an earlier position than its reader.
        heads: the graph's outputs.
        inputs: shapes of data by the variable's name, batch included.
    """
    search = _Search(nodes, heads)
    search.start(inputs)
    search.run()
    return Inferred(search.shapes, tuple(search.faults), search.outputs, frozenset(search.unknown))


class _Step(NamedTuple):
    """A node that a rule can be asked about."""

    node: Node
    rule: Rule
    settings: Settings


class _Search:
    """What is known so far."""

    def __init__(self, nodes: Mapping[int, Node], heads: Sequence[Output]) -> None:
        self._nodes = nodes
        self._readers: dict[Output, list[int]] = {}
        self._steps: dict[int, _Step] = {}
        self._variables: list[Output] = []
        self._declared: dict[Output, Declared] = {}
        self._read: dict[int, set[int]] = {}
        self._dirty: set[int] = set()
        self.shapes: dict[Output, Shape] = {}
        self.faults: dict[str, None] = {}
        self.outputs: dict[int, int] = {}
        self.unknown: set[str] = set()
        reached = _reached(nodes, heads)
        for position in reached:
            self._prepare(position)
        for position in reached:
            self._connect(position)
        for head in heads:
            self._check_exists(head, "head")

    def start(self, inputs: Mapping[str, Shape]) -> None:
        """Learn what is given, and what variables say of themselves."""
        for edge in self._variables:
            node = self._nodes[edge[0]]
            who = f"variable {node.name!r:.60}"
            if node.name in inputs:  # whatever shape the graph was trained with, the batch included
                self._learn(who, edge, inputs[node.name])
                continue
            try:
                known = declared(node)
            except ValueError as error:
                self._note(who, str(error))
                continue
            if known and all(known):
                self._learn(who, edge, known)
            elif known:
                self._declared[edge] = known

    def run(self) -> None:
        """Ask all rules, again where something new is known, down and up the graph in turn."""
        order = sorted(self._steps)
        self._dirty = set(order)
        for sweep in range(_SWEEPS):
            for position in reversed(order) if sweep % 2 else order:
                if position in self._dirty:
                    self._visit(position)
            if not self._dirty:
                return

    def _prepare(self, position: int) -> None:
        """Read a node's attributes, and see how many inputs and outputs it has."""
        node = self._nodes[position]
        if node.operator == VARIABLE:
            self.outputs[position] = 1
            self._variables.append((position, 0))
            return
        known = operator(node.operator)
        rule = RULES.get(known.name) if known else None
        if known is None or rule is None:
            self.unknown.add(node.operator)
            return
        settings, faults = known.settings(node.attributes)
        if not faults:
            faults = _count_faults(node, rule, settings)
        if faults:
            self._note(_named(node), *faults)
            return
        self.outputs[position] = rule.outputs(settings) or 0
        self._steps[position] = _Step(node, rule, settings)

    def _connect(self, position: int) -> None:
        """Remember who reads what, unless it is not there."""
        node = self._nodes[position]
        found = [self._check_exists(edge, _named(node)) for edge in node.inputs]
        if not all(found):
            self._steps.pop(position, None)
        for edge in set(node.inputs):
            self._readers.setdefault(edge, []).append(position)
            self._read.setdefault(edge[0], set()).add(edge[1])

    def _check_exists(self, edge: Output, reader: str) -> bool:
        position, number = edge
        self._read.setdefault(position, set()).add(number)
        count = self.outputs.get(position)
        if count is None or 0 <= number < count:
            return True
        name = self._nodes[position].name
        self._note(reader, f"expected outputs of {name!r:.60} below {count:,}, found {number:,}")
        return False

    def _visit(self, position: int) -> None:
        self._dirty.discard(position)
        step = self._steps[position]
        node, who = step.node, _named(step.node)
        try:
            found = step.rule.infer(step.settings, [self.shapes.get(edge) for edge in node.inputs])
        except MisfitError as misfit:
            self._note(who, str(misfit))
            return
        learned = [self._learn(who, node.inputs[number], shape, position) for number, shape in found.inputs.items()]
        if step.rule.alike:
            learned += self._spread(who, position, [*node.inputs, (position, 0)])
        if found.outputs and all(learned):
            for number in self._shown_outputs(position, len(found.outputs)):
                self._learn(who, (position, number), found.outputs[min(number, len(found.outputs) - 1)], position)

    def _spread(self, who: str, position: int, edges: Sequence[Output]) -> Iterable[bool]:
        shape = next((self.shapes[edge] for edge in edges if edge in self.shapes), None)
        return [] if shape is None else [self._learn(who, edge, shape, position) for edge in edges]

    def _shown_outputs(self, position: int, different: int) -> set[int]:
        """Outputs that are worth a shape: there may be billions of them."""
        count = self.outputs[position]
        read = {number for number in self._read.get(position, ()) if 0 <= number < count}
        return read | set(range(min(different, count)))

    def _learn(self, who: str, edge: Output, shape: Shape, learner: int = -1) -> bool:
        """Whether this can be the shape; if it is new, those concerned are asked again."""
        name = f"{self._nodes[edge[0]].name!r:.60}" if edge[0] in self._nodes else "an input"
        before = self.shapes.get(edge, shape)
        for other in (before, self._declared.get(edge)):
            if other and not fits(other, shape):
                return self._note(who, f"expected {name} of shape {shown(shape)}, found {shown(other)}")
        if edge in self.shapes:
            return True
        if fault := size_fault(shape):
            return self._note(who, f"expected {name} of {fault}, found shape {shown(shape)}")
        self.shapes[edge] = shape
        concerned = {edge[0], *self._readers.get(edge, ())} - {learner}
        self._dirty.update(concerned & self._steps.keys())
        return True

    def _note(self, who: str, *faults: str) -> bool:
        for fault in faults[:_FAULTS]:
            if len(self.faults) < _FAULTS:
                self.faults[f"{who}: {fault}"] = None
        return False


def _named(node: Node) -> str:
    return f"{node.operator:.60} node {node.name!r:.60}"


def _reached(nodes: Mapping[int, Node], heads: Iterable[Output]) -> list[int]:
    """Positions that the heads depend on, in order."""
    wanted = {position for position, _ in heads}
    reached = []
    for position in sorted(nodes, reverse=True):
        if position in wanted:
            reached.append(position)
            wanted.update(earlier for earlier, _ in nodes[position].inputs)
    return reached[::-1]


def _count_faults(node: Node, rule: Rule, settings: Settings) -> list[str]:
    expected, found = rule.inputs(settings), len(node.inputs)
    if expected is not None and expected != found:
        return [f"expected {expected:,} input{'s' if expected != 1 else ''}, found {found:,}"]
    return [] if found or expected == 0 else ["expected at least one input, found none"]
