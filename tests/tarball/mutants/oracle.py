"""What AWS's handler itself makes of a tarball: the judge that `verify` is held against, and shares no code with it.

A process apart imports MXNet and the handler once, forks for every model, and asks it as the model server would:
``default_model_fn``, ``default_input_fn`` with a body of JSON, ``default_predict_fn``.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import IO, Any, Self

SECONDS = 20
MEMORY = 4 << 30


class Oracle:
    """A context; `ask` gives "" for a model that predicts finite values, else what happened instead."""

    def __enter__(self) -> Self:
        """Start the process."""
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "MXNET_CPU_WORKER_NTHREADS": "1"},
        )
        return self

    def __exit__(self, *reason: object) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()

    def ask(self, folder: Path) -> str:
        """Serve the model in a folder."""
        reading, writing = _pipe(self._process)
        writing.write(f"{json.dumps(str(folder))}\n")
        writing.flush()
        answer: str = json.loads(reading.readline())
        return answer


def _pipe(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdout is not None
    assert process.stdin is not None
    return process.stdout, process.stdin


def main() -> None:
    """Answer in the process apart."""
    import numpy as np

    vars(np)["bool"] = bool  # MXNet 1.9.1 reads it, numpy 1.24 dropped it
    from sagemaker_mxnet_serving_container.default_inference_handler import DefaultModuleInferenceHandler

    for line in sys.stdin:
        print(json.dumps(_apart(DefaultModuleInferenceHandler(), json.loads(line))), flush=True)  # noqa: T201


def _apart(handler: Any, folder: str) -> str:
    """The answer of a forked process, or how it died."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with contextlib.suppress(BaseException):
            os.write(writing, _serve(handler, folder).encode()[:4000])
        os._exit(0)
    os.close(writing)
    try:
        ready, _, _ = select.select([reading], [], [], SECONDS)
        answer = os.read(reading, 4000).decode(errors="replace") if ready else "hung"
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    return (answer or f"died: {status}").removeprefix("finite")


def _serve(handler: Any, folder: str) -> str:
    import numpy as np

    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, mapped + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        model = handler.default_model_fn(folder)
        [description] = model.data_shapes
        draw, shape = np.random.default_rng(1), tuple(description.shape)
        bodies = (draw.random(shape), draw.standard_normal(shape), draw.integers(1, 256, shape))
        whole = any(_is_finite(handler, model, json.dumps(body.tolist())) for body in bodies)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the answer is that
        return "".join(traceback.format_exception_only(error))[:2000] or "error"
    return "finite" if whole else "not finite"


def _is_finite(handler: Any, model: Any, body: str) -> bool:
    import numpy as np

    outputs = handler.default_predict_fn(handler.default_input_fn(body, "application/json", model), model)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return all(np.isfinite(output.asnumpy()).all() for output in outputs)


if __name__ == "__main__":
    main()
