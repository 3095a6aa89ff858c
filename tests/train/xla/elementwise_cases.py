"""Random cases of the operators that work on each element."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st
from mxnet_reference import Case

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import SearchStrategy

    from harness.artifact import Shape

SEEDS = st.integers(0, 2**31 - 1)
SIZES = st.integers(1, 4)
NUMBERS = st.integers(-300, 300).map(lambda hundredths: hundredths / 100)


def shapes(least: int = 1, most: int = 4) -> SearchStrategy[Shape]:
    """A shape of so many dimensions."""
    return st.lists(SIZES, min_size=least, max_size=most).map(tuple)


def positive(shape: Shape, seed: int) -> np.ndarray:
    """Numbers of which a logarithm can be had, and a power."""
    return np.random.default_rng(seed).uniform(0.2, 3, shape)


@st.composite
def of_one(draw: st.DrawFn, name: str, *, positively: bool = False, **attributes: SearchStrategy[object]) -> Case:
    """An operator of one input."""
    shape, seed = draw(shapes()), draw(SEEDS)
    values = {"data": positive(shape, seed)} if positively else {}
    return Case(name, draw(st.fixed_dictionaries(attributes)), {"data": shape}, seed, values)


@st.composite
def of_two(draw: st.DrawFn, name: str, *, positively: bool = False) -> Case:
    """An operator of two inputs of one shape."""
    shape, seed = draw(shapes()), draw(SEEDS)
    values = {"data": positive(shape, seed)} if positively else {}
    return Case(name, {}, {"data": shape, "other": shape}, seed, values)


@st.composite
def of_broadcast(draw: st.DrawFn, name: str, *, positively: bool = False) -> Case:
    """An operator of two inputs that are broadcast; one may lack dimensions in front."""
    shape, seed = draw(shapes()), draw(SEEDS)
    one, other = (tuple(1 if draw(st.booleans()) else size for size in shape) for _ in range(2))
    other = other[draw(st.integers(0, len(shape) - 1)) :]
    values = {"data": positive(one, seed)} if positively else {}
    return Case(name, {}, {"data": one, "other": other}, seed, values)


@st.composite
def of_number(draw: st.DrawFn, name: str, *, positively: bool = False, left: bool = False) -> Case:
    """An operator of a tensor and a number."""
    shape, seed = draw(shapes()), draw(SEEDS)
    values = {"data": positive(shape, seed)} if positively and not left else {}
    scalar = draw(NUMBERS)
    return Case(name, {"scalar": abs(scalar) if positively and left else scalar}, {"data": shape}, seed, values)


@st.composite
def leaky_relu(draw: st.DrawFn) -> Case:
    """Every kind that is not random."""
    kind = draw(st.sampled_from(["leaky", "elu", "selu", "gelu", "prelu"]))
    return Case("LeakyReLU", {"act_type": kind, "slope": draw(NUMBERS)}, {"data": draw(shapes(2))}, draw(SEEDS))


@st.composite
def add_n(draw: st.DrawFn, name: str) -> Case:
    """One to four inputs of one shape."""
    shape, count = draw(shapes()), draw(st.integers(1, 4))
    return Case(name, {}, dict.fromkeys(["data", "other", "third", "fourth"][:count], shape), draw(SEEDS))


@st.composite
def clip(draw: st.DrawFn) -> Case:
    """Bounds in any order."""
    return Case("clip", {"a_min": draw(NUMBERS), "a_max": draw(NUMBERS)}, {"data": draw(shapes())}, draw(SEEDS))


FUNCTIONS: Mapping[str, SearchStrategy[Case]] = {
    "Activation": of_one("Activation", act_type=st.sampled_from(["relu", "sigmoid", "tanh", "softrelu", "softsign"])),
    "LeakyReLU": leaky_relu(),
    "clip": clip(),
    **{name: of_one(name, positively=True) for name in ("log", "sqrt")},
    **{
        name: of_one(name)
        for name in (
            "BlockGrad",
            "_copy",
            "abs",
            "exp",
            "identity",
            "make_loss",
            "negative",
            "relu",
            "sigmoid",
            "square",
            "stop_gradient",
            "tanh",
        )
    },
}

_OF_TWO = {
    "add": ("elemwise_add", "_add", "_plus", "_Plus"),
    "sub": ("elemwise_sub", "_sub", "_minus", "_Minus"),
    "mul": ("elemwise_mul", "_mul", "_Mul"),
    "div": ("elemwise_div", "_div", "_Div"),
    "power": ("_power", "_Power"),
    "maximum": ("_maximum", "_Maximum"),
    "minimum": ("_minimum", "_Minimum"),
}
_OF_BROADCAST = {
    "add": ("broadcast_add", "broadcast_plus"),
    "sub": ("broadcast_sub", "broadcast_minus"),
    **{name: (f"broadcast_{name}",) for name in ("mul", "div", "power", "maximum", "minimum")},
}
_OF_NUMBER = {
    "_plus_scalar": "_PlusScalar",
    "_minus_scalar": "_MinusScalar",
    "_mul_scalar": "_MulScalar",
    "_div_scalar": "_DivScalar",
    "_power_scalar": "_PowerScalar",
    "_maximum_scalar": "_MaximumScalar",
    "_minimum_scalar": "_MinimumScalar",
}
_OF_NUMBER_LEFT = {
    "_rminus_scalar": "_RMinusScalar",
    "_rdiv_scalar": "_RDivScalar",
    "_rpower_scalar": "_RPowerScalar",
}

BINARY: Mapping[str, SearchStrategy[Case]] = {
    **{name: of_two(name, positively=kind == "power") for kind, names in _OF_TWO.items() for name in names},
    **{name: of_broadcast(name, positively=kind == "power") for kind, names in _OF_BROADCAST.items() for name in names},
    **{name: add_n(name) for name in ("add_n", "ElementWiseSum")},
}

SCALAR: Mapping[str, SearchStrategy[Case]] = {
    **{name: of_number(name, positively="ower" in name) for names in _OF_NUMBER.items() for name in names},
    **{
        name: of_number(name, positively="ower" in name, left=True)
        for names in _OF_NUMBER_LEFT.items()
        for name in names
    },
}
