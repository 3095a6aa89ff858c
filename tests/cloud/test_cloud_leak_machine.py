"""No sequence of runs, deployments, faults, deaths, clean-ups and reaps leaks, or touches what is not to be touched.

A state machine over one account. 100 sequences; 1,000 with
``pytest tests/cloud/test_cloud_leak_machine.py --hypothesis-profile=long --timeout=0``. What it holds the harness to
stands in `leaks.promises`.
"""

from __future__ import annotations

import itertools
import platform
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import engine
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from leaks.faults import Fault
from leaks.inner_account import CREATING, STEPS
from leaks.promises import NUMBERS, STRANGER, Process, Promises
from leaks.world import LANDLORD, Mishap, Moment, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONG = settings.get_current_profile_name() == "long"

SEQUENCES = settings(
    max_examples=1000 if LONG else 100,
    stateful_step_count=12,
    deadline=None,
    # The default run guards a change: red or green must be the change's doing. New sequences are the long run's work.
    derandomize=not LONG,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
    # A smaller failure would take longer to find than a test may take.
    phases=[phase for phase in Phase if LONG or phase is not Phase.shrink],
)

CONTROLS = settings(SEQUENCES, max_examples=300, derandomize=True, database=None, phases=[Phase.generate])

BROKEN = "which its ledger does not tell|deleted .*: |left .* and did not say so"
"""What a promise that was broken is told as; which one a fault breaks first is chance."""

OWNER, OTHER = "arn:aws:iam::123456789012:user/one", "arn:aws:iam::123456789012:user/other"
HERE, ELSEWHERE = platform.node(), "elsewhere"
PAST, FUTURE = "1700000000", "1900000000"
LOOK_ALIKES = ("byom-leak-{}-11", "byom-leak-{}-1-1", "xbyom-leak-{}-1", "byom-leak", "byom-leak-byom-leak-{}-1")
STRANGE_TAGS: tuple[dict[str, str], ...] = (
    {},
    {"project": "byom"},
    {"byom:run": "ffffffff", "byom:owner": "somebody else", "byom:expires": PAST},
    {"byom:run": "ffffffff", "byom:owner": OWNER, "byom:expires": FUTURE},
    {"byom:owner": OWNER, "byom:expires": PAST},
)
HALF_CLAIMS = ({"byom:run": "{}"}, {"byom:run": "{}", "byom:owner": "somebody else", "byom:expires": PAST})
"""With a run's own id: only on what does not have its very name, where that alone says enough."""

REAPS = (
    *[("a crash", False)] * 2,
    *[("its time", is_lost) for is_lost in (False, True, True)],
    *[("nearly its time", is_lost) for is_lost in (False, True)],
    ("", False),
)
"""After what, and whether the ledger is lost."""

some = st.integers(0, 3)
"""Which of those that there are."""

rarely = st.sampled_from((False, False, False, True))
numbers = st.sampled_from((NUMBERS[0], *NUMBERS))


def mishaps(
    likely: tuple[Fault | Moment | None, ...], meanwhile: tuple[str, ...], last: int
) -> st.SearchStrategy[Mishap]:
    """Anything, also nothing, that goes wrong with one of the first requests; some of it more often than the rest."""
    return st.builds(
        Mishap,
        what=st.sampled_from((*likely, *Moment, *Fault)),
        at=st.integers(0, last),
        again=st.booleans(),
        meanwhile=st.sampled_from(("", "", *meanwhile)),
        pause=st.integers(0, last),
    )


# What is made must be on its way soon after it is written down: no time may pass in the middle.
making = mishaps((None,) * 4 + (Fault.TIMEOUT_LATE, Moment.ON_ITS_WAY) * 2, ("crash", "deploy"), last=5)
deleting = mishaps((None,) * 12, ("reap", "wait", "crash", "deploy"), last=9)
beginnings = st.fixed_dictionaries(
    {
        "owner": st.sampled_from((OWNER, OWNER, OTHER)),
        "seconds": st.sampled_from((300.5, 1200.5)),
        "host": st.sampled_from((HERE, HERE, HERE, HERE, ELSEWHERE)),
    }
)
deployments = st.fixed_dictionaries(
    {
        "steps": st.builds(
            lambda first, number: STEPS[first:][:number], st.sampled_from((0, 0, 0, 1, 3)), st.integers(1, 6)
        ),
        "number": numbers,
        "mishap": making,
    }
)


