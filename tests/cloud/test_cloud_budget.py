"""The budget: what an endpoint costs at most, and that nothing is made that could cost more than the cap."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cloud import budget as budget_module
from harness.cloud import ledger as ledger_module
from harness.cloud.budget import DEAREST_REGION, HOURLY, Budget, cost, hourly_price
from harness.cloud.ledger import Intent, Ledger, Run, RunState
from harness.errors import CloudError
from harness.resources import Kind, Resource

if TYPE_CHECKING:
    from pathlib import Path

NOW = 10_000.0

RUN = Run(
    run="aaaa1111",
    session="5e551011",
    owner="me",
    account="123456789012",
    region="us-east-1",
    expires=NOW + 1800,
)
BUDGET = Budget(cap=1.0, hourly=0.28, seconds=3600)

RACER = """
import sys
from pathlib import Path
from harness.cloud.budget import Budget
from harness.cloud.ledger import Ledger
from harness.errors import CloudError
from harness.resources import Kind, Resource

ledger, name = Ledger(Path(sys.argv[1])), sys.argv[2]
run = ledger.find(name).run
budget = Budget(cap=0.3, hourly=0.28, seconds=3600)
print("ready", flush=True)
sys.stdin.read()
try:
    ledger.intend(name, Resource(Kind.ENDPOINT, name), hourly=budget.hourly, allow=budget.allows(run))
except CloudError as error:
    print(error)
"""


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time stands still."""
    for module in (budget_module, ledger_module):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: NOW))


def endpoint(at: float = NOW, settled: float | None = None, kind: Kind = Kind.ENDPOINT) -> Intent:
    """Something for 28 cents an hour."""
    return Intent(resource=Resource(kind, "byom-aaaa1111-1"), at=at, hourly=0.28, settled=settled)


def test_a_price_is_the_list_price() -> None:
    """In us-east-1 a type costs what AWS has asked."""
    listed = {"ml.m4.xlarge": 0.28, "ml.g4dn.xlarge": 0.736, "ml.g4dn.2xlarge": 1.053, "ml.p3.2xlarge": 4.284}
    assert {name: hourly_price(name, "us-east-1") for name in listed} == listed


def test_each_price_is_of_a_type_that_there_is() -> None:
    """SageMaker has an instance type of each name."""
    from botocore.loaders import create_loader

    shapes = create_loader().load_service_model("sagemaker", "service-2")["shapes"]
    assert set(HOURLY) <= set(shapes["ProductionVariantInstanceType"]["enum"])


def test_twice_the_size_costs_twice_as_much() -> None:
    """Within a family of CPU instances prices follow the size: a slip of the pen would stand out."""
    sizes = ["medium", "large", "xlarge", "2xlarge", "4xlarge"]
    families = {name.rpartition(".")[0] for name in HOURLY} - {"ml.g4dn", "ml.p3"}
    assert sorted(families) == ["ml.c5", "ml.m4", "ml.m5", "ml.t2"]
    for family in families:
        prices = [HOURLY[f"{family}.{size}"] for size in sizes if f"{family}.{size}" in HOURLY]
        assert len(prices) >= 3
        for smaller, larger in pairwise(prices):
            assert larger == pytest.approx(2 * smaller, rel=0.005)


@pytest.mark.parametrize("region", ["ap-south-1", "us-east-2"])
def test_elsewhere_the_dearest_region_counts(region: str) -> None:
    """Prices of other regions are not listed: each counts as the dearest."""
    assert DEAREST_REGION == 1.8
    assert hourly_price("ml.m4.xlarge", region) == pytest.approx(0.504)


@pytest.mark.parametrize("instance_type", ["ml.m4.xlarge", "ml.unknown"])
@pytest.mark.parametrize("given", [0.0, 0.24])
def test_a_given_price_counts_alone(instance_type: str, given: float) -> None:
    """What the user says is neither looked up nor raised, known type or not."""
    assert hourly_price(instance_type, "sa-east-1", given) == given


