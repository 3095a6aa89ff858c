"""The parent's side of a `benchmarks.worker`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contenders import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.workload import Workload

_ROOT = Path(__file__).parent.parent
_LAST_LINES = 15


class FailedError(Exception):
    """A contender broke, in a way that is no lack of the machine; says how."""


class Worker:
    """A contender in a process of its own."""

    def __init__(self, name: str, process: subprocess.Popen[str], log: Path) -> None:
        """Wait until it has loaded its libraries.

        Raises:
            UnavailableError: it says what the machine lacks.
            FailedError: it ended.
        """
        self._name, self._process, self._log = name, process, log
        hello = self._read()
        if "unavailable" in hello:
            raise UnavailableError(hello["unavailable"])
        self.loading_seconds: float = hello["loading_seconds"]
        self.notes: dict[str, Any] = hello["notes"]
        self.versions: dict[str, str] = hello["versions"]
        self.libraries: list[str] = []

    def ask(self, do: str, workload: Workload) -> dict[str, Any]:
        """``train`` or ``memory``; the answer is `benchmarks.worker`'s.

        Raises:
            FailedError: the contender raised, or its process ended.
        """
        assert self._process.stdin is not None
        print(
            json.dumps({"do": do, "trials": workload.trials, "epochs": workload.epochs}),
            file=self._process.stdin,
            flush=True,
        )
        answer = self._read()
        if "error" in answer:
            raise FailedError(f"{answer['error']}\n{self._tail()}")
        self.libraries = answer.get("libraries", self.libraries)
        return answer

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise FailedError(f"its process ended with status {self._process.wait()}\n{self._tail()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-_LAST_LINES:])


@contextmanager
def worker(name: str, folder: Path, device: str, kept: Path) -> Iterator[Worker]:
    """A running worker; it ends with its input.

    Args:
        name: of the contender.
        folder: where the data are, and where its log goes.
        device: ``cpu`` or ``gpu``.
        kept: where it keeps compiled programs: empty for a cold start.
    """
    log = folder / f"{name}-{kept.name}.log"
    with log.open("a") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", name, str(folder), device],
            cwd=_ROOT,
            env=_environment(device, kept),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        with process:
            try:
                yield Worker(name, process, log)
            finally:
                process.stdin and process.stdin.close()
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()


def _environment(device: str, kept: Path) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    environment |= {"BYOM_CACHE_DIR": str(kept), "TORCHINDUCTOR_CACHE_DIR": str(kept / "inductor")}
    # Several of JAX's processes have one GPU: each takes what it needs, not most of it.
    return environment | ({"XLA_PYTHON_CLIENT_PREALLOCATE": "false"} if device == "gpu" else {"JAX_PLATFORMS": "cpu"})
