"""Rows of boards, as the tests of the reports need them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import Experiment, Hyperparameters, arrays
from harness.report.board import Deployed, Evidence, Mistake, Packed, Replicate, Row
from harness.result import Checkpoint, Epoch, Provenance, Replicates, TrainedModel
from harness.verdict import Change, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

NAN = math.nan

EVIL = '<script>alert("x")</script>\'"&amp;|`*_[a](b)\n{{7*7}}'
"""What no report may take for markup."""

PIXEL = "data:image/png;base64,iVBORw0KGgo="


def epoch(number: int, accuracy: float = 0.9, loss: float = 0.5) -> dict[str, float]:
    """One entry of a history."""
    return {
        "number": number,
        "train_accuracy": accuracy,
        "train_loss": loss,
        "validation_accuracy": accuracy,
        "seconds": 1.5,
    }


def replicate(seed: int = 0, accuracy: float = 0.95, *, epochs: int = 3, **fields: Any) -> Replicate:
    """A replicate whose accuracy rises to its last."""
    history = tuple(epoch(number, accuracy - 0.1 / number, 1 / number) for number in range(1, epochs + 1))
    return Replicate(
        **{"seed": seed, "accuracy": accuracy, "loss": 0.25, "seconds": 2.0, "cached": False, "history": history}
        | fields
    )


def row(*accuracies: float, experiment: str = "mnist", findings: Sequence[Finding] = (), **settings: Any) -> Row:
    """A setting with one replicate for each accuracy."""
    words = ",".join(f"{name}={value}" for name, value in settings.items()) or "defaults"
    replicates = {str(seed): replicate(seed, accuracy) for seed, accuracy in enumerate(accuracies)}
    return Row(experiment, words, dict(settings), "xla", replicates, list(findings))


def failing(**fields: Any) -> Finding:
    """What a rule says that does not let pass."""
    return Finding(**{"rule": "accuracy >= 0.9", "reason": "expected 0.9, found 0.8"} | fields)


def change(metric: str = "accuracy", **fields: Any) -> Change:
    """A fall of the accuracy by two points."""
    values = {"baseline": 0.97, "found": 0.95, "low": -0.03, "high": -0.01, "confidence": 0.99, "worse": True}
    return Change(metric=metric, **values | fields)


def mistake(**fields: Any) -> Mistake:
    """An image that two of three replicates got wrong."""
    values = {"index": 247, "label": 4, "answers": {"0": 9, "1": 9, "2": 4}, "probability": 0.01, "picture": PIXEL}
    return Mistake(**values | fields)


def full_row() -> Row:
    """A setting of which everything is known."""
    regression = failing(
        rule="not worse by 0.5 points",
        reason="found worse ones",
        note="3 replicates against 3",
        changes=(change(), change("loss", baseline=0.2, found=0.3, low=0.05, high=0.15)),
        remedy="To accept this as the new baseline: pytest --update-baselines",
    )
    known = row(0.95, 0.94, 0.96, findings=[Finding(rule="accuracy >= 0.9"), regression], learning_rate=0.1)
    known.artifact = Packed(digest="0" * 12, sha256="0" * 64, size=437211, members=("model-symbol.json", "code/m.py"))
    known.endpoints = {"e": Deployed(kind="simulated", name="byom-e-1", instance_type="ml.m4.xlarge", state="deleted")}
    known.evidence = Evidence(confusion=((90, 10), (2, 98)), mistakes=(mistake(), mistake(index=3, picture="")))
    return known


def odd_rows() -> list[Row]:
    """Settings that lack what others have, or hold what no report expects."""
    never_trained = row(experiment="never-trained", findings=[failing()], learning_rate=9.0)
    numberless = row(0.9, NAN, experiment="numberless", learning_rate=0.1)
    numberless.replicates["7"] = replicate(7, NAN, loss=math.inf, seconds=NAN, history=(epoch(1, NAN, NAN),))
    numberless.findings = [failing(changes=(change(found=NAN, low=NAN, high=NAN), change(low=-math.inf, high=0.0)))]
    only_nan = row(NAN, experiment="numberless", learning_rate=0.2)
    without_history = row(0.5, experiment="bare")
    without_history.replicates["0"] = replicate(0, 0.5, history=())
    one_epoch = row(experiment="one-epoch")
    one_epoch.replicates["0"] = replicate(0, 0.5, epochs=1)
    evil = full_row()
    evil.experiment, evil.hyperparameters, evil.settings = "evil", EVIL, {EVIL: EVIL}
    evil.engine = EVIL
    evil.findings = [failing(rule=EVIL, reason=EVIL, note=EVIL, remedy=EVIL)]
    evil.artifact = Packed(digest=EVIL, sha256=EVIL, size=0, members=(EVIL, "m" * 300))
    evil.endpoints = {EVIL: Deployed(kind=EVIL, name=EVIL, instance_type=EVIL, state=EVIL)}
    unicode = row(0.9, 0.8, experiment="unicode", größe="学習率", half="\udc80", width="\u202eabc")
    huge = row(1e300, -1e300, experiment="huge", learning_rate=10**400, hidden=1)
    return [
        *(never_trained, row(experiment="unknown"), numberless, only_nan, without_history),
        *(one_epoch, evil, unicode, huge),
    ]


def many_rows(count: int) -> list[Row]:
    """A random search; one setting in ten failed."""
    return [
        row(
            0.9 + index / count / 20,
            experiment="search",
            learning_rate=(index + 1) / count,
            findings=[failing() if index % 10 == 0 else Finding(rule="accuracy >= 0.9")],
        )
        for index in range(count)
    ]


def trained(folder: Path, probabilities: Sequence[NDArray[Any]], labels: Sequence[int]) -> Replicates:
    """Models of one setting that predict so, with seeds from 5 on."""
    script = folder / "entry.py"
    script.write_text("def build_graph(): ...\n", encoding="utf-8")
    images = {name: np.zeros((len(labels), 1)) for name in ("train_data", "test_data")}
    data = arrays("d", train_label=np.array(labels), test_label=np.array(labels), **images)
    experiment = Experiment(
        name="e", entry_point=script, dataset=data, seeds=range(5, 5 + len(probabilities)), batch_size=1
    )
    return Replicates(
        [
            TrainedModel(
                trial=trial,
                engine="xla",
                checkpoint=Checkpoint(symbol_json="{}", parameters={}, auxiliary={}, data_shapes=()),
                history=(Epoch(number=1, train_accuracy=0.1, train_loss=2.0, validation_accuracy=0.5, seconds=1.5),),
                probabilities=predicted,
                engine_probabilities=predicted,
                labels=np.array(labels, np.int64),
                accuracy=0.5,
                loss=0.7,
                seconds=1.5,
                provenance=Provenance(graph="", train_data="", test_data="", settings={}, versions={}, weights=""),
            )
            for trial, predicted in zip(experiment.trials(Hyperparameters()), probabilities, strict=True)
        ]
    )
