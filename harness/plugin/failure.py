"""How an error of the harness looks in pytest's output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from _pytest._code.code import ReprFileLocation, TerminalRepr

if TYPE_CHECKING:
    import pytest
    from _pytest._io import TerminalWriter


class Brief(TerminalRepr):
    """The message, in the colour of a failure, and where in the user's code it surfaced."""

    def __init__(self, message: str, reprcrash: ReprFileLocation) -> None:
        self._message = message
        self.reprcrash = reprcrash

    @classmethod
    def of(cls, item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException]) -> Brief:
        """For an error that ended one phase of a test."""
        path, line = str(item.path), (item.reportinfo()[1] or 0) + 1
        for entry in excinfo.traceback:
            if entry.path == item.path:
                line = entry.lineno + 1
        message = f"{type(excinfo.value).__name__}: {excinfo.value}"
        return cls(message, ReprFileLocation(path, line, message.splitlines()[0]))

    def toterminal(self, tw: TerminalWriter) -> None:
        """Write it."""
        for line in self._message.splitlines():
            tw.line(f"E   {line}", red=True, bold=True)
        tw.line("(--full-trace shows where it was raised)")
        self.reprcrash.toterminal(tw)
