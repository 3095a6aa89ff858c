"""What is told of a tarball, whole or broken: each figure, the text of it, and nothing that a terminal would obey."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tarball_parts as parts
from mutants.classes import mutant

from harness.artifact import MODEL_FILES, PARAMETERS, SHAPES, SYMBOL, Problem
from harness.tarball.facts import Facts, Layer, read_facts
from harness.tarball.member import printable
from harness.tarball.telling import SHOWN, told_facts, told_problems
from harness.tarball.unpacked import Limits
from harness.tarball.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DIGEST = "0123456789abcdef" * 4


def write(path: Path, **changed: Any) -> Path:
    """The small model, with a graph, arrays or a signature of other content."""
    files = parts.model()
    if "graph" in changed:
        files[SYMBOL] = json.dumps(changed["graph"], ensure_ascii=False).encode()
    if "arrays" in changed:
        files[PARAMETERS] = parts.parameters(changed["arrays"])
    if "signature" in changed:
        files[SHAPES] = json.dumps(changed["signature"]).encode()
    return parts.write(path, files)


def told(facts: Facts) -> str:
    """Everything that the command prints."""
    return f"{told_facts(facts)}\n{told_problems(printable(facts.path), facts.problems, loaded=False)}"


def test_tells_all_of_a_model(tmp_path: Path) -> None:
    """Every field, for a model whose figures were worked out by hand."""
    path = parts.write(tmp_path / "m.tar.gz", parts.model() | {"code/mnist.py": parts.SCRIPT})
    content = path.read_bytes()
    assert read_facts(path) == Facts(
        path=str(path),
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        members=(*((name, len(parts.model()[name])) for name in MODEL_FILES), ("code/mnist.py", 46)),
        mxnet_version="1.9.1",
        inputs={"data": (1, 5)},
        outputs={"softmax": (1, 3)},
        layers=(
            Layer("fc", "FullyConnected", (1, 3), 3 * 5 + 3),
            Layer("bn", "BatchNorm", (1, 3), 4 * 3),
            Layer("softmax", "SoftmaxOutput", (1, 3), 0),
        ),
        parameters=30,
        dtypes=("float32",),
        problems=(),
    )


def test_facts_are_plain_values(tmp_path: Path) -> None:
    """They become JSON with a key for each field, whole or broken."""
    whole = write(tmp_path / "m.tar.gz")
    document = json.loads(json.dumps(read_facts(whole).to_dict()))
    assert list(document) == [field.name for field in fields(Facts)]
    assert document["members"][2] == {"name": SHAPES, "size": 39}
    assert document["inputs"] == {"data": [1, 5]}
    assert document["layers"][0] == {"name": "fc", "operator": "FullyConnected", "output": [1, 3], "parameters": 18}
    assert document["problems"] == []
    broken = json.loads(json.dumps(read_facts(tmp_path / "absent.tar.gz").to_dict()))
    assert list(broken) == list(document)
    assert broken["problems"] == [
        {
            "code": "unreadable",
            "member": "",
            "found": "expected a file, found nothing there",
            "remedy": "check the path",
        }
    ]


def test_shared_parameters_count_once(tmp_path: Path) -> None:
    """Two layers that read one weight have it once between them, at the first."""
    document = {
        "nodes": [
            *map(parts.variable, ["data", "weight", "bias1", "bias2"]),
            {"op": "FullyConnected", "name": "one", "attrs": {"num_hidden": "5"}, "inputs": [[0, 0], [1, 0], [2, 0]]},
            {"op": "FullyConnected", "name": "two", "attrs": {"num_hidden": "5"}, "inputs": [[4, 0], [1, 0], [3, 0]]},
        ],
        "arg_nodes": [0, 1, 2, 3],
        "heads": [[5, 0, 0]],
        "attrs": {"mxnet_version": ["int", 10901]},
    }
    ones = np.ones(5, np.float32)
    arrays = {"arg:weight": np.ones((5, 5), np.float32), "arg:bias1": ones, "arg:bias2": ones}
    facts = read_facts(write(tmp_path / "m.tar.gz", graph=document, arrays=arrays))
    assert facts.problems == ()
    assert [(layer.name, layer.parameters) for layer in facts.layers] == [("one", 30), ("two", 5)]
    assert facts.parameters == 35


def test_the_most_frequent_type_comes_first(tmp_path: Path) -> None:
    """Types are listed by the number of arrays that have them."""
    arrays = {name: array.astype(np.float16) for name, array in parts.arrays().items()}
    arrays["arg:fc_bias"] = np.ones(3, np.float32)
    assert read_facts(write(tmp_path / "m.tar.gz", arrays=arrays)).dtypes == ("float16", "float32")


def test_every_output_is_told(tmp_path: Path) -> None:
    """A node that answers twice is two outputs."""
    document = parts.graph()
    attributes = {"num_outputs": "3", "axis": "1"}
    document["nodes"][10] = {"op": "SliceChannel", "name": "cut", "attrs": attributes, "inputs": [[9, 0, 0]]}
    document["heads"] = [[10, 0, 0], [10, 2, 0], [9, 0, 0]]
    facts = read_facts(write(tmp_path / "m.tar.gz", graph=document))
    assert facts.problems == ()
    assert sorted(facts.outputs.values(), key=str) == [(1, 1), (1, 1), (1, 3)]


@pytest.mark.parametrize(
    ("version", "told_version"), [(10901, "1.9.1"), (10400, "1.4.0"), (905, "0.9.5"), (20000, "2.0.0"), (-1, "")]
)
def test_tells_the_version(version: int, told_version: str, tmp_path: Path) -> None:
    """MXNet's number for its version is written as people write it."""
    document = parts.graph()
    document["attrs"]["mxnet_version"][1] = version
    assert read_facts(write(tmp_path / "m.tar.gz", graph=document)).mxnet_version == told_version


