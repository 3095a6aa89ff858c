"""``byom simulate``, as a user runs it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from marked_processes import MARK, kill_marked, marked

from harness.simulator.server_command import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

BYOM = Path(sys.executable).with_name("byom")

START = "Starting a simulated AWS account ...\n"

PROGRAM = """
import boto3, os
names = [entry["EndpointName"] for entry in boto3.client("sagemaker").list_endpoints()["Endpoints"]]
print(names, os.environ["BYOM_AWS_STAND_IN"], os.environ["SAGEMAKER_ROLE"])
"""


def byom(*arguments: object) -> subprocess.CompletedProcess[str]:
    """A run of the command that ends by itself."""
    return subprocess.run([BYOM, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def runs() -> Iterator[dict[str, tuple[subprocess.Popen[str], str, str]]]:
    """Runs of the command, by how they will end, with their marks and what they print; they start side by side."""
    with ExitStack() as stack:
        started = {}
        for name in ("SIGINT", "SIGTERM"):
            mark = uuid.uuid4().hex
            stack.callback(kill_marked, mark)
            process = subprocess.Popen(
                [
                    BYOM,
                    "simulate",
                    "--port",
                    str(free_port()),
                    "--quota",
                    "ml.m4.xlarge=2",
                    "--creating-seconds",
                    "0.5",
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, MARK: mark},
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            started[name] = process, mark
        yield {name: (process, mark, told(process)) for name, (process, mark) in started.items()}


def told(process: subprocess.Popen[str]) -> str:
    """What it prints before it waits."""
    assert process.stdout is not None
    return "".join(process.stdout.readline() for _ in range(8))


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_simulate_runs_until_it_is_told_to_stop(
    runs: dict[str, tuple[subprocess.Popen[str], str, str]], name: str
) -> None:
    """What it prints, pasted into a shell, leads boto3 there; Ctrl-C and SIGTERM end it all with code 0."""
    process, mark, text = runs[name]
    first, *exports, last = text.splitlines()
    found = re.fullmatch(r"Simulating an AWS account at (http://127\.0\.0\.1:\d+), until Ctrl-C\. .*", first)
    assert found, text
    assert "pytest -m aws" in last
    if name == "SIGINT":  # one of them is proof enough
        script = "\n".join([*exports, 'exec "$0" -c "$1"'])
        kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        bash = ["/bin/bash", "-c", script, sys.executable, PROGRAM]
        done = subprocess.run(bash, env=kept, capture_output=True, text=True, check=True)
        assert done.stdout == f"[] {found[1]} arn:aws:iam::123456789012:role/byom-simulated\n"
    process.send_signal(signal.Signals[name])
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert errors == f"{START}Stopped.\n"
    assert marked(mark) == []


def test_simulate_refuses_a_port_in_use() -> None:
    """One line says that the port is taken and what to do."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))
        listener.listen()
        port = listener.getsockname()[1]
        done = byom("simulate", "--port", port)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{START}byom: port {port} on 127.0.0.1 is in use; choose another one\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--creating-seconds", "-1"], 1, "byom: creating_seconds: expected a number, 0 or more, found -1.0"),
        (["--quota", "ml.m4.xlarge"], 2, "expected TYPE=N, such as ml.m4.xlarge=2, found 'ml.m4.xlarge'"),
        (["--quota", "m4=2"], 2, "expected TYPE=N, such as ml.m4.xlarge=2, found 'm4=2'"),
    ],
    ids=["seconds", "no number", "no type"],
)
def test_simulate_refuses_what_means_nothing(arguments: list[str], code: int, message: str) -> None:
    """The message says what was expected and what was found, and nothing is started."""
    from typer.testing import CliRunner

    from harness.cli import app

    done = CliRunner().invoke(app, ["simulate", *arguments])
    assert done.exit_code == code
    assert message in re.sub(r"[│\s]+", " ", done.output)
    assert START not in done.output


def test_simulate_explains_itself() -> None:
    """Its help names what it simulates, and the client that the address does not catch."""
    done = byom("simulate", "--help")
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    assert "AWS_ENDPOINT_URL, all but the SageMaker SDK's STS client" in text
    assert "--list-lag-seconds" in text