class Sequence(RuleBasedStateMachine):
    """Anything that may happen to runs that share an account and a ledger.

    Args:
        world: where.
        folder: for its ledger.
    """

    def __init__(self, world: World, folder: Path) -> None:
        super().__init__()
        self.world = world
        self.promises = Promises(world, folder)

    @initialize(is_versioned=st.booleans(), beginning=beginnings, deployment=deployments)
    def begin(self, *, is_versioned: bool, beginning: dict[str, Any], deployment: dict[str, Any]) -> None:
        """A run deploys something; the bucket may keep versions."""
        self.world.prepare(is_versioned=is_versioned)
        self.promises.deploy(self.promises.start(**beginning), **deployment)

    @precondition(lambda self: len(self.promises.there) < 2 and len(self.promises.processes) < 4)
    @rule(beginning=beginnings, deployment=deployments)
    def start(self, *, beginning: dict[str, Any], deployment: dict[str, Any]) -> None:
        """Another run begins, and deploys something."""
        self.promises.deploy(self.promises.start(**beginning), **deployment)

    @precondition(lambda self: self.promises.there)
    @rule(which=some, deployment=deployments, is_used=st.booleans())
    def deploy(self, *, which: int, deployment: dict[str, Any], is_used: bool) -> None:
        """A run deploys once more, as far as that gets, and uses it."""
        process = self._there(which)
        self.promises.deploy(process, **deployment)
        if is_used and process.is_there:
            self.world.time.sleep(CREATING)
            self.promises.invoke(process, deployment["number"])

    @precondition(lambda self: self.promises.there)
    @rule(which=some, number=st.just(0) | numbers, mishap=deleting)
    def delete(self, *, which: int, number: int, mishap: Mishap) -> None:
        """A run deletes one deployment, or all."""
        self.promises.delete(self._there(which), number, mishap)

    @precondition(lambda self: self.promises.there)
    @rule(which=some, how=st.sampled_from(("crash", "crash", "keep", "finish")), mishap=deleting)
    def end(self, *, which: int, how: str, mishap: Mishap) -> None:
        """A run comes to its end."""
        process = self._there(which)
        if how == "keep":
            self.promises.keep(process, mishap)
        elif how == "finish":
            self.promises.delete(process, mishap=mishap)
        process.end()

    @rule(which=some, seconds=st.sampled_from((1.0, 30.0, 100.0, 400.0, -0.25, 0.0)))
    def wait(self, *, which: int, seconds: float) -> None:
        """Time passes, until a run's is over or very nearly, unless it is."""
        if seconds > 0:
            self.world.time.sleep(seconds)
        else:
            self._wait_for(self.promises.processes[which % len(self.promises.processes)], -seconds)

    @rule(
        moment=st.sampled_from(REAPS),
        is_others=rarely,
        wanted=st.integers(0, 9),
        mishap=deleting,
        again=st.booleans(),
        compacts=st.booleans(),
    )
    def reap(
        self, *, moment: tuple[str, bool], is_others: bool, wanted: int, mishap: Mishap, again: bool, compacts: bool
    ) -> None:
        """A run dies or its time ends, or nearly; then by the ledger or without it, for all runs or one."""
        (after, is_lost), processes = moment, self.promises.processes
        last = processes[-1]
        if after == "a crash":
            last.end()
        elif after:
            self._wait_for(last, 0.25 if after == "nearly its time" else 0.0)
        run = processes[wanted].id if wanted < len(processes) else None
        owner = next(one for one in (OWNER, OTHER) if (one == last.run.owner) != is_others)
        self.promises.reap(owner, run, is_lost=is_lost, mishap=mishap)
        if again:
            self.promises.reap(owner, run, is_lost=is_lost)
        if compacts:
            self.promises.compact(mishap)

    @rule(
        which=some,
        form=st.sampled_from(LOOK_ALIKES),
        step=st.sampled_from(STEPS[2:]),
        tags=st.sampled_from((*STRANGE_TAGS, *HALF_CLAIMS)),
    )
    def look_alike(self, *, which: int, form: str, step: str, tags: dict[str, str]) -> None:
        """A stranger makes something that is called nearly like a run's, and may even say that it is the run's."""
        process = self.promises.processes[which % len(self.promises.processes)]
        said = {key: value.format(process.id) for key, value in tags.items()}
        self.promises.settle_in(step, form.format(process.id), LANDLORD, said)

    @rule(
        which=some,
        number=numbers,
        step=st.sampled_from(STEPS[3:]),
        tags=st.sampled_from(STRANGE_TAGS),
        is_open=st.booleans(),
    )
    def take_a_name(self, *, which: int, number: int, step: str, tags: dict[str, str], is_open: bool) -> None:
        """A stranger makes what a run is about to make, or did make once; or what it has written down and not made."""
        process = self.promises.processes[which % len(self.promises.processes)]
        names = [(step, process.name(number))]
        if is_open:
            names = [(one.kind.value, one.name) for one in self.promises.missing() if one.kind.value in STEPS] or names
        self.promises.settle_in(*names[which % len(names)], LANDLORD, tags)

    @precondition(lambda self: self.world.of(STRANGER))
    @rule(which=some)
    def move_out(self, *, which: int) -> None:
        """A stranger deletes something."""
        things = self.world.of(STRANGER)
        self.world.remove(things[which % len(things)])

    @invariant()
    def nobody_deletes_what_he_may_not(self) -> None:
        """Every deletion had its reason."""
        assert not self.world.wrongs, "; ".join(self.world.wrongs)

    @invariant()
    def the_ledger_knows_what_there_is(self) -> None:
        """What it calls settled is not there, and what it does not know is not there."""
        self.promises.check_ledger()

    def teardown(self) -> None:
        """Once all are gone and their time is over, one reap by each owner leaves nothing but strangers' things."""
        for process in self.promises.there:
            process.end()
        try:
            if sys.exc_info()[0] is None:
                self._see_the_end()
        finally:
            self.world.clear()

    def _see_the_end(self) -> None:
        self.world.time.sleep(3600)
        self.the_ledger_knows_what_there_is()
        for owner in sorted({process.run.owner for process in self.promises.processes}):
            self.promises.reap(owner)
        self.nobody_deletes_what_he_may_not()
        self.the_ledger_knows_what_there_is()
        for thing in self.world.account.things():
            assert {self.world.made_by(thing), self.promises.owner(thing)} & {STRANGER, LANDLORD}, thing.resource

    def _wait_for(self, process: Process, seconds: float) -> None:
        """Until so shortly before the end of a run's time."""
        self.world.time.sleep(max(0.0, process.run.expires - seconds - self.world.time.time()))

    def _there(self, which: int) -> Process:
        return self.promises.there[which % len(self.promises.there)]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """An account for all sequences."""
    with pytest.MonkeyPatch.context() as patch:
        world = World(patch)
        yield world
        world.account.stop()


