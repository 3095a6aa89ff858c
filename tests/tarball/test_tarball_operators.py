"""What we take operators and their attributes for, held to the MXNet that is installed."""

from __future__ import annotations

import json
import multiprocessing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from operator_table import PLACE, as_text, operator_table

from harness.tarball.operators import Operator, operator
from harness.train import compat

TEXTS = (
    *("1", "0", "-1", "+2", " 3 ", "3L", "1.5", "1e3", "2147483648", "-2147483649", "9" * 25, "0x1", "nan", "1_0"),
    *("1e39", "1e-50", "1e400", "1e-400", "-0.0", "inf", ".5"),
    *("True", "fALSE", "yes", "None", "none", "", "relu", "float32", "'relu'", "\u0663"),
    *("(1, 2)", "[1,2]", "(1,)", "()", "(1 2)", "(1, 2", "(1.5,)", "(None, 1)", "(1L, 2L)", "((1,),)", "1, 2"),
)
"""One way or another, every type of attribute finds its values and its junk here."""

STRICTER = {
    # The library of C++ lets a negative number wrap around, and reads optional numbers only as far as they go.
    "int (non-negative)": {"-1", "-2147483649"},
    "long (non-negative)": {"-1", "-2147483649"},
    "int or None": {"3L"},
    "boolean or None": {"none"},
    # And takes for 0 what is too small for the type.
    "float or None": {"1e-50", "1e-400"},
    "double or None": {"1e-400"},
    "tuple of <float>": {"1e-50", "1e-400"},
    "tuple of <double>": {"1e-400"},
}
"""Kind of attribute to texts that MXNet takes and we refuse, as nothing writes them."""

KINDER = {
    # MXNet calls the tuples of slices, which may hold None, by the same name.
    "Shape(tuple)": {"(None, 1)"},
    # And reads some of those that may be None in 32 bits, others in 64.
    "Shape or None": {"(None, 1)", "2147483648", "-2147483649"},
    "tuple of <long>": {"(None, 1)"},
    "tuple of <float>": {"(None, 1)"},
    "tuple of <double>": {"(None, 1)"},
}
"""The other way round: what only loading tells."""

UNREAD = {"text", "string", "ptr", "tuple of <Shape(tuple)>"}
"""Kinds of attribute that are passed by."""

MISREAD = ("Invalid Parameter format", "Invalid Input", "could not be parsed")
"""How MXNet says that a text is not of its type, as opposed to: out of bounds, or without sense beside another."""


def table() -> dict[str, Any]:
    """What is in the file."""
    content: dict[str, Any] = json.loads(PLACE.read_text(encoding="utf-8"))
    return content


def test_the_table_is_mxnets() -> None:
    """The file is, to the letter, what the installed MXNet says of itself."""
    assert PLACE.read_text(encoding="utf-8") == as_text(operator_table())


def required(known: Operator) -> dict[str, str]:
    """A text for each attribute that has to be given."""
    return {name: fitting(known, name) for name, attribute in known.attributes.items() if attribute.required}


def fitting(known: Operator, name: str) -> str:
    """A text that the attribute takes."""
    attribute = known.attributes[name]
    for text in (*TEXTS, *attribute.expected.strip("{}").replace("'", "").split(", ")):
        try:
            attribute.parse(text)
        except ValueError:
            continue
        return text
    raise AssertionError(f"no text fits {known.name} {name}: {attribute.expected}")


def cases() -> list[tuple[str, str, str]]:
    """Operator, attribute, text: for each kind of attribute three places where it stands, and every text."""
    places: dict[str, list[tuple[str, str]]] = {}
    for name in table()["operators"]:
        known = operator(name)
        assert known is not None
        if known.strict:
            for attribute, described in known.attributes.items():
                if described.expected not in UNREAD:
                    places.setdefault(described.expected, []).append((name, attribute))
    return [(*place, text) for kind in places.values() for place in kind[:3] for text in TEXTS]


