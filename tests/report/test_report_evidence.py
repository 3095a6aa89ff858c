"""Evidence: confusion, ranking and pictures, gathered from trained models."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from report_rows import row, trained

from harness.report.board import Row
from harness.report.evidence import gather
from harness.report.pictures import LARGEST, Pictures

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

LABELS = (0, 1, 1, 0)

FIRST = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], np.float32)
SECOND = np.array([[0.9, 0.1], [0.7, 0.3], [0.9, 0.1], [0.2, 0.8]], np.float32)
"""Both take image 1 for a 0; only the second errs at 2 and 3."""


def decoded(uri: str) -> NDArray[Any]:
    """The pixels of a picture in a ``data:`` URI."""
    from PIL import Image  # here, as collecting the tests loads nothing heavy

    kind, _, content = uri.partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content, validate=True))))


def test_confusion_counts_every_replicate(tmp_path: Path) -> None:
    """Row: true class, column: answer; the sum is replicates times images."""
    evidence = gather(trained(tmp_path, [FIRST, SECOND], LABELS), None)
    assert evidence.confusion == ((3, 1), (3, 1))


def test_classes_that_nobody_answered_are_counted_too(tmp_path: Path) -> None:
    """The matrix is as wide as the predictions."""
    wide = np.array([[0, 0, 1]], np.float32)
    assert gather(trained(tmp_path, [wide], [1]), None).confusion == ((0, 0, 0), (0, 0, 1), (0, 0, 0))


def test_mistakes_are_ranked_by_the_mean_probability_of_their_class(tmp_path: Path) -> None:
    """The least first; what every replicate got right is none, however unsure."""
    mistakes = gather(trained(tmp_path, [FIRST, SECOND], LABELS), None).mistakes
    assert [entry.index for entry in mistakes] == [1, 2, 3]
    assert [entry.label for entry in mistakes] == [1, 1, 0]
    assert [entry.probability for entry in mistakes] == pytest.approx([0.25, 0.4, 0.4])
    assert mistakes[1].answers == {"5": 1, "6": 0}


def test_no_more_mistakes_than_asked_for(tmp_path: Path) -> None:
    """The limit keeps the worst; without errors there are none."""
    models = trained(tmp_path, [FIRST, SECOND], LABELS)
    assert [entry.index for entry in gather(models, None, limit=1).mistakes] == [1]
    assert gather(models, None, limit=0).mistakes == ()
    assert gather(trained(tmp_path, [FIRST], (0, 0, 1, 0)), None).mistakes == ()


def test_probabilities_that_are_no_numbers_are_the_worst(tmp_path: Path) -> None:
    """A model that answers NaN is not taken for a sure one."""
    broken = FIRST.copy()
    broken[3] = np.nan
    mistakes = gather(trained(tmp_path, [broken], (0, 1, 1, 1)), None).mistakes
    assert [entry.index for entry in mistakes] == [3, 1]


def test_evidence_travels_between_processes(tmp_path: Path) -> None:
    """Plain values only: through JSON and back it is the same."""
    setting = row(0.9)
    images = np.random.default_rng(0).random((4, 1, 8, 8))
    setting.evidence = gather(trained(tmp_path, [FIRST, SECOND], LABELS), images)
    assert Row.from_plain(json.loads(json.dumps(asdict(setting)))).evidence == setting.evidence


def test_grey_images_become_pictures(tmp_path: Path) -> None:
    """From the lowest value of all images, black, to the highest, white; with a channel or without."""
    images = np.zeros((4, 1, 4, 6))
    images[0] = -1
    images[1, 0, 2, 5] = 3
    for shaped in (images, images[:, 0]):
        mistakes = gather(trained(tmp_path, [FIRST], LABELS), shaped).mistakes
        pixels = decoded(mistakes[0].picture)
        assert pixels.shape == (4, 6)
        assert pixels[2, 5] == 255
        assert pixels[0, 0] == 64


def test_colour_images_become_pictures() -> None:
    """Red, green and blue stay what they are."""
    images = np.zeros((2, 3, 5, 4), np.uint8)
    images[1, 0] = 255
    pictures = Pictures.of(images, 2)
    assert pictures
    pixels = decoded(pictures.data_uri(1))
    assert pixels.shape == (5, 4, 3)
    assert pixels[0, 0].tolist() == [255, 0, 0]


def test_large_images_become_smaller() -> None:
    """The longest side is what a page needs, and the shape is kept."""
    pictures = Pictures.of(np.random.default_rng(0).random((1, 512, 256)), 1)
    assert pictures
    assert decoded(pictures.data_uri(0)).shape == (LARGEST, LARGEST // 2)


def test_pixels_that_are_no_numbers_do_not_stop_the_report() -> None:
    """They are black, or white if above all; a range of nothing is black."""
    images = np.zeros((1, 4, 4))
    images[0, 0] = (np.nan, np.inf, -np.inf, 1)
    pictures = Pictures.of(images, 1)
    assert pictures
    assert decoded(pictures.data_uri(0))[0].tolist() == [0, 255, 0, 255]
    for flat in (np.full((1, 4, 4), 7), np.full((1, 4, 4), np.nan), np.zeros((1, 4, 4), bool)):
        same = Pictures.of(flat, 1)
        assert same
        assert not decoded(same.data_uri(0)).any()


@pytest.mark.parametrize(
    "shape", [(4, 784), (4, 1, 28), (4, 2, 28, 28), (4, 1, 3, 28), (4, 28, 513), (4, 1, 1, 28, 28), (3, 28, 28), (4,)]
)
def test_other_data_are_no_pictures(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """Vectors, two channels, sides out of range, another number of images than labels: mistakes without pictures."""
    mistakes = gather(trained(tmp_path, [FIRST], LABELS), np.zeros(shape)).mistakes
    assert [entry.picture for entry in mistakes] == [""]


def test_words_and_complex_numbers_are_no_pictures() -> None:
    """Only what has an order can be grey."""
    assert Pictures.of(np.full((1, 4, 4), "a"), 1) is None
    assert Pictures.of(np.zeros((1, 4, 4), complex), 1) is None
    assert Pictures.of(None, 1) is None
