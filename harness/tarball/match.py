"""Rules about the three model files together: every parameter that the graph needs, and none that it does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.artifact import PARAMETERS, SHAPES, SYMBOL, Problem, Shape
from harness.tarball.graph import MODERN, Graph
from harness.tarball.params import DTYPES, Stored, listed, some
from harness.tarball.shapes.inference import Inferred, infer
from harness.tarball.types import is_weighted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FLOATS = frozenset(dtype.name for dtype in DTYPES.values() if dtype.exponent)
"""Types that the container casts to the graph's own when it copies the parameters in."""

_SAME = "save symbol and parameters together, with one save_checkpoint"


def input_problems(graph: Graph, inputs: Mapping[str, Shape]) -> Iterator[Problem]:
    """Data inputs have to be arguments of the graph: ``_check_input_names`` in ``mxnet/module/base_module.py``."""
    for name in sorted(inputs.keys() - graph.arguments):
        free = sorted(graph.arguments)
        found = f"expected inputs of the graph, found {name!r:.60}"
        yield Problem("shapes-name", SHAPES, found, f"the graph's arguments are {some(free)}")


def parameter_problems(graph: Graph, inputs: Mapping[str, Shape], stored: Mapping[str, Stored]) -> Iterator[Problem]:
    """What ``Module.set_params(..., allow_missing=True)`` in the container would refuse, or silently leave at random.

    A missing parameter is the quiet one: the container starts, and answers from memory that nobody filled.
    """
    needed = {f"arg:{name}" for name in graph.arguments - graph.labels - inputs.keys()}
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
    yield from _value_problems(stored, _weights(graph))


def _weights(graph: Graph) -> set[str]:
    """Full names of what layers multiply and add with: floating point numbers, and finite ones, in every model.

    Of other parameters, constants for instance, nobody knows: an index is a whole number, a mask holds -inf.
    """
    read = {source for node in graph.nodes.values() if is_weighted(node) for source, _ in node.inputs[1:]}
    kinds = {name: "aux" if name in graph.auxiliary else "arg" for name in graph.variables}
    return {f"{kinds[name]}:{name}" for name, position in graph.variables.items() if position in read}


def for_one_example(inputs: Mapping[str, Shape]) -> dict[str, Shape]:
    """Shapes of the inputs as the container binds them, whatever batch they name.

    Source: ``read_data_shapes`` in ``sagemaker_mxnet_serving_container/utils.py`` (1.5.5), ``preferred_batch_size``.
    """
    return {name: (1, *shape[1:]) for name, shape in inputs.items()}


def infer_shapes(graph: Graph, inputs: Mapping[str, Shape]) -> Inferred | None:
    """Every shape that follows from the inputs'; None for graphs that MXNet completes, or reads by other rules."""
    if graph.version < MODERN or graph.numpy_shapes:
        return None
    return infer(graph.nodes, graph.heads, inputs)


def shape_problems(graph: Graph, inputs: Mapping[str, Shape], stored: Mapping[str, Stored] | None) -> Iterator[Problem]:
    """Whether the layers fit together, and the parameters fit the layers."""
    inferred = None if inputs.keys() - graph.arguments else infer_shapes(graph, for_one_example(inputs))
    if inferred is None:
        return
    for fault in inferred.faults:
        yield Problem("graph-shape", SYMBOL, fault, f"check the graph, and the shape of its input in {SHAPES}")
    misfits = []
    for name, position in graph.variables.items():
        if name in inputs:
            continue
        full = f"{'aux' if name in graph.auxiliary else 'arg'}:{name}"
        expected, found = inferred.shapes.get((position, 0)), (stored or {}).get(full)
        if expected is not None and found is not None and found.size and found.shape != expected:
            misfits.append(f"{full!r:.60} of shape {found.shape} where {expected} is needed")
    if misfits:
        words = f"expected parameters of the shapes that the graph needs, found {listed(misfits)}"
        yield Problem("parameter-shape", PARAMETERS, words, f"{_SAME}; check the input's shape in {SHAPES}")


def _other(name: str) -> str:
    """The same name, with the other of the two prefixes."""
    prefix, _, rest = name.partition(":")
    return f"{'aux' if prefix == 'arg' else 'arg'}:{rest}"


def _value_problems(stored: Mapping[str, Stored], weights: set[str]) -> Iterator[Problem]:
    if empty := [name for name, array in stored.items() if not array.size]:
        found = f"expected values in every parameter, found none in {some(empty)}"
        yield Problem("empty-parameter", PARAMETERS, found, "initialize the model before it is saved")
    if sparse := [name for name, array in stored.items() if array.sparse]:
        found = f"expected dense parameters, as the container binds them, found sparse ones: {some(sparse)}"
        yield Problem("parameter-storage", PARAMETERS, found, "save them after tostype('default')")
    if whole := {name: array for name, array in stored.items() if name in weights and array.dtype not in FLOATS}:
        found = f"expected floating point numbers in weights, found {listed([_typed(*item) for item in whole.items()])}"
        yield Problem("parameter-dtype", PARAMETERS, found, "save them as they were trained: float32 or float16")
    counts = {name: array.nan + (array.infinite if name in weights else 0) for name, array in stored.items()}
    if broken := [name for name, count in counts.items() if count]:
        found = f"expected finite values, found {sum(counts.values()):,} NaN or infinite ones, in {some(broken)}"
        yield Problem("not-finite", PARAMETERS, found, "training diverged: lower the learning rate, and train again")


def _typed(name: str, array: Stored) -> str:
    return f"{array.dtype} in {name!r:.60}"
