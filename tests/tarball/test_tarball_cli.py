"""``byom verify`` and ``byom inspect``: text, JSON and exit status, as a user or a program of theirs sees them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
import tarball_parts as parts
from typer.testing import CliRunner

from harness.artifact import MODEL_FILES, SHAPES, SYMBOL, Problem
from harness.cli import app

if TYPE_CHECKING:
    from click.testing import Result

BYOM = Path(sys.executable).with_name("byom")
BY_TEXT = "valid (judged by its text, not loaded)"
BY_LOADING = "valid (AWS's handler loads it and predicts with it)"
EVIL = "a\x1b[31m\udcff.tar.gz"
"""A file's name with a colour in it, and with a byte that is no UTF-8."""


def byom(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A run of the command as it is installed."""
    command = [BYOM, *map(str, arguments)]
    environment = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


def invoke(*arguments: object) -> Result:
    """A run of the command in this process, where no error gets past it."""
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.stderr == ""
    return result


def documents(text: str) -> list[dict[str, Any]]:
    """What ``verify --json`` wrote: a document a line."""
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def valid(tmp_path: Path) -> Path:
    """A tarball in which nothing is wrong."""
    return parts.write(tmp_path / "valid.tar.gz", parts.model())


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A tarball with one problem."""
    return parts.write(tmp_path / "broken.tar.gz", parts.model() | {SYMBOL: b"MLP"})


def test_verify_judges_several_files(valid: Path, broken: Path, tmp_path: Path) -> None:
    """Each file is loaded if it can be, has its verdict in the order given, and the worst decides the exit status."""
    absent = tmp_path / "absent.tar.gz"
    done = byom("verify", broken, valid, absent, valid)
    assert done.stdout == (
        f"{broken}: 1 problem\n"
        "  symbol-json          model-symbol.json\n"
        "      expected JSON in UTF-8, found: Expecting value: line 1 column 1 (char 0)\n"
        "      to mend it: write it with MXNet's save_checkpoint\n"
        f"{valid}: {BY_LOADING}\n"
        f"{absent}: 1 problem\n"
        "  unreadable           the archive\n"
        "      expected a file, found nothing there\n"
        "      to mend it: check the path\n"
        f"{valid}: {BY_LOADING}\n"
    )
    assert (done.returncode, done.stderr) == (2, "")


def test_verify_answers_programs(valid: Path, broken: Path) -> None:
    """With ``--json --no-load`` standard output is JSON alone, a line for each file."""
    done = byom("verify", "--json", "--no-load", valid, broken)
    assert [document["valid"] for document in documents(done.stdout)] == [True, False]
    assert (done.returncode, done.stderr) == (1, "")


def test_help_tells_the_exit_status() -> None:
    """A program that calls the command needs no other page."""
    done = byom("verify", "--help")
    text = " ".join(done.stdout.split())
    assert "Exit status: 0 if all are valid, 1 if one is not, 2 if one cannot be read or loading" in text
    assert done.returncode == 0
    assert "Exit status: as that of verify --no-load." in " ".join(invoke("inspect", "--help").stdout.split())


def test_verify_says_when_it_cannot_load(valid: Path, broken: Path, tmp_path: Path) -> None:
    """Without AWS's handler there is a line for each file that is not judged, status 2, and the others are told."""
    package = tmp_path / "sagemaker_mxnet_serving_container"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('not on this machine')\n")
    done = byom("verify", valid, broken, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert done.stdout.startswith(f"{broken}: 1 problem\n")
    assert str(valid) not in done.stdout
    (line,) = done.stderr.splitlines()
    assert line == (
        f"{valid}: not judged: expected to load models with AWS's handler, found that it does not start: ImportError: "
        "not on this machine; install it with: pip install 'byom-harness[simulator]'; or pass --no-load"
    )
    done = byom("verify", "--json", valid, broken, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    unjudged, judged = map(json.loads, done.stdout.splitlines())
    assert (unjudged["valid"], unjudged["loaded"], judged["valid"]) == (None, False, False)
    assert "does not start" in unjudged["error"]


def test_verify_loads_nothing_in_vain(broken: Path) -> None:
    """A file that its text condemns is judged where AWS's handler is not installed."""
    result = invoke("verify", broken)
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{broken}: 1 problem\n")


@pytest.mark.parametrize(
    ("names", "status"),
    [
        (["valid"], 0),
        (["valid", "valid"], 0),
        (["broken"], 1),
        (["broken", "valid"], 1),
        (["valid", "broken", "broken"], 1),
        (["absent"], 2),
        (["absent", "broken", "valid"], 2),
        (["broken", "absent"], 2),
        (["."], 2),
    ],
)
def test_exit_status_of_verify(names: list[str], status: int, valid: Path, broken: Path, tmp_path: Path) -> None:
    """0, 1 and 2 stand for all valid, one not valid, one not readable; with and without JSON."""
    files = {"valid": valid, "broken": broken, "absent": tmp_path / "absent", ".": tmp_path}
    paths = [files[name] for name in names]
    text = invoke("verify", "--no-load", *paths)
    listed = invoke("verify", "--no-load", "--json", *paths)
    assert (text.exit_code, listed.exit_code) == (status, status)
    verdicts = [line.partition(": ")[0] for line in text.stdout.splitlines() if not line.startswith(" ")]
    assert verdicts == [document["path"] for document in documents(listed.stdout)] == list(map(str, paths))


def test_text_of_verify(valid: Path) -> None:
    """A valid file is one line, which tells that it was not loaded."""
    assert invoke("verify", "--no-load", valid).stdout == f"{valid}: {BY_TEXT}\n"


def test_json_of_verify(valid: Path, broken: Path) -> None:
    """Path, verdict, whether it was loaded, and each problem in its parts."""
    result = invoke("verify", "--json", "--no-load", valid, broken)
    problem = {
        "code": "symbol-json",
        "member": "model-symbol.json",
        "found": "expected JSON in UTF-8, found: Expecting value: line 1 column 1 (char 0)",
        "remedy": "write it with MXNet's save_checkpoint",
    }
    assert documents(result.stdout) == [
        {"path": str(valid), "valid": True, "loaded": False, "problems": []},
        {"path": str(broken), "valid": False, "loaded": False, "problems": [problem]},
    ]


class Content:
    """A loader that finds nothing wrong; the real one takes seconds to start."""

    def __init__(self, *, seconds: float) -> None:
        self.seconds = seconds

    def __enter__(self) -> Self:
        """Start nothing."""
        return self

    def __exit__(self, *reason: object) -> None:
        """End nothing."""

    def problems(self, folder: Path) -> list[Problem]:
        """None, but a word on the time that it was given."""
        assert (folder / SYMBOL).is_file()
        return [] if self.seconds == 5 else [Problem("load-timeout", "", f"found {self.seconds}", "wait")]


def test_json_of_verify_tells_what_was_loaded(valid: Path, broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files are loaded too, the one that its text condemned was not."""
    monkeypatch.setattr("harness.tarball.loading.Loader", Content)
    result = invoke("verify", "--json", "--seconds", 5, valid, broken)
    told = [(document["valid"], document["loaded"]) for document in documents(result.stdout)]
    assert (told, result.exit_code) == ([(True, True), (False, False)], 1)


def test_what_loading_finds_is_a_problem(valid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told and counted like one that the text shows; the time for loading is a minute unless said otherwise."""
    monkeypatch.setattr("harness.tarball.loading.Loader", Content)
    result = invoke("verify", valid)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1:3] == ["  load-timeout         the archive", "      found 60.0"]


@pytest.mark.parametrize("command", [["verify", "--no-load"], ["inspect"]], ids=" ".join)
def test_a_file_of_any_name(command: list[str], valid: Path) -> None:
    """A name with an escape character and a byte that is no text is shown, not sent; JSON has it whole."""
    path = valid.rename(valid.with_name(EVIL))
    result = invoke(*command, path)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{path.parent}/a\\x1b[31m\\udcff.tar.gz: ")
    assert all(line.isprintable() for line in result.stdout.split("\n"))
    listed = invoke(*command, "--json", path)
    assert listed.exit_code == 0
    assert all(line.isprintable() and line.isascii() for line in listed.stdout.split("\n"))


def test_json_names_the_file_as_it_was_named(valid: Path) -> None:
    """A program finds the file by the path in the answer, whatever its name."""
    path = valid.rename(valid.with_name(EVIL))
    (verdict,) = documents(invoke("verify", "--json", "--no-load", path).stdout)
    assert Path(verdict["path"]).is_file()
    assert Path(json.loads(invoke("inspect", "--json", path).stdout)["path"]).is_file()


@pytest.mark.parametrize(("name", "status"), [("valid", 0), ("broken", 1), ("absent", 2)])
def test_exit_status_of_inspect(name: str, status: int, valid: Path, broken: Path, tmp_path: Path) -> None:
    """It is that of verify, and facts are told all the same."""
    path = {"valid": valid, "broken": broken, "absent": tmp_path / "absent"}[name]
    text, listed = invoke("inspect", path), invoke("inspect", "--json", path)
    assert (text.exit_code, listed.exit_code) == (status, status)
    assert text.stdout.startswith(f"{path}: ")
    assert json.loads(listed.stdout)["path"] == str(path)


def test_text_of_inspect(valid: Path) -> None:
    """Of a valid file the facts alone."""
    stdout = invoke("inspect", valid).stdout
    assert "\n30 parameters of float32, written by MXNet 1.9.1\n" in stdout
    assert "\ninput   data 1x5\noutput  softmax 1x3\n" in stdout
    assert stdout.endswith("\nsoftmax  SoftmaxOutput   1x3       0\n")


def test_text_of_inspect_of_a_broken_file(broken: Path) -> None:
    """What could be read, an empty line, and then what is wrong."""
    facts, _, problems = invoke("inspect", broken).stdout.rpartition("\n\n")
    assert "input   data 1x5" in facts
    assert problems.splitlines()[:2] == [f"{broken}: 1 problem", "  symbol-json          model-symbol.json"]


def test_json_of_inspect(valid: Path) -> None:
    """The facts as one document, with every part of the model."""
    document = json.loads(invoke("inspect", "--json", valid).stdout)
    assert [member["name"] for member in document["members"]] == list(MODEL_FILES)
    assert (document["inputs"], document["outputs"]) == ({"data": [1, 5]}, {"softmax": [1, 3]})
    assert [layer["parameters"] for layer in document["layers"]] == [18, 12, 0]
    assert document["problems"] == []


def test_inspect_shows_names_and_sends_none(tmp_path: Path) -> None:
    """What a stranger called an input does not command the terminal."""
    signature = b'[{"name": "\\u001bcdata\\u009b31m", "shape": [1, 5]}]'
    path = parts.write(tmp_path / "m.tar.gz", parts.model() | {SHAPES: signature})
    stdout = invoke("inspect", path).stdout
    assert "\ninput   \\x1bcdata\\x9b31m 1x5\n" in stdout
    assert all(line.isprintable() for line in stdout.split("\n"))


@pytest.mark.parametrize("arguments", [["verify"], ["inspect"], ["verify", "--seconds", "0", "a"]], ids=" ".join)
def test_what_was_typed_wrong_has_status_2(arguments: list[str]) -> None:
    """No file and a time that is none are told with the usage, as with any command."""
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr
    assert result.stdout == ""
