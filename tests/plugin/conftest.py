"""Sessions inside a test's own process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from recorded_session import INI, QUICK, Recorder
from tiny_experiment import ENTRY_POINT

from harness.train import trainer

if TYPE_CHECKING:
    from collections.abc import Callable


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
