"""How a command ends: interrupted, or with one message and an exit status."""

from __future__ import annotations

import signal
from typing import NoReturn

import typer

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def end_on_signals() -> None:
    """From now on Ctrl-C and SIGTERM both raise KeyboardInterrupt, once: what was started is then ended in order."""
    for number in _SIGNALS:
        signal.signal(number, _interrupt)


def fail(message: str, *, status: int = 1) -> NoReturn:
    """Say why, and leave with an exit status."""
    typer.echo(f"byom: {message}", err=True)
    raise typer.Exit(status)


def _interrupt(*_: object) -> NoReturn:
    # Whatever was started is on its way out from here on; a second Ctrl-C must not keep it from getting there.
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
