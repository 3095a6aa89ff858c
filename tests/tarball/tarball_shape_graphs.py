"""Random networks of several layers, whole and with one thing broken, to ask MXNet about."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from tarball_shape_cases import MXNET, Case
from tarball_shape_operators import FLAGS

from harness.tarball.node import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.artifact import Shape


@dataclass
class Builder:
    """A graph in the making.

    Attributes:
        nodes: as the symbol file has them.
        shapes: of the data.
    """

    nodes: list[dict[str, Any]] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)

    def variable(self, name: str, shape: Shape | None = None) -> int:
        """Data, if it has a shape; otherwise a parameter."""
        if shape is not None:
            self.shapes[name] = shape
        self.nodes.append({"op": VARIABLE, "name": name, "inputs": []})
        return len(self.nodes) - 1

    def layer(self, operator: str, inputs: Sequence[int], parameters: int = 0, **attributes: Any) -> int:
        """A node, with variables for its parameters."""
        name = f"{operator.lower()}{len(self.nodes)}"
        sources = [*inputs, *(self.variable(f"{name}_parameter{number}") for number in range(parameters))]
        settings = {key: str(value) for key, value in attributes.items()}
        edges = [[source, 0, 0] for source in sources]
        self.nodes.append({"op": operator, "name": name, "attrs": settings, "inputs": edges})
        return len(self.nodes) - 1

    def case(self, heads: Sequence[int]) -> Case:
        """The graph."""
        variables = [position for position, node in enumerate(self.nodes) if node["op"] == VARIABLE]
        document = {"nodes": self.nodes, "arg_nodes": variables, "heads": [[head, 0, 0] for head in heads]}
        return Case(json.dumps({**document, "attrs": MXNET}), self.shapes)


def _convolved(draw: st.DrawFn, build: Builder, data: int, filters: int | None = None) -> int:
    """A convolution that keeps height and width, with batch normalization or not."""
    filters, bias = filters or draw(st.integers(1, 4)), draw(FLAGS)
    settings: Mapping[str, Any] = {"kernel": (3, 3), "pad": (1, 1), "num_filter": filters, "no_bias": not bias}
    data = build.layer("Convolution", [data], 2 if bias else 1, **settings)
    return build.layer("BatchNorm", [data], 4, fix_gamma=draw(FLAGS)) if draw(FLAGS) else data


def _residual(draw: st.DrawFn, build: Builder, data: int) -> int:
    data = _convolved(draw, build, data, 3)
    return build.layer("elemwise_add", [_convolved(draw, build, data, 3), data])


def _inception(draw: st.DrawFn, build: Builder, data: int) -> int:
    branches = [_convolved(draw, build, data) for _ in range(draw(st.integers(1, 3)))]
    return build.layer("Concat", branches, num_args=len(branches), dim=1)


def _halved(draw: st.DrawFn, build: Builder, data: int) -> int:
    kind = draw(st.sampled_from(["max", "avg"]))
    settings = {"pool_type": kind, "pooling_convention": draw(st.sampled_from(["valid", "full"]))}
    return build.layer("Pooling", [data], kernel=(2, 2), stride=(2, 2), pad=(1, 1), **settings)


def _active(draw: st.DrawFn, build: Builder, data: int) -> int:
    if draw(FLAGS):
        return build.layer("LeakyReLU", [data], 1, act_type="prelu")
    return build.layer("Activation", [data], act_type="relu")


def _scaled(draw: st.DrawFn, build: Builder, data: int) -> int:
    """A parameter for every number, through a function."""
    scale = build.variable(f"scale{len(build.nodes)}")
    return build.layer("elemwise_mul", [data, build.layer("exp", [scale]) if draw(FLAGS) else scale])


def _normalized(draw: st.DrawFn, build: Builder, data: int) -> int:
    operator = draw(st.sampled_from(["LayerNorm", "InstanceNorm", "Dropout"]))
    return build.layer(operator, [data], 0 if operator == "Dropout" else 2)


_STEPS = (_convolved, _residual, _inception, _halved, _active, _scaled, _normalized)


@st.composite
def networks(draw: st.DrawFn) -> Case:
    """Images, layers that come as they may, a second input joined to them, and up to two outputs."""
    build = Builder()
    data = build.variable("data", (1, draw(st.integers(1, 3)), draw(st.integers(4, 9)), draw(st.integers(4, 9))))
    for step in draw(st.lists(st.sampled_from(_STEPS), max_size=5)):
        data = step(draw, build, data)
    data = build.layer("Flatten", [data])
    if draw(FLAGS):
        other = build.variable("other", (1, draw(st.integers(1, 5))))
        data = build.layer("Concat", [data, build.layer("FullyConnected", [other], 2, num_hidden=3)], num_args=2)
    hidden = build.layer("FullyConnected", [data], 2, num_hidden=draw(st.integers(2, 4)))
    heads = [build.layer("SoftmaxOutput", [hidden], 1)]
    if draw(FLAGS):
        heads.append(build.layer("LinearRegressionOutput", [data], 1))
    return build.case(heads)


@st.composite
def broken(draw: st.DrawFn) -> Case:
    """A network with one thing changed: an attribute, an input, an output that is read, the data's shape."""
    case = draw(networks())
    document, shapes = json.loads(case.symbol), dict(case.shapes)
    node = draw(st.sampled_from([node for node in document["nodes"] if node["op"] != VARIABLE]))
    kind = draw(st.sampled_from(["attribute", "left out", "input", "one less", "one more", "output", "data"]))
    settings, edge = node["attrs"], draw(st.sampled_from(node["inputs"]))
    if kind == "attribute" and settings:
        settings[draw(st.sampled_from(sorted(settings)))] = draw(st.sampled_from(["0", "1", "-1", "(2, 2)", "x", "7"]))
    elif kind == "left out" and settings:
        del settings[draw(st.sampled_from(sorted(settings)))]
    elif kind == "input":
        edge[0] = draw(st.integers(0, edge[0]))
    elif kind == "one less":
        node["inputs"].pop()
    elif kind == "one more":
        node["inputs"].append(edge)
    elif kind == "output":
        edge[1] = draw(st.integers(1, 4))
    else:
        shapes["data"] = draw(st.lists(st.integers(1, 5), min_size=1, max_size=5).map(tuple))
    return Case(json.dumps(document), shapes)
