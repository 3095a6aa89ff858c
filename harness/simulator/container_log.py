"""Reading the model server's log: has a worker loaded the model, and if not, why."""

from __future__ import annotations

import re

LOADED = "Model model loaded io_fd="
"""What the worker logs when it is done loading (``mms/model_service_worker.py``, ``load_model``). Neither ``/ping`` nor
the management API will do: both report a worker as ready as soon as its process runs."""

_ANSWERED = "com.amazonaws.ml.mms.wlm.WorkerThread - Backend response time: "
"""What the server logs at each answer of a worker, the first of which is to its request to load the model."""

_DIED = "Backend worker process died"
_DISCONNECTED = "com.amazonaws.ml.mms.wlm.BatchAggregator - Load model failed: "
_TRACEBACK = "Traceback (most recent call last):"
_LOADER = re.compile(r'  File ".*/mms/model_loader\.py", line \d+, in load$')
_LINE = re.compile(r"^\S+ \[\w+\] com\.amazonaws\.ml\.mms\.wlm\.WorkerLifeCycle - (?P<text>.*)$")
_ATTACHED = "attachIOStreams() threadName="
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?:: .*)?$")
_TAIL = 40


def worker_lines(log: str) -> list[str]:
    """What the model's own process printed, without the server's prefixes."""
    lines = [match["text"] for match in map(_LINE.match, log.splitlines()) if match]
    return [line for line in lines if not line.startswith(_ATTACHED)]  # the server's own, under the same name


def has_loaded(log: str) -> bool:
    """Whether a worker says that it is done loading; see also `load_failure`."""
    return any(line.startswith(LOADED) for line in worker_lines(log))


def has_answered(log: str) -> bool:
    """Whether the server says so: all there is to see if the script turned logging down in its process.

    The server reads what the worker printed in another thread, so this may come before it.
    """
    return _ANSWERED in log


def has_died(log: str) -> bool:
    """Whether a worker gave up. The server starts another for ever, with growing pauses, while requests hang."""
    return _DISCONNECTED in log or any(line.startswith(_DIED) for line in worker_lines(log))


def load_failure(log: str) -> str:
    """Everything from the first traceback on that a worker printed before it said it was done loading, if it failed.

    The server's loader catches what the handler's ``initialize`` raises, logs it, and reports the model as loaded
    (``mms/model_loader.py``, ``MmsModelLoader.load``): every prediction would then answer 503. A traceback that
    does not begin there was logged by the script, which went on.
    """
    lines = worker_lines(log)
    end = next((i for i, line in enumerate(lines) if line.startswith(LOADED)), len(lines))
    starts = [i for i, line in enumerate(lines[:end]) if line == _TRACEBACK]
    failed = has_died(log) or any(_LOADER.match(line) for i in starts for line in lines[i + 1 : i + 2])
    return "\n".join(lines[starts[0] : end]) if starts and failed else ""


def reason(traceback: str) -> str:
    """The exception's own line in a traceback, such as ``ImportError: no module named x``.

    MXNet's own errors quote the traceback of its engine; then it is the line after that one.
    """
    lines = traceback.splitlines()
    start = max((i for i, line in enumerate(lines) if line.endswith(_TRACEBACK)), default=-1) + 1
    found = [line for line in lines[start:] if _EXCEPTION.match(line)]
    return found[0] if found else traceback.strip().rpartition("\n")[2]


def tail(log: str, lines: int = _TAIL) -> str:
    """The last lines of a log."""
    return "\n".join(log.splitlines()[-lines:])
