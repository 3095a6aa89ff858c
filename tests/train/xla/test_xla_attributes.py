"""Attributes are read as MXNet reads them, and what is not supported is named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import TrainingError
from harness.train.compat import mxnet
from harness.train.xla.attributes import (
    IGNORED,
    Attribute,
    choice,
    flag,
    fraction,
    integer,
    integers,
    misfit,
    number,
    off,
    only,
    optional,
    parse_flag,
    parse_integers,
    settings,
    unsupported,
)
from harness.train.xla.graph import Node


def node(**attributes: str) -> Node:
    """A node with these attributes."""
    return Node(0, "fc1", "FullyConnected", attributes, ())


@given(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4).map(tuple))
def test_tuples_in_all_their_spellings(values: tuple[int, ...]) -> None:
    """MXNet's own spelling, Python's, and that of Python 2, which MXNet reads as well."""
    assert parse_integers(str(values)) == values
    assert parse_integers(str(list(values))) == values
    assert parse_integers(f"({','.join(map(str, values))})") == values
    assert parse_integers(f" ({', '.join(f'{value}L' for value in values)}) ") == values


def test_a_single_number_is_a_tuple_of_one() -> None:
    """As with ``axis=1`` of a reduction."""
    assert parse_integers("3") == (3,)


@pytest.mark.parametrize("text", ["(3L, 3L)", "[3,3]", "(3, 3,)"])
def test_mxnet_reads_these_spellings_as_well(text: str) -> None:
    """What we accept is not more than what MXNet does."""
    mx = mxnet()
    symbol = mx.sym.Convolution(mx.sym.var("data"), kernel=text, num_filter=1)
    assert symbol.infer_shape(data=(1, 1, 3, 3))[1] == [(1, 1, 1, 1)]


@pytest.mark.parametrize("text", ["(1, x)", "(1.5,)", "None", "(None, 1)", "__import__('os')", "(1,,2)", "3, 3", ""])
def test_what_is_no_tuple(text: str) -> None:
    """Nothing is guessed, and nothing is evaluated."""
    with pytest.raises(ValueError, match=r"."):
        parse_integers(text)


@pytest.mark.parametrize(("text", "value"), [("True", True), ("1", True), ("false", False), ("0", False)])
def test_flags(text: str, *, value: bool) -> None:
    """MXNet writes a switch in several ways."""
    assert parse_flag(text) is value


@pytest.mark.parametrize(
    ("attribute", "text", "value"),
    [
        (integer(), "-3", -3),
        (integer(least=1), "1", 1),
        (number(), "1e-3", 0.001),
        (fraction(), "0", 0.0),
        (flag(default=False), "True", True),
        (choice("null", "batch"), "batch", "batch"),
        (integers(), "()", ()),
        (integers(least=1), "(2, 1)", (2, 1)),
        (optional(integer()), "None", None),
        (optional(integer()), "4", 4),
        (only("()", "[]", default=()), "[]", ()),
        (off(), "0", False),
        (IGNORED, "anything at all", "anything at all"),
    ],
)
def test_what_attributes_take(attribute: Attribute, text: str, value: Any) -> None:
    """Text to value."""
    assert settings(node(x=text), {"x": attribute}).x == value


@pytest.mark.parametrize(
    ("attribute", "text", "expected"),
    [
        (integer(), "1.5", "a whole number"),
        (integer(least=1), "0", "a whole number of at least 1"),
        (number(), "much", "a number"),
        (fraction(), "1", "a number from 0 to below 1"),
        (fraction(), "nan", "a number from 0 to below 1"),
        (flag(default=False), "2", "True or False"),
        (choice("null", "batch"), "valid", "null or batch"),
        (integers(), "None", "a tuple of whole numbers"),
        (integers(least=0), "(0, -1)", "a tuple of whole numbers of at least 0"),
        (optional(integer()), "x", "a whole number or None"),
        (only("None", default=None), "float16", "None"),
        (off(), "True", "False"),
    ],
)
def test_what_they_do_not_take(attribute: Attribute, text: str, expected: str) -> None:
    """The error names node, operator, attribute, value, what is supported, and the way on."""
    with pytest.raises(TrainingError) as error:
        settings(node(x=text), {"x": attribute})
    assert str(error.value) == (
        f"engine xla: FullyConnected node 'fc1': attribute x={text} is not supported here, expected {expected}; "
        f'train with engine="mxnet", or write the graph without it'
    )


def test_defaults_where_nothing_is_given() -> None:
    """An attribute that is not written has MXNet's default."""
    assert settings(node(), {"x": integer(7)}).x == 7


def test_unknown_attributes_are_refused() -> None:
    """An attribute that nobody thought of is not passed over."""
    with pytest.raises(TrainingError) as error:
        settings(node(sparse="True"), {"x": integer(7)})
    assert str(error.value) == (
        "engine xla: FullyConnected node 'fc1': attribute sparse=True is not supported here; "
        'train with engine="mxnet", or write the graph without it'
    )


def test_attributes_of_the_user_are_no_business_of_the_operator() -> None:
    """Those in double underscores belong to optimizers and contexts."""
    assert settings(node(__ctx_group__="a", x="1"), {"x": integer()}).x == 1


def test_required_attributes_have_to_be_there() -> None:
    """MXNet would not have written such a symbol."""
    with pytest.raises(TrainingError) as error:
        settings(node(), {"num_hidden": integer()})
    assert str(error.value) == (
        "FullyConnected node 'fc1': expected the attribute num_hidden, found none; write the symbol with MXNet"
    )


def test_the_wording_of_errors() -> None:
    """What is not supported has a way on; what contradicts itself has to be mended."""
    assert str(unsupported(node(), "operator FullyConnected")) == (
        "engine xla: FullyConnected node 'fc1': operator FullyConnected is not supported here; "
        'train with engine="mxnet", or write the graph without it'
    )
    assert str(misfit(node(), "data of 2 dimensions", (3,))) == (
        "FullyConnected node 'fc1': expected data of 2 dimensions, found (3,); mend the graph"
    )
