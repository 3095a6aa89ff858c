"""Operators that work on each element: all their tensors have one shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.tarball.shapes.rule import NOTHING, Family, Found, Given, MisfitError, expect, shown

if TYPE_CHECKING:
    from harness.artifact import Shape
    from harness.tarball.operators import Settings

ELEMENTWISE = Family()

_FUNCTIONS = (
    *("abs", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cbrt", "ceil", "cos", "cosh", "degrees"),
    *("erf", "erfinv", "exp", "expm1", "fix", "floor", "gamma", "gammaln", "log", "log10", "log1p", "log2"),
    *("logical_not", "negative", "radians", "rcbrt", "reciprocal", "relu", "rint", "round", "rsqrt", "sigmoid", "sign"),
    *("sin", "sinh", "softsign", "sqrt", "square", "tan", "tanh", "trunc", "hard_sigmoid", "smooth_l1", "clip"),
    *("_copy", "BlockGrad", "make_loss", "ones_like", "zeros_like", "Cast", "amp_cast", "Activation", "MakeLoss"),
    *("SoftmaxActivation", "_contrib_div_sqrt_dim", "_contrib_gradientmultiplier", "reverse"),
)
_OF_TWO = (
    *("elemwise_add", "elemwise_sub", "elemwise_mul", "elemwise_div", "_grad_add", "_hypot", "_maximum", "_minimum"),
    *("_mod", "_power", "_equal", "_not_equal", "_greater", "_greater_equal", "_lesser", "_lesser_equal"),
    *("_logical_and", "_logical_or", "_logical_xor"),
)
_WITH_NUMBER = (
    *("div", "equal", "greater", "greater_equal", "hypot", "lesser", "lesser_equal", "logical_and", "logical_or"),
    *("logical_xor", "maximum", "minimum", "minus", "mod", "mul", "not_equal", "plus", "power"),
    *("rdiv", "rminus", "rmod", "rpower"),
)
_BROADCAST = (
    *("add", "div", "equal", "greater", "greater_equal", "hypot", "lesser", "lesser_equal", "logical_and"),
    *("logical_or", "logical_xor", "maximum", "minimum", "mod", "mul", "not_equal", "power", "sub"),
)


def _alike(settings: Settings, given: Given) -> Found:
    """The search itself makes all shapes one."""
    del settings, given
    return NOTHING


ELEMENTWISE.add(*_FUNCTIONS, alike=True)(_alike)
ELEMENTWISE.add(*(f"_{name}_scalar" for name in _WITH_NUMBER), alike=True)(_alike)
ELEMENTWISE.add(*_OF_TWO, inputs=2, alike=True)(_alike)
ELEMENTWISE.add("add_n", inputs=lambda _settings: None, alike=True)(_alike)


@ELEMENTWISE.add(*(f"broadcast_{name}" for name in _BROADCAST), inputs=2)
def _broadcast(settings: Settings, given: Given) -> Found:
    del settings
    one, other = given
    return NOTHING if one is None or other is None else Found((broadcast(one, other),))


def broadcast(one: Shape, other: Shape) -> Shape:
    """Sizes of 1 are stretched, and missing dimensions put in front.

    Raises:
        MisfitError: sizes that differ, and neither is 1.
    """
    most = max(len(one), len(other))
    one, other = ((1,) * (most - len(shape)) + shape for shape in (one, other))
    pairs = list(zip(one, other, strict=True))
    if any(a != b and 1 not in (a, b) for a, b in pairs):
        raise MisfitError(f"expected shapes that can be broadcast together, found {shown(one)} and {shown(other)}")
    return tuple(max(pair) for pair in pairs)


@ELEMENTWISE.add("where", inputs=3)
def _where(settings: Settings, given: Given) -> Found:
    """The condition is as large as the choices, or has a number for each row."""
    del settings
    condition, *choices = given
    known = next((shape for shape in choices if shape is not None), None)
    if known is None:
        return NOTHING
    if condition is not None and condition != known:
        expect(condition == known[:1], f"a condition of shape {shown(known)} or {shown(known[:1])}", condition)
    return Found((known,), {1: known, 2: known})
