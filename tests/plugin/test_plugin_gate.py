"""Gates as values, and the board that the table at the end is made of."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tiny_experiment import ENTRY_POINT

from harness import AccuracyFloor, Experiment, Hyperparameters, arrays
from harness.errors import DeclarationError, GateError, HarnessError
from harness.experiment import Trial
from harness.gate.rules import judge, refusal
from harness.report.summary import Board, Row, as_table
from harness.result import Checkpoint, Epoch, Replicates, TrainedModel, Verdict


class Refuses:
    """A rule that always has the same reason."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def __str__(self) -> str:
        return f"no {self._reason}"

    def reason(self, replicates: Replicates) -> str:
        """Why not."""
        return f"{self._reason} in {len(replicates)}"


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    """Something that trials can belong to; nothing of it is ever trained."""
    script = tmp_path_factory.mktemp("gate") / "tiny.py"
    script.write_text(ENTRY_POINT, encoding="utf-8")
    data, label = np.zeros((2, 3)), np.zeros(2)
    dataset = arrays("nothing", train_data=data, train_label=label, test_data=data, test_label=label)
    return Experiment(name="tiny", entry_point=script, dataset=dataset)


def replicates_with(experiment: Experiment, *accuracies: float) -> Replicates:
    """Models of these accuracies under the seeds 0, 1, ...; half of it was reached after the first of two epochs."""
    experiment = dataclasses.replace(experiment, seeds=range(len(accuracies)))
    return Replicates([model_with(experiment, seed, accuracy) for seed, accuracy in enumerate(accuracies)])


def model_with(experiment: Experiment, seed: int, accuracy: float) -> TrainedModel:
    """A model of one accuracy."""
    history = tuple(
        Epoch(number=number, train_accuracy=0, train_loss=0, validation_accuracy=reached, seconds=1)
        for number, reached in ((1, accuracy / 2), (2, accuracy))
    )
    return TrainedModel(
        trial=Trial(experiment=experiment, hyperparameters=Hyperparameters(learning_rate=0.2), seed=seed),
        engine="mxnet",
        checkpoint=Checkpoint(symbol_json="", parameters={}, auxiliary={}, data_shapes=()),
        history=history,
        probabilities=np.zeros((2, 2)),
        engine_probabilities=np.zeros((2, 2)),
        accuracy=accuracy,
        seconds=2,
    )


def test_floor_lets_the_exact_minimum_pass(experiment: Experiment) -> None:
    """At least means at least: equality passes, the next smaller float does not."""
    floor = AccuracyFloor(0.95)
    assert floor.reason(replicates_with(experiment, 0.95, 1)) is None
    assert floor.reason(replicates_with(experiment, 0.95, np.nextafter(0.95, 0))) is not None


def test_floor_names_every_replicate_below_it(experiment: Experiment) -> None:
    """The reason holds the minimum, how many had to reach it, and the seeds that did not, but no other."""
    reason = AccuracyFloor(0.95).reason(replicates_with(experiment, 0.9, 0.96, 0.5))
    assert reason == (
        "expected accuracy of at least 0.95 from each of 3 replicates, found 0.9000 (seed 0), 0.5000 (seed 2)"
    )


def test_floor_fails_what_is_not_a_number(experiment: Experiment) -> None:
    """NaN compares false with everything: it must not slip under the rule, even a floor of 0."""
    reason = AccuracyFloor(0).reason(replicates_with(experiment, float("nan")))
    assert reason is not None
    assert "nan (seed 0)" in reason


@pytest.mark.parametrize("minimum", [95, 1.0001, -0.1, float("nan"), float("inf")])
def test_floor_refuses_what_is_no_share(minimum: float) -> None:
    """A percentage would fail everything and a negative floor nothing: both are refused when declared."""
    with pytest.raises(DeclarationError, match=rf"found {minimum}; write 0\.95 for 95 %"):
        AccuracyFloor(minimum)


@pytest.mark.parametrize("minimum", [0, 0.955, 1])
def test_floor_says_itself_in_words(minimum: float) -> None:
    """The words of a rule are what the table shows."""
    assert str(AccuracyFloor(minimum)) == f"accuracy >= {minimum}"


def test_judge_collects_all_reasons(experiment: Experiment) -> None:
    """A gate does not stop at the first rule that refuses, and keeps those that pass among its rules."""
    rules = (Refuses("drift"), AccuracyFloor(0.5), Refuses("noise"))
    verdict = judge(replicates_with(experiment, 0.9), rules)
    assert verdict == Verdict(("no drift", "accuracy >= 0.5", "no noise"), ("drift in 1", "noise in 1"))
    assert not verdict.passed


def test_judge_passes_what_no_rule_refuses(experiment: Experiment) -> None:
    """No reason, no failure."""
    verdict = judge(replicates_with(experiment, 0.9), [AccuracyFloor(0.5)])
    assert verdict.passed
    assert verdict.rules == ("accuracy >= 0.5",)


def test_judge_refuses_some_of_the_replicates(experiment: Experiment) -> None:
    """A slice of the replicates, or replicates of two settings, are not what the gate was meant for."""
    both = replicates_with(experiment, 0.9, 0.5)
    with pytest.raises(DeclarationError, match=r"every replicate of one setting, seeds 0, 1, found .*seed=0\]; pass"):
        judge(Replicates(both[:1]), [AccuracyFloor(0.7)])
    other = dataclasses.replace(both[1].trial, hyperparameters=Hyperparameters(learning_rate=0.3))
    mixed = Replicates([both[0], dataclasses.replace(both[1], trial=other)])
    with pytest.raises(DeclarationError, match="every replicate of one setting"):
        judge(mixed, [AccuracyFloor(0.1)])


