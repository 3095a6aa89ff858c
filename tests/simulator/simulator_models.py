"""Perceptrons of four inputs, three hidden units and two classes, their tarballs, and numpy's forward pass of them."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tarball_parts as parts

from harness.artifact import CODE, PARAMETERS, SHAPES, SYMBOL

if TYPE_CHECKING:
    from pathlib import Path

IMAGES = np.random.default_rng(7).normal(size=(5, 4)).astype(np.float32)
"""What the tests ask about."""

JUNK = b"{this is not JSON"


@dataclass(frozen=True)
class Perceptron:
    """A model whose weights follow from its seed."""

    seed: int = 0

    def arrays(self) -> dict[str, np.ndarray]:
        """The parameters by full name."""
        shapes = {"fc1_weight": (3, 4), "fc1_bias": (3,), "fc2_weight": (2, 3), "fc2_bias": (2,)}
        numbers = np.random.default_rng(self.seed)
        return {f"arg:{name}": numbers.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}

    def files(self) -> dict[str, bytes]:
        """The three model files."""
        return {
            SYMBOL: json.dumps(_graph()).encode(),
            PARAMETERS: parts.parameters(self.arrays()),
            SHAPES: json.dumps([{"name": "data", "shape": [1, 4]}]).encode(),
        }

    def tarball(self, path: Path, **scripts: str) -> Path:
        """A ``model.tar.gz`` at ``path`` with scripts under ``code/``, by module name."""
        return parts.write(
            path, {**self.files(), **{f"{CODE}/{name}.py": text.encode() for name, text in scripts.items()}}
        )

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """What the model answers, in float64."""
        weight1, bias1, weight2, bias2 = (array.astype(np.float64) for array in self.arrays().values())
        scores = np.maximum(images @ weight1.T + bias1, 0) @ weight2.T + bias2
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)


def as_json(images: np.ndarray) -> bytes:
    return json.dumps(images.tolist()).encode()


def as_csv(images: np.ndarray) -> bytes:
    return "\n".join(",".join(map(str, row)) for row in images.tolist()).encode()


def as_npy(images: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, images)
    return buffer.getvalue()


BODIES = {"application/json": as_json, "text/csv": as_csv, "application/x-npy": as_npy}


def _graph() -> dict[str, Any]:
    """As ``Symbol.tojson()`` writes it."""
    variable = parts.variable
    first = {"op": "FullyConnected", "name": "fc1", "attrs": {"num_hidden": "3"}}
    second = {"op": "FullyConnected", "name": "fc2", "attrs": {"num_hidden": "2"}}
    nodes = [
        variable("data"),
        variable("fc1_weight"),
        variable("fc1_bias"),
        {**first, "inputs": [[0, 0, 0], [1, 0, 0], [2, 0, 0]]},
        {"op": "Activation", "name": "relu1", "attrs": {"act_type": "relu"}, "inputs": [[3, 0, 0]]},
        variable("fc2_weight"),
        variable("fc2_bias"),
        {**second, "inputs": [[4, 0, 0], [5, 0, 0], [6, 0, 0]]},
        variable("softmax_label"),
        {"op": "SoftmaxOutput", "name": "softmax", "inputs": [[7, 0, 0], [8, 0, 0]]},
    ]
    return {"nodes": nodes, "arg_nodes": [0, 1, 2, 5, 6, 8], "heads": [[9, 0, 0]]}
