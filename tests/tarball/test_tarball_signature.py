"""What is read out of a shapes file, and what is refused in it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.tarball.signature import read_shapes

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
)


def encoded(document: object) -> bytes:
    """The document as JSON."""
    return json.dumps(document).encode()


def shape_faults(document: object) -> list[str]:
    """What is wrong with a signature."""
    inputs, problems = read_shapes(encoded(document))
    assert inputs is None
    assert {problem.code for problem in problems} == {"shapes-entry"}
    return [problem.found for problem in problems]


def test_reads_the_signature() -> None:
    """Names and shapes of the inputs come back, whatever else an entry holds."""
    document = [{"name": "a", "shape": [1, 784]}, {"name": "b", "shape": [7], "dtype": "float32"}]
    assert read_shapes(encoded(document)) == ({"a": (1, 784), "b": (7,)}, [])


@pytest.mark.parametrize("batch", [0, -1, 100])
def test_any_batch_size_will_do(batch: int) -> None:
    """The container replaces it."""
    assert read_shapes(encoded([{"name": "data", "shape": [batch, 784]}])) == ({"data": (batch, 784)}, [])


SHAPE = "expected a shape of positive whole numbers for 'data', found "


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, "expected a list of at least one input, found {}"),
        ([], "expected a list of at least one input, found []"),
        (["data"], "expected objects with name and shape, found 'data'"),
        ([{"shape": [1]}], "expected objects with name and shape, found {'shape': [1]}"),
        ([{"name": 1, "shape": [1]}], "expected objects with name and shape, found "),
        ([{"name": "data"}], f"{SHAPE}None"),
        ([{"name": "data", "shape": []}], f"{SHAPE}[]"),
        ([{"name": "data", "shape": 784}], f"{SHAPE}784"),
        ([{"name": "data", "shape": [1, 0]}], f"{SHAPE}[1, 0]"),
        ([{"name": "data", "shape": [1, -2]}], f"{SHAPE}[1, -2]"),
        ([{"name": "data", "shape": [1, 7.0]}], f"{SHAPE}[1, 7.0]"),
        ([{"name": "data", "shape": [True]}], f"{SHAPE}[True]"),
        ([{"name": "data", "shape": ["1"]}], f"{SHAPE}['1']"),
        ([{"name": "data", "shape": [1, 2**31]}], f"{SHAPE}[1, 2147483648]"),
        ([{"name": "data", "shape": [1]}] * 2, "expected each input once, found 'data' twice"),
    ],
)
def test_refuses_a_broken_signature(document: object, expected: str) -> None:
    """Each fault in the signature is described with what was expected there and what was found."""
    (found,) = shape_faults(document)
    assert found.startswith(expected)


def test_says_how_to_write_a_signature() -> None:
    """The remedy shows a whole valid file."""
    _, problems = read_shapes(b"{}")
    assert str(problems[0]) == (
        "[shapes-entry] model-shapes.json: expected a list of at least one input, found {}; write "
        '[{"name": "data", "shape": [1, 784]}], with the graph\'s own input name and shape'
    )


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe{", b"[" * 100_000, b"9" * 5000, b"[NaN]", b'[{"a": 1, "a": 1}]']
)
def test_refuses_what_is_not_json(content: bytes) -> None:
    """The file says that it is not JSON, and why."""
    inputs, problems = read_shapes(content)
    assert inputs is None
    assert [problem.code for problem in problems] == ["shapes-json"]
    assert problems[0].found.startswith("expected JSON in UTF-8, found: ")


@settings(deadline=None, max_examples=50)
@given(VALUES)
def test_any_json_gives_a_verdict(document: object) -> None:
    """Whatever the document, it is understood or its problems can be printed."""
    inputs, problems = read_shapes(encoded(document))
    assert (inputs is None) == bool(problems)
    assert all(str(problem).isprintable() for problem in problems)


@pytest.mark.parametrize("depth", range(150, 1000, 50))
def test_deep_json_gives_a_verdict(depth: int) -> None:
    """Nesting that can just be parsed can also be quoted."""
    assert read_shapes(("[" * depth + "]" * depth).encode())[1]
