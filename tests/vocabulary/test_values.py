"""Results and artifacts: plain, frozen, and what they derive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import Experiment, Hyperparameters, arrays
from harness.artifact import Artifact, Problem, shapes_signature
from harness.result import Checkpoint, Epoch, Provenance, Replicates, TrainedModel


@pytest.fixture
def models(tmp_path: Path) -> list[TrainedModel]:
    """Two replicates, of accuracy 0.5 and 0.75."""
    script = tmp_path / "entry.py"
    script.write_text("def build_graph(): ...")
    numbers: Any = {name: np.zeros((2, 1)) for name in ("train_data", "test_data")}
    data = arrays("d", train_label=np.zeros(2), test_label=np.zeros(2), **numbers)
    experiment = Experiment(name="e", entry_point=script, dataset=data, seeds=[3, 4])
    epoch = Epoch(number=1, train_accuracy=0.1, train_loss=2.0, validation_accuracy=0.5, seconds=1.5)
    return [
        TrainedModel(
            trial=trial,
            engine="mxnet",
            checkpoint=Checkpoint(symbol_json="{}", parameters={}, auxiliary={}, data_shapes=()),
            history=(epoch,),
            probabilities=np.zeros((2, 2)),
            engine_probabilities=np.zeros((2, 2)),
            labels=np.zeros(2, np.int64),
            accuracy=accuracy,
            loss=1 - accuracy,
            seconds=1.5,
            provenance=Provenance(graph="", train_data="", test_data="", settings={}, versions={}, weights=""),
        )
        for trial, accuracy in zip(experiment.trials(Hyperparameters(learning_rate=0.5)), (0.5, 0.75), strict=True)
    ]


def test_a_model_tells_its_facts_in_plain_values(models: list[TrainedModel]) -> None:
    """to_dict() survives JSON: no arrays, no paths."""
    facts = json.loads(json.dumps(models[0].to_dict()))
    assert facts["hyperparameters"] == {"learning_rate": 0.5}
    assert facts["seed"] == 3
    assert facts["history"][0]["train_loss"] == 2.0


def test_replicates_are_a_sequence(models: list[TrainedModel]) -> None:
    """They index, slice, count and print, and know their mean."""
    replicates = Replicates(models)
    assert len(replicates) == 2
    assert replicates[1] is models[1]
    assert replicates[:1] == (models[0],)
    assert list(replicates) == models
    assert replicates.accuracies == (0.5, 0.75)
    assert replicates.mean_accuracy == 0.625
    assert replicates.losses == (0.5, 0.25)
    assert repr(replicates) == "<Replicates of e[learning_rate=0.5]: accuracy 0.5000, 0.7500>"
    with pytest.raises(ValueError, match="expected at least one trained model, found none"):
        Replicates([])


def test_artifacts_shorten_their_digest_and_problems_read_well() -> None:
    """Twelve digits in tables; a problem says code, member, finding and remedy."""
    assert Artifact(Path("m"), "0123456789abcdef" * 4, 1, ()).digest == "0123456789ab"
    assert str(Problem("code", "member", "found", "mend")) == "[code] member: found; mend"
    assert str(Problem("code", "", "found", "mend")) == "[code] found; mend"


def test_the_shapes_signature_is_what_the_container_reads() -> None:
    """A list of shape and name per input, batch first, as the notebook writes it."""
    assert shapes_signature([("data", (100, 1, 28, 28))]) == [{"shape": [100, 1, 28, 28], "name": "data"}]
