"""Rules about ``model-shapes.json``: the names and shapes of the data inputs.

It is read by ``read_data_shapes`` in ``sagemaker_mxnet_serving_container/utils.py`` (1.5.5).
"""

from __future__ import annotations

from itertools import islice
from reprlib import repr as shown  # bounded in depth and length, whatever the file holds
from typing import TYPE_CHECKING, Any

from harness.artifact import SHAPES, Problem, Shape
from harness.tarball.documents import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DIMENSION = 2**31 - 1
"""MXNet's wheels are built with 32-bit tensor sizes."""

_SHOWN = 10
_SIGNATURE = 'write [{"name": "data", "shape": [1, 784]}], with the graph\'s own input name and shape'


def read_shapes(content: bytes) -> tuple[dict[str, Shape] | None, list[Problem]]:
    """The data inputs by name; None, and why, when the container could not bind the model to these shapes."""
    document, fault = parse(content)
    if fault:
        return None, [Problem("shapes-json", SHAPES, fault, _SIGNATURE)]
    if faults := list(islice(_faults(document), _SHOWN)):
        return None, [Problem("shapes-entry", SHAPES, fault, _SIGNATURE) for fault in faults]
    return {entry["name"]: (entry["shape"][0] or 0, *entry["shape"][1:]) for entry in document}, []


def _faults(document: Any) -> Iterator[str]:
    if not isinstance(document, list) or not document:
        yield f"expected a list of at least one input, found {shown(document):.40}"
        return
    names = set()
    for entry in document:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            yield f"expected objects with name and shape, found {shown(entry):.40}"
            continue
        shape = entry.get("shape")
        # The first is the batch: whatever it is, the container puts its own in its place.
        if not (isinstance(shape, list) and shape and _batch(shape[0]) and all(map(_dimension, shape[1:]))):
            yield f"expected a shape of positive whole numbers for {shown(entry['name']):.40}, found {shown(shape):.40}"
        if entry["name"] in names:
            yield f"expected each input once, found {shown(entry['name']):.40} twice"
        names.add(entry["name"])


def _batch(value: object) -> bool:
    return value is None or type(value) is int


def _dimension(value: object) -> bool:
    return type(value) is int and 0 < value <= MAX_DIMENSION
