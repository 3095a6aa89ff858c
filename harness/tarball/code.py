"""Rules about the scripts in ``code/``, which the container imports when it starts: read as text, and never run."""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from typing import TYPE_CHECKING

from harness.artifact import CODE, PYTHON, SHAPES, Problem
from harness.tarball.member import printable
from harness.tarball.params import some

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.tarball.member import Member

COMPILED_LIMIT = 64 << 10
"""Bytes of a script that is compiled too; for some, that takes time by the square. Longer ones are only parsed."""

_ENCODINGS = {"utf-8", "utf-8-sig", "ascii", "us-ascii", "iso-8859-1", "iso-8859-15", "cp1252"}
"""Those that are decoded in a time in proportion to the text; a script may name any that Python knows."""

_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")

_NEW_WITH = "Parenthesized context managers"
"""How CPython's parser words what it finds too new in ``with (a as b, c as d):``."""


def is_script(path: str) -> bool:
    """Whether the container may import this member by name; what lies deeper, libraries for instance, is not judged."""
    folder, _, name = path.rpartition("/")
    return (
        folder == CODE and name.endswith(".py") and not name.startswith(".")
    )  # "._x.py" is how macOS packs attributes


def script_names(member: Member, content: bytes) -> tuple[frozenset[str], list[Problem]]:
    """What a script binds at its top, such as functions; and why the container's Python could not import it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = _parsed(content)
            if len(content) <= COMPILED_LIMIT:
                compile(module, member.label, "exec", dont_inherit=True)  # finds `return` at the top, and its like
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f" in line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else "nesting too deep"
        found = f"expected Python {PYTHON[0]}.{PYTHON[1]}, which the container has, found {printable(reason)}{line}"
        return frozenset(), [Problem("code-syntax", member.label, found, "mend the script")]
    return frozenset(_bound(module.body)), []


def _parsed(content: bytes) -> ast.Module:
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    if encoding not in _ENCODINGS:
        raise SyntaxError(f"text in the encoding {encoding}, not in UTF-8")
    try:
        return ast.parse(content, feature_version=PYTHON)
    except SyntaxError as error:
        # CPython says so of ``with (lock):`` too, which every Python takes.
        if _NEW_WITH not in error.msg or _has_new_with(content):
            raise
    return ast.parse(content, feature_version=(3, 9))


def _has_new_with(content: bytes) -> bool:
    """Whether one pair of parentheses between a ``with`` and its colon holds an ``as`` or a comma of its own."""
    words = [token.string for token in tokenize.tokenize(io.BytesIO(content).readline)]
    for start in (at + 1 for at, word in enumerate(words) if word == "with"):
        depth, listed = 0, False
        for at in range(start, len(words)):
            depth += (words[at] in _OPENING) - (words[at] in _CLOSING)
            listed |= depth == 1 and words[at] in {"as", ","}
            if depth == 0:
                break
        if listed and words[start] == "(" and words[at + 1] == ":":
            return True
    return False


def _bound(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Names that a module has once it is imported: AWS's handler looks for functions with ``getattr``."""
    for node in body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.If):
            yield from _bound([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            handled = (line for handler in node.handlers for line in handler.body)
            yield from _bound([*node.body, *handled, *node.orelse, *node.finalbody])


def several_problems(inputs: Iterable[str], names: frozenset[str]) -> Iterator[Problem]:
    """A model with several inputs needs a script that makes them out of a request."""
    if names & {"input_fn", "transform_fn"}:
        return
    found = f"expected one input, as AWS's own input_fn takes no more, found {some(inputs)}"
    yield Problem("several-inputs", SHAPES, found, "define input_fn or transform_fn in the entry point")
