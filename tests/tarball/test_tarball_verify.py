"""The whole judgement on a tarball: valid ones pass, each planted fault gives its code, junk never raises."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import struct
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tarball_parts as parts
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.artifact import MODEL_FILES, PARAMETERS, SHAPES, SYMBOL
from harness.errors import ArtifactError
from harness.tarball import examination
from harness.tarball.unpacked import Limits
from harness.tarball.verify import SHOWN, check, load_artifact, verify

if TYPE_CHECKING:
    from pathlib import Path

VALID = parts.tar_bytes(parts.model() | {"code/mnist.py": parts.SCRIPT}, form=tarfile.USTAR_FORMAT)
PACKED = gzip.compress(VALID, mtime=0)


def codes(path: Path) -> list[str]:
    """The codes of all problems."""
    return [problem.code for problem in verify(path)]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A path that each example of a property writes to."""
    return tmp_path_factory.mktemp("verify") / "m.tar.gz"


def test_a_packed_model_passes(tarball: Path) -> None:
    """What `pack` writes, `verify` accepts."""
    assert verify(tarball) == []
    check(tarball)


def test_a_tarball_that_exists_becomes_an_artifact(tmp_path: Path) -> None:
    """Whatever packed it, its digest, size and members are those of the file; a broken one is refused."""
    path = tmp_path / "old.tar.gz"
    path.write_bytes(PACKED)
    artifact = load_artifact(str(path))
    assert (artifact.path, artifact.size) == (path, len(PACKED))
    assert artifact.sha256 == hashlib.sha256(PACKED).hexdigest()
    assert set(artifact.members) == {*MODEL_FILES, "code/mnist.py"}
    path.write_bytes(PACKED[:-20])
    with pytest.raises(ArtifactError, match="truncated"):
        load_artifact(path)


def test_a_tarball_as_the_sdk_repacks_it_passes(tarball: Path, model_dir: Path, script: Path) -> None:
    """`repack_model` adds a folder named `/` and everything below it: that is served, so it is not refused."""
    (model_dir / "code").mkdir()
    (model_dir / "code" / "mnist.py").write_bytes(script.read_bytes())
    with tarfile.open(tarball, mode="w:gz") as tar:
        tar.add(model_dir, arcname="/")
    assert verify(tarball) == []


def test_the_notebooks_tarball_passes(tarball: Path, model_dir: Path) -> None:
    """The notebook adds the empty folder `model` and then each file by its own name."""
    empty = model_dir.parent / "empty"
    empty.mkdir()
    with tarfile.open(tarball, mode="w:gz") as tar:
        tar.add(empty, arcname="model")
        for name in MODEL_FILES:
            tar.add(model_dir / name, arcname=name)
    assert verify(tarball) == []


def test_a_missing_path_is_one_problem(tmp_path: Path) -> None:
    """No file is a problem like any other, and `check` makes one error of it."""
    assert codes(tmp_path / "absent.tar.gz") == ["unreadable"]
    with pytest.raises(ArtifactError, match=r"absent\.tar\.gz: expected a tarball .*, found 1 problem:\n"):
        check(tmp_path / "absent.tar.gz")


def without(name: str) -> dict[str, bytes]:
    """The arrays but one, as a container."""
    return {PARAMETERS: parts.parameters({key: array for key, array in parts.arrays().items() if key != name})}


def stored(**more: np.ndarray) -> dict[str, bytes]:
    """The arrays with others added or replaced, as a container."""
    return {PARAMETERS: parts.parameters(parts.arrays() | {key.replace("__", ":"): more[key] for key in more})}


def edited(member: str, old: str, new: str) -> bytes:
    """A model file with one text in place of another, which it holds."""
    content = parts.model()[member]
    assert old.encode() in content
    return content.replace(old.encode(), new.encode())


