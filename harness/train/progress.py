"""How training tells what it is doing: a bar on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from harness.experiment import Trial
    from harness.result import Epoch

Report = Callable[["Epoch"], None]
Uncaptured = Callable[[], AbstractContextManager[None]]
"""Opens a moment in which the terminal can be written to: pytest captures output otherwise."""


class Progress(Protocol):
    """Follows trials."""

    def trial(self, trial: Trial, images: int) -> AbstractContextManager[Report]:
        """A context around one trial's training; what it gives is called with each finished epoch."""


class Silent:
    """Says nothing."""

    @contextmanager
    def trial(self, trial: Trial, images: int) -> Iterator[Report]:
        """See `Progress.trial`."""
        del trial, images
        yield lambda _epoch: None


class Bar:
    """A tqdm bar per trial, gone when the trial is done: it leaves no line in the log of a passing run."""

    def __init__(self, stream: TextIO = sys.stderr, uncaptured: Uncaptured = nullcontext) -> None:
        self._stream, self._uncaptured = stream, uncaptured

    @contextmanager
    def trial(self, trial: Trial, images: int) -> Iterator[Report]:
        """See `Progress.trial`."""
        from tqdm import tqdm

        with self._uncaptured():
            bar = tqdm(
                total=trial.epochs,
                desc=str(trial),
                bar_format="{desc} epoch {n_fmt}/{total_fmt}{postfix} {bar}",  # figures first: terminals are narrow
                file=self._stream,
                leave=False,
                dynamic_ncols=True,
                mininterval=0,
                miniters=1,
            )

        def report(epoch: Epoch) -> None:
            with self._uncaptured():
                bar.set_postfix_str(_figures(epoch, images), refresh=False)
                bar.update()

        try:
            yield report
        finally:
            with self._uncaptured():
                bar.close()


class Lines:
    """A line per epoch, but no more than one in ``seconds`` seconds, and always one for the last."""

    def __init__(self, stream: TextIO = sys.stderr, uncaptured: Uncaptured = nullcontext, seconds: float = 5.0) -> None:
        self._stream, self._uncaptured, self._seconds = stream, uncaptured, seconds
        self._last = float("-inf")

    @contextmanager
    def trial(self, trial: Trial, images: int) -> Iterator[Report]:
        """See `Progress.trial`."""

        def report(epoch: Epoch) -> None:
            now = time.monotonic()
            if epoch.number < trial.epochs and now - self._last < self._seconds:
                return
            self._last = now
            with self._uncaptured():
                print(
                    f"{trial} epoch {epoch.number}/{trial.epochs}: {_figures(epoch, images)}",
                    file=self._stream,
                    flush=True,
                )

        yield report


def _figures(epoch: Epoch, images: int) -> str:
    return f"accuracy {epoch.validation_accuracy:.4f}, {images / epoch.seconds:,.0f} samples/s"
