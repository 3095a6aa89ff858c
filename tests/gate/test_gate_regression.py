"""The regression gate: what it lets pass, what it catches, and everything that it will not compare."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import pytest
from trained_models import model_with, noisy_replicates, replicates_of

from harness import Experiment, Hyperparameters, NotWorse
from harness.errors import DeclarationError
from harness.gate.baseline import Baseline, file_name
from harness.gate.regression import Baselines

if TYPE_CHECKING:
    from pathlib import Path

    from harness.result import Replicates, TrainedModel

SEEDS, ACCEPTED = range(6), range(24)


@pytest.fixture(scope="module")
def accepted(experiment: Experiment) -> Replicates:
    """24 replicates with about 30 errors in 1,000 images, 0.2 points apart."""
    return noisy_replicates(experiment, ACCEPTED)


@pytest.fixture
def baselines(accepted: Replicates, tmp_path: Path) -> Baselines:
    """A folder with their baseline."""
    return written(accepted, tmp_path)


def written(replicates: Replicates, folder: Path, **fields: Any) -> Baselines:
    """A folder with the baseline of these replicates."""
    path = folder / file_name(replicates[0].trial)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(Baseline.of(replicates).to_text(), encoding="utf-8")
    return Baselines(folder=folder, command="pytest --update-baselines", **fields)


def first(replicates: Replicates, count: int, **fields: Any) -> Replicates:
    """The first of them as a run of their own, with other fields if need be."""
    return replicates_of([dataclasses.replace(model, **fields) for model in replicates[:count]])


def from_other(replicates: Replicates, **fields: Any) -> Replicates:
    """The first six, made from something else."""
    models = [
        dataclasses.replace(model, provenance=dataclasses.replace(model.provenance, **fields))
        for model in replicates[:6]
    ]
    return replicates_of(models)


def test_equal_weights_are_identical(accepted: Replicates, baselines: Baselines) -> None:
    """The same bytes need no statistics, however few the seeds are."""
    for count in (6, 1):
        finding = NotWorse(baselines).finding(first(accepted, count))
        assert finding.passed
        assert finding.note == "identical to the baseline: from every seed the same weights and answers"


def test_equal_weights_that_answer_otherwise_are_not_identical(accepted: Replicates, baselines: Baselines) -> None:
    """The same weights with another accuracy, loss or answer: the test images went another way, and are compared."""
    models = [_with_errors(model, 0) for model in accepted[:6]]
    same = [dataclasses.replace(new, provenance=old.provenance) for new, old in zip(models, accepted, strict=False)]
    assert "identical" in NotWorse(baselines).finding(replicates_of(same)).note
    for change in ({"loss": 0.2}, {"probabilities": same[1].probabilities}):
        others = [dataclasses.replace(same[0], **change), *same[1:]]
        assert "identical" not in NotWorse(baselines).finding(replicates_of(others)).note


def test_worse_is_worse_however_few_have_shown_it(experiment: Experiment, baselines: Baselines) -> None:
    """Three replicates are too few to trust when they find nothing, but not when they find ten points lost."""
    finding = NotWorse(baselines, margin=0.002).finding(noisy_replicates(experiment, range(3), errors=130, draw=1))
    assert finding.reason.startswith("expected results no worse than the baseline's")


def test_identical_models_of_an_earlier_run_are_told(accepted: Replicates, baselines: Baselines) -> None:
    """What nobody trained in this run is identical by the cache's word; the note says so."""
    cached = replicates_of([dataclasses.replace(accepted[0], cached=True), *accepted[1:6]])
    assert NotWorse(baselines).finding(cached).note.endswith("; 1 of 6 were trained in an earlier run")


def test_losses_that_differ_by_rounding_are_equal(accepted: Replicates, baselines: Baselines) -> None:
    """A ninth digit, the same for every seed, is no regression, however sure it is."""
    models = [_with_errors(model, 0) for model in accepted[:6]]
    nudged = [dataclasses.replace(model, loss=model.loss + 4e-9) for model in models]
    assert NotWorse(baselines, margin=0.01).finding(replicates_of(nudged)).passed


def test_replicates_without_noise_promise_no_more_than_their_images(experiment: Experiment, tmp_path: Path) -> None:
    """24 models that get all of 100 images right say nothing of a fall of half an image."""
    perfect = replicates_of([model_with(experiment, seed, images=100) for seed in ACCEPTED])
    now = replicates_of([model_with(experiment, seed, images=100, weights="e" * 64) for seed in SEEDS])
    baselines = written(perfect, tmp_path)
    assert "too few" in (NotWorse(baselines).reason(now) or "")
    assert NotWorse(baselines, margin=0.2).reason(now) is None