def test_an_old_graph_has_no_shapes(tmp_path: Path) -> None:
    """MXNet completes graphs of before 0.9 while it loads them, so what their layers give is not known; the rest is."""
    document = parts.graph()
    del document["attrs"]
    facts = read_facts(write(tmp_path / "m.tar.gz", graph=document))
    assert (facts.problems, facts.mxnet_version, facts.inputs) == ((), "", {"data": (1, 5)})
    assert facts.outputs == {"softmax": None}
    assert [(layer.output, layer.parameters) for layer in facts.layers] == [(None, 18), (None, 12), (None, 0)]
    assert "MXNet's version is not in it\n" in told(facts)
    assert "\noutput  softmax of unknown shape\n" in told(facts)


def test_an_operator_without_a_rule_has_no_shape(tmp_path: Path) -> None:
    """What follows an operator whose shapes nobody wrote down is unknown, what stands before it is not."""
    document = parts.graph()
    document["nodes"][10] = {"op": "sort", "name": "sorted", "inputs": [[9, 0, 0]]}
    facts = read_facts(write(tmp_path / "m.tar.gz", graph=document))
    assert (facts.problems, facts.outputs) == ((), {"sorted": None})
    assert [layer.output for layer in facts.layers] == [(1, 3), (1, 3), None]


@pytest.mark.parametrize("name", MODEL_FILES)
def test_what_is_broken_leaves_the_rest(name: str, tmp_path: Path) -> None:
    """A file of a model that cannot be understood empties what is read from it, and nothing else."""
    whole = read_facts(parts.write(tmp_path / "m.tar.gz", parts.model()))
    facts = read_facts(parts.write(tmp_path / "m.tar.gz", parts.model() | {name: b"{"}))
    assert len(facts.problems) == 1
    assert len(facts.members) == 3
    assert bool(facts.layers) == bool(facts.outputs) == bool(facts.mxnet_version) == (name != SYMBOL)
    assert facts.inputs == (whole.inputs if name != SHAPES else {})
    assert (facts.parameters, facts.dtypes) == ((30, ("float32",)) if name != PARAMETERS else (0, ()))


def test_of_a_file_that_breaks_off_the_beginning_is_told(tmp_path: Path) -> None:
    """Digest and size are those of the file as it is; members are those that could be read."""
    path = parts.write(tmp_path / "m.tar.gz", parts.model())
    content = path.read_bytes()[:-40]
    path.write_bytes(content)
    facts = read_facts(path)
    assert [problem.code for problem in facts.problems] == ["truncated"]
    assert (facts.sha256, facts.size) == (hashlib.sha256(content).hexdigest(), len(content))
    assert [name for name, _ in facts.members][:2] == [SYMBOL, PARAMETERS]


