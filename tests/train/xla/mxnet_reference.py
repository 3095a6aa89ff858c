"""Computes the same symbols in MXNet's CPU executor and through `Lowered`, and compares all that comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import Phase, settings

from harness.train.compat import mxnet
from harness.train.xla.graph import Graph

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float32]
    Shape = tuple[int, ...]

LONG = settings.get_current_profile_name() == "long"

examples = settings(
    max_examples=300 if LONG else 10,
    deadline=None,
    derandomize=not LONG,
    phases=[phase for phase in Phase if phase is not Phase.shrink],  # a smaller failure would take minutes to find
)
"""How often a property is tried: always with the same examples, unless ``--hypothesis-profile=long``."""

QUICKLY = {"xla_backend_optimization_level": 0}
"""For XLA's compiler: small programs that run once take longer to optimize than they could win."""

MOVED = 0.0
ROUNDED = 1e-6
SUMMED = 2e-5
TOLERANCES = {
    # Numbers are moved, chosen or scaled, and come out the same to the last bit.
    **dict.fromkeys(("Concat", "Flatten", "Reshape", "SliceChannel"), MOVED),
    **dict.fromkeys(("expand_dims", "slice_axis", "squeeze", "transpose"), MOVED),
    **dict.fromkeys(("BlockGrad", "Dropout", "MakeLoss", "_copy", "make_loss"), MOVED),
    **dict.fromkeys(("abs", "max", "min", "negative", "relu", "square"), MOVED),
    **dict.fromkeys(("_maximum", "_minimum", "elemwise_add", "elemwise_mul", "elemwise_sub"), MOVED),
    **dict.fromkeys(("_maximum_scalar", "_minimum_scalar"), MOVED),
    **dict.fromkeys(("_minus_scalar", "_mul_scalar", "_plus_scalar", "_rminus_scalar"), MOVED),
    # A few operations, in another order or by another library.
    **dict.fromkeys(("Activation", "LeakyReLU", "clip", "exp", "log", "sigmoid", "sqrt", "tanh"), ROUNDED),
    **dict.fromkeys(("_div_scalar", "_rdiv_scalar", "elemwise_div"), ROUNDED),
    **dict.fromkeys(("_power", "_power_scalar", "_rpower_scalar"), ROUNDED),
    **dict.fromkeys(("SoftmaxOutput", "add_n"), ROUNDED),
    **dict.fromkeys(("LinearRegressionOutput", "LogisticRegressionOutput", "MAERegressionOutput"), ROUNDED),
    # Sums, of products too, and quotients of sums; gradients of what is broadcast are sums, too, and may cancel out.
    **dict.fromkeys(("broadcast_add", "broadcast_div", "broadcast_mul", "broadcast_sub"), SUMMED),
    **dict.fromkeys(("broadcast_maximum", "broadcast_minimum", "broadcast_power"), SUMMED),
    **dict.fromkeys(("BatchNorm", "Convolution", "FullyConnected", "Pooling"), SUMMED),
    **dict.fromkeys(("log_softmax", "mean", "softmax", "sum"), SUMMED),
}
"""Operator to the largest difference from MXNet, relative to the largest number of the array or to 1."""


@dataclass(frozen=True)
class Case:
    """One operator with one set of attributes.

    Attributes:
        operator: MXNet's name.
        attributes: as MXNet's Python interface takes them.
        shapes: input to shape, in the operator's order; those left out MXNet infers.
        seed: of the numbers put in.
        values: input to numbers, where random ones of a normal distribution will not do.
    """

    operator: str
    attributes: Mapping[str, Any]
    shapes: Mapping[str, Shape]
    seed: int = 0
    values: Mapping[str, Array] = field(default_factory=dict)

    def symbol(self, name: str) -> Any:
        """The node, and variables for its inputs, under names that begin with this one."""
        mx = mxnet()
        make = getattr(mx.sym, self.operator, None) or getattr(mx.sym._internal, self.operator)
        inputs = [mx.sym.var(f"{name}_{given}") for given in self.shapes]
        return make(*inputs, name=name, **self.attributes)


@dataclass(frozen=True)
class Numbers:
    """What goes in.

    Attributes:
        inputs: data and labels, whose shapes are given to both engines.
        parameters: whose shapes both find themselves.
        auxiliary: likewise.
        heads: a gradient for each output.
    """

    inputs: Mapping[str, Array]
    parameters: Mapping[str, Array]
    auxiliary: Mapping[str, Array]
    heads: Sequence[Array]

    @classmethod
    def draw(cls, symbol: Any, shapes: Mapping[str, Shape], seed: int) -> Numbers:
        """From a normal distribution; auxiliary states are positive."""
        generator = np.random.default_rng(seed)

        def normal(shape: Shape) -> Array:
            return generator.normal(size=shape).astype(np.float32)

        arguments, outputs, states = symbol.infer_shape(**shapes)
        drawn = {name: normal(shape) for name, shape in zip(symbol.list_arguments(), arguments, strict=True)}
        auxiliary = zip(symbol.list_auxiliary_states(), states, strict=True)
        return cls(
            inputs={name: drawn[name] for name in shapes},
            parameters={name: value for name, value in drawn.items() if name not in shapes},
            auxiliary={name: np.abs(normal(shape)) + np.float32(0.1) for name, shape in auxiliary},
            heads=[normal(shape) for shape in outputs],
        )


@dataclass(frozen=True)
class Answer:
    """What comes out.

    Attributes:
        outputs: of a step of training.
        gradients: name to gradient of the sum of outputs times heads; not of labels.
        auxiliary: name to state after that step.
        predictions: outputs for the auxiliary states as they were before, and without labels.
    """

    outputs: Sequence[Array]
    gradients: Mapping[str, Array]
    auxiliary: Mapping[str, Array]
    predictions: Sequence[Array]


