"""Rules about ``code/``: scripts that the container's Python can import, requirements that its pip can read."""

from __future__ import annotations

import io
import json
from encodings import punycode
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tarball_parts as parts
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.artifact import PARAMETERS, SHAPES, SYMBOL
from harness.tarball.code import COMPILED_LIMIT, is_script, script_names
from harness.tarball.member import Kind, Member
from harness.tarball.requirements import requirements_problems
from harness.tarball.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

    from harness.artifact import Problem

PYTHON = "expected Python 3.8, which the container has, found "


def test_a_long_script_is_parsed_only() -> None:
    """Compiling takes time by the square of the length for some scripts: what cannot be long is not risked."""
    fault = b"return 1\n"
    assert "'return' outside function" in script_fault(fault)
    _, problems = script_names(member("code/a.py"), b"#" * COMPILED_LIMIT + b"\n" + fault)
    assert problems == []
    _, problems = script_names(member("code/a.py"), b"#" * COMPILED_LIMIT + b"\nreturn return\n")
    assert [problem.code for problem in problems] == ["code-syntax"]


def member(name: str) -> Member:
    """A file under that name."""
    return Member(name, Kind.FILE, 0, io.BytesIO())


def functions(script: str) -> frozenset[str]:
    """What a script defines in which nothing is wrong."""
    names, problems = script_names(member("code/mnist.py"), script.encode())
    assert problems == []
    return names


def script_fault(script: bytes) -> str:
    """Why a script cannot be imported."""
    names, (problem,) = script_names(member("code/mnist.py"), script)
    assert names == frozenset()
    assert (problem.code, problem.member, problem.remedy) == ("code-syntax", "code/mnist.py", "mend the script")
    assert str(problem).isprintable()
    return problem.found


def faults(requirements: bytes) -> list[str]:
    """What is wrong with requirements."""
    problems: list[Problem] = requirements_problems(member("code/requirements.txt"), requirements)
    assert {problem.code for problem in problems} <= {"requirements-syntax"}
    assert all(str(problem).isprintable() for problem in problems)
    return [problem.found for problem in problems]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("code/mnist.py", True),
        ("code/lib/deep/layers.py", False),
        ("mnist.py", False),
        ("lib/code/mnist.py", False),
        ("code/mnist.pyc", False),
        ("code/notes.txt", False),
        ("coder/mnist.py", False),
    ],
)
def test_knows_scripts_by_their_place(path: str, expected: bool) -> None:
    """Whatever ends in .py under the folder that comes first on the container's path."""
    assert is_script(path) == expected


@pytest.mark.parametrize(
    "script",
    [
        "",
        "if (size := 3) > 2:\n    pass\n",
        "def model_fn(model_dir, /, *, deep=True):\n    return model_dir\n",
        "size = 3\nprint(f'{size=}')\n",
        "def rest(*more):\n    return 1, *more\n",
        "with open('a') as one, open('b') as other:\n    pass\n",
        "with (open('a')) as one:\n    pass\n",
        "with (lock):\n    pass\n",
        "def f():\n    for _ in ():\n        try:\n            pass\n        finally:\n            continue\n",
        "class A:\n    async def f(self):\n        return [x async for x in self]\n",
        "match = case = type = 1\nmatch[case]\n",
        "# -*- coding: latin-1 -*-\nname = '\xe9'\n",
        "from __future__ import annotations\nx: list[int] | None = None\n",
    ],
)
def test_takes_python_3_8(script: str) -> None:
    """All that the container's Python can read passes, walrus and positional-only arguments included."""
    functions(script)


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("import os\nmatch os:\n    case 1:\n        pass\n", "Pattern matching is only supported in Python 3.10"),
        ("try:\n    pass\nexcept* ValueError:\n    pass\n", "Exception groups are only supported in Python 3.11"),
        ("with (open('a') as f, open('b') as g):\n    pass\n", "Parenthesized context managers are only supported"),
        ("type X = int\n", ""),
        ("def first[T](x: T) -> T:\n    return x\n", ""),
        ("print 'Python 2'\n", "Missing parentheses in call to 'print'"),
        ("def f():\n\tif x:\n        pass\n", "inconsistent use of tabs and spaces in indentation"),
    ],
)
def test_refuses_other_pythons(script: str, found: str) -> None:
    """Syntax that came after 3.8, and Python 2's, is refused though the Python that verifies may know it."""
    words = script_fault(script.encode())
    assert words.startswith(PYTHON + found)


