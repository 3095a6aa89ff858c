"""AWS's model server on tiny models: what it answers, why it does not start, and what happens when parts of it die."""

from __future__ import annotations

import json
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from marked_processes import LOOPBACK, Process, listening, marked, wait_for
from simulator_models import BODIES, IMAGES, JUNK, Perceptron, as_json

from harness.errors import ArtifactError, ServingError
from harness.simulator.model_server import ModelServer
from harness.simulator.serve import serve_tarball
from harness.simulator.server_command import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

NOISY = """\
import logging, traceback
try:
    1 / 0
except ZeroDivisionError:
    traceback.print_exc()
    logging.getLogger().exception("never mind")
logging.disable(logging.CRITICAL)
"""
"""Logs tracebacks that mean nothing, and silences the worker, which then cannot say that it has loaded the model."""

BROKEN = {
    "raises": """\
try:
    import no_such_package
except ImportError as error:
    raise RuntimeError('the café is closed') from error
""",
    "nonsense": "def model_fn(model_dir):\n    return 42\n",
    "exits": "import os\nos._exit(3)\n",
    "second": "def transform_fn(*_):\n    pass\n\n\ndef input_fn(*_):\n    pass\n",
}


def processes_of(server: ModelServer, mark: str) -> list[Process]:
    """Everything that belongs to a server of this test process."""
    return [process for process in marked(mark) if process.mentions(server.folder)]


def answers(server: ModelServer, model: Perceptron) -> bool:
    """Whether it predicts what the model predicts."""
    answer = server.invoke(as_json(IMAGES), "application/json")
    return answer.status == 200 and np.allclose(json.loads(answer.body), model.probabilities(IMAGES), atol=1e-5)


@pytest.fixture(scope="module")
def server(plain_tarball: Path) -> Iterator[ModelServer]:
    """A server of ``Perceptron(0)``."""
    with serve_tarball(plain_tarball) as started:
        yield started


@pytest.fixture(scope="module")
def victims(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ModelServer]]:
    """Servers of ``Perceptron(1)`` with a noisy script, by which part of them will be killed; started side by side."""
    tarball = Perceptron(1).tarball(tmp_path_factory.mktemp("victims") / "model.tar.gz", noisy=NOISY)
    contexts = {part: serve_tarball(tarball) for part in ("worker", "java", "supervisor")}
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        yield dict(zip(contexts, pool.map(stack.enter_context, contexts.values()), strict=True))


