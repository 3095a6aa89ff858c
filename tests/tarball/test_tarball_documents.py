"""The one way in which JSON files of a tarball are read, and the one in which they are written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.tarball.documents import canonical, parse
from harness.train.compat import mxnet

if TYPE_CHECKING:
    from random import Random

DOCUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=4), inner, max_size=4)
    ),
)

GRAPH = {
    "nodes": [
        {"op": "null", "name": "data", "inputs": []},
        {"op": "null", "name": "größe", "inputs": [], "attrs": {"__shape__": "(3, 5)"}},
        {"op": "FullyConnected", "name": "fc", "attrs": {"num_hidden": "3", "no_bias": "1"}, "inputs": [[0, 0, 0]]},
    ],
    "arg_nodes": [0, 1],
    "heads": [[2, 0, 0]],
    "attrs": {"mxnet_version": ["int", 10901]},
}


def parsed(content: bytes) -> Any:
    """A document in which nothing is wrong."""
    document, fault = parse(content)
    assert fault == ""
    return document


def fault(content: bytes, *, dmlc: bool = False) -> str:
    """What is wrong with a document, in words that can be printed."""
    document, words = parse(content, dmlc=dmlc)
    assert document is None
    assert words.isprintable()
    return words


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Expecting value: line 1 column 1 (char 0)"),
        (b"[1] [2]", "Extra data: line 1 column 5 (char 4)"),
        (b"[1,]", "Expecting value: line 1 column 4 (char 3)"),
        (b"{'a': 1}", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b"[1] // one", "Extra data: line 1 column 5 (char 4)"),
        (b'["a\nb"]', "Invalid control character at: line 1 column 4 (char 3)"),
        (rb'["\x41"]', "Invalid \\escape: line 1 column 3 (char 2)"),
        (b"\xef\xbb\xbf{}", "Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)"),
        (b'["\xff"]', "'utf-8' codec can't decode byte 0xff in position 2: invalid start byte"),
        ("{}".encode("utf-16"), "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (b"NaN", "NaN, which is no JSON"),
        (b'{"a": [Infinity]}', "Infinity, which is no JSON"),
        (b"[-Infinity]", "-Infinity, which is no JSON"),
        (b'{"a": 1, "b": 2, "a": 1}', "the key 'a' twice in one object"),
        (b'[{"a": {"b": 1, "b": 2}}]', "the key 'b' twice in one object"),
        (b'{"a": 1, "\\u0061": 2}', "the key 'a' twice in one object"),
    ],
)
def test_refuses_what_readers_take_differently(content: bytes, reason: str) -> None:
    """One document for all who read it, or none, and the reason tells where."""
    assert fault(content) == f"expected JSON in UTF-8, found: {reason}"


def test_a_key_of_any_length_is_quoted_in_part() -> None:
    """A repeated key does not fill the screen."""
    content = json.dumps({"k" * 1000: 1, "l": 2}).replace('"l"', f'"{"k" * 1000}"')
    assert fault(content.encode()) == f"expected JSON in UTF-8, found: the key '{'k' * 59} twice in one object"


def test_the_same_key_in_two_objects_passes() -> None:
    """Negative control: only one object may not have a key twice."""
    assert parsed(b'[{"a": 1}, {"a": {"a": 2}}]') == [{"a": 1}, {"a": {"a": 2}}]


@pytest.mark.parametrize("content", [b"9" * 5000, b"[" * 100_000, b'{"a":' * 100_000])
def test_refuses_what_python_gives_up_on(content: bytes) -> None:
    """Numbers of thousands of digits, and nesting without end, are faults like others."""
    assert fault(content).startswith("expected JSON in UTF-8, found: ")


@pytest.mark.parametrize(
    ("content", "document"),
    [
        (rb'"\" \\ \n \r \t"', '" \\ \n \r \t'),
        (rb'"\\u0041"', "\\u0041"),
        (rb'"\\\\b"', "\\\\b"),
        ('"\u00e9 /"'.encode(), "\u00e9 /"),
    ],
)
def test_mxnets_reader_takes_five_escapes(content: bytes, document: str) -> None:
    """Its own five pass, and so does a letter behind a backslash that is itself escaped."""
    assert parse(content, dmlc=True) == (document, "")


@pytest.mark.parametrize(
    ("content", "escape"),
    [
        (rb'"\u0041"', "u"),
        (rb'"\\\u0041"', "u"),
        (rb'"\/"', "/"),
        (rb'["\n", {"\b": 1}]', "b"),
        (rb'"\\\\\f"', "f"),
    ],
)
def test_mxnets_reader_takes_no_other_escape(content: bytes, escape: str) -> None:
    """JSON has more of them: those are refused where MXNet reads the file, and there alone."""
    words = 'expected the escapes \\" \\\\ \\n \\r \\t alone, as MXNet reads no others, found \\'
    assert fault(content, dmlc=True) == words + escape
    parsed(content)


def test_writes_a_graph_in_one_way() -> None:
    """Keys in order, a node a line, letters as they are."""
    assert (
        canonical(GRAPH)
        == """\
{"arg_nodes": [0, 1],
"attrs": {"mxnet_version": ["int", 10901]},
"heads": [[2, 0, 0]],
"nodes": [
{"inputs": [], "name": "data", "op": "null"},
{"attrs": {"__shape__": "(3, 5)"}, "inputs": [], "name": "größe", "op": "null"},
{"attrs": {"no_bias": "1", "num_hidden": "3"}, "inputs": [[0, 0, 0]], "name": "fc", "op": "FullyConnected"}]}
""".encode()
    )


def test_writes_a_signature_in_one_way() -> None:
    """An input a line."""
    document = [{"shape": [100, 784], "name": "data"}, {"shape": [100], "name": "mask"}]
    assert canonical(document) == (b'[\n{"name": "data", "shape": [100, 784]},\n{"name": "mask", "shape": [100]}]\n')


@pytest.mark.parametrize(
    ("document", "text"), [({}, b"{}\n"), ([], b"[]\n"), ({"b": [1], "a": {}}, b'{"a": {},\n"b": [1]}\n'), (7, b"7\n")]
)
def test_writes_any_document(document: object, text: bytes) -> None:
    """What is no model's file has a text too, as it is the verifier that refuses it."""
    assert canonical(document) == text


