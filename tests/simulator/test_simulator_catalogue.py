"""Lives and the catalogue of them: what was when."""

from __future__ import annotations

import pytest
from hollow_account import Clock

from harness.simulator.aws_request import Refusal
from harness.simulator.catalogue import ENDPOINT, MODEL, Catalogue, Entry, Lifetime


def statuses(life: Lifetime, *moments: float) -> list[str]:
    """What it was at each moment."""
    return [life.status(moment) for moment in moments]


def test_a_life_is_told_for_any_moment() -> None:
    """Each status begins with its moment, and afterwards the past is what it was."""
    life = Lifetime(10)
    assert statuses(life, 9, 10, 1e9) == ["", "Creating", "Creating"]
    life.settle("InService", 20)
    life.ask_to_end(30)
    assert statuses(life, 1e9) == ["Deleting"]
    life.end(40)
    assert statuses(life, 9, 10, 19, 20, 29, 30, 39, 40) == [
        "",
        "Creating",
        "Creating",
        "InService",
        "InService",
        "Deleting",
        "Deleting",
        "",
    ]
    assert [life.modified(moment) for moment in (10, 25, 35)] == [10, 20, 30]
    assert [life.is_over(moment) for moment in (39, 40)] == [False, True]


@pytest.mark.parametrize(("up", "settled"), [(12, 15), (15, 15), (18, 18)])
def test_creation_takes_its_time_at_least(up: float, settled: float) -> None:
    """The later of the two counts: what it takes, and what it should."""
    life = Lifetime(10, creating=5)
    life.settle("Failed", up)
    assert statuses(life, settled - 0.1, settled) == ["Creating", "Failed"]


@pytest.mark.parametrize(("down", "gone"), [(32, 35), (38, 38)])
def test_deletion_takes_its_time_at_least(down: float, gone: float) -> None:
    """As creation does, from the moment it was asked for."""
    life = Lifetime(10, deleting=5)
    life.settle("InService", 10)
    life.ask_to_end(30)
    life.end(down)
    assert statuses(life, gone - 0.1, gone) == ["Deleting", ""]


def test_a_name_means_the_newest() -> None:
    """What takes the name of something gone is what is found, and both are listed while listings lag."""
    clock = Clock(100)
    catalogue = Catalogue(clock, lag=10)
    first, second = (Entry(MODEL, "us-east-1", "name", Lifetime(created)) for created in (100, 105))
    catalogue.add(first)
    first.lifetime.end(104)
    clock.now = 105
    catalogue.check_new(MODEL, "us-east-1", "name")
    catalogue.add(second)
    assert catalogue.need(MODEL, "us-east-1", "name") is second
    assert catalogue.listed(MODEL, "us-east-1") == []
    clock.now = 113
    [listed] = catalogue.listed(MODEL, "us-east-1")
    assert listed.created == 100
    clock.now = 115
    [listed] = catalogue.listed(MODEL, "us-east-1")
    assert listed.created == 105


def test_what_is_gone_for_good_is_forgotten() -> None:
    """An account that runs for days does not keep all it ever had."""
    clock = Clock(0)
    catalogue = Catalogue(clock, lag=10)
    for number in range(50):
        entry = Entry(MODEL, "us-east-1", f"name-{number}", Lifetime(clock.now))
        catalogue.add(entry)
        entry.lifetime.end(clock.now)
        clock.pass_by(5)
    assert len(catalogue._all) <= 4
    assert len(catalogue._newest) <= 4


def test_kinds_and_regions_have_names_of_their_own() -> None:
    """An endpoint of a model's name, or a model elsewhere, is another thing."""
    clock = Clock(0)
    catalogue = Catalogue(clock)
    catalogue.add(Entry(MODEL, "us-east-1", "name", Lifetime(0)))
    catalogue.check_new(ENDPOINT, "us-east-1", "name")
    catalogue.check_new(MODEL, "us-west-2", "name")
    with pytest.raises(Refusal, match="Cannot create already existing model"):
        catalogue.check_new(MODEL, "us-east-1", "name")
    with pytest.raises(Refusal, match="Could not find endpoint"):
        catalogue.need(ENDPOINT, "us-east-1", "name")
