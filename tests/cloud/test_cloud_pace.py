"""The pace: growing pauses that never outlast the time there is, spread by chance."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cloud import pace as pace_module
from harness.cloud.pace import LIVE, SIMULATED, Pace

PACE = Pace(poll=16, deploy=1, busy=1, broken=1, settle=1)


class Clock:
    """Time that passes while one sleeps, and chance that is chosen.

    Attributes:
        slept: each pause.
        asked: the bounds within which chance was asked.
    """

    def __init__(self, chance: float = 1.0) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.asked: set[tuple[float, float]] = set()
        self._chance = chance

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def uniform(self, low: float, high: float) -> float:
        self.asked.add((low, high))
        return low + self._chance * (high - low)

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Have the module go by it."""
        patch.setattr(pace_module, "time", SimpleNamespace(monotonic=self.monotonic, sleep=self.sleep))
        patch.setattr(pace_module, "random", SimpleNamespace(uniform=self.uniform))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """With chance always at its upper end."""
    clock = Clock()
    clock.install(monkeypatch)
    return clock


def test_pauses_double_up_to_the_longest(clock: Clock) -> None:
    """The first turn comes at once, then pauses grow from a sixteenth; the last turn comes when the time is up."""
    turns = [clock.now - 1000 for _ in PACE.pauses(50)]
    assert turns == [0, 1, 3, 7, 15, 31, 47, 50]
    assert clock.slept == [1, 2, 4, 8, 16, 16, 3]


def test_no_time_is_one_turn(clock: Clock) -> None:
    """Whoever may not wait looks once."""
    assert len(list(PACE.pauses(0))) == 1
    assert clock.slept == []


def test_chance_shortens_pauses_by_half_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """At its lower end chance halves each pause, and does not slow their growth."""
    clock = Clock(chance=0.0)
    clock.install(monkeypatch)
    assert len(list(PACE.pauses(16))) == 7
    assert (clock.slept, clock.asked) == ([0.5, 1, 2, 4, 8, 0.5], {(0.5, 1)})


def test_what_is_done_meanwhile_counts(clock: Clock) -> None:
    """The time that a turn takes is part of the time there is: after a long one there is no other."""
    turns = 0
    for _ in PACE.pauses(10):
        turns += 1
        clock.now += 5 if turns == 1 else 4
    assert (turns, clock.slept) == (2, [1])


@given(
    seconds=st.floats(0, 300),
    poll=st.floats(0.25, 60),
    chance=st.floats(0, 1),
)
def test_pauses_fill_the_time(seconds: float, poll: float, chance: float) -> None:
    """Whatever chance says, no pause is longer than the longest, and together they last as long as there is time."""
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock(chance)
        clock.install(patch)
        turns = sum(1 for _ in Pace(poll=poll, deploy=1, busy=1, broken=1, settle=1).pauses(seconds))
    assert turns == len(clock.slept) + 1
    assert all(pause <= poll for pause in clock.slept)
    assert sum(clock.slept) == pytest.approx(seconds)
    assert turns <= 7 + seconds / (poll / 2)


def test_real_pauses_are_jittered() -> None:
    """With the real clock and real chance the turns come; two waits of one length do not make the same pauses."""
    slept: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.sleep", slept.append)
        for _ in range(2):
            turns = Pace(poll=8, deploy=1, busy=1, broken=1, settle=1).pauses(60)
            [next(turns) for _ in range(3)]
    assert 0.25 <= slept[0] <= 0.5 <= slept[1] <= 1
    assert slept[:2] != slept[2:]


def test_the_live_account_is_given_more_time() -> None:
    """The simulated account answers at once: only a deployment, which loads a model, may take as long."""
    assert LIVE.poll == 60 * SIMULATED.poll == 15
    assert LIVE.deploy == SIMULATED.deploy == 1800
    assert (LIVE.busy, SIMULATED.busy) == (1800, 60)
    assert (LIVE.broken, SIMULATED.broken) == (120, 10)
    assert SIMULATED.settle == 1


def test_a_lost_request_is_waited_for_longer_than_botocore_does() -> None:
    """Five attempts, each answer waited for, growing pauses in between, and a minute more for the last one."""
    from botocore.config import Config

    attempts, answer = 5, Config().read_timeout  # "legacy mode", the default: botocore's guide to retries
    pauses = sum(2**number for number in range(attempts - 1))
    assert LIVE.settle > attempts * answer + pauses + 60
