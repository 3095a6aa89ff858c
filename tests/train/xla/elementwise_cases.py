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
def of_broadcast(draw: st.DrawFn, name: str, *, positively: str | None = None) -> Case:
    """An operator of two inputs that are broadcast; one may lack dimensions in front, one may have to be positive."""
    shape, seed = draw(shapes()), draw(SEEDS)
    one, other = (tuple(1 if draw(st.booleans()) else size for size in shape) for _ in range(2))
    given = {"data": one, "other": other[draw(st.integers(0, len(shape) - 1)) :]}
    values = {positively: positive(given[positively], seed)} if positively else {}
    return Case(name, {}, given, seed, values)


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
def add_n(draw: st.DrawFn) -> Case:
    """One to four inputs of one shape."""
    shape, count = draw(shapes()), draw(st.integers(1, 4))
    return Case("add_n", {}, dict.fromkeys(["data", "other", "third", "fourth"][:count], shape), draw(SEEDS))


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
            "make_loss",
            "negative",
            "relu",
            "sigmoid",
            "square",
            "tanh",
        )
    },
}

BINARY: Mapping[str, SearchStrategy[Case]] = {
    **{name: of_two(name) for name in ("elemwise_add", "elemwise_sub", "elemwise_mul", "elemwise_div")},
    **{name: of_two(name) for name in ("_maximum", "_minimum")},
    "_power": of_two("_power", positively=True),
    **{f"broadcast_{name}": of_broadcast(f"broadcast_{name}") for name in ("add", "sub", "mul", "maximum", "minimum")},
    "broadcast_div": of_broadcast("broadcast_div", positively="other"),
    "broadcast_power": of_broadcast("broadcast_power", positively="data"),
    "add_n": add_n(),
}

SCALAR: Mapping[str, SearchStrategy[Case]] = {
    **{
        f"_{name}_scalar": of_number(f"_{name}_scalar")
        for name in ("plus", "minus", "mul", "div", "maximum", "minimum", "rminus", "rdiv")
    },
    "_power_scalar": of_number("_power_scalar", positively=True),
    "_rpower_scalar": of_number("_rpower_scalar", positively=True, left=True),
}