def test_judge_refuses_a_gate_without_rules(experiment: Experiment) -> None:
    """A gate that was given nothing to check would let everything pass."""
    with pytest.raises(DeclarationError, match=r"at least one rule, found none; for instance AccuracyFloor\(0\.95\)"):
        judge(replicates_with(experiment, 0.9), [])


@pytest.mark.parametrize(("reasons", "passed"), [((), True), (("low",), False), (("",), False)])
def test_verdict_passes_only_without_reasons(reasons: tuple[str, ...], *, passed: bool) -> None:
    """One reason is enough to fail, however it is worded."""
    assert Verdict(("a rule",), reasons).passed is passed


def test_refusal_tells_rules_reasons_and_curves(experiment: Experiment) -> None:
    """The message has a line for each reason and for each replicate, passing ones included: they are the comparison."""
    replicates = replicates_with(experiment, 0.9, 0.98)
    error = refusal(replicates, judge(replicates, [AccuracyFloor(0.95), Refuses("drift")]))
    assert str(error).splitlines() == [
        "tiny[learning_rate=0.2] does not pass its gate (accuracy >= 0.95, no drift):",
        "  - expected accuracy of at least 0.95 from each of 2 replicates, found 0.9000 (seed 0)",
        "  - drift in 2",
        "  seed 0: accuracy by epoch 0.450 0.900",
        "  seed 1: accuracy by epoch 0.490 0.980",
    ]


def test_refusal_is_an_error_of_ours_and_an_assertion(experiment: Experiment) -> None:
    """A failed gate is a failed test for pytest, and an error of the harness for whoever catches those."""
    replicates = replicates_with(experiment, 0.5)
    error = refusal(replicates, judge(replicates, [AccuracyFloor(0.95)]))
    assert isinstance(error, GateError)
    assert isinstance(error, HarnessError)
    assert isinstance(error, AssertionError)


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
    mine = left.row("tiny", "x=1")
    mine.engine, mine.artifact = "mxnet", "abc"
    mine.accuracies, mine.seconds, mine.limits = {"0": 0.9}, {"0": 1.0}, {"accuracy >= 0.95": False}
    other = right.row("tiny", "x=1")
    other.engine = "mxnet"
    other.accuracies, other.seconds, other.limits = (
        {"0": 0.9, "1": 0.8},
        {"0": 1.5, "1": 2.0},
        {"accuracy >= 0.95": True},
    )
    other.endpoints = {"simulated": "in service after 3.0 s, deleted"}
    right.row("tiny", "x=2")
    controller.merge(left.to_plain())
    controller.merge(right.to_plain())
    [merged, single] = controller.rows()
    assert merged == Row(
        experiment="tiny",
        hyperparameters="x=1",
        engine="mxnet",
        accuracies={"0": 0.9, "1": 0.8},
        seconds={"0": 1.5, "1": 2.0},
        limits={"accuracy >= 0.95": False},
        artifact="abc",
        endpoints={"simulated": "in service after 3.0 s, deleted"},
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
    sent, board = [Row("tiny", "x=1", limits={"a": True}).__dict__], Board()
    board.merge(sent)
    board.row("tiny", "x=1").limits["b"] = True
    assert sent[0]["limits"] == {"a": True}


@pytest.mark.parametrize("worst", ["failed", "in service after 3.0 s, NOT deleted"])
@pytest.mark.parametrize("first", [True, False])
def test_a_good_end_elsewhere_does_not_hide_a_bad_one(worst: str, *, first: bool) -> None:
    """Two workers deployed one setting: the row tells the failure or the leftover, whichever worker reports last."""
    good = {
        "experiment": "tiny",
        "hyperparameters": "x=1",
        "endpoints": {"simulated": "in service after 3.0 s, deleted"},
    }
    bad = good | {"endpoints": {"simulated": worst}}
    board = Board()
    board.merge([bad, good] if first else [good, bad])
    assert worst in board.rows()[0].endpoints["simulated"]


def test_table_shows_every_column() -> None:
    """A full row and an empty one: figures to four digits by seed, a dash for what there is not, and FAILED."""
    full = Row(
        experiment="tiny",
        hyperparameters="x=1",
        engine="mxnet",
        accuracies={"0": 0.97, "1": 0.98765},
        seconds={"0": 1.04, "1": 2.0},
        limits={"accuracy >= 0.99": False},
        artifact="0123456789ab",
        endpoints={"simulated": "failed", "live": "in service after 300.0 s, deleted"},
    )
    head, _, first, second = as_table([full, Row("other", "defaults")]).splitlines()
    assert head.split("  ")[0] == "experiment"
    for word in ("hyperparameters", "engine", "accuracy by seed", "limit", "training s", "artifact", "endpoint"):
        assert word in head
    assert " ".join(first.split()) == (
        "tiny x=1 mxnet 0.9700 0.9877 accuracy >= 0.99 FAILED 3.0 0123456789ab "
        "simulated: failed, live: in service after 300.0 s, deleted"
    )
    assert second.split() == ["other", "defaults", "-", "-", "-", "-", "-", "-"]


def test_table_keeps_a_digest_that_looks_like_a_number() -> None:
    """``1234e5678901`` is a digest: a table that reads numbers would print ``inf``."""
    assert "1234e5678901" in as_table([Row("tiny", "x=1", artifact="1234e5678901")])
