"""The names of operators are MXNet's, and their attributes too."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from harness.train.compat import mxnet


def described(name: str) -> tuple[str, set[str]]:
    """MXNet's canonical name of an operator and the names of its attributes."""
    mx = mxnet()
    handle, library = mx.base.OpHandle(), mx.base._LIB
    mx.base.check_call(library.NNGetOpHandle(mx.base.c_str(name), ctypes.byref(handle)))
    text, strings = ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p)
    own, description, variadic, returned = text(), text(), text(), text()
    names, types, descriptions, count = strings(), strings(), strings(), ctypes.c_uint()
    mx.base.check_call(
        library.MXSymbolGetAtomicSymbolInfo(
            handle,
            *map(ctypes.byref, (own, description, count, names, types, descriptions, variadic, returned)),
        )
    )
    pairs = [(names[index].decode(), types[index].decode()) for index in range(count.value)]
    return own.value.decode(), {name for name, kind in pairs if "NDArray-or-Symbol" not in kind}


def groups() -> list[list[str]]:
    """Names that stand for one operator of ours."""
    from harness.train.xla.operators.registry import OPERATORS

    by_operator: dict[int, list[str]] = {}
    for name, operator in OPERATORS.items():
        by_operator.setdefault(id(operator), []).append(name)
    return list(by_operator.values())


def test_names_of_one_operator_are_names_of_one_operator_of_mxnet() -> None:
    """Each exists in MXNet, and an alias here is an alias there."""
    for names in groups():
        assert len({described(name)[0] for name in names}) == 1, names


def test_every_attribute_of_mxnet_is_known() -> None:
    """Each attribute is computed, ignored for a reason, or refused by a rule of its own; none was overlooked."""
    from harness.train.xla.operators.registry import OPERATORS

    for name, operator in OPERATORS.items():
        assert described(name)[1] <= operator.attributes.keys(), name


def test_no_attribute_is_made_up() -> None:
    """What is declared here exists in MXNet; num_args is how it counts inputs."""
    from harness.train.xla.operators.registry import OPERATORS

    for name, operator in OPERATORS.items():
        assert operator.attributes.keys() - {"num_args"} <= described(name)[1], name


@pytest.mark.parametrize("name", ["no_such_operator"])
def test_mxnet_says_what_it_does_not_have(name: str) -> None:
    """Control: a name that MXNet does not know is noticed."""
    error: Any = mxnet().base.MXNetError
    with pytest.raises(error):
        described(name)