def test_tells_the_line() -> None:
    """The fault can be found in a script of any length."""
    assert script_fault(b"x = 1\n" * 40 + b"x = = 1\n") == f"{PYTHON}invalid syntax in line 41"


@pytest.mark.parametrize(
    ("script", "found"),
    [
        (b"x = 1\0", "source code string cannot contain null bytes"),
        (b"-" * 100_000 + b"1", "nesting too deep"),
        (b"# coding: nonsense\n", "unknown encoding: nonsense"),
    ],
)
def test_says_why_it_cannot_be_read(script: bytes, found: str) -> None:
    """Each way of being no Python at all has its own words."""
    assert script_fault(script) == PYTHON + found


@pytest.mark.parametrize(
    "script",
    [
        "return 1\n",
        "def f(a, a):\n    pass\n",
        "break\n",
        "*a = 1\n",
        "f(a=1, a=2)\n",
        "def f():\n    x = 1\n    global x\n",
    ],
)
def test_refuses_what_the_compiler_refuses(script: str) -> None:
    """What parses and still cannot be compiled would end the container's import too."""
    assert script_fault(script.encode()).startswith(PYTHON)


def test_decodes_with_no_codec_of_the_scripts_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Punycode takes time in the square of the length, a minute for a megabyte: a script may not ask for it."""
    asked: list[bytes] = []

    def decode(text: bytes, errors: str) -> str:
        asked.append(text)
        raise UnicodeError(errors)

    monkeypatch.setattr(punycode, "punycode_decode", decode)
    assert script_fault(b"# coding: punycode\n-aaaa").startswith(PYTHON)
    assert asked == []


def test_finds_the_functions_at_the_top() -> None:
    """What the container would find in the module, however it got there; not what is nested, async, or a method."""
    script = (
        "import functools\n"
        "def model_fn(model_dir):\n"
        "    def nested():\n"
        "        pass\n"
        "@functools.cache\n"
        "def input_fn(body, kind):\n"
        "    pass\n"
        "async def output_fn(result, kind):\n"
        "    pass\n"
        "class Handler:\n"
        "    def transform_fn(self):\n"
        "        pass\n"
        "predict_fn = wrapped = functools.cache(input_fn)\n"
        "try:\n"
        "    from handlers import fast as transform_fn\n"
        "except ImportError:\n"
        "    def slow(): pass\n"
        "if wrapped:\n"
        "    import os\n"
    )
    found = {"functools", "model_fn", "input_fn", "predict_fn", "wrapped", "transform_fn", "slow", "os"}
    assert functions(script) == found


VALID_LINES = {
    "plain": b"gluonnlp\nnumpy==1.19.5\nscipy >= 1.4, < 2\nPillow ~= 8.0 \nPyYAML (>=5)\n",
    "marker": b"dataclasses; python_version < '3.7'\nfoo>=1 ; sys_platform == 'linux' and extra == 'x'\n",
    "extras": b"requests[security, socks]>=2\n",
    "hash": b"numpy==1.19.5 --hash=sha256:ab --hash=sha256:cd\n",
    "continued hashes": b"numpy==1.19.5 \\\n    --hash=sha256:ab \\\n    --hash=sha256:cd\nscipy\n",
    "continued on Windows": b"numpy==1.19.5 \\\r\n    --hash=sha256:ab\r\nscipy\r\n",
    "continued marker": b"numpy==1.19.5 ; \\\n  python_version < '3.9'\n",
    "backslash at the end": b"numpy \\",
    "addresses": b"https://example.com/a-1.0.whl\ngit+https://example.com/a.git@v1#egg=a\na @ https://example.com/a.whl\n",
    "other files": b"-r more.txt\n-c limits.txt\n--requirement=more.txt\n",
    "editable": b"-e .\n-e git+https://example.com/a.git#egg=a\n--editable=./a\n",
    "options": b"--no-index\n-f https://example.com/wheels\n--no-deps\n",
    "paths": b".\n./wheels/a-1.0-py3-none-any.whl\n/opt/ml/model/code/a.whl\n./a[extra]\n",
    "comments": b"# numpy is nice\n  # indented\nnumpy # is nice\nscipy  # so is https://example.com\n",
    "comment after a tab": b"numpy\t# is nice\n\t# indented\n",
    "blank lines": b"\n   \n\t\nnumpy\n\n",
    "nothing": b"",
    "Windows": b"numpy\r\n\r\nscipy\r\n",
    "mark of UTF-8": b"\xef\xbb\xbfnumpy\n",
    "letters": "numpy  # für Größen\n".encode(),
}
"""What pip 26 takes, each kind tried with it."""


@pytest.mark.parametrize("requirements", VALID_LINES.values(), ids=VALID_LINES)
def test_takes_what_pip_takes(requirements: bytes) -> None:
    """Every kind of line that pip reads passes."""
    assert faults(requirements) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("numpy is nice", "Expected "),
        ("numpy=1.19", "Expected "),
        ("==1.19", "Expected package name"),
        ("numpy==", "Expected "),
        ("numpy==1.19#nice", "Expected "),
        ("numpy[a", "Expected "),
        ("numpy; python_version <> '3'", "Expected "),
        ("numpy>=1.*", ".* suffix can only be used with `==` or `!=` operators"),
        ("import numpy", "Expected "),
    ],
)
def test_refuses_what_is_no_requirement(line: str, reason: str) -> None:
    """The line is quoted, with its number and the reason."""
    (found,) = faults(f"scipy\n\n{line}\n".encode())
    assert found.startswith(f"expected a requirement in line 3, found {line!r} ({reason}")


@pytest.mark.parametrize(
    ("requirements", "number"),
    [
        (b"numpy is nice", 1),
        (b"scipy\r\nnumpy is nice\r\n", 2),
        (b"# one\n\nnumpy is nice\n", 3),
        (b"scipy \\\n  --hash=sha256:ab \\\n  --hash=sha256:cd\nnumpy is nice\n", 4),
        (b"scipy \\\n  >=1\nnumpy \\\n  is \\\n  nice\n", 3),
        (b"# a comment goes on in no other line \\\nnumpy is nice\n", 2),
    ],
)
def test_tells_the_line_of_the_file(requirements: bytes, number: int) -> None:
    """An editor finds it there: lines that go on in the next are counted as they stand."""
    (found,) = faults(requirements)
    assert found.startswith(f"expected a requirement in line {number}, found 'numpy ")


def test_tells_five_lines_at_most() -> None:
    """A file that is something else altogether does not fill the screen."""
    found = faults(b"to be or not to be\n" * 9)
    assert [words.split(",")[0] for words in found] == [f"expected a requirement in line {n}" for n in range(1, 6)]


def test_quotes_no_more_than_a_line() -> None:
    """A requirement of any length is cut."""
    (found,) = faults(b"a b" * 10_000)
    assert len(found) < 300


def test_requirements_are_utf_8() -> None:
    """The container's pip reads other encodings by the machine's settings, which nobody knows."""
    reason = "'utf-8' codec can't decode byte 0xe9 in position 6: invalid continuation byte"
    assert faults(b"numpy\n\xe9\n") == [f"expected requirements in UTF-8, found: {reason}"]


@pytest.mark.parametrize(
    "requirements",
    [
        b"a; " + b"(" * 5000 + b'os_name == "x"' + b")" * 5000,
        b"a==" + b"1" * 5000,
        b"a===b,c",
        b"a[" * 5000,
    ],
    ids=["deep marker", "long number", "arbitrary equality", "open extras"],
)
def test_requirements_that_no_reader_survives(requirements: bytes) -> None:
    """What makes the reader of requirements give up is refused like any other line."""
    (found,) = faults(requirements)
    assert found.startswith("expected a requirement in line 1, found 'a")


TEXTS = st.binary() | st.text(st.characters(codec="utf-8")).map(str.encode)
TOKENS = (
    *("numpy", "1.0", "python_version", "'3'", "extra", "[", "]", "(", ")", "==", ">=", "*", "!", "+", ",", ";", "@"),
    *(
        " and ",
        "://",
        " #",
        "#",
        "\\\n",
        "\\\r\n",
        "\\",
        "\n",
        "\r",
        "\x0c",
        "\u2028",
        " --",
        "-",
        ".",
        "\0",
        "\x1b",
        "é",
    ),
)
PIECES = (
    *("def f(", "):\n", " ", "\t", "match x:\n", "case ", "(", ")", "f'{", "}'", "\\", "\n", "'", "lambda:", "*", "="),
    *(
        "# coding: ",
        "utf-7",
        "latin-1",
        "utf-16",
        "\0",
        "\x0c",
        "\x1b",
        "\u202e",
        "é",
        "with (",
        "as x",
        ",",
        "[",
        "]",
        ":=",
    ),
)


def joined(tokens: tuple[str, ...]) -> st.SearchStrategy[bytes]:
    """Any of these, one after the other."""
    return st.lists(st.sampled_from(tokens)).map("".join).map(str.encode)


@settings(deadline=None)
@given(TEXTS | joined(TOKENS))
def test_any_requirements_give_a_verdict(requirements: bytes) -> None:
    """Whatever the bytes, nothing is raised, and what is told is short and can be printed."""
    assert len(faults(requirements)) <= 5


@settings(deadline=None)
@given(TEXTS | joined(PIECES))
def test_any_script_gives_a_verdict(script: bytes) -> None:
    """Whatever the bytes, nothing is raised, and what is told can be printed."""
    names, problems = script_names(member("code/a.py"), script)
    assert not (names and problems)
    assert all(str(problem).isprintable() for problem in problems)


def two_inputs() -> dict[str, bytes]:
    """A model that adds its two inputs before its one layer."""
    document: dict[str, Any] = {
        "nodes": [
            *map(parts.variable, ["left", "right", "fc_weight"]),
            {"op": "elemwise_add", "name": "sum", "inputs": [[0, 0, 0], [1, 0, 0]]},
            {
                "op": "FullyConnected",
                "name": "fc",
                "attrs": {"num_hidden": "3", "no_bias": "True"},
                "inputs": [[3, 0, 0], [2, 0, 0]],
            },
        ],
        "arg_nodes": [0, 1, 2],
        "heads": [[4, 0, 0]],
        "attrs": {"mxnet_version": ["int", 10901]},
    }
    inputs = [{"name": name, "shape": [1, 5]} for name in ("left", "right")]
    return {
        SYMBOL: json.dumps(document).encode(),
        PARAMETERS: parts.parameters({"arg:fc_weight": np.ones((3, 5), np.float32)}),
        SHAPES: json.dumps(inputs).encode(),
    }


SEVERAL = (
    "[several-inputs] model-shapes.json: expected one input, as AWS's own input_fn takes no more, "
    "found 'left', 'right'; define input_fn or transform_fn in the entry point"
)


@pytest.mark.parametrize(
    "code",
    [
        {},
        {"code/mnist.py": parts.SCRIPT},
        {"code/mnist.py": b"def predict_fn(data, model):\n    return data\n"},
        {"code/mnist.py": b"class Handler:\n    def input_fn(self, body, kind):\n        return body\n"},
        {"code/mnist.py": b"async def input_fn(body, kind):\n    return body\n"},
        {"mnist.py": b"def input_fn(body, kind):\n    return body\n"},
    ],
    ids=["no script", "model_fn", "predict_fn", "a method", "async", "outside code"],
)
def test_several_inputs_need_a_function(code: dict[str, bytes], tmp_path: Path) -> None:
    """AWS's own handler cannot make two inputs out of a request, so the script has to; other functions do not help."""
    assert [str(problem) for problem in verify(parts.write(tmp_path / "m.tar.gz", two_inputs() | code))] == [SEVERAL]


@pytest.mark.parametrize("name", ["input_fn", "transform_fn"])
def test_several_inputs_with_a_function_pass(name: str, tmp_path: Path) -> None:
    """Either function takes the request in hand, in whichever script it stands."""
    code = {"code/mnist.py": parts.SCRIPT, "code/more.py": f"def {name}(*request):\n    return request\n".encode()}
    assert verify(parts.write(tmp_path / "m.tar.gz", two_inputs() | code)) == []


def test_one_input_needs_no_function(tmp_path: Path) -> None:
    """Negative control: AWS's own handler serves a model with one input."""
    assert verify(parts.write(tmp_path / "m.tar.gz", parts.model() | {"code/mnist.py": b""})) == []
