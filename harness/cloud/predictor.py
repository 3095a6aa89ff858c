"""Asking an endpoint: probabilities for images, and the labelled answer that the notebook prints."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.cloud.refusal import told
from harness.errors import CloudError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from harness.cloud.session import Cloud

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
CONTENT_TYPES = (JSON, CSV, NPY)
"""What the MXNet container takes for a model with one input."""

PAYLOAD_LIMIT = 6 * 1024 * 1024
"""Bytes in one request to a real-time endpoint (SageMaker quotas)."""

_REQUEST_ROWS = 2000
"""Images in one request at most: the container predicts them one by one, and must answer within 60 seconds."""


@dataclass(frozen=True, order=True)
class Likelihood:
    """How likely one label is; sorts by probability."""

    probability: float
    label: str

    def __str__(self) -> str:
        return f"{self.label}: {self.probability:.2%}"


class Predictor:
    """Asks one endpoint.

    Args:
        cloud: the account it lives in.
        endpoint_name: its name.
        labels: name of each class, in the order of the model's outputs; their numbers unless given.
    """

    def __init__(self, cloud: Cloud, endpoint_name: str, labels: Sequence[str] | None = None) -> None:
        self.endpoint_name = endpoint_name
        self._client = cloud.client("sagemaker-runtime")
        self._labels = labels

    def predict(self, images: ArrayLike, content_type: str = JSON) -> NDArray[np.float64]:
        """Probabilities, float64 (n, classes), for images of shape (n, ...) as the model takes them.

        What does not fit into one request is sent in several.

        Raises:
            CloudError: an unknown content type, no batch of images, an image over the limit, or the endpoint's error.
        """
        batch = _as_batch(images)
        if content_type not in _ENCODERS:
            raise CloudError(f"content type: expected one of {', '.join(CONTENT_TYPES)}, found {content_type!r}")
        if batch.ndim < 2 or len(batch) == 0:  # noqa: PLR2004 - images and at least one feature
            raise CloudError(
                f"images: expected shape (n, ...) with n of at least 1, found {batch.shape}; "
                f"a single image needs a first dimension of 1"
            )
        pieces = payloads(batch, _ENCODERS[content_type])
        return np.concatenate([self._ask(body, count, content_type) for body, count in pieces])

    def classify(self, image: ArrayLike, content_type: str = JSON) -> list[Likelihood]:
        """Every label with its probability for one image of shape (...), the most likely first.

        Raises:
            CloudError: see `predict`; or there are more or fewer labels than classes.
        """
        [probabilities] = self.predict(np.asarray(image)[np.newaxis], content_type)
        labels = self._labels if self._labels is not None else [str(number) for number in range(len(probabilities))]
        if len(labels) != len(probabilities):
            raise CloudError(f"labels: expected one for each of {len(probabilities)} classes, found {len(labels)}")
        return sorted(map(Likelihood, probabilities.tolist(), labels), reverse=True)

    def _ask(self, body: bytes, count: int, content_type: str) -> NDArray[np.float64]:
        import botocore.exceptions

        try:
            answer = self._client.invoke_endpoint(
                EndpointName=self.endpoint_name, ContentType=content_type, Accept=JSON, Body=body
            )
            content = answer["Body"].read()
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            raise CloudError(f"endpoint {self.endpoint_name}: {told(error)}") from error
        try:
            rows = np.array(json.loads(content), dtype=np.float64)
        except (TypeError, ValueError, OverflowError, RecursionError):
            rows = np.empty(0)
        if rows.ndim != 2 or len(rows) != count:  # noqa: PLR2004 - images and classes
            raise CloudError(
                f"endpoint {self.endpoint_name}: expected {count} rows of probabilities as JSON, "
                f"found {content[:80]!r} of shape {rows.shape}"
            )
        return rows


def payloads(
    batch: NDArray[np.float32], encode: Callable[[NDArray[np.float32]], bytes], limit: int = PAYLOAD_LIMIT
) -> Iterator[tuple[bytes, int]]:
    """``batch`` encoded in pieces of at most ``limit`` bytes, in order, each with how many images it holds.

    Raises:
        CloudError: one image alone is over the limit.
    """
    for start in range(0, len(batch), _REQUEST_ROWS):
        yield from _halved(batch[start : start + _REQUEST_ROWS], encode, limit)


def _halved(
    batch: NDArray[np.float32], encode: Callable[[NDArray[np.float32]], bytes], limit: int
) -> Iterator[tuple[bytes, int]]:
    body = encode(batch)
    if len(body) <= limit:
        yield body, len(batch)
        return
    if len(batch) == 1:
        raise CloudError(
            f"one image takes {len(body)} bytes, SageMaker's limit for a request is {limit}; send application/x-npy, "
            f"or make the image smaller"
        )
    middle = len(batch) // 2
    yield from _halved(batch[:middle], encode, limit)
    yield from _halved(batch[middle:], encode, limit)


def _as_batch(images: ArrayLike) -> NDArray[np.float32]:
    try:
        return np.asarray(images, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise CloudError(f"images: expected an array of numbers: {error}") from error


def _to_json(batch: NDArray[np.float32]) -> bytes:
    return json.dumps(_shortest(batch)).encode()


def _to_csv(batch: NDArray[np.float32]) -> bytes:
    rows = _shortest(batch.reshape(len(batch), -1))
    return "\n".join(",".join(map(repr, row)) for row in rows).encode()


def _to_npy(batch: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, batch)
    return buffer.getvalue()


def _shortest(batch: NDArray[np.float32]) -> Any:
    """Nested lists of numbers of nine digits, which tell any two float32 apart, where float64 would print seventeen."""
    values, positions = np.unique(batch, return_inverse=True)
    shortest = np.array([float(f"{value:.9g}") for value in values])
    return shortest[positions].reshape(batch.shape).tolist()


_ENCODERS: dict[str, Callable[[NDArray[np.float32]], bytes]] = {JSON: _to_json, CSV: _to_csv, NPY: _to_npy}
