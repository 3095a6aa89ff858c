"""On a terminal, training shows a bar that is gone when it is done."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

from tiny_experiment import EXPERIMENT, PASSES, SETTING, write

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def on_a_terminal(folder: Path, *arguments: str) -> str:
    """What ``pytest ARGUMENTS`` writes to a terminal of 30 rows and 80 columns, control characters and all."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 80, 0, 0))
    command = [sys.executable, "-m", "pytest", *arguments]
    with subprocess.Popen(command, cwd=folder, stdin=slave, stdout=slave, stderr=slave):
        os.close(slave)
        seen = bytearray()
        with contextlib.suppress(OSError):  # EIO: the last process has closed its end
            while chunk := os.read(master, 65536):
                seen += chunk
    os.close(master)
    return seen.decode()


def test_training_shows_a_bar_and_leaves_the_results_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Epoch, accuracy and speed move along one line, which is wiped; the log of the passing run has no line of it."""
    monkeypatch.setenv("BYOM_CACHE_DIR", str(tmp_path / "cache"))  # or another test's models need no training
    seen = on_a_terminal(write(tmp_path, test_bar=EXPERIMENT + SETTING + PASSES), "-m", "local")
    assert re.search(r"bar\[learning_rate=0\.2,seed=1\] epoch 3/3, accuracy 0\.\d{4}, [\d,]+ samples/s ", seen)
    left = [line.rpartition("\r")[2] for line in seen.replace("\r\n", "\n").split("\n")]
    assert not [line for line in left if "samples/s" in line]
    assert "1 passed" in seen
