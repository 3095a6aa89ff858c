"""Sessions inside a test's own process, and forks of one that has loaded what takes long."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from forked_sessions import Nursery, nursery
from recorded_session import INI, QUICK, Recorder
from tiny_experiment import ENTRY_POINT

from harness.train import trainer

# The account without models lives with the tests of the cloud, its users and tiny models with those of the simulator.
sys.path += [str(Path(__file__).parent.parent / room) for room in ("cloud", "simulator", "tarball")]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def session(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Recorder]:
    """``pytest ARGUMENTS`` on inner modules; nothing is trained."""

    def run(*arguments: str, **modules: str) -> Recorder:
        recorder = Recorder()
        monkeypatch.setattr(trainer, "Trainer", lambda *_, **__: recorder)
        pytester.makeini(INI)
        pytester.makepyfile(**{"tiny": ENTRY_POINT, **modules})
        recorder.result = pytester.runpytest_inprocess(*QUICK, *arguments)
        return recorder

    return run


@pytest.fixture(scope="session")
def forks() -> Iterator[Nursery]:
    """Starts sessions in processes of their own, without the seconds that they would need to load the SageMaker SDK."""
    with nursery() as made:
        yield made