@pytest.mark.parametrize("name", ["absent.tar.gz", "."])
def test_of_no_file_nothing_is_told(name: str, tmp_path: Path) -> None:
    """A wrong path has no digest and no size, and does not raise."""
    facts = read_facts(tmp_path / name)
    assert [problem.code for problem in facts.problems] == ["unreadable"]
    assert replace(facts, problems=()) == Facts(str(tmp_path / name), "", 0, (), "", {}, {}, (), 0, (), ())
    assert told_facts(facts) == (
        f"{tmp_path / name}: 0 bytes, SHA-256 unknown\n0 parameters, MXNet's version is not in it\n"
    )


def test_of_no_archive_the_digest_is_told(tmp_path: Path) -> None:
    """A file that is something else can still be told from others."""
    path = tmp_path / "m.tar.gz"
    path.write_bytes(b"<html>")
    facts = read_facts(path)
    assert [problem.code for problem in facts.problems] == ["not-gzip"]
    assert (facts.size, facts.sha256) == (6, hashlib.sha256(b"<html>").hexdigest())


def test_facts_have_limits(tmp_path: Path) -> None:
    """The limits reach the reader."""
    facts = read_facts(parts.write(tmp_path / "m.tar.gz", parts.model()), limits=Limits(headers=1))
    assert [problem.code for problem in facts.problems] == ["too-many-members"]


def test_facts_have_the_problems_of_verify(tmp_path: Path) -> None:
    """One file has one verdict, whoever is asked."""
    path = write(tmp_path / "m.tar.gz", signature=[{"name": "images", "shape": [1, 5]}])
    facts = read_facts(path)
    assert len(facts.problems) == 2
    assert list(facts.problems) == verify(path)


@pytest.mark.parametrize(
    "kind",
    ["symbol: graph", "symbol: attributes", "parameters: fields", "shapes: entries", "several changes", "tar: headers"],
)
def test_mutants_give_facts(kind: str, tmp_path: Path) -> None:
    """Whatever is wrong with a file, nothing is raised, and what is told is JSON and can be printed."""
    for number in range(20):
        (tmp_path / "m.tar.gz").write_bytes(mutant(kind, number).content)
        facts = read_facts(tmp_path / "m.tar.gz")
        json.dumps(facts.to_dict(), allow_nan=False)
        assert all(line.isprintable() for line in told(facts).split("\n")), number


def small(**changed: Any) -> Facts:
    """Facts of a model with two layers."""
    layers = (Layer("fc", "FullyConnected", (1, 1000), 785_000), Layer("sorted", "sort", None, 0))
    facts = Facts(
        path="model.tar.gz",
        sha256=DIGEST,
        size=3_140_600,
        members=((PARAMETERS, 3_140_100), (SYMBOL, 980)),
        mxnet_version="1.9.1",
        inputs={"data": (1, 784)},
        outputs={"sorted": None},
        layers=layers,
        parameters=785_000,
        dtypes=("float32", "float16"),
        problems=(),
    )
    return replace(facts, **changed)


def test_the_text_of_a_model() -> None:
    """What goes in and comes out, then the layers in a table, to the letter."""
    assert (
        told_facts(small())
        == f"""\
model.tar.gz: 3,140,600 bytes, SHA-256 {DIGEST}
785,000 parameters of float32, float16, written by MXNet 1.9.1

member  model-0000.params, 3,140,100 bytes
member  model-symbol.json, 980 bytes
input   data 1x784
output  sorted of unknown shape

layer    operator        output            parameters
-------  --------------  ----------------  ------------
fc       FullyConnected  1x1000            785,000
sorted   sort            of unknown shape  0"""
    )


def test_the_text_of_a_model_without_layers() -> None:
    """Where nothing could be read there is no table and no type."""
    empty = small(members=(), mxnet_version="", inputs={}, outputs={}, layers=(), parameters=0, dtypes=())
    assert told_facts(empty) == (
        f"model.tar.gz: 3,140,600 bytes, SHA-256 {DIGEST}\n0 parameters, MXNet's version is not in it\n"
    )


def test_the_text_of_problems(tmp_path: Path) -> None:
    """A verdict, and each problem with its code, its member, what was found and how to mend it."""
    path = parts.write(tmp_path / "m.tar.gz", {SYMBOL: b"MLP", PARAMETERS: parts.model()[PARAMETERS]})
    assert (
        told_problems("m.tar.gz", read_facts(path).problems, loaded=False)
        == """\
m.tar.gz: 2 problems
  missing-member       model-shapes.json
      expected this file at the top of the tarball, found none
      to mend it: pack with harness.tarball.export, or with `tar -czf model.tar.gz -C FOLDER .`
  symbol-json          model-symbol.json
      expected JSON in UTF-8, found: Expecting value: line 1 column 1 (char 0)
      to mend it: write it with MXNet's save_checkpoint"""
    )