def refused_by_mxnet(found: list[tuple[str, str, str]]) -> list[str]:
    """For each case what MXNet says on loading a node with this attribute, "" if it takes it; for a process apart."""
    mx = compat.mxnet()
    answers = []
    for name, attribute, text in found:
        known = operator(name)
        assert known is not None
        node = {"op": name, "name": "node", "inputs": [], "attrs": required(known) | {attribute: text}}
        graph = {"nodes": [node], "arg_nodes": [], "heads": [[0, 0, 0]], "attrs": {"mxnet_version": ["int", 10901]}}
        try:
            mx.sym.load_json(json.dumps(graph, ensure_ascii=False))
        except mx.base.MXNetError as error:
            answers.append(str(error))
        else:
            answers.append("")
    return answers


def test_attributes_are_read_as_mxnet_reads_them() -> None:
    """For every kind of attribute and every text: what we take MXNet takes, and what we refuse it refuses."""
    found = cases()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        answers = pool.apply(refused_by_mxnet, (found,))
    differing = []
    for (name, attribute, text), answer in zip(found, answers, strict=True):
        known = operator(name)
        assert known is not None
        kind = known.attributes[attribute].expected
        _, faults = known.settings(required(known) | {attribute: text})
        if faults:
            as_expected = bool(answer) or text in STRICTER.get(kind, ())
        else:
            as_expected = not any(words in answer for words in MISREAD) or text in KINDER.get(kind, ())
        if not as_expected:
            differing.append((name, attribute, kind, text, faults, answer[:200]))
    assert len(found) > 500
    assert differing == []


@pytest.mark.parametrize(
    ("name", "given", "fault"),
    [
        ("FullyConnected", {}, "expected the attribute num_hidden (int), found none"),
        ("FullyConnected", {"num_hidden": "3", "hidden": "3"}, "expected no attribute 'hidden'"),
        (
            "Activation",
            {"act_type": "rleu"},
            "expected act_type to be {'relu', 'sigmoid', 'softrelu', 'softsign', 'tanh'}",
        ),
        ("Reshape", {"shape": "(1, x)"}, "expected shape to be Shape(tuple), found '(1, x)'"),
    ],
)
def test_faults_are_told(name: str, given: dict[str, str], fault: str) -> None:
    """Each says what was expected there and what was found."""
    known = operator(name)
    assert known is not None
    (found,) = known.settings(given)[1]
    assert found.startswith(fault)


def test_settings_are_values_with_defaults() -> None:
    """Whoever needs a setting finds it, given or not."""
    known = operator("Convolution")
    assert known is not None
    settings, faults = known.settings({"kernel": "(3, 3)", "num_filter": "8", "no_bias": "True", "__layout__": "x"})
    assert faults == []
    assert settings["kernel"] == (3, 3)
    assert (settings["num_filter"], settings["no_bias"], settings["stride"]) == (8, True, ())


def test_an_attribute_that_counts_inputs_is_known() -> None:
    """Also where MXNet does not list it."""
    known = operator("ElementWiseSum")
    assert known is not None
    assert known.settings({"num_args": "2"}) == ({"num_args": 2}, [])
    assert known.settings({})[1] == ["expected the attribute num_args (int), found none"]


def test_aliases_are_one_operator() -> None:
    """MXNet registers some operators under several names."""
    flatten, softmax = operator("flatten"), operator("Softmax")
    assert flatten is not None
    assert flatten.name == "Flatten"
    assert softmax is not None
    assert softmax.name == "SoftmaxOutput"


@pytest.mark.parametrize("name", ["Custom", "_NDArray", "_Native", "_backward_Activation", "", "null", "no such"])
def test_what_no_tarball_can_use_is_unknown(name: str) -> None:
    """Operators that call Python, follow pointers or belong to training are as unknown as those that do not exist."""
    assert operator(name) is None


@given(st.sampled_from(sorted(table()["operators"])), st.dictionaries(st.text(max_size=8), st.text(max_size=30)))
def test_any_attributes_give_a_verdict(name: str, given: dict[str, str]) -> None:
    """No text raises anything, whatever the type it should have."""
    known = operator(name)
    assert known is not None
    known.settings(given | dict.fromkeys(known.attributes, next(iter(given.values()), "")))