def by_mxnet(symbol: Any, numbers: Numbers) -> Answer:
    """Forward and backward in MXNet 1.9.1's CPU executor."""
    mx = mxnet()
    arguments = {**numbers.inputs, **numbers.parameters}
    executor = symbol.simple_bind(mx.cpu(), "write", **{name: value.shape for name, value in numbers.inputs.items()})

    for name, value in arguments.items():
        executor.arg_dict[name][:] = value
    for name, value in numbers.auxiliary.items():
        executor.aux_dict[name][:] = value
    predictions = [output.asnumpy() for output in executor.forward(is_train=False)]
    outputs = [output.asnumpy() for output in executor.forward(is_train=True)]
    executor.backward([mx.nd.array(head) for head in numbers.heads])
    mx.nd.waitall()  # a batch normalization updates its states behind the back of those who read them
    gradients = {name: value.asnumpy() for name, value in executor.grad_dict.items() if not name.endswith("label")}
    states = {name: value.asnumpy() for name, value in executor.aux_dict.items()}
    return Answer(outputs, gradients, states, predictions)


def by_xla(symbol_json: str, numbers: Numbers) -> Answer:
    """The same through `Lowered`, as one program."""
    import jax

    from harness.train.xla.lowering import Lowered

    lowered = Lowered(Graph.parse(symbol_json), {name: value.shape for name, value in numbers.inputs.items()})
    assert lowered.parameters == {name: value.shape for name, value in numbers.parameters.items()}
    assert lowered.auxiliary == {name: value.shape for name, value in numbers.auxiliary.items()}
    assert lowered.outputs == [head.shape for head in numbers.heads]
    labels = {name: value for name, value in numbers.inputs.items() if name.endswith("label")}
    data = {name: value for name, value in numbers.inputs.items() if name not in labels}

    def answer(data: Any, labels: Any, parameters: Any, auxiliary: Any, heads: Any) -> Any:
        def train(data: Any, parameters: Any) -> Any:
            return lowered(parameters, auxiliary, data | labels, training=True, key=jax.random.key(0))

        outputs, backward, states = jax.vjp(train, data, parameters, has_aux=True)
        of_data, of_parameters = backward(tuple(heads))
        predictions, unchanged = lowered(parameters, auxiliary, data, training=False, key=jax.random.key(0))
        assert unchanged.keys() == auxiliary.keys()
        assert all(unchanged[name] is state for name, state in auxiliary.items())
        return outputs, of_data | of_parameters, states, predictions

    arguments = (data, labels, dict(numbers.parameters), dict(numbers.auxiliary), list(numbers.heads))
    program = jax.jit(answer).lower(*arguments).compile(QUICKLY)
    return Answer(*program(*arguments))


def assert_close(found: Any, expected: Any, tolerance: float, what: str) -> None:
    """Equal but for a tolerance, relative to the largest number or to 1; where one is not finite, so is the other."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape, what
    finite = np.isfinite(expected)
    assert np.array_equal(found[~finite], expected[~finite], equal_nan=True), f"{what}: {found} for {expected}"
    largest = max(1.0, float(np.abs(expected[finite]).max(initial=0)))
    difference = float(np.abs(found[finite] - expected[finite]).max(initial=0))
    assert difference <= tolerance * largest, f"{what}: off by {difference}: {found} for {expected}"


def assert_symbol(symbol: Any, numbers: Numbers, tolerance: float) -> None:
    """Both compute the same."""
    expected, found = by_mxnet(symbol, numbers), by_xla(symbol.tojson(), numbers)
    for part in ("outputs", "predictions"):
        pairs = zip(getattr(found, part), getattr(expected, part), strict=True)
        for number, (one, other) in enumerate(pairs):
            assert_close(one, other, tolerance, f"{part}[{number}]")
    for part in ("gradients", "auxiliary"):
        one, other = getattr(found, part), getattr(expected, part)
        assert one.keys() == other.keys()
        for name in other:
            assert_close(one[name], other[name], tolerance, f"{part}[{name!r}]")


def assert_cases(cases: Sequence[Case]) -> None:
    """Operators compute what MXNet's do: side by side in one graph, as starting a program takes most of the time."""
    mx = mxnet()
    parts = {f"c{number}": case for number, case in enumerate(cases)}
    symbols = {name: case.symbol(name) for name, case in parts.items()}
    numbers = [
        Numbers.draw(symbols[name], {f"{name}_{given}": shape for given, shape in case.shapes.items()}, case.seed)
        for name, case in parts.items()
    ]
    together = Numbers(
        inputs={
            name: parts[name.split("_")[0]].values.get(name.split("_")[1], value).astype(np.float32)
            for some in numbers
            for name, value in some.inputs.items()
        },
        parameters={name: value for some in numbers for name, value in some.parameters.items()},
        auxiliary={name: value for some in numbers for name, value in some.auxiliary.items()},
        heads=[head for some in numbers for head in some.heads],
    )
    group = mx.sym.Group(list(symbols.values()))
    expected, found = by_mxnet(group, together), by_xla(group.tojson(), together)
    owners = [name for name, symbol in symbols.items() for _ in symbol.list_outputs()]
    for part in ("outputs", "predictions"):
        for owner, one, other in zip(owners, getattr(found, part), getattr(expected, part), strict=True):
            case = parts[owner]
            assert_close(one, other, TOLERANCES[case.operator], f"{part} of {case}")
    for part in ("gradients", "auxiliary"):
        one, other = getattr(found, part), getattr(expected, part)
        assert one.keys() == other.keys()
        for name in other:
            case = parts[name.split("_")[0]]
            assert_close(one[name], other[name], TOLERANCES[case.operator], f"{part}[{name}] of {case}")