ONE = np.ones(3, np.float32)
EMPTY = np.ones((3, 0), np.float32)
SWAPPED = {key.replace("aux:", "arg:"): array for key, array in parts.arrays().items()}
TOGETHER = "save symbol and parameters together, with one save_checkpoint"
ROWS = struct.pack("<Ii", 0xF993FAC9, 1) + parts.shape_bytes((1, 5)) + parts.shape_bytes((3, 5))
SPARSE = ROWS + struct.pack("<iii", 1, 0, 0) + struct.pack("<i", 6) + parts.shape_bytes((1,)) + bytes(4 * 5 + 8)
FAULTS: dict[str, tuple[dict[str, bytes], str]] = {
    "symbol-json": ({SYMBOL: b"MLP"}, "model-symbol.json: expected JSON in UTF-8, found: Expecting value"),
    "symbol-graph": ({SYMBOL: b'{"nodes": []}'}, "expected an object with the lists nodes, arg_nodes and heads"),
    "shapes-json": ({SHAPES: b"data"}, "model-shapes.json: expected JSON in UTF-8, found: Expecting value"),
    "shapes-entry": ({SHAPES: b"[]"}, "expected a list of at least one input, found []"),
    "params-format": ({PARAMETERS: b"weights!"}, "expected MXNet's magic number 0x112 at the start, found 0x21737"),
    "missing-parameter": (
        without("arg:fc_weight"),
        f"expected every parameter of the graph, found none for 'arg:fc_weight'; {TOGETHER}; if it is an input, list",
    ),
    "unknown-parameter": (
        stored(arg__fc9_weight=ONE),
        f"expected parameters of the graph and no others, found 'arg:fc9_weight'; {TOGETHER}",
    ),
    "parameter-kind": (
        {PARAMETERS: parts.parameters(SWAPPED)},
        "expected arg: before arguments and aux: before auxiliary states, found 'arg:bn_moving_mean', 'arg:bn_moving_v",
    ),
    "empty-parameter": (
        stored(arg__fc_weight=EMPTY),
        "expected values in every parameter, found none in 'arg:fc_weight'",
    ),
    "not-finite": (
        stored(arg__fc_bias=ONE * np.nan, arg__bn_beta=ONE * np.inf),
        "expected finite values, found 6 NaN or infinite ones, in 'arg:bn_beta', 'arg:fc_bias'; training diverged",
    ),
    "code-syntax": (
        {"code/mnist.py": b"def f(:\n"},
        "code/mnist.py: expected Python 3.8, which the container has, found invalid syntax in line 1",
    ),
    "requirements-syntax": (
        {"code/requirements.txt": b"gluonnlp==0.10\nnumpy is nice\n"},
        "code/requirements.txt: expected a requirement in line 2, found 'numpy is nice'",
    ),
    "unknown-operator": (
        {SYMBOL: edited(SYMBOL, '"BatchNorm"', '"BatchNrom"')},
        "expected an operator of MXNet 1.9.1, found 'BatchNrom' in node 'bn'",
    ),
    "operator-attribute": (
        {SYMBOL: edited(SYMBOL, '"num_hidden": "3"', '"num_hidden": "3.0"')},
        "node 'fc', FullyConnected: expected num_hidden to be int, found '3.0'",
    ),
    "graph-shape": (
        {SYMBOL: edited(SYMBOL, "[2, 0, 0]", "[2, 1, 0]")},
        "FullyConnected node 'fc': expected outputs of 'fc_bias' below 1, found 1",
    ),
    "parameter-shape": (
        stored(arg__fc_bias=np.ones(4, np.float32)),
        f"found 'arg:fc_bias' of shape (4,) where (3,) is needed; {TOGETHER}",
    ),
    "parameter-dtype": (
        stored(arg__fc_bias=np.ones(3, np.int32)),
        "expected floating point numbers in weights, found int32 in 'arg:fc_bias'",
    ),
    "parameter-storage": (
        {
            PARAMETERS: parts.container(
                [parts.array_bytes(a) for a in parts.arrays().values()], parts.arrays()
            ).replace(parts.array_bytes(parts.arrays()["arg:fc_weight"]), SPARSE)
        },
        "expected dense parameters, as the container binds them, found sparse ones: 'arg:fc_weight'",
    ),
}


@pytest.mark.parametrize(("code", "fault"), FAULTS.items(), ids=FAULTS)
def test_each_fault_of_content_gives_its_code(tmp_path: Path, code: str, fault: tuple[dict[str, bytes], str]) -> None:
    """One planted fault gives one problem, with its own code and words."""
    files, expected = fault
    (problem,) = verify(parts.write(tmp_path / "m.tar.gz", parts.model() | files))
    assert problem.code == code
    assert expected in str(problem)