def spelled(value: Any, chance: Random) -> str:
    """The document as another program could have written it: keys in any order, any white space, escapes or letters."""

    def blank() -> str:
        return "".join(chance.choices(" \t\r\n", k=chance.randrange(3)))

    if isinstance(value, dict):
        pairs = list(value.items())
        chance.shuffle(pairs)
        fields = [f"{spelled(key, chance)}:{spelled(item, chance)}" for key, item in pairs]
        text = f"{{{blank()}{','.join(fields)}}}"
    elif isinstance(value, list):
        text = f"[{blank()}{','.join(spelled(item, chance) for item in value)}]"
    else:
        text = json.dumps(value, ensure_ascii=chance.choice([True, False]))
    return f"{blank()}{text}{blank()}"


@settings(deadline=None)
@given(DOCUMENTS, st.randoms())
def test_the_spelling_does_not_matter(document: object, chance: Random) -> None:
    """One document has one text, whatever the order of its keys, its white space and its escapes were."""
    assert canonical(parsed(spelled(document, chance).encode())) == canonical(document)


@settings(deadline=None)
@given(DOCUMENTS)
def test_what_was_written_reads_the_same(document: object) -> None:
    """Nothing is lost or changed by writing, and writing once more changes nothing."""
    text = canonical(document)
    assert parsed(text) == document
    assert canonical(parsed(text)) == text


@settings(deadline=None)
@given(DOCUMENTS, DOCUMENTS)
def test_other_documents_have_other_texts(one: object, other: object) -> None:
    """Negative control: a text stands for one document only."""
    assert (canonical(one) == canonical(other)) == (repr_of(one) == repr_of(other))


def repr_of(document: object) -> str:
    """A text that tells 1 from 1.0 and from True, as JSON does."""
    return json.dumps(document, sort_keys=True)


@pytest.mark.parametrize("content", [b"[1e999]", b'{"scale": -1e999}', rb'["\ud800"]', rb'{"\udfff": 1}'])
def test_what_is_read_can_be_written(content: bytes) -> None:
    """What no JSON can hold, a number beyond all floats and half a letter, is refused when it is read."""
    assert fault(content).startswith("expected JSON in UTF-8, found: ")


@pytest.mark.parametrize(("start", "end"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_what_is_deep_is_refused_when_it_is_read(start: bytes, end: bytes) -> None:
    """Whatever nesting is read can be written, and so read again."""
    texts = (start * depth + b"1" + end * depth for depth in range(1, 1200))
    documents = [document for document, words in map(parse, texts) if not words]
    assert len(documents) > 100
    assert all(canonical(document).strip() for document in documents)


def test_mxnet_reads_the_same_graph() -> None:
    """A symbol that MXNet wrote and one in our spelling load to the same, with names of any letters."""
    mx = mxnet()
    data = mx.sym.var("données", shape=(0, 5))
    weight = mx.sym.var("层_weight", attr={"__note__": 'a "b"\\c\td'})
    layer = mx.sym.FullyConnected(data, weight, num_hidden=3, no_bias=True, name="层")
    symbol = mx.sym.SoftmaxOutput(mx.sym.BatchNorm(layer, name="größe\\u00e9"), name='"softmax"')
    written = symbol.tojson()
    document, words = parse(written.encode(), dmlc=True)
    assert words == ""
    text = canonical(document).decode()
    assert text != written
    assert mx.sym.load_json(text).tojson() == mx.sym.load_json(written).tojson() == written
