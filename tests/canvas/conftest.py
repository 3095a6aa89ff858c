"""What the tests of drawing share: a model of digits that was really trained, the page over it, and Chromium."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness import Drawing, Experiment, Hyperparameters, mnist, read_drawings

if TYPE_CHECKING:
    from collections.abc import Iterator

EXPERIMENTS = Path(__file__).parents[2] / "experiments"

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

FLAGS = (
    "--no-sandbox",  # CI is root in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Chromium looks at nothing but the page."""


@pytest.fixture(scope="session")
def digits() -> dict[str, tuple[Drawing, ...]]:
    """The recorded drawings of the notebook's experiment, by digit."""
    return read_drawings(EXPERIMENTS / "drawn-digits.json")


@pytest.fixture(scope="session")
def digit_tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The notebook's perceptron after five epochs of the real MNIST, packed."""
    from harness.tarball.export import pack
    from harness.train import checkpoint
    from harness.train.trainer import Trainer

    script = EXPERIMENTS / "mnist.py"
    experiment = Experiment(name="digits", entry_point=script, dataset=mnist(), epochs=5, seeds=[0])
    trained = Trainer(engine="xla").train(experiment.trials(Hyperparameters(learning_rate=0.11))[0])
    folder = tmp_path_factory.mktemp("digits")
    (folder / "model").mkdir()
    checkpoint.save(trained.checkpoint, folder / "model")
    return pack(folder / "model", folder / "model.tar.gz", entry_point=script).path


@pytest.fixture(scope="session")
def digit_page(digit_tarball: Path) -> Iterator[str]:
    """Address of the page with AWS's model server on that tarball behind it."""
    from harness.canvas.server import About, Page, PageServer
    from harness.simulator.serve import one_answer, serve_tarball

    with serve_tarball(digit_tarball) as server:
        page = Page(lambda picture: one_answer(server, picture[np.newaxis]), About(source="model.tar.gz"))
        with PageServer(page) as served:
            yield served.url


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The system's Chromium, headless."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium: install the system's package chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()