def test_an_unknown_type_has_no_price() -> None:
    """What costs nobody knows what is refused, with all that is known and the way out."""
    with pytest.raises(CloudError) as caught:
        hourly_price("ml.m9.huge", "us-east-1")
    assert str(caught.value) == (
        f"budget: expected an instance type whose price is known ({', '.join(HOURLY)}), found 'ml.m9.huge'; "
        f"look up its hourly price and pass --aws-hourly-price"
    )


@pytest.mark.parametrize(
    ("endpoints", "seconds", "dollars"), [(0, 3600, 0.0), (1, 3600, 0.28), (3, 3600, 0.84), (2, 900, 0.14)]
)
def test_the_worst_is_that_each_lives_as_long_as_it_may(endpoints: int, seconds: float, dollars: float) -> None:
    """Number times price times time."""
    assert replace(BUDGET, seconds=seconds).worst(endpoints) == pytest.approx(dollars)


@pytest.mark.parametrize(
    ("cap", "hourly", "endpoints", "spent"),
    [(1.0, 0.25, 4, 0.0), (1.0, 0.25, 3, 0.25), (0.0, 0.0, 9, 0.0), (0.3, 0.1, 3, 0.0), (0.3, 0.1, 1, 0.1 + 0.1)],
)
def test_the_cap_itself_may_be_spent(cap: float, hourly: float, endpoints: int, spent: float) -> None:
    """Exactly the cap passes, whatever floats make of a sum of cents; a cent more does not."""
    budget = Budget(cap=cap, hourly=hourly, seconds=3600)
    budget.check(endpoints, spent)
    with pytest.raises(CloudError, match=r"^budget: expected at most "):
        budget.check(endpoints, spent + 0.01)


def test_more_than_the_cap_is_refused() -> None:
    """The message has the cap, the number, the price, the time, the sum, and what to do."""
    with pytest.raises(CloudError) as caught:
        replace(BUDGET, seconds=5430).check(3)
    assert str(caught.value) == (
        "budget: expected at most $1.00, found that 3 more endpoint(s) at $0.280 an hour for up to 90.5 minutes can "
        "cost $1.27; none of that is made: raise --aws-budget, lower --aws-ttl or select fewer tests"
    )


def test_what_was_spent_is_told() -> None:
    """Where the session has spent something already, the message says how much."""
    with pytest.raises(CloudError) as caught:
        BUDGET.check(1, 0.75)
    assert str(caught.value) == (
        "budget: expected at most $1.00, found that 1 more endpoint(s) at $0.280 an hour for up to 60 minutes can "
        "cost $0.28, after $0.75 so far; none of that is made: raise --aws-budget, lower --aws-ttl or select fewer "
        "tests"
    )


@pytest.mark.parametrize("odd", [{"cap": float("nan")}, {"hourly": float("nan")}, {"seconds": float("nan")}])
def test_what_is_no_number_is_no_permission(odd: dict[str, float]) -> None:
    """A cap, a price or a time that cannot be compared refuses; it must not let everything pass."""
    with pytest.raises(CloudError):
        replace(BUDGET, **odd).check(1)
    with pytest.raises(CloudError):
        BUDGET.check(1, float("nan"))


@pytest.mark.parametrize(
    ("intent", "dollars"),
    [
        (endpoint(at=NOW - 3600, settled=NOW - 1800), 0.14),  # gone: what it has cost
        (endpoint(at=NOW - 3600), 0.42),  # it may exist: until its time is over
        (endpoint(at=NOW - 7200, settled=NOW + 3600), 0.84),  # gone after its time: it was billed
        (endpoint(at=NOW, settled=NOW - 60), 0.0),  # clocks were set back
    ],
)
def test_an_endpoint_costs_from_its_making_to_its_end(intent: Intent, dollars: float) -> None:
    """By the hour, from the intent to the end; of one that may exist, to the end of its time."""
    assert cost(intent, RUN.expires, NOW) == pytest.approx(dollars)


def test_past_its_time_an_endpoint_costs_on() -> None:
    """One that may still exist after its time is over is counted until now."""
    assert cost(endpoint(at=NOW - 7200), NOW - 3600, NOW) == pytest.approx(0.56)


