"""Rules about the three model files together: every parameter that the graph needs, and none that it does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.artifact import PARAMETERS, SHAPES, Problem
from harness.tarball.params import Stored, some

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.tarball.graph import Graph

_SAME = "save symbol and parameters together, with one save_checkpoint"


def input_problems(graph: Graph, inputs: frozenset[str]) -> Iterator[Problem]:
    """Data inputs have to be arguments of the graph: ``_check_input_names`` in ``mxnet/module/base_module.py``."""
    for name in sorted(inputs - graph.arguments):
        free = sorted(graph.arguments)
        found = f"expected inputs of the graph, found {name!r:.60}"
        yield Problem("shapes-name", SHAPES, found, f"the graph's arguments are {some(free)}")


def parameter_problems(graph: Graph, inputs: frozenset[str], stored: Mapping[str, Stored]) -> Iterator[Problem]:
    """What ``Module.set_params(..., allow_missing=True)`` in the container would refuse, or silently leave at random.

    A missing parameter is the quiet one: the container starts, and answers from memory that nobody filled.
    """
    needed = {f"arg:{name}" for name in graph.arguments - graph.labels - inputs}
    needed |= {f"aux:{name}" for name in graph.auxiliary}
    labels = {f"arg:{name}" for name in graph.labels}
    swapped = {_other(name) for name in needed - set(stored)} & set(stored)
    if swapped:
        found = f"expected arg: before arguments and aux: before auxiliary states, found {some(swapped)}"
        yield Problem("parameter-kind", PARAMETERS, found, _SAME)
    if missing := needed - set(stored) - {_other(name) for name in swapped}:
        found = f"expected every parameter of the graph, found none for {some(missing)}"
        yield Problem("missing-parameter", PARAMETERS, found, f"{_SAME}; if it is an input, list it in {SHAPES}")
    if unknown := set(stored) - needed - labels - swapped:
        found = f"expected parameters of the graph and no others, found {some(unknown)}"
        yield Problem("unknown-parameter", PARAMETERS, found, _SAME)
    yield from _value_problems(stored)


def _other(name: str) -> str:
    """The same name, with the other of the two prefixes."""
    prefix, _, rest = name.partition(":")
    return f"{'aux' if prefix == 'arg' else 'arg'}:{rest}"


def _value_problems(stored: Mapping[str, Stored]) -> Iterator[Problem]:
    if empty := [name for name, array in stored.items() if not array.size]:
        found = f"expected values in every parameter, found none in {some(empty)}"
        yield Problem("empty-parameter", PARAMETERS, found, "initialize the model before it is saved")
    if broken := {name: array for name, array in stored.items() if array.infinite}:
        counts = f"{sum(array.infinite for array in broken.values()):,}"
        found = f"expected finite values, found {counts} NaN or infinite ones, in {some(broken)}"
        yield Problem("not-finite", PARAMETERS, found, "training diverged: lower the learning rate, and train again")