def test_shapes_name(tmp_path: Path) -> None:
    """An input that the graph does not have is named beside those it has; its own input then lacks a value."""
    path = parts.write(tmp_path / "m.tar.gz", parts.model() | {SHAPES: b'[{"name": "images", "shape": [1, 5]}]'})
    problems = verify(path)
    assert [problem.code for problem in problems] == ["shapes-name", "missing-parameter"]
    assert str(problems[0]) == (
        "[shapes-name] model-shapes.json: expected inputs of the graph, found 'images'; the graph's arguments are "
        "'bn_beta', 'bn_gamma', 'data', 'fc_bias', 'fc_weight' and 1 more"
    )


def test_a_state_is_no_input(tmp_path: Path) -> None:
    """Data cannot be bound to a moving statistic."""
    files = {SHAPES: b'[{"name": "data", "shape": [1, 5]}, {"name": "bn_moving_var", "shape": [3]}]'}
    assert codes(parts.write(tmp_path / "m.tar.gz", parts.model() | files)) == ["several-inputs", "shapes-name"]


def test_a_stored_label_passes(tmp_path: Path) -> None:
    """The label is an argument of the graph: MXNet accepts a value for it that fits one example, and needs none."""
    fits = parts.model() | stored(arg__softmax_label=ONE[:1])
    assert codes(parts.write(tmp_path / "m.tar.gz", fits)) == []
    other = parts.model() | stored(arg__softmax_label=ONE)
    assert codes(parts.write(tmp_path / "m.tar.gz", other)) == ["parameter-shape"]


def test_a_stored_input_is_unknown(tmp_path: Path) -> None:
    """Data among the parameters would have to fit the batch of the container."""
    assert codes(parts.write(tmp_path / "m.tar.gz", parts.model() | stored(arg__data=ONE))) == ["unknown-parameter"]


@pytest.mark.parametrize(
    "script",
    [
        b"x = 1\0",
        b"# coding: nonsense\n",
        b"(" * 500,
        b"-" * 100_000 + b"1",
        b"f" + b"()" * 50_000,
        b"\xff",
        b"return =",
    ],
    ids=lambda script: repr(script[:8]),
)
def test_scripts_that_do_not_parse(tmp_path: Path, script: bytes) -> None:
    """Whatever keeps Python from parsing a script is one problem of that script."""
    (problem,) = verify(parts.write(tmp_path / "m.tar.gz", parts.model() | {"code/a.py": script}))
    assert problem.code == "code-syntax"
    assert str(problem).isprintable()


def test_scripts_are_not_run(tmp_path: Path) -> None:
    """A script is parsed and no more, and its warnings are its own affair."""
    script = f"open({str(tmp_path / 'ran')!r}, 'w')\nassert (1, 'a') is '\\d'\n".encode()
    assert codes(parts.write(tmp_path / "m.tar.gz", parts.model() | {"code/a.py": script})) == []
    assert not (tmp_path / "ran").exists()


def test_other_files_under_code_are_not_parsed(tmp_path: Path) -> None:
    """Only files named `.py` right in `code/` are scripts: a library below may hold what nobody ever imports."""
    files = {"code/a.ipynb": b"{", "notes.py": b"(((", "code/lib/for_newer_pythons.py": b"((("}
    assert codes(parts.write(tmp_path / "m.tar.gz", parts.model() | files)) == []


def test_scripts_have_a_limit_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand scripts that are slow to parse are a thousand times as slow: beyond the limit none is looked at."""
    monkeypatch.setattr(examination, "CODE_LIMIT", 4096)
    scripts = {f"code/{number}.py": b"#" * 1000 + b"\n)" for number in range(8)}
    problems = verify(parts.write(tmp_path / "m.tar.gz", parts.model() | scripts))
    assert [problem.member for problem in problems] == ["code/0.py", "code/1.py", "code/2.py", "code/3.py"]


def test_a_file_that_comes_again_is_not_read_again(tmp_path: Path) -> None:
    """It is refused for that, so what it holds no longer matters, nor the time that it would take."""
    path = tmp_path / "m.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, content in [*parts.model().items(), (SYMBOL, b"no graph")]:
            tar.addfile(parts.entry(name, size=len(content)), io.BytesIO(content))
    assert codes(path) == ["duplicate-member"]


@pytest.mark.parametrize("name", [SYMBOL, SHAPES, "code/a.py"])
def test_text_files_have_a_limit(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are read whole are refused when no such file is that large."""
    monkeypatch.setattr(examination, "CODE_LIMIT" if name.startswith("code/") else "DOCUMENT_LIMIT", 4096)
    (problem,) = verify(parts.write(tmp_path / "m.tar.gz", parts.model() | {name: b"#" * 5000}))
    assert (problem.member, problem.found) == (name, "expected at most 4,096 bytes, found 5,000")


