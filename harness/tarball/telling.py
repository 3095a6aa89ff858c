"""Facts and problems in words, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabulate import tabulate

from harness.tarball.member import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.artifact import Problem, Shape
    from harness.tarball.facts import Facts

SHOWN = 200
"""Layers that are listed; ``--json`` has them all."""


def told_problems(path: str, problems: Sequence[Problem], *, loaded: bool) -> str:
    """A verdict and, below it, each problem: its code and member, what was found, how to mend it."""
    path = printable(path)
    if not problems:
        proof = "AWS's handler loads it and predicts with it" if loaded else "judged by its text, not loaded"
        return f"{path}: valid ({proof})"
    count = f"{len(problems):,} problem{'s' if len(problems) > 1 else ''}"
    lines = [f"{path}: {count}"]
    for problem in problems:
        lines += [f"  {problem.code:<20} {problem.member or 'the archive'}", f"      {problem.found}"]
        lines += [f"      to mend it: {problem.remedy}"]
    return "\n".join(lines)


def told_facts(facts: Facts) -> str:
    """The file, what goes in and comes out, and its layers in a table."""
    return "\n".join(_lines(facts))


def _lines(facts: Facts) -> Iterator[str]:
    yield f"{printable(facts.path)}: {facts.size:,} bytes, SHA-256 {facts.sha256 or 'unknown'}"
    written = f"written by MXNet {facts.mxnet_version}" if facts.mxnet_version else "MXNet's version is not in it"
    dtypes = f" of {', '.join(facts.dtypes)}" if facts.dtypes else ""
    yield f"{facts.parameters:,} parameters{dtypes}, {written}"
    yield ""
    yield from (f"member  {name}, {size:,} bytes" for name, size in facts.members)
    yield from (f"input   {name} {_shape(shape)}" for name, shape in facts.inputs.items())
    yield from (f"output  {name} {_shape(shape)}" for name, shape in facts.outputs.items())
    if facts.layers:
        rows = [
            (layer.name, layer.operator, _shape(layer.output), f"{layer.parameters:,}")
            for layer in facts.layers[:SHOWN]
        ]
        yield ""
        yield tabulate(rows, headers=["layer", "operator", "output", "parameters"], disable_numparse=True)
    if len(facts.layers) > SHOWN:
        yield f"and {len(facts.layers) - SHOWN:,} more layers; --json lists them all"


def _shape(shape: Shape | None) -> str:
    return "of unknown shape" if shape is None else "x".join(map(str, shape))
