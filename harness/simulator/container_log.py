"""Reading the model server's log: has a worker loaded the model, and if not, why."""

from __future__ import annotations

import re

LOADED = "Model model loaded io_fd="
"""What the worker logs when it is done loading (``mms/model_service_worker.py``, ``load_model``). Neither ``/ping`` nor
the management API will do: both report a worker as ready as soon as its process runs."""

_DIED = "Backend worker process died"
_TRACEBACK = "Traceback (most recent call last):"
_LINE = re.compile(r"^\S+ \[\w+\] com\.amazonaws\.ml\.mms\.wlm\.WorkerLifeCycle - (?P<text>.*)$")
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?:: .*)?$")
_TAIL = 40


def worker_lines(log: str) -> list[str]:
    """What the model's own process printed, without the server's prefixes."""
    return [match["text"] for match in map(_LINE.match, log.splitlines()) if match]


def has_loaded(log: str) -> bool:
    """Whether a worker says that it loaded the model; see also `load_failure`."""
    return any(line.startswith(LOADED) for line in worker_lines(log))


def has_died(log: str) -> bool:
    """Whether a worker gave up. The server starts another for ever, with growing pauses, while requests hang."""
    return any(line.startswith(_DIED) for line in worker_lines(log))


def load_failure(log: str) -> str:
    """The traceback that a worker printed before it said it was done loading, or "".

    The server's loader catches what the handler's ``initialize`` raises, logs it, and reports the model as loaded
    (``mms/model_loader.py``, ``MmsModelLoader.load``): every prediction would then answer 503.
    """
    lines = worker_lines(log)
    end = next((i for i, line in enumerate(lines) if line.startswith(LOADED)), len(lines))
    start = next((i for i, line in enumerate(lines[:end]) if line == _TRACEBACK), None)
    return "" if start is None else "\n".join(lines[start:end])


def reason(traceback: str) -> str:
    """The exception's own line in a traceback, such as ``ImportError: no module named x``."""
    found = [line for line in traceback.splitlines() if _EXCEPTION.match(line) and line != _TRACEBACK]
    return found[-1] if found else traceback.strip().rpartition("\n")[2]


def tail(log: str, lines: int = _TAIL) -> str:
    """The last lines of a log."""
    return "\n".join(log.splitlines()[-lines:])
