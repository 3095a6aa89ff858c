"""Whether AWS's handler can load a model and predict with it, tried in a process apart.

What a graph and its parameters do to MXNet cannot all be told from their text. MXNet's reader and its operators are C++
that trusts its input: a wrong file can crash the process or fill its memory. So the model is loaded by AWS's own
``DefaultModuleInferenceHandler.default_model_fn`` (sagemaker-mxnet-inference 1.5.5), in a process that may crash.
Nothing of the tarball's ``code/`` is run.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from harness.artifact import MODEL_FILES, Problem
from harness.errors import ArtifactError
from harness.tarball.member import printable

if TYPE_CHECKING:
    from types import TracebackType

SECONDS = 60.0
"""For one model. AWS gives a container minutes; a model of 100 MB takes one second."""

STARTING_SECONDS = 120.0
"""For the process, which imports MXNet."""

SPARE_MEMORY = 8 << 30
"""Bytes for MXNet's work and for what the layers hold, besides four times the parameters: half of an ml.m4.xlarge."""

_CHILD = Path(__file__).with_name("loading_child.py")
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MXNET_CPU_WORKER_NTHREADS": "1", "MXNET_SUBGRAPH_VERBOSE": "0"}

_OUTCOMES = {
    "refused": ("load-error", "expected AWS's handler to load the model, found"),
    "not-finite": (
        "not-finite-output",
        "expected finite predictions for noise from 0 to 1, or normal, or from 1 to 256, found NaN or infinite ones",
    ),
    "too-large": (
        "load-memory",
        "expected the model to load and to predict within bounded memory, found that it needs",
    ),
    "crashed": ("load-crash", "expected AWS's handler to load the model, found that MXNet crashed:"),
    "hung": ("load-timeout", "expected AWS's handler to load the model, found"),
}
_REMEDIES = {
    "refused": "mend what MXNet names; if it is not the model's own fault, save symbol, parameters and shapes together",
    "not-finite": "look for parameters that are far too large, and for what the model takes besides such inputs",
    "too-large": "look for shapes that are far too large; if they are meant, choose an instance with more memory",
    "crashed": "do not deploy this file; write symbol and parameters anew with MXNet's save_checkpoint",
    "hung": "look for layers or shapes that are far too large",
}


class Loader:
    """A process with MXNet in it that tries models, one after the other; a context.

    Starting it costs an import of MXNet, two seconds; each model then costs what loading it takes.
    """

    def __init__(self, *, seconds: float = SECONDS, memory: int = SPARE_MEMORY) -> None:
        self._seconds, self._memory = seconds, memory
        self._process: subprocess.Popen[str] | None = None
        self._complaints: Any = None

    def __enter__(self) -> Self:
        """Start the process; `problems` waits until it is ready."""
        self._complaints = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", str(_CHILD)],  # -P: the room's modules have names of their own
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            env={**os.environ, **_ENVIRONMENT},
            start_new_session=True,  # Ctrl-C is for whoever waits for the answer
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process, and a model that it is loading."""
        process = self._running()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        self._complaints.close()
        self._process = None

    def problems(self, folder: Path) -> list[Problem]:
        """Why the model in a folder, unpacked as under ``/opt/ml/model``, cannot predict; [] if it can.

        Raises:
            ArtifactError: AWS's handler cannot be started here, so nothing was tried.
        """
        size = sum((folder / name).stat().st_size for name in MODEL_FILES)
        request = {"folder": str(folder), "seconds": self._seconds, "memory": self._memory + 4 * size}
        answer = self._ask(request)
        if answer["outcome"] == "loaded":
            return []
        code, expected = _OUTCOMES[answer["outcome"]]
        found = f"{expected} {printable(_telling(answer['detail']))}".rstrip()
        return [Problem(code, "", found, _REMEDIES[answer["outcome"]])]

    def _ask(self, request: dict[str, Any]) -> dict[str, str]:
        process = self._running()
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass  # it ended: its last words tell why
        ready, _, _ = select.select([process.stdout], [], [], STARTING_SECONDS + self._seconds)
        if ready and (line := process.stdout.readline()):
            answer: dict[str, str] = json.loads(line)
            return answer
        self._complaints.seek(0)
        last = self._complaints.read().decode(errors="replace").strip().rpartition("\n")[2] or "it says nothing"
        raise ArtifactError(
            f"expected to load models with AWS's handler, found that it does not start: {printable(last)}; "
            f"install it with: pip install 'byom-harness[simulator]'"
        )

    def _running(self) -> Any:
        if self._process is None:
            raise ArtifactError("expected a Loader inside a with statement, found none running")
        return self._process


def _telling(detail: str) -> str:
    """What is wrong, out of MXNet's error: from the last line that begins so, without the stack that follows."""
    lines = [line.strip() for line in detail.partition("Stack trace:")[0].splitlines() if line.strip()]
    errors = [at for at, line in enumerate(lines) if line.startswith("MXNetError: ")]
    return " ".join(lines[errors[-1] :] if errors else lines)[:400]