@dataclass(frozen=True)
class Failure:
    """How a server did not start."""

    message: str
    folder: Path


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Failure]:
    """What became of servers with each broken script, started side by side."""
    folder = tmp_path_factory.mktemp("broken")

    def start(name: str) -> Failure:
        model_server = ModelServer(
            {"SAGEMAKER_PROGRAM": f"{name}.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
        )
        for member, content in Perceptron().files().items():
            (model_server.model_dir / member).write_bytes(content)
        (model_server.model_dir / "code").mkdir()
        (model_server.model_dir / "code" / f"{name}.py").write_text(BROKEN[name], encoding="utf-8")
        try:
            model_server.start()
        except ServingError as error:
            return Failure(str(error), model_server.folder)
        model_server.stop()
        raise AssertionError(f"{name}: expected that it does not start, in {folder}")

    with ThreadPoolExecutor() as pool:
        return dict(zip(BROKEN, pool.map(start, BROKEN), strict=True))


@pytest.mark.serving
@pytest.mark.parametrize("content_type", BODIES)
def test_predictions_equal_numpys_forward_pass(server: ModelServer, content_type: str) -> None:
    """AWS's stack computes the model that was packed, whichever way the images are sent."""
    answer = server.invoke(BODIES[content_type](IMAGES), content_type)
    assert (answer.status, answer.content_type) == (200, "application/json")
    np.testing.assert_allclose(json.loads(answer.body), Perceptron().probabilities(IMAGES), atol=1e-5)


@pytest.mark.serving
def test_the_comparison_with_numpy_can_fail(server: ModelServer) -> None:
    """The control: another model's forward pass does not agree."""
    assert answers(server, Perceptron(0))
    assert not answers(server, Perceptron(1))


@pytest.mark.serving
def test_junk_is_answered_with_the_containers_traceback(server: ModelServer) -> None:
    """A body that is not JSON gives status 500 and says why."""
    answer = server.invoke(JUNK, "application/json")
    assert answer.status == 500
    assert b"Expecting property name" in answer.body
    assert b"Traceback (most recent call last):" in answer.body


@pytest.mark.serving
def test_an_unknown_content_type_is_refused(server: ModelServer) -> None:
    """The container's own words name the type."""
    answer = server.invoke(b"<html>", "text/html")
    assert answer.status == 500
    assert b"Content type text/html is not supported" in answer.body


@pytest.mark.serving
def test_errors_do_not_end_the_server(server: ModelServer) -> None:
    """After junk the next good request is answered."""
    server.invoke(JUNK, "application/json")
    assert server.is_running()
    assert answers(server, Perceptron())


@pytest.mark.serving
def test_a_server_that_is_too_slow_is_an_error(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer in the time given is told as such, with the server said to be running."""
    with socket.socket() as silent:  # where nobody answers, however quick this machine is
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setattr(server, "port", silent.getsockname()[1])
        with pytest.raises(ServingError, match=r"expected an answer within 0\.05 s, found .*; the server is running"):
            server.invoke(as_json(IMAGES), "application/json", seconds=0.05)


@pytest.mark.serving
def test_a_port_in_use_is_refused(server: ModelServer) -> None:
    """A second server on the first one's port is refused before anything is started."""
    with pytest.raises(ServingError, match=rf"port {server.port} on 127.0.0.1 is in use; choose another one"):
        ModelServer(port=server.port)


@pytest.mark.serving
def test_every_listening_socket_is_on_loopback(server: ModelServer, session_mark: str) -> None:
    """Neither the server nor its workers can be reached from another machine."""
    found = {process: listening(process.pid) for process in processes_of(server, session_mark)}
    [java] = [process for process in found if process.is_java]
    assert len(found[java]) == 2  # inference and management
    assert {address for addresses in found.values() for address in addresses} <= LOOPBACK


@pytest.mark.serving
def test_nothing_of_the_users_environment_is_in_the_processes(server: ModelServer, session_mark: str) -> None:
    """What the kernel says of every process of the server: no variable of ours but the mark got through."""
    inherited = {"PYTEST_CURRENT_TEST", "SHELL", "USER", "PWD"}
    for process in processes_of(server, session_mark):
        lines = Path(f"/proc/{process.pid}/environ").read_bytes().decode().split("\0")
        names = {line.partition("=")[0] for line in lines}
        assert not names & inherited, process
        assert {name for name in names if name.startswith("AWS_")} == {"AWS_DEFAULT_REGION"}, process


@pytest.mark.parametrize("port", [0, -1, 32768, 40000, 65536])
def test_a_port_that_the_server_cannot_have_is_refused(port: int) -> None:
    """The server reads ports as signed 16-bit numbers; the message gives the range and the port."""
    with pytest.raises(ServingError, match=rf"port: expected 1 to 32767, .*, found {port}$"):
        ModelServer(port=port)


def test_a_server_that_never_started_can_be_stopped() -> None:
    """Stopping it deletes its folder, twice is fine, and asking it says that it has ended."""
    server = ModelServer()
    assert server.model_dir.is_dir()
    server.stop()
    server.stop()
    assert not server.folder.exists()
    assert not server.is_running()
    assert server.log() == ""
    with pytest.raises(ServingError, match="the server has ended"):
        server.invoke(b"", "application/json")


def test_a_broken_tarball_is_not_served(tmp_path: Path) -> None:
    """A tarball is verified before a server is started on it."""
    (tmp_path / "model.tar.gz").write_bytes(b"not a tarball")
    with pytest.raises(ArtifactError, match="not-gzip"), serve_tarball(tmp_path / "model.tar.gz"):
        pass


def test_several_scripts_need_a_choice(tmp_path: Path) -> None:
    """With two scripts the message lists them and says how to choose; nothing is started."""
    tarball = Perceptron().tarball(tmp_path / "model.tar.gz", one="", two="")
    expected = r"expected one script in code/, found one\.py, two\.py; choose one with --entry-point NAME"
    with pytest.raises(ServingError, match=expected), serve_tarball(tarball):
        pass


def test_a_script_that_is_nowhere_is_refused(tmp_path: Path) -> None:
    """An entry point that is neither a file nor in the tarball is named, with those that there are."""
    tarball = Perceptron().tarball(tmp_path / "model.tar.gz", one="")
    expected = r"entry point no\.py: expected a file, or one of .* \(one\.py\), found neither"
    with pytest.raises(ServingError, match=expected), serve_tarball(tarball, entry_point=Path("no.py")):
        pass


@pytest.mark.serving
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("raises", "RuntimeError: the café is closed"),
        ("nonsense", "ValueError: Unsupported model type: int."),
        ("exits", "the model's process ended"),
        ("second", "ValueError: Cannot use transform_fn implementation in conjunction with input_fn"),
    ],
)
def test_a_model_that_cannot_be_loaded_says_why(failures: dict[str, Failure], name: str, reason: str) -> None:
    """The worker's own exception is the first line of the message, soon, and not after the time limit."""
    message = failures[name].message
    assert message.startswith(f"the model cannot be loaded: {reason}")
    if name != "exits":
        assert "Traceback (most recent call last):" in message