@given(at=st.floats(0, 1e9), settled=st.none() | st.floats(0, 1e9), expires=st.floats(0, 1e9), now=st.floats(0, 1e9))
def test_nothing_costs_less_than_nothing(at: float, settled: float | None, expires: float, now: float) -> None:
    """Whatever clocks say, an endpoint never lowers what was spent, and an open one is not cheaper than a gone one."""
    dollars = cost(endpoint(at, settled), expires, now)
    assert dollars >= 0
    assert cost(endpoint(at), max(expires, settled or 0), now) >= dollars


@pytest.mark.usefixtures("frozen")
def test_all_runs_of_a_session_share_its_budget() -> None:
    """Endpoints of every run of the session count, open or gone; other sessions' and other kinds do not."""
    mine = RunState(RUN, (endpoint(at=NOW - 3600, settled=NOW - 1800), endpoint(at=NOW, kind=Kind.MODEL)))
    sister = RunState(replace(RUN, run="bbbb2222", expires=NOW + 3600), (endpoint(at=NOW - 3600),))
    stranger = RunState(replace(RUN, run="cccc3333", session="another"), (endpoint(at=NOW - 36_000),))
    states = [mine, sister, stranger]
    replace(BUDGET, cap=0.98).allows(RUN)(states)  # 0.14 and 0.56, and 0.28 to come
    with pytest.raises(CloudError, match=r"\$0\.97, found that 1 more .* cost \$0\.28, after \$0\.70 so far;"):
        replace(BUDGET, cap=0.97).allows(RUN)(states)
    replace(BUDGET, cap=0.28).allows(replace(RUN, session="fresh"))(states)


@pytest.mark.usefixtures("frozen")
def test_an_open_endpoint_counts_until_it_is_gone(tmp_path: Path) -> None:
    """In a ledger: the second endpoint is refused while the first may exist, and nothing of it is written."""
    ledger, budget = Ledger(tmp_path), replace(BUDGET, cap=0.5)
    run = replace(RUN, expires=NOW + 3600)
    ledger.begin(run)
    first, second = Resource(Kind.ENDPOINT, "byom-1"), Resource(Kind.ENDPOINT, "byom-2")
    ledger.intend(run.run, first, hourly=budget.hourly, allow=budget.allows(run))
    before = ledger.path.read_bytes()
    with pytest.raises(CloudError, match=r"^budget: expected at most \$0\.50"):
        ledger.intend(run.run, second, hourly=budget.hourly, allow=budget.allows(run))
    assert ledger.path.read_bytes() == before
    ledger.settle(run.run, first)
    ledger.intend(run.run, second, hourly=budget.hourly, allow=budget.allows(run))
    assert [intent.resource for intent in ledger.runs()[0].open] == [second]


@pytest.mark.usefixtures("frozen")
def test_what_was_spent_is_not_forgotten(tmp_path: Path) -> None:
    """Where the successor of a worker that died clears up after it, what the dead one has cost still counts."""
    ledger, dead, successor = Ledger(tmp_path), replace(RUN, run="dead0000"), replace(RUN, run="next0000")
    ledger.begin(dead)
    ledger.intend(dead.run, Resource(Kind.ENDPOINT, "byom-1"), hourly=3600.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger_module, "time", SimpleNamespace(time=lambda: NOW + 1))
        ledger.settle(dead.run, Resource(Kind.ENDPOINT, "byom-1"))
        ledger.compact()
    with pytest.raises(CloudError, match=r"after \$1\.00 so far"):
        BUDGET.allows(successor)(ledger.runs())


def test_two_processes_do_not_share_one_place(tmp_path: Path) -> None:
    """Of two processes that ask at once for what pays for one endpoint, one makes it and one is refused."""
    import time

    ledger = Ledger(tmp_path)
    names = ["aaaa1111", "bbbb2222"]
    for name in names:
        ledger.begin(replace(RUN, run=name, expires=time.time() + 3600))
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(tmp_path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.close()
    told = []
    for racer in racers:
        assert racer.stdout is not None
        with racer:
            told.append(racer.stdout.read())
    assert [racer.returncode for racer in racers] == [0, 0]
    assert sum(text.startswith("budget: expected at most $0.30") for text in told) == 1
    assert sum(len(state.open) for state in ledger.runs()) == 1
