"""How training tells what it is doing: a bar on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from harness.experiment import Trial
    from harness.result import Epoch

Report = Callable[[Sequence["Epoch"]], None]
Uncaptured = Callable[[], AbstractContextManager[None]]
"""Opens a moment in which the terminal can be written to: pytest captures output otherwise."""


class Progress(Protocol):
    """Follows trials."""

    def following(self, trials: Sequence[Trial], images: int) -> AbstractContextManager[Report]:
        """A context around the training of trials, together, on ``images`` images each.

        What it gives is called with every finished epoch: one `Epoch` for each trial that is still being trained.
        """

    def say(self, line: str) -> None:
        """Tell what does not belong to an epoch."""


class Silent:
    """Says nothing."""

    @contextmanager
    def following(self, trials: Sequence[Trial], images: int) -> Iterator[Report]:
        """See `Progress.following`."""
        del trials, images
        yield lambda _epochs: None

    def say(self, line: str) -> None:
        """See `Progress.say`."""


class Bar:
    """A tqdm bar, gone when the training is done: it leaves no line in the log of a passing run."""

    def __init__(self, stream: TextIO = sys.stderr, uncaptured: Uncaptured = nullcontext) -> None:
        self._stream, self._uncaptured = stream, uncaptured

    @contextmanager
    def following(self, trials: Sequence[Trial], images: int) -> Iterator[Report]:
        """See `Progress.following`."""
        from tqdm import tqdm

        with self._uncaptured():
            bar = tqdm(
                total=trials[0].epochs,
                desc=_title(trials),
                bar_format="{desc} epoch {n_fmt}/{total_fmt}{postfix} {bar}",  # figures first: terminals are narrow
                file=self._stream,
                leave=False,
                dynamic_ncols=True,
                mininterval=0,
                miniters=1,
            )

        def report(epochs: Sequence[Epoch]) -> None:
            with self._uncaptured():
                bar.set_postfix_str(_figures(epochs, images), refresh=False)
                bar.update()

        try:
            yield report
        finally:
            with self._uncaptured():
                bar.close()

    def say(self, line: str) -> None:
        """See `Progress.say`."""
        with self._uncaptured():
            print(line, file=self._stream, flush=True)


class Lines:
    """A line per epoch, but no more than one in ``seconds`` seconds, and always one for the last."""

    def __init__(self, stream: TextIO = sys.stderr, uncaptured: Uncaptured = nullcontext, seconds: float = 5.0) -> None:
        self._stream, self._uncaptured, self._seconds = stream, uncaptured, seconds
        self._last = float("-inf")

    @contextmanager
    def following(self, trials: Sequence[Trial], images: int) -> Iterator[Report]:
        """See `Progress.following`."""

        def report(epochs: Sequence[Epoch]) -> None:
            now, number, last = time.monotonic(), epochs[0].number, trials[0].epochs
            if number < last and now - self._last < self._seconds:
                return
            self._last = now
            with self._uncaptured():
                print(
                    f"{_title(trials)} epoch {number}/{last}: {_figures(epochs, images)}",
                    file=self._stream,
                    flush=True,
                )

        yield report

    def say(self, line: str) -> None:
        """See `Progress.say`."""
        with self._uncaptured():
            print(line, file=self._stream, flush=True)


def _title(trials: Sequence[Trial]) -> str:
    first = trials[0]
    return str(first) if len(trials) == 1 else f"{first.experiment.name}[{len(trials)} trials at once]"


def _figures(epochs: Sequence[Epoch], images: int) -> str:
    least, most = (choose(epoch.validation_accuracy for epoch in epochs) for choose in (min, max))
    accuracy = f"{most:.4f}" if least == most else f"{least:.4f} to {most:.4f}"
    return f"accuracy {accuracy}, {images * len(epochs) / sum(epoch.seconds for epoch in epochs):,.0f} samples/s"
