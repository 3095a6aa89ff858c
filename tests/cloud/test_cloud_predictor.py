"""Predictions: payloads within SageMaker's limit, the notebook's labelled answer, clear errors."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from harness.cloud.predictor import _ENCODERS, CONTENT_TYPES, CSV, JSON, NPY, Likelihood, Predictor, payloads
from harness.errors import CloudError

BATCHES = npst.arrays(
    np.float32,
    npst.array_shapes(min_dims=2, max_dims=4, max_side=6),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
)


def decode(body: bytes, content_type: str, shape: tuple[int, ...]) -> Any:
    """What the container's decoder makes of a payload, float32 of the given shape per image."""
    if content_type == JSON:
        return np.array(json.loads(body), np.float32)
    if content_type == NPY:
        return np.load(io.BytesIO(body))
    rows = np.genfromtxt(io.StringIO(body.decode()), delimiter=",")
    return rows.reshape(-1, *shape).astype(np.float32)


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
@settings(deadline=None)
@given(batch=BATCHES, limit=st.integers(1500, 4000))
def test_payloads_hold_every_image_bit_for_bit(content_type: str, batch: Any, limit: int) -> None:
    """Whatever the split, decoding the pieces in order gives back every float32, and no piece is over the limit."""
    pieces = list(payloads(batch, _ENCODERS[content_type], limit=limit + 3000 * (content_type != NPY)))
    assert sum(count for _, count in pieces) == len(batch)
    assert all(len(piece) <= limit + 3000 * (content_type != NPY) for piece, _ in pieces)
    together = np.concatenate([decode(piece, content_type, batch.shape[1:]) for piece, _ in pieces])
    np.testing.assert_array_equal(together, batch)


def test_a_small_limit_splits() -> None:
    """The split really happens: 64 images of 1 kB do not fit into one payload of 10 kB."""
    batch = np.ones((64, 256), np.float32)
    assert len(list(payloads(batch, _ENCODERS[NPY], limit=10_000))) == 8


def test_one_image_over_the_limit_is_refused() -> None:
    """An image that alone is too large is an error with both sizes, not an endless split."""
    with pytest.raises(CloudError, match=r"one image takes \d+ bytes, SageMaker's limit for a request is 100"):
        list(payloads(np.ones((2, 100), np.float32), _ENCODERS[NPY], limit=100))


def predictor(answer: bytes, labels: list[str] | None = None) -> Predictor:
    """A predictor whose endpoint always gives the same answer."""
    client = SimpleNamespace(invoke_endpoint=lambda **_: {"Body": io.BytesIO(answer)})
    return Predictor(SimpleNamespace(client=lambda _: client), "some-endpoint", labels)  # type: ignore[arg-type]


def test_the_most_likely_answer_comes_first() -> None:
    """classify() gives every label with its probability, sorted, and reads as the notebook prints it."""
    answer = predictor(b"[[0.1, 0.7, 0.2]]", ["zero", "one", "two"]).classify(np.zeros((1, 2, 2)))
    assert answer == [Likelihood(0.7, "one"), Likelihood(0.2, "two"), Likelihood(0.1, "zero")]
    assert str(answer[0]) == "one: 70.00%"


def test_labels_default_to_numbers() -> None:
    """Without labels the classes are called by their numbers."""
    assert predictor(b"[[0.1, 0.9]]").classify(np.zeros((1, 2, 2)))[0].label == "1"


@pytest.mark.parametrize(
    ("images", "content_type", "message"),
    [
        (np.zeros((1, 2)), "image/png", "content type: expected one of application/json, text/csv.*found 'image/png'"),
        (np.zeros(4), JSON, r"expected shape \(n, ...\) .*found \(4,\); a single image needs a first dimension of 1"),
        (np.array([["a"]]), CSV, "images: expected an array of numbers"),
        (np.zeros((0, 4)), CSV, r"n of at least 1, found \(0, 4\)"),
    ],
)
def test_what_cannot_be_sent_is_refused(images: Any, content_type: str, message: str) -> None:
    """Unknown content types, single images and empty batches are errors before anything is sent."""
    with pytest.raises(CloudError, match=message):
        predictor(b"").predict(images, content_type)


@pytest.mark.parametrize("answer", [b"<html>", b"null", b'{"predictions": [[1]]}', b"[0.5]", b"[[0.5], [0.5]]"])
def test_an_answer_that_is_no_row_per_image_is_an_error(answer: bytes) -> None:
    """What the endpoint said is quoted, and a missing or a surplus row is never passed on."""
    with pytest.raises(CloudError, match=r"endpoint some-endpoint: expected 1 rows of probabilities as JSON, found b'"):
        predictor(answer).predict(np.zeros((1, 2)))


def test_labels_must_match_the_classes() -> None:
    """Two labels for three classes are refused rather than cut short."""
    with pytest.raises(CloudError, match="labels: expected one for each of 3 classes, found 2"):
        predictor(b"[[0.1, 0.7, 0.2]]", ["a", "b"]).classify(np.zeros((1, 2, 2)))


def test_errors_of_the_endpoint_are_translated(account: Any) -> None:
    """AWS's own words arrive as one error of ours, cause chained."""
    with pytest.raises(
        CloudError, match=r"endpoint never-made: .*Endpoint never-made of account 123456789012 not found"
    ) as caught:
        Predictor(account, "never-made").predict(np.zeros((1, 2)))
    assert type(caught.value.__cause__).__name__ == "ValidationError"
