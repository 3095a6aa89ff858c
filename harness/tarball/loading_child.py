"""Loads models for `loading.Loader`: a script of its own, so that whatever a file does to MXNet, it does it here.

It imports MXNet once and forks for every model: a model that crashes its process, fills it or hangs is one answer, and
the next model finds a fresh process. A request is a line of JSON on standard input, ``{"folder", "seconds",
"memory"}``; so is the answer on standard output: ``{"outcome": "loaded" | "refused" | "not-finite" | "too-large" |
"crashed" | "hung", "detail"}``.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PR_SET_PDEATHSIG = 1
DETAIL = 2000
"""Letters of an error that are passed on."""

Noise = Callable[[tuple[int, ...]], Any]

_ALLOCATION = ("Failed to allocate CPU Memory", "bad_alloc")
"""How MXNet says that there is no more memory."""

_SCARCE = "more than it may have here"


def main() -> None:
    """Answer until standard input ends."""
    aws = _handlers()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_answer(aws, json.loads(line))) + "\n")
        sys.stdout.flush()


def _handlers() -> Any:
    """AWS's own, as its container runs them, and its MXNet with them."""
    vars(np)["bool"] = bool  # MXNet 1.9.1 reads it, numpy 1.24 dropped it; this process has no other use for numpy
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sagemaker_mxnet_serving_container import default_inference_handler
    return default_inference_handler


def _answer(aws: Any, request: dict[str, Any]) -> dict[str, str]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            _confine(request["seconds"], request["memory"])
            answer = _load(aws, Path(request["folder"]))
            os.write(writing, json.dumps(answer).encode())
        finally:
            os._exit(0)
    os.close(writing)
    try:
        return _wait(child, reading, request["seconds"])
    finally:
        os.close(reading)


def _confine(seconds: float, memory: int) -> None:
    """Bounds for a process that reads a file which nobody vouches for."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for kind, limit in (
        (resource.RLIMIT_AS, mapped + memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, int(seconds) + 1),
        (resource.RLIMIT_FSIZE, 0),
    ):
        with contextlib.suppress(ValueError):  # a lower limit stands already
            resource.setrlimit(kind, (limit, limit))


def _load(aws: Any, folder: Path) -> dict[str, str]:
    """Bind the model as ``default_model_fn`` does, and predict for noise of one kind after the other until it can."""
    draw = np.random.default_rng(0)
    noises: tuple[Noise, ...] = (
        draw.random,  # pictures
        draw.standard_normal,  # what was normalized
        lambda shape: draw.integers(1, 256, shape).astype(np.float32),  # bytes, indices, lengths
    )
    try:
        model = aws.DefaultModuleInferenceHandler().default_model_fn(str(folder))
        finite = any(_predicts_finite(aws.mx, model, noise) for noise in noises)
    except MemoryError:
        return {"outcome": "too-large", "detail": _SCARCE}
    except Exception as error:  # noqa: BLE001 - whatever MXNet, numpy and json raise, the container would end with it
        if any(words in str(error) for words in _ALLOCATION):
            return {"outcome": "too-large", "detail": _SCARCE}
        return {"outcome": "refused", "detail": f"{type(error).__name__}: {error}"[:DETAIL]}
    return {"outcome": "loaded" if finite else "not-finite", "detail": ""}


def _predicts_finite(mx: Any, model: Any, noise: Noise) -> bool:
    data = [mx.nd.array(noise(tuple(description.shape))) for description in model.data_shapes]
    model.forward(mx.io.DataBatch(data), is_train=False)
    return all(np.isfinite(output.asnumpy()).all() for output in model.get_outputs())


def _wait(child: int, reading: int, seconds: float) -> dict[str, str]:
    """The child's answer, or how it ended without one."""
    watch = os.pidfd_open(child)
    try:
        # While an answer is due nobody asks: standard input is ready only when whoever asked is gone.
        ready, _, _ = select.select([watch, sys.stdin], [], [], seconds)
        ended = watch in ready
        if not ended:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    finally:
        os.close(watch)
    answer = os.read(reading, 1 << 16)  # the child is gone: this is all of it, or nothing
    if answer:
        result: dict[str, str] = json.loads(answer)
        return result
    if not ended or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU):
        return {"outcome": "hung", "detail": f"no answer within {seconds:g} s"}
    if os.WIFSIGNALED(status):
        return {"outcome": "crashed", "detail": signal.Signals(os.WTERMSIG(status)).name}
    return {"outcome": "crashed", "detail": f"exit status {os.waitstatus_to_exitcode(status)}"}


if __name__ == "__main__":
    main()