def test_the_baseline_of_another_setting_is_not_compared(accepted: Replicates, baselines: Baselines) -> None:
    """A file that was renamed or copied keeps its own name inside."""
    setting = Hyperparameters(learning_rate=0.3)
    trials = [dataclasses.replace(model.trial, hyperparameters=setting) for model in accepted[:6]]
    models = zip(accepted, trials, strict=False)
    other = replicates_of([dataclasses.replace(model, trial=trial) for model, trial in models])
    path = baselines.folder / file_name(accepted[0].trial)
    path.rename(path.with_name("learning_rate=0.3.json"))
    reason = NotWorse(baselines).reason(other)
    assert reason is not None
    assert "expected that of tiny[learning_rate=0.3], found that of tiny[learning_rate=0.2]" in reason


def test_other_seeds_of_the_same_code_pass(experiment: Experiment, baselines: Baselines) -> None:
    """Other draws from the same distribution pass, and the note says what would have been noticed and how often."""
    finding = NotWorse(baselines, margin=0.01).finding(noisy_replicates(experiment, SEEDS, draw=1))
    assert finding.passed, finding.reason
    assert finding.note.startswith("6 replicates against 24: a fall of 1 points is noticed in about ")
    assert "unchanged code fails here in at most 1 %" in finding.note
    assert [change.metric for change in finding.changes] == ["accuracy", "loss", "accuracy of the same seeds"]


def test_a_fall_of_the_mean_is_caught(experiment: Experiment, baselines: Baselines) -> None:
    """One point lost with fresh noise: the reason tells by which test, the remedy how to accept it."""
    finding = NotWorse(baselines).finding(noisy_replicates(experiment, SEEDS, errors=40, draw=1))
    assert finding.reason.startswith("expected results no worse than the baseline's, found worse ones")
    assert "replicates against replicates, p = " in finding.reason
    assert finding.remedy == "To accept the results of this module as baselines: pytest --update-baselines"
    assert finding.changes[0].worse


def test_a_rise_of_the_loss_alone_is_caught(experiment: Experiment, baselines: Baselines) -> None:
    """Wrong labels now and then leave the answers as they are, but unsure: accuracy alone would let that pass."""
    finding = NotWorse(baselines).finding(noisy_replicates(experiment, SEEDS, loss=0.12, draw=1))
    assert not finding.passed
    accuracy, loss, _ = finding.changes
    assert (accuracy.worse, loss.worse) == (False, True)


def test_a_small_fall_of_every_seed_is_caught_image_by_image(experiment: Experiment, tmp_path: Path) -> None:
    """Twelve more errors from each seed drown in the noise between seeds, but not beside the same seeds before."""
    before = noisy_replicates(experiment, ACCEPTED, errors=100, deviation=25, images=10_000)
    baselines = written(before, tmp_path)
    now = [_with_errors(model, 12) for model in before[:6]]
    finding = NotWorse(baselines).finding(replicates_of(now))
    assert "(image by image with the same seeds, p = " in finding.reason
    accuracy, _, same_seeds = finding.changes
    assert (accuracy.worse, same_seeds.worse) == (False, True)


def _with_errors(model: TrainedModel, count: int) -> TrainedModel:
    """Other weights that get so many more images wrong."""
    wrong = [*(model.probabilities.argmax(axis=1) != model.labels).nonzero()[0].tolist(), *range(500, 500 + count)]
    trial = model.trial
    return model_with(trial.experiment, trial.seed, wrong, loss=model.loss, weights="f" * 64, images=len(model.labels))


def test_an_improvement_passes(experiment: Experiment, baselines: Baselines) -> None:
    """Better is not worse."""
    assert NotWorse(baselines).reason(noisy_replicates(experiment, SEEDS, errors=10, draw=1)) is None


def test_without_a_baseline_nothing_passes(accepted: Replicates, tmp_path: Path) -> None:
    """The reason names the file that is missing, the remedy the command that writes it."""
    finding = NotWorse(Baselines(folder=tmp_path / "baselines")).finding(first(accepted, 6))
    assert finding.reason == ("expected a baseline at baselines/tiny/learning_rate=0.2.json, found none")
    assert finding.remedy == "To accept the results of this module as baselines: pytest --update-baselines"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("graph", "h" * 64, "graph: gggggggggggg then, hhhhhhhhhhhh now"),
        ("train_data", "c" * 64, "training data: aaaaaaaaaaaa then, cccccccccccc now"),
        ("test_data", "c" * 64, "test data: bbbbbbbbbbbb then, cccccccccccc now"),
        ("settings", {"optimizer": "sgd", "learning_rate": 0.2, "epochs": 3}, "epochs: 2 then, 3 now"),
        ("settings", {"optimizer": "sgd", "learning_rate": 0.2}, "epochs: 2 then, nothing now"),
    ],
)
def test_what_was_made_from_something_else_is_not_compared(
    accepted: Replicates, baselines: Baselines, field: str, value: object, words: str
) -> None:
    """Other data, another graph, other settings: even equal figures are no pass, and the reason says what differs."""
    finding = NotWorse(baselines).finding(from_other(accepted, **{field: value}))
    assert finding.reason == f"expected what the baseline was made from, found something else ({words})"
    assert bool(finding.changes) == (field != "test_data")  # told for reading, where the images are the same