@pytest.fixture
def sequence(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Sequence]:
    """Makes the next sequence."""
    # Hypothesis would make three of four sequences of earlier ones, with two of their parts alike.
    monkeypatch.setattr(engine.ConjectureRunner, "generate_mutations_from", lambda *_: None)
    numbers = itertools.count()
    return lambda: Sequence(world, tmp_path / str(next(numbers)))


def test_no_sequence_leaks(sequence: Callable[[], Sequence]) -> None:
    """Whatever happens in whatever order, nothing of ours is left, and nothing else was touched."""
    run_state_machine_as_test(sequence, settings=SEQUENCES)


def look_away(*given: Any) -> Any:
    """Look, and not see whose it is."""
    from harness.cloud.sighting import look

    sighting = look(*given)
    return sighting and replace(sighting, tags=None)


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ("harness.cloud.ledger.Ledger.intend", lambda *_, **__: None),
        ("harness.cloud.ledger.Ledger.is_alive", lambda *_: False),
        ("harness.cloud.cleanup._final", lambda *_: 0.0),
        ("harness.cloud.cleanup.look", look_away),
        ("harness.cloud.reaper._search_by_tags", lambda *_, **__: []),
        ("harness.cloud.reaper.remove", lambda *_, **__: ""),
    ],
    ids=["no line", "nobody lives", "not there is gone", "anybody's", "no tags", "not deleted"],
)
def test_a_leak_would_be_seen(
    target: str, fault: Any, sequence: Callable[[], Sequence], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: with a fault in the ledger, the clean-up or the reaper, the same machine finds a broken promise."""
    monkeypatch.setattr(target, fault)
    with pytest.raises(AssertionError, match=BROKEN):
        run_state_machine_as_test(sequence, settings=CONTROLS)
