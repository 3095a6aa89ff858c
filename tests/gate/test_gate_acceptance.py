"""Accepting results: only what passed its other rules becomes a baseline."""

from __future__ import annotations

import dataclasses
import math
import os
from typing import TYPE_CHECKING

import pytest
from trained_models import noisy_replicates, replicates_of

from harness import AccuracyFloor, NotWorse
from harness.errors import GateError
from harness.gate.acceptance import Proposal
from harness.gate.baseline import read
from harness.gate.regression import Baselines
from harness.verdict import Finding

if TYPE_CHECKING:
    from pathlib import Path

    from harness import Experiment
    from harness.result import Replicates

COMPARED = Finding(rule="not worse (notices 0.5 points)")
SMALL = Finding(rule="artifact <= 10 bytes")
PASSED = Finding(rule="accuracy >= 0.9", floor=True)
FAILED = Finding(rule="loss <= 0.1", reason="because", floor=True)


@pytest.fixture
def replicates(experiment: Experiment) -> Replicates:
    """Three of them."""
    return noisy_replicates(experiment, range(3))


def proposal_of(replicates: Replicates, folder: Path) -> Proposal:
    """What they propose for a folder."""
    rule = NotWorse(Baselines(folder=folder, updating=True))
    found = Proposal.of(replicates, [AccuracyFloor(0.9), rule])
    assert found is not None
    return found


def test_what_passed_its_floor_is_written(replicates: Replicates, tmp_path: Path) -> None:
    """The file appears, reads back, and is left alone when the same is accepted again."""
    proposal = proposal_of(replicates, tmp_path / "baselines")
    written = f"tiny[learning_rate=0.2]: baseline written to {os.path.relpath(proposal.path)}"
    assert proposal.accept([PASSED, COMPARED]) == written
    found = read(tmp_path / "baselines", replicates[0].trial)
    assert found is not None
    assert len(found.replicates) == 3
    assert proposal.accept([PASSED, COMPARED]) == "tiny[learning_rate=0.2]: baseline unchanged"


@pytest.mark.parametrize(
    ("findings", "why"),
    [
        ([PASSED, FAILED, COMPARED], "it did not pass loss <= 0.1"),
        ([COMPARED], "expected a floor that it passed"),
        ([COMPARED, COMPARED, SMALL], "expected a floor that it passed"),
        ([], "expected a floor that it passed"),
    ],
)
def test_what_did_not_pass_is_not_written(
    replicates: Replicates, tmp_path: Path, findings: list[Finding], why: str
) -> None:
    """A failed floor, or none at all: the old file stays, and the line says why."""
    proposal = proposal_of(replicates, tmp_path)
    old = tmp_path / "tiny" / "learning_rate=0.2.json"
    old.parent.mkdir()
    old.write_text("old", encoding="utf-8")
    with pytest.raises(GateError, match=rf"^tiny\[learning_rate=0\.2\]: baseline NOT written: {why}"):
        proposal.accept(findings)
    assert old.read_text(encoding="utf-8") == "old"


def test_what_is_no_number_is_not_written(replicates: Replicates, tmp_path: Path) -> None:
    """A loss of NaN slips under an accuracy floor, but into no baseline."""
    broken = replicates_of([dataclasses.replace(replicates[0], loss=math.nan), *replicates[1:]])
    with pytest.raises(GateError, match="NOT written: expected accuracies and losses that are numbers"):
        proposal_of(broken, tmp_path).accept([PASSED])
    assert not list(tmp_path.iterdir())


def test_what_went_wrong_elsewhere_is_not_written(replicates: Replicates, tmp_path: Path) -> None:
    """A test that failed, a run that was stopped: the floor's verdict is not all there is to know."""
    with pytest.raises(GateError, match="NOT written: test_a failed"):
        proposal_of(replicates, tmp_path).accept([PASSED], "test_a failed")


def test_fewer_replicates_than_asked_for_are_not_written(replicates: Replicates, tmp_path: Path) -> None:
    """A comparison that was not seen beforehand has the experiment's seeds alone."""
    rule = NotWorse(Baselines(folder=tmp_path, updating=True))
    proposal = Proposal.of(replicates, [rule], least=9)
    assert proposal is not None
    with pytest.raises(GateError, match="expected at least 9 replicates, found 3; ask for the fixture baseline"):
        proposal.accept([PASSED])


def test_a_file_that_is_no_text_is_replaced(replicates: Replicates, tmp_path: Path) -> None:
    """What was there before is compared as bytes, and gives way."""
    proposal = proposal_of(replicates, tmp_path)
    old = tmp_path / "tiny" / "learning_rate=0.2.json"
    old.parent.mkdir()
    old.write_bytes(b"\xff\xfe")
    assert "baseline written to" in proposal.accept([PASSED])


def test_a_gate_that_does_not_compare_proposes_nothing(replicates: Replicates) -> None:
    """Floors alone make no baseline."""
    assert Proposal.of(replicates, [AccuracyFloor(0.9)]) is None
