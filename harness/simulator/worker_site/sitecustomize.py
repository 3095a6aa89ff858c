"""Runs first in every Python worker of the model server: first on its ``PYTHONPATH``, the interpreter imports it.

Two things that AWS's image has and this machine lacks: a numpy that still has ``numpy.bool``, which MXNet 1.9.1 reads
while it is imported, and a container whose end is the end of every process in it.
"""

import os
import select
import threading

import numpy as np

if "bool" not in vars(np):
    vars(np)["bool"] = bool

_watched: list[int] = []


def _watch(process: int) -> None:
    """End this process when another one ends, be it by SIGKILL."""
    try:
        _watched.append(os.pidfd_open(process))
    except OSError:  # it is gone already
        os._exit(1)


def _start_watching() -> None:
    def wait() -> None:
        poll = select.poll()
        for descriptor in _watched:
            poll.register(descriptor, select.POLLIN)
        poll.poll()
        os._exit(1)

    threading.Thread(target=wait, name="byom-watch", daemon=True).start()


def _in_forked_child() -> None:
    # The server's worker forks the process that holds the model; threads do not survive a fork.
    _watch(os.getppid())
    _start_watching()


_watch(os.getppid())  # the model server
_start_watching()
os.register_at_fork(after_in_child=_in_forked_child)
