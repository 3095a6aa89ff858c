"""The JSON files of a tarball: read so strictly that all who read them see the same, and written in one way only.

``model-symbol.json`` is read by dmlc's ``JSONReader`` (``dmlc/json.h``), which knows five escapes and keeps the last of
two equal keys; ``model-shapes.json`` by Python in the container.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

DOCUMENT_LIMIT = 4 << 20
"""Bytes of a symbol or a shapes file, which are read whole: ResNet-152's symbol has 0.3 MB."""

_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_DMLC_ESCAPES = frozenset({b'"', b"\\", b"n", b"r", b"t"})


def parse(content: bytes, *, dmlc: bool = False) -> tuple[Any, str]:
    """The document and "", or None and what is wrong with it; ``dmlc`` where MXNet's own reader has to take it too."""
    try:
        document = json.loads(content.decode(), object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
        canonical(document)  # what cannot be written again is none: half a letter, or nesting at the edge of the stack
    except (ValueError, RecursionError) as error:
        return None, f"expected JSON in UTF-8, found: {error}"
    if dmlc and (unknown := set(_ESCAPED.findall(content)) - _DMLC_ESCAPES):
        escape = f"\\{min(unknown).decode(errors='replace')}"
        return None, f'expected the escapes \\" \\\\ \\n \\r \\t alone, as MXNet reads no others, found {escape}'
    return document, ""


def canonical(document: Any) -> bytes:
    """The one text of a document: sorted keys, and of a list at its top level or a graph's, an element a line."""
    if isinstance(document, dict):
        fields = [f"{_compact(key)}: {_lines(value)}" for key, value in sorted(document.items())]
        return ("{" + ",\n".join(fields) + "}\n").encode()
    return f"{_lines(document)}\n".encode()


def _lines(value: Any) -> str:
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return "[\n" + ",\n".join(map(_compact, value)) + "]"
    return _compact(value)


def _compact(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in document if names.count(name) > 1)
        raise ValueError(f"the key {twice!r:.60} twice in one object")
    return document


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text:.40}, which is no number that a program can hold")
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name}, which is no JSON")
