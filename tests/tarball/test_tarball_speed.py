"""The benchmark of packing and verifying runs; no test looks at how long anything took."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_it_times_a_valid_model(tmp_path: Path) -> None:
    """One round is enough to see that the model is valid, for AWS's handler too, and what is written down."""
    command = [sys.executable, "-m", "benchmarks.tarball_speed", "--repeats", "1", "--results", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "tarball_speed.json").read_text(encoding="utf-8"))
    expected = ["tarfile and digest", "pack", "verify by text", "verify, loaded as well", "verify by text, first time"]
    assert list(record["milliseconds"]) == expected
    assert "| verify by text " in done.stdout