def test_a_file_that_breaks_off_lacks_nothing(tmp_path: Path) -> None:
    """What comes after a cut is unknown, so its absence is not reported."""
    path = tmp_path / "m.tar.gz"
    path.write_bytes(gzip.compress(VALID[:600]))
    assert codes(path) == ["truncated"]


def test_trailing_data_does_not_hide_what_is_missing(tmp_path: Path) -> None:
    """The members were all seen by then, so both faults are reported."""
    path = parts.write(tmp_path / "m.tar.gz", {name: parts.model()[name] for name in MODEL_FILES[:2]})
    path.write_bytes(path.read_bytes() + b"more")
    assert codes(path) == ["trailing-data", "missing-member"]


def test_limits_can_be_set(tarball: Path) -> None:
    """The limits reach the reader."""
    assert [problem.code for problem in verify(tarball, limits=Limits(headers=2))] == ["too-many-members"]


def test_check_lists_every_problem(tmp_path: Path) -> None:
    """The error names the file and has one line for each problem."""
    path = parts.write(tmp_path / "m.tar.gz", parts.model() | FAULTS["shapes-entry"][0] | FAULTS["code-syntax"][0])
    with pytest.raises(ArtifactError) as caught:
        check(path)
    first, *lines = str(caught.value).splitlines()
    assert first == f"{path}: expected a tarball that SageMaker's MXNet container can serve, found 2 problems:"
    assert lines == [f"  {problem}" for problem in verify(path)]
    assert [re.match(r"  \[([a-z-]+)\] ", line)[1] for line in lines] == ["shapes-entry", "code-syntax"]  # type: ignore[index]


def test_check_cuts_a_long_list(tmp_path: Path) -> None:
    """A hostile tarball does not fill the screen."""
    links = [parts.entry(f"l{number}", type=tarfile.SYMTYPE) for number in range(SHOWN + 7)]
    path = parts.write(tmp_path / "m.tar.gz", parts.model(), before=links)
    with pytest.raises(ArtifactError, match=r"found 57 problems:(\n  \[link\].*){50}\n  and 7 more\Z"):
        check(path)


def test_verifying_needs_no_mxnet(tarball: Path) -> None:
    """MXNet is not imported: tarballs are verified where it cannot be installed."""
    script = (
        "import sys; from pathlib import Path; from harness.tarball.verify import check;"
        "check(Path(sys.argv[1])); assert 'harness.tarball.params' in sys.modules; assert 'mxnet' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script, str(tarball)], check=True)


def replace(name: str, content: bytes) -> bytes:
    """The valid tarball with the content of one file replaced."""
    return gzip.compress(parts.tar_bytes(parts.model() | {name: content}), mtime=0)


def flip(content: bytes, changes: list[tuple[int, int]]) -> bytes:
    """The content with bits of some bytes flipped."""
    changed = bytearray(content)
    for place, bits in changes:
        changed[place % len(changed)] ^= bits
    return bytes(changed)


CHANGES = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(1, 255)), min_size=1, max_size=4)
JUNK: dict[str, st.SearchStrategy[bytes]] = {
    "random bytes": st.binary(max_size=2000),
    "random tar": st.binary(max_size=2000).map(gzip.compress),
    "truncated": st.integers(0, len(PACKED) - 1).map(lambda length: PACKED[:length]),
    "truncated tar": st.integers(0, len(VALID) - 1).map(lambda length: gzip.compress(VALID[:length])),
    "flipped": CHANGES.map(lambda changes: flip(PACKED, changes)),
    "flipped tar": CHANGES.map(lambda changes: gzip.compress(flip(VALID, changes))),
    "flipped symbol": CHANGES.map(lambda changes: replace(SYMBOL, flip(parts.model()[SYMBOL], changes))),
    "flipped shapes": CHANGES.map(lambda changes: replace(SHAPES, flip(parts.model()[SHAPES], changes))),
    "flipped parameters": CHANGES.map(lambda changes: replace(PARAMETERS, flip(parts.model()[PARAMETERS], changes))),
    "random script": st.binary().map(lambda content: replace("code/a.py", content)),
    "tail": st.binary(min_size=1).map(lambda tail: PACKED + tail),
}


