"""The results as JSON Lines, for programs to read.

Every line is one JSON object in ASCII (RFC 8259: a figure that is not a number is ``null``), with a field ``kind``.

``"kind": "replicate"``, one line per trained model:

- ``experiment``, ``hyperparameters`` (the setting in words), ``settings`` (the setting as values), ``seed``, ``engine``
- ``accuracy``: share of test images classified right; ``loss``: their mean cross-entropy, in nats
- ``seconds`` of training; ``cached``: whether it was trained in an earlier run
- ``history``: one object per epoch, with the fields of `harness.result.Epoch`
- ``artifact``: SHA-256 of the setting's tarball, or ``null``
- ``passed``: what the rules made of the setting: ``true``, ``false``, or ``null`` if none has looked at it

``"kind": "setting"``, one line per setting, after its replicates:

- ``experiment``, ``hyperparameters``, ``settings``, ``engine``, ``passed``: as above
- ``replicates``: how many there are
- ``findings``: one object per rule and test: ``rule``, ``passed``, ``reason``, ``note``, ``remedy`` and ``changes``;
  these have the fields of `harness.verdict.Change`, and ``difference``
- ``artifact``: ``digest``, ``sha256``, ``size`` in bytes and ``members``, or ``null``
- ``endpoints``: objects with ``kind``, ``name``, ``instance_type`` and ``state``
- ``confusion``: counts, row: true class, column: answer; or ``null``
- ``mistakes``: objects with ``index``, ``label``, ``answers`` by seed, ``probability`` of the true class; or ``null``
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.report.board import Evidence, Replicate, Row
    from harness.verdict import Finding


def lines(rows: Iterable[Row]) -> str:
    """All rows, each object on a line of its own that ends in a newline; "" without rows."""
    return "".join(json.dumps(_strict(entry), allow_nan=False) + "\n" for row in rows for entry in _entries(row))


def _entries(row: Row) -> Iterator[dict[str, Any]]:
    for replicate in row.replicates.values():
        yield _replicate(row, replicate)
    yield {
        "kind": "setting",
        **_identity(row),
        "passed": row.passed,
        "replicates": len(row.replicates),
        "findings": [_finding(finding) for finding in row.findings],
        "artifact": asdict(row.artifact) if row.artifact else None,
        "endpoints": [asdict(endpoint) for endpoint in row.endpoints.values()],
        **_evidence(row.evidence),
    }


def _replicate(row: Row, replicate: Replicate) -> dict[str, Any]:
    return {
        "kind": "replicate",
        **_identity(row),
        "seed": replicate.seed,
        "accuracy": replicate.accuracy,
        "loss": replicate.loss,
        "seconds": replicate.seconds,
        "cached": replicate.cached,
        "history": replicate.history,
        "artifact": row.artifact.sha256 if row.artifact else None,
        "passed": row.passed,
    }


def _identity(row: Row) -> dict[str, Any]:
    return {
        "experiment": row.experiment,
        "hyperparameters": row.hyperparameters,
        "settings": row.settings,
        "engine": row.engine,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    changes = [asdict(change) | {"difference": change.difference} for change in finding.changes]
    return asdict(finding) | {"passed": finding.passed, "changes": changes}


def _evidence(evidence: Evidence | None) -> dict[str, Any]:
    if evidence is None:
        return {"confusion": None, "mistakes": None}
    mistakes = [asdict(mistake) for mistake in evidence.mistakes]
    for mistake in mistakes:
        del mistake["picture"]  # a program finds the image by its index
    return {"confusion": evidence.confusion, "mistakes": mistakes}


def _strict(value: Any) -> Any:
    """The value with ``None`` in place of what JSON has no literal for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _strict(content) for name, content in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(content) for content in value]
    return value