def test_another_engine_is_not_compared(accepted: Replicates, baselines: Baselines) -> None:
    """A baseline of one engine says nothing of the other."""
    reason = NotWorse(baselines).reason(first(accepted, 6, engine="xla"))
    assert reason is not None
    assert "engine: mxnet then, xla now" in reason


@pytest.mark.parametrize("field", ["accuracy", "loss"])
def test_what_is_not_a_number_is_not_compared(accepted: Replicates, baselines: Baselines, field: str) -> None:
    """One NaN among the figures is no pass, whatever the others are."""
    models = [dataclasses.replace(accepted[0], **{field: math.nan}), *accepted[1:6]]
    finding = NotWorse(baselines).finding(replicates_of(models))
    assert finding.reason == "expected accuracies and losses that are numbers, found some that are not"
    assert finding.changes == ()


def test_too_few_replicates_are_not_compared(experiment: Experiment, baselines: Baselines) -> None:
    """Two seeds cannot tell half a point from noise; the reason says how many could."""
    reason = NotWorse(baselines).reason(noisy_replicates(experiment, range(2), draw=1))
    assert reason is not None
    assert reason.startswith(
        "expected enough replicates to notice a fall of 0.5 points in 95 % of runs, found 2, and 24 in the baseline"
    )
    assert "too few; Experiment(seeds=range(" in reason


def test_a_baseline_of_one_replicate_is_not_compared(
    accepted: Replicates, experiment: Experiment, tmp_path: Path
) -> None:
    """One accepted model says nothing of noise: no number of new ones helps."""
    reason = NotWorse(written(first(accepted, 1), tmp_path)).reason(noisy_replicates(experiment, SEEDS, draw=1))
    assert reason is not None
    assert "too few; a baseline of more replicates or a larger margin would do" in reason


def test_a_wider_margin_needs_fewer_replicates(experiment: Experiment, baselines: Baselines) -> None:
    """What cannot tell half a point may well tell two."""
    three = noisy_replicates(experiment, range(3), draw=1)
    assert "too few" in (NotWorse(baselines, margin=0.003).reason(three) or "")
    assert NotWorse(baselines, margin=0.02).reason(three) is None


def test_an_edited_baseline_is_not_compared(accepted: Replicates, baselines: Baselines) -> None:
    """What was written by hand is refused even where it would say identical."""
    path = baselines.folder / file_name(accepted[0].trial)
    path.write_text(path.read_text(encoding="utf-8").replace('"seed": 0', '"seed": 77'), encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace("mean 0.9", "mean 0.8"), encoding="utf-8")
    reason = NotWorse(baselines).reason(first(accepted, 6))
    assert reason is not None
    assert "found one that was edited or merged" in reason


def test_an_update_passes_and_shows_the_change(accepted: Replicates, tmp_path: Path, experiment: Experiment) -> None:
    """With --update-baselines the comparison is told, not judged; a damaged file is no obstacle to its replacement."""
    worse = noisy_replicates(experiment, SEEDS, errors=60, draw=1)
    updating = written(accepted, tmp_path, updating=True)
    finding = NotWorse(updating).finding(worse)
    assert (finding.passed, finding.note) == (True, "to be replaced")
    assert finding.changes[0].worse
    (tmp_path / file_name(worse[0].trial)).write_text("broken", encoding="utf-8")
    assert NotWorse(updating).finding(worse).note == "to be written"


def test_seeds_that_the_baseline_does_not_have_are_compared_by_replicates_alone(
    experiment: Experiment, baselines: Baselines
) -> None:
    """No common seeds, no pairs: two changes are told instead of three."""
    finding = NotWorse(baselines, margin=0.01).finding(noisy_replicates(experiment, range(100, 106), draw=1))
    assert finding.passed
    assert len(finding.changes) == 2


@pytest.mark.parametrize(("name", "value"), [("margin", 0), ("margin", 0.5e3), ("false_alarms", 0), ("power", 1.0)])
def test_the_rule_refuses_figures_that_are_no_shares(baselines: Baselines, name: str, value: float) -> None:
    """A margin of 500 would notice nothing."""
    with pytest.raises(DeclarationError, match=f"NotWorse: expected {name} between 0 and 1, found {value}"):
        NotWorse(baselines, **{name: value})


def test_the_rule_wants_the_fixture(tmp_path: Path) -> None:
    """A path in its place is refused when declared."""
    with pytest.raises(DeclarationError, match="expected the fixture baseline"):
        NotWorse(tmp_path)  # type: ignore[arg-type]


def test_the_rule_says_its_margin(baselines: Baselines) -> None:
    """In points, for the table."""
    assert str(NotWorse(baselines, margin=0.002)) == "not worse (notices 0.2 points)"