def test_the_text_of_one_problem_of_the_archive() -> None:
    """One is not several, and what is wrong with the archive has no member."""
    problem = Problem("not-gzip", "", "expected a gzip file, found: something", "pack it again")
    assert told_problems("m.tar.gz", [problem], loaded=True).split("\n")[:2] == [
        "m.tar.gz: 1 problem",
        "  not-gzip             the archive",
    ]


@pytest.mark.parametrize(
    ("loaded", "proof"),
    [(True, "AWS's handler loads it and predicts with it"), (False, "judged by its text, not loaded")],
)
def test_the_text_of_no_problem(loaded: bool, proof: str) -> None:
    """What valid means depends on what was tried, and is said."""
    assert told_problems("m.tar.gz", [], loaded=loaded) == f"m.tar.gz: valid ({proof})"


def test_a_thousand_layers_are_cut() -> None:
    """The table ends after some; the line below it counts the others, and JSON has all."""
    facts = small(layers=tuple(Layer(f"relu{number}", "Activation", (1, 8), 0) for number in range(1000)))
    *table, last = told_facts(facts).split("\n")
    assert last == "and 800 more layers; --json lists them all"
    assert table[-1].split() == ["relu199", "Activation", "1x8", "0"]
    assert len(facts.to_dict()["layers"]) == 1000


def test_layers_that_can_be_shown_are_not_cut() -> None:
    """Negative control: as many as are shown have no line below them."""
    facts = small(layers=(Layer("relu", "Activation", (1, 8), 0),) * SHOWN)
    assert "more layers" not in told_facts(facts)


EVIL = "a\x1b[31m\x7f\x9b\u202e\u2028\r"
"""Colours, a deletion, the text turned round, line breaks: whatever could hide what stands beside it."""

LONG = "x" * 10_000


def renamed(key: str, name: str) -> dict[str, Any]:
    """The graph with another name, or operator, at its first layer; without escapes that MXNet does not read."""
    document = parts.graph()
    document["nodes"][8][key] = name.replace("\x1b", "\t")
    return document


def signed(name: str) -> list[dict[str, Any]]:
    """A signature with an input of that name."""
    return [{"name": name, "shape": [1, 5]}]


HOSTILE: dict[str, Callable[[Path], Path]] = {
    "path": lambda folder: write(folder / f"{EVIL}.tar.gz"),
    "member": lambda folder: parts.write(folder / "m", parts.model() | {EVIL: b"1", f"code/{EVIL}.py": b"("}),
    "parameter": lambda folder: write(folder / "m", arrays=parts.arrays() | {f"arg:{EVIL}": np.ones(1, np.float32)}),
    "layer": lambda folder: write(folder / "m", graph=renamed("name", EVIL)),
    "operator": lambda folder: write(folder / "m", graph=renamed("op", EVIL)),
    "input": lambda folder: write(folder / "m", signature=signed(EVIL)),
    "half a letter": lambda folder: write(folder / "m", signature=signed("\udc80")),
}
ENDLESS: dict[str, Callable[[Path], Path]] = {
    "layer": lambda folder: write(folder / "m", graph=renamed("name", LONG)),
    "operator": lambda folder: write(folder / "m", graph=renamed("op", LONG)),
    "input": lambda folder: write(folder / "m", signature=signed(LONG)),
    "member": lambda folder: parts.write(folder / "m", parts.model() | {LONG: b"1"}),
}


@pytest.mark.parametrize("place", HOSTILE)
def test_no_name_commands_the_terminal(place: str, tmp_path: Path) -> None:
    """Control characters in any name are shown, not sent."""
    assert all(line.isprintable() for line in told(read_facts(HOSTILE[place](tmp_path))).split("\n"))


@pytest.mark.parametrize("place", ENDLESS)
def test_no_name_fills_the_screen(place: str, tmp_path: Path) -> None:
    """Names have any length: a table as wide as a name of megabytes, in each of its rows, would fill the memory."""
    widest = max(map(len, told(read_facts(ENDLESS[place](tmp_path))).split("\n")))
    assert widest < 1000