@pytest.mark.parametrize("kind", JUNK)
def test_junk_never_raises(kind: str, scratch: Path) -> None:
    """Whatever the bytes, the answer is a list of problems that can be printed."""

    @settings(deadline=None, max_examples=100)
    @given(JUNK[kind])
    def holds(content: bytes) -> None:
        scratch.write_bytes(content)
        assert all(str(problem).isprintable() for problem in verify(scratch))

    holds()


@settings(deadline=None)
@given(st.integers(0, len(PACKED) - 1))
def test_no_beginning_of_a_tarball_passes(scratch: Path, length: int) -> None:
    """A tarball cut anywhere has problems."""
    scratch.write_bytes(PACKED[:length])
    assert verify(scratch)


HEADER_FIELDS = st.dictionaries(
    st.sampled_from(["path", "size", "linkpath", "mtime", "GNU.sparse.major", "GNU.sparse.map", "hdrcharset"]),
    st.text(st.characters(codec="utf-8"), max_size=20) | st.integers(-10, 1 << 70).map(str),
)
MEMBERS = st.lists(
    st.tuples(st.text(max_size=20), st.binary(min_size=1, max_size=1), st.integers(-(1 << 40), 1 << 40), HEADER_FIELDS)
)


@settings(deadline=None)
@given(MEMBERS)
def test_any_headers_give_a_verdict(scratch: Path, members: list[tuple[str, bytes, int, dict[str, str]]]) -> None:
    """Headers with right checksums and wrong everything else never raise either."""
    buffer = io.BytesIO()
    for name, kind, size, fields in members:
        info = parts.entry(name, type=kind, size=size, pax_headers=fields)
        buffer.write(info.tobuf(tarfile.PAX_FORMAT if size >= 0 else tarfile.GNU_FORMAT, errors="surrogateescape"))
    scratch.write_bytes(gzip.compress(buffer.getvalue() + bytes(1024)))
    assert all(str(problem).isprintable() for problem in verify(scratch))


def layered() -> dict[str, bytes]:
    """The model, its fc_bias now read by ``broadcast_add`` instead of by the layer."""
    document = parts.graph()
    document["nodes"][8] |= {"attrs": {"num_hidden": "3", "no_bias": "True"}, "inputs": [[0, 0, 0], [1, 0, 0]]}
    document["nodes"].insert(9, {"op": "broadcast_add", "name": "add", "inputs": [[8, 0, 0], [2, 0, 0]]})
    document["nodes"][10]["inputs"] = [[9, 0, 0], [3, 0, 0], [4, 0, 0], [5, 0, 1], [6, 0, 1]]
    document["nodes"][11]["inputs"] = [[10, 0, 0], [7, 0, 0]]
    document["heads"] = [[11, 0, 0]]
    return parts.model() | {SYMBOL: json.dumps(document).encode()}


@pytest.mark.parametrize("constant", [np.array([0, -np.inf, 1], np.float32), np.array([1, 2, 3], np.int32)])
def test_constants_may_be_what_weights_may_not(tmp_path: Path, constant: np.ndarray) -> None:
    """A mask holds -inf, an index whole numbers: only what a layer reads as weights is a float and finite for sure."""
    path = tmp_path / "m.tar.gz"
    assert codes(parts.write(path, layered() | stored(arg__fc_bias=constant))) == []
    assert len(codes(parts.write(path, parts.model() | stored(arg__fc_bias=constant)))) == 1


def test_no_constant_is_nan(tmp_path: Path) -> None:
    """NaN is never meant."""
    files = layered() | stored(arg__fc_bias=ONE * np.nan)
    assert codes(parts.write(tmp_path / "m.tar.gz", files)) == ["not-finite"]
