"""The recorded results of ``make leaks``: nothing was left out, and no promise was broken."""

from __future__ import annotations

import collections
import itertools
import json
from pathlib import Path
from typing import Any

from leaks.faults import Fault
from leaks.kills import MEANS, MOMENTS

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
WAYS = set(itertools.product((fault.value for fault in Fault), (False, True)))


def results(name: str) -> list[dict[str, Any]]:
    """What a campaign has recorded."""
    entries: list[dict[str, Any]] = json.loads((RESULTS / f"leak_{name}.json").read_text(encoding="utf-8"))[name]
    return entries


def holes(entries: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """Calls that some fault was not tried on, once or persistently."""
    tried = collections.defaultdict(set)
    for entry in entries:
        tried[entry["operation"], entry["occurrence"]].add((entry["fault"], entry["persistent"]))
    return [call for call, ways in tried.items() if ways != WAYS]


def test_every_fault_was_tried_on_every_call() -> None:
    """Each of the calls has all faults, once and persistently; only a fault that stays may end loudly."""
    entries = results("faults")
    assert holes(entries) == []
    assert len(entries) > 40 * len(WAYS)
    assert {entry["outcome"] for entry in entries} == {"ok", "error", "loud"}
    assert all(entry["persistent"] for entry in entries if entry["outcome"] == "loud")


def test_a_hole_would_be_seen() -> None:
    """Control: without one entry its call is named."""
    [first, *rest] = results("faults")
    assert holes(rest) == [(first["operation"], first["occurrence"])]


def test_every_request_was_died_at() -> None:
    """Before and after each, cleaned both ways, in ten seconds, with nothing left."""
    deaths = results("deaths")
    points = {(death["at"], death["moment"], death["means"]) for death in deaths}
    assert points == set(itertools.product(range(1 + max(at for at, _, _ in points)), MOMENTS, MEANS))
    assert len(deaths) == len(points) > 400
    assert [death for death in deaths if death["left"] or death["seconds"] > 10] == []
