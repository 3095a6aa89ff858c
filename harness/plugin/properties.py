"""What ``--junitxml`` gets to know of the trials behind a test."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

    from harness.experiment import Trial


def models_of(item: pytest.Item) -> dict[Trial, Any]:
    """The trained models that a test uses, by their trials; other projects have fixtures of these names, too."""
    if "harness.result" not in sys.modules:
        return {}
    from harness.experiment import Trial
    from harness.result import Replicates

    values = getattr(item, "funcargs", {})
    replicates = values.get("replicates")
    models = [values.get("trained"), *(replicates if isinstance(replicates, Replicates) else ())]
    return {model.trial: model for model in models if isinstance(getattr(model, "trial", None), Trial)}


def note_trials(item: pytest.Item) -> None:
    """Add a property for each figure of each trained model that a test uses; pytest-xdist carries them along."""
    for trial, model in models_of(item).items():
        figures = {
            "accuracy": f"{model.accuracy:.6g}",
            "loss": f"{model.loss:.6g}",
            "seconds": f"{model.seconds:.3f}",
            "engine": model.engine,
            "cached": str(model.cached).lower(),
        }
        for name, value in figures.items():
            item.user_properties.append((f"byom.{trial}.{name}", value))
