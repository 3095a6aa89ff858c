"""What tests of gates share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from trained_models import experiment_in

if TYPE_CHECKING:
    from harness import Experiment


@pytest.fixture(scope="session")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    """Something that trials can belong to; nothing of it is ever trained."""
    return experiment_in(tmp_path_factory.mktemp("gate"))
