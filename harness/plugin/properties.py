"""What ``--junitxml`` gets to know of the trials behind a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def note_trials(item: pytest.Item) -> None:
    """Add a property for each figure of each trained model that a test uses; pytest-xdist carries them along."""
    values = getattr(item, "funcargs", {})
    models = [values.get("trained"), *(values.get("replicates") or ())]
    for trial, model in {model.trial: model for model in models if hasattr(model, "trial")}.items():
        figures = {
            "accuracy": f"{model.accuracy:.6g}",
            "loss": f"{model.loss:.6g}",
            "seconds": f"{model.seconds:.3f}",
            "engine": model.engine,
            "cached": str(model.cached).lower(),
        }
        for name, value in figures.items():
            item.user_properties.append((f"byom.{trial}.{name}", value))
