"""The board: one row per setting, filled by one process or put together from several."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import asdict
from typing import Any

import pytest

from harness.report.board import Board, Deployed, Evidence, Mistake, Packed, Replicate, Row
from harness.verdict import Change, Finding

EPOCH = {"number": 1, "train_accuracy": 0.5, "train_loss": 1.0, "validation_accuracy": 0.9, "seconds": 0.25}


def replicate(seed: int, accuracy: float = 0.9, **fields: Any) -> Replicate:
    """One of a row."""
    values = {"loss": 0.1, "seconds": 1.0, "cached": False, "history": (EPOCH,), **fields}
    return Replicate(seed=seed, accuracy=accuracy, **values)


def deployed(name: str, state: str, kind: str = "simulated") -> Deployed:
    """One of a row."""
    return Deployed(kind=kind, name=name, instance_type="ml.m4.xlarge", state=state)


FULL = Row(
    experiment="tiny",
    hyperparameters="x=1",
    settings={"x": 1, "flag": True, "name": "é"},
    engine="mxnet",
    replicates={"0": replicate(0), "7": replicate(7, cached=True)},
    findings=[
        Finding(
            rule="not worse",
            reason="it is",
            note="p",
            changes=(Change(metric="loss", baseline=1, found=2, low=0.5, high=1.5, confidence=0.99, worse=True),),
            remedy="accept",
        )
    ],
    artifact=Packed(digest="0" * 12, sha256="0" * 64, size=9, members=("a", "b")),
    endpoints={"e": deployed("e", "failed")},
    evidence=Evidence(
        confusion=((5, 1), (0, 6)),
        mistakes=(Mistake(index=3, label=0, answers={"0": 1, "7": 0}, probability=0.25, picture="data:,"),),
    ),
)


def test_rows_survive_the_way_to_another_process() -> None:
    """What a worker sends as plain values, through JSON even, is the same row where it arrives."""
    assert Row.from_plain(json.loads(json.dumps(asdict(FULL)))) == FULL
    assert Row.from_plain(asdict(Row("tiny", "x=1"))) == Row("tiny", "x=1")


def test_board_has_one_row_per_setting_in_order() -> None:
    """Asking twice gives the same row; rows stay in the order in which they were first asked for."""
    board = Board()
    second = board.row("b", "x=1")
    board.row("a", "x=1")
    board.row("b", "x=2")
    assert board.row("b", "x=1") is second
    assert [(row.experiment, row.hyperparameters) for row in board.rows()] == [("b", "x=1"), ("a", "x=1"), ("b", "x=2")]


def test_boards_of_two_workers_merge() -> None:
    """Replicates of one setting that two workers trained end in one row, and other settings in rows of their own."""
    left, right, controller = Board(), Board(), Board()
    mine, other = left.row("tiny", "x=1"), right.row("tiny", "x=1")
    mine.engine, mine.artifact = "mxnet", FULL.artifact
    mine.replicates = {"0": replicate(0)}
    other.engine, other.settings = "mxnet", {"x": 1}
    other.replicates = {"1": replicate(1, 0.8)}
    other.endpoints = {"e": deployed("e", "in service after 3.0 s, deleted")}
    right.row("tiny", "x=2")
    controller.merge(left.to_plain())
    controller.merge(right.to_plain())
    merged, single = controller.rows()
    assert merged == Row(
        "tiny",
        "x=1",
        settings={"x": 1},
        engine="mxnet",
        replicates={"0": replicate(0), "1": replicate(1, 0.8)},
        artifact=FULL.artifact,
        endpoints=other.endpoints,
    )
    assert single == Row("tiny", "x=2")


def test_merging_nothing_changes_nothing() -> None:
    """A worker that was killed sends no rows."""
    board = Board()
    board.row("tiny", "x=1")
    board.merge(())
    assert board.rows() == [Row("tiny", "x=1")]


def test_merging_does_not_share_state() -> None:
    """The controller's row is its own: filling it later does not reach back into what was sent."""
    sent, board = [asdict(FULL)], Board()
    board.merge(sent)
    board.row("tiny", "x=1").findings.append(Finding(rule="b"))
    assert len(sent[0]["findings"]) == 1


@pytest.mark.parametrize("first", [True, False])
def test_a_verdict_elsewhere_does_not_hide_a_failed_one(*, first: bool) -> None:
    """Two workers judged one setting: it has failed if either says so, whichever reports last."""
    good, bad = Row("tiny", "x=1", findings=[Finding(rule="a")]), Row("tiny", "x=1", findings=FULL.findings)
    board = Board()
    board.merge([asdict(row) for row in ((bad, good) if first else (good, bad))])
    assert board.rows()[0].passed is False


def test_two_endpoints_of_one_setting_are_both_told() -> None:
    """Each worker has an endpoint of its own."""
    board = Board()
    for name, state in (("one", "deleted"), ("two", "NOT deleted")):
        board.merge([asdict(Row("tiny", "x=1", endpoints={name: deployed(name, state)}))])
    assert [endpoint.state for endpoint in board.rows()[0].endpoints.values()] == ["deleted", "NOT deleted"]


def test_the_evidence_of_more_replicates_wins() -> None:
    """A worker that saw the first replicate alone does not replace what another saw of all."""
    little = Evidence(confusion=((1, 0), (0, 1)), mistakes=())
    for one, other in ((little, FULL.evidence), (FULL.evidence, little), (None, FULL.evidence), (FULL.evidence, None)):
        board = Board()
        board.merge([asdict(Row("tiny", "x=1", evidence=evidence)) for evidence in (one, other)])
        assert board.rows()[0].evidence == FULL.evidence


def test_a_finding_is_noted_once() -> None:
    """Two tests that ask the same rule of the same setting are one line of a report."""
    row = Row("tiny", "x=1")
    row.found([Finding(rule="a"), Finding(rule="b")])
    row.found([Finding(rule="a"), Finding(rule="a", reason="changed its mind")])
    assert [finding.rule for finding in row.findings] == ["a", "b", "a"]


def test_a_row_without_findings_is_not_judged() -> None:
    """Nothing asked is neither passed nor failed."""
    assert Row("tiny", "x=1").passed is None
    assert dataclasses.replace(FULL, findings=[Finding(rule="a")]).passed is True
