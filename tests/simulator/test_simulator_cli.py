"""``byom serve``, as a user runs it."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tarball_parts as parts
from marked_processes import MARK, kill_marked, marked, wait_until_gone
from simulator_models import IMAGES, Perceptron, as_json

from harness.simulator.server_command import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

BYOM = Path(sys.executable).with_name("byom")

START = "Starting AWS's model server on "


def byom(*arguments: object) -> subprocess.CompletedProcess[str]:
    """A run of the command that ends by itself."""
    return subprocess.run([BYOM, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """What a run that failed wrote below its first line."""
    assert done.returncode == 1
    assert done.stdout == ""
    first, _, rest = done.stderr.partition("\n")
    assert first.startswith(START)
    assert "Traceback" not in rest
    return rest.rstrip("\n")


@pytest.fixture(scope="module")
def two_scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tarball of ``Perceptron(3)`` with a script that serves and one that does not."""
    folder = tmp_path_factory.mktemp("two")
    return Perceptron(3).tarball(folder / "model.tar.gz", good="", bad="raise SystemExit\n")


@dataclass(frozen=True)
class Serving:
    """A run of the command that serves."""

    process: subprocess.Popen[str]
    mark: str
    lines: tuple[str, ...]

    @property
    def url(self) -> str:
        """Where it says that it serves."""
        match = re.match(r"Serving at (http://127\.0\.0\.1:\d+), until Ctrl-C\.", self.lines[0])
        assert match, self.lines
        return match[1]


@pytest.fixture(scope="module")
def runs(two_scripts: Path) -> Iterator[dict[str, Serving]]:
    """Runs of the command, by how they will end; they start side by side, as that takes half the time."""
    marks = {name: uuid.uuid4().hex for name in ("SIGINT", "SIGTERM", "killed")}
    with ExitStack() as stack:
        processes = {}
        for name, mark in marks.items():
            stack.callback(kill_marked, mark)
            command = [BYOM, "serve", two_scripts, "--port", free_port(), "--entry-point", "good.py"]
            processes[name] = subprocess.Popen(
                list(map(str, command)),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, MARK: mark},
            )
            stack.enter_context(processes[name])
            stack.callback(processes[name].kill)
        yield {name: Serving(process, marks[name], _first_lines(process)) for name, process in processes.items()}


def _first_lines(process: subprocess.Popen[str]) -> tuple[str, ...]:
    assert process.stdout is not None
    return tuple(process.stdout.readline() for _ in range(4))


@pytest.mark.serving
@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl, which the suggested command uses")
def test_serve_suggests_a_command_that_works(runs: dict[str, Serving]) -> None:
    """Typed in as it is printed, it sends one blank image and gets one row of probabilities."""
    done = subprocess.run(["bash", "-c", "".join(runs["killed"].lines[2:4])], capture_output=True, check=True)  # noqa: S607
    [row] = json.loads(done.stdout)
    assert sum(row) == pytest.approx(1, abs=1e-5)


@pytest.mark.serving
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_serve_answers_until_it_is_told_to_stop(runs: dict[str, Serving], name: str) -> None:
    """The script chosen among two is served at the address that is told; Ctrl-C and SIGTERM end it all with code 0."""
    run = runs[name]
    assert f"POST {run.url}/invocations takes application/json" in run.lines[0]
    connection = http.client.HTTPConnection(run.url.removeprefix("http://"), timeout=60)
    connection.request("POST", "/invocations", as_json(IMAGES), {"Content-Type": "application/json"})
    with connection.getresponse() as answer:
        np.testing.assert_allclose(json.load(answer), Perceptron(3).probabilities(IMAGES), atol=1e-5)
    connection.close()
    run.process.send_signal(signal.Signals[name])
    _, errors = run.process.communicate(timeout=60)
    assert run.process.returncode == 0
    assert errors.startswith(START)
    assert errors.endswith("\nStopped.\n")
    assert marked(run.mark) == []


@pytest.mark.serving
def test_serve_says_when_its_server_has_ended(runs: dict[str, Serving]) -> None:
    """A server that dies ends the command with code 1, its log, and nothing left."""
    run = runs["killed"]
    [java] = [process for process in marked(run.mark) if process.is_java]
    os.kill(java.pid, signal.SIGKILL)
    _, errors = run.process.communicate(timeout=60)
    assert run.process.returncode == 1
    assert "byom: The model server has ended:\n" in errors
    assert wait_until_gone(run.mark) == []


def test_serve_names_a_file_that_is_missing(tmp_path: Path) -> None:
    """One problem with the path in it, and no traceback."""
    text = complaint(byom("serve", tmp_path / "no.tar.gz", "--port", free_port()))
    assert text.startswith(f"byom: {tmp_path}/no.tar.gz: expected a tarball that SageMaker's MXNet container can serve")
    assert "[unreadable]" in text


def test_serve_lists_what_is_wrong_with_a_tarball(tmp_path: Path) -> None:
    """The verifier's problems, one a line, and no traceback."""
    tarball = parts.write(tmp_path / "model.tar.gz", {"model-symbol.json": b"{}"})
    text = complaint(byom("serve", tarball, "--port", free_port()))
    assert "[missing-member] model-0000.params" in text
    assert "[missing-member] model-shapes.json" in text


def test_serve_refuses_a_port_in_use(plain_tarball: Path) -> None:
    """One line says that the port is taken and what to do."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))
        listener.listen()
        port = listener.getsockname()[1]
        text = complaint(byom("serve", plain_tarball, "--port", port))
    assert text == f"byom: port {port} on 127.0.0.1 is in use; choose another one"


def test_serve_refuses_a_port_beyond_the_servers_reach(plain_tarball: Path) -> None:
    """One line gives the range."""
    text = complaint(byom("serve", plain_tarball, "--port", 40000))
    assert text == "byom: port: expected 1 to 32767, which is all AWS's model server takes, found 40000"


def test_serve_asks_which_of_two_scripts(two_scripts: Path) -> None:
    """One line lists the scripts and names the option."""
    text = complaint(byom("serve", two_scripts, "--port", free_port()))
    assert text == "byom: expected one script in code/, found bad.py, good.py; choose one with --entry-point NAME"


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"]], ids=" ".join)
def test_help_is_given(arguments: list[str]) -> None:
    """It tells what the command is for, with code 0."""
    done = byom(*arguments)
    assert done.returncode == 0
    assert "model server" in done.stdout
