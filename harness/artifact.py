"""What a model tarball is: the one description that export and verification follow.

The names are those that AWS's MXNet handlers read: ``DEFAULT_MODEL_FILENAMES`` in
``sagemaker_mxnet_serving_container/default_inference_handler.py`` (sagemaker-mxnet-inference 1.5.5) for the three model
files, and ``code_dir`` in ``sagemaker_inference/environment.py`` (sagemaker-inference 1.6.1) for the scripts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PREFIX = "model"
"""Checkpoint prefix: MXNet writes ``model-symbol.json`` and ``model-0000.params``."""

EPOCH = 0
"""Checkpoint number the container loads, whatever the number of epochs trained."""

SYMBOL = "model-symbol.json"
PARAMETERS = "model-0000.params"
SHAPES = "model-shapes.json"
MODEL_FILES = (SYMBOL, PARAMETERS, SHAPES)
"""The three files the container's default ``model_fn`` reads, all at the top of the tarball."""

CODE = "code"
"""Folder of the entry point and, optionally, `REQUIREMENTS`; it comes first on the container's ``PYTHONPATH``."""

REQUIREMENTS = "requirements.txt"
"""In `CODE`; installed before the model server starts (``_install_requirements`` in ``sagemaker_inference``)."""

PYTHON = (3, 8)
"""What imports the entry point in the newest MXNet image, ``mxnet-inference:1.9.0-cpu-py38``."""

TARBALL = "model.tar.gz"
"""File name that the SageMaker SDK and the container expect."""

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Problem:
    """One reason why a tarball cannot be served.

    Attributes:
        code: stable short name of the rule, such as ``missing-member``.
        member: the member it is about, or "" for the archive as a whole.
        found: what was expected and what was found.
        remedy: how to mend it.
    """

    code: str
    member: str
    found: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.member}: " if self.member else ""
        return f"[{self.code}] {where}{self.found}; {self.remedy}"


@dataclass(frozen=True)
class Artifact:
    """A packed model.

    Attributes:
        path: the ``model.tar.gz``.
        sha256: digest of the file, 64 hexadecimal digits.
        size: bytes.
        members: names of its members, in their order.
    """

    path: Path
    sha256: str
    size: int
    members: tuple[str, ...]

    @property
    def digest(self) -> str:
        """The first twelve digits of `sha256`, for tables."""
        return self.sha256[:12]


def shapes_signature(data_shapes: Sequence[tuple[str, Shape]]) -> list[dict[str, object]]:
    """Content of ``model-shapes.json``: one entry per data input, as ``read_data_shapes`` in the container parses it.

    The first dimension is the batch; the container sets it to its preferred batch size, 1 unless told otherwise.
    """
    return [{"shape": list(shape), "name": name} for name, shape in data_shapes]