@pytest.mark.serving
def test_a_chain_of_exceptions_is_told_whole(failures: dict[str, Failure]) -> None:
    """Besides the reason the message holds the cause's traceback, with the line of the script."""
    assert "ModuleNotFoundError: No module named 'no_such_package'" in failures["raises"].message
    assert 'code/raises.py", line 2, in <module>' in failures["raises"].message


@pytest.mark.serving
def test_a_server_that_did_not_start_leaves_nothing(failures: dict[str, Failure], session_mark: str) -> None:
    """Neither its folder nor any of its processes is there any more."""
    for failure in failures.values():
        assert not failure.folder.exists()
        assert [process for process in marked(session_mark) if process.mentions(failure.folder)] == []


@pytest.mark.serving
def test_a_limit_on_starting_is_kept(plain_tarball: Path, session_mark: str) -> None:
    """A server that is not ready in time is ended, with its log in the message."""
    from harness.tarball.extract import extract

    server = ModelServer()
    extract(plain_tarball, server.model_dir)
    with pytest.raises(ServingError, match=r"expected the model server to be ready within 0.2 s, it was not"):
        server.start(0.2)
    assert not server.folder.exists()
    assert processes_of(server, session_mark) == []


@pytest.mark.serving
def test_two_servers_run_side_by_side_and_stop_for_good(server: ModelServer, tmp_path: Path, session_mark: str) -> None:
    """Each answers with its own model; stopping one ends all of it, twice is fine, and the other goes on."""
    tarball = Perceptron(2).tarball(tmp_path / "model.tar.gz", one="", two="raise SystemExit\n")
    port = free_port()
    with ExitStack() as stack:
        second = stack.enter_context(serve_tarball(tarball, port=port, entry_point=Path("one.py")))
        assert second.url == f"http://127.0.0.1:{port}"
        assert answers(server, Perceptron(0))
        assert answers(second, Perceptron(2))
        assert processes_of(second, session_mark)
        second.stop()
        second.stop()
        assert processes_of(second, session_mark) == []
        assert not second.folder.exists()
    assert answers(server, Perceptron(0))


@pytest.mark.serving
def test_a_script_that_logs_tracebacks_is_served(victims: dict[str, ModelServer]) -> None:
    """Tracebacks that a script logs are no failure, nor is a worker that it silences."""
    assert "ZeroDivisionError: division by zero" in victims["java"].log()
    assert answers(victims["java"], Perceptron(1))


@pytest.mark.serving
def test_a_worker_that_is_killed_is_replaced(victims: dict[str, ModelServer], session_mark: str) -> None:
    """Another worker answers; the process that forks them, killed too, takes along the one with the model."""
    victim = victims["worker"]

    def workers() -> dict[int, Process]:
        return {process.pid: process for process in processes_of(victim, session_mark) if process.is_worker}

    before = workers()
    [model] = [pid for pid, process in before.items() if process.parent in before]
    [parent] = before.keys() - {model}
    os.kill(model, signal.SIGKILL)
    assert wait_for(lambda: model not in workers() and len(workers()) == 2, 60)
    assert wait_for(lambda: answers(victim, Perceptron(1)), 60)

    before = workers()
    os.kill(parent, signal.SIGKILL)
    assert wait_for(lambda: not before.keys() & workers().keys(), 15)
    victim.stop()
    assert processes_of(victim, session_mark) == []


@pytest.mark.serving
def test_a_server_whose_java_is_killed_has_ended(victims: dict[str, ModelServer], session_mark: str) -> None:
    """Asking it says so, none of its workers is left, and stopping it deletes its folder."""
    victim = victims["java"]
    [java] = [process for process in processes_of(victim, session_mark) if process.is_java]
    os.kill(java.pid, signal.SIGKILL)
    assert wait_for(lambda: not processes_of(victim, session_mark), 15)
    assert wait_for(lambda: not victim.is_running(), 15)
    with pytest.raises(ServingError, match=rf"model server at {victim.url}: .*; the server has ended"):
        victim.invoke(as_json(IMAGES), "application/json")
    victim.stop()
    assert not victim.folder.exists()


@pytest.mark.serving
def test_a_server_whose_supervisor_is_killed_has_ended(victims: dict[str, ModelServer], session_mark: str) -> None:
    """The kernel ends the server with its supervisor, and the workers notice."""
    victim = victims["supervisor"]
    [supervisor] = [process for process in processes_of(victim, session_mark) if process.is_supervisor]
    os.kill(supervisor.pid, signal.SIGKILL)
    assert wait_for(lambda: not processes_of(victim, session_mark), 15)
    assert not victim.is_running()
    victim.stop()
    assert not victim.folder.exists()
