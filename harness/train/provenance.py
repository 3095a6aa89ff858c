"""Where a trained model comes from: digests of everything that decides its bytes."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.result import Provenance
from harness.train.cuda_libraries import mxnet_library
from harness.train.digests import digest_of, source_files, sources_digest, weights_digest
from harness.train.own_values import OpaqueError, value_digest
from harness.train.processor import machine, process_start

if TYPE_CHECKING:
    from harness.experiment import Experiment, Trial
    from harness.result import Checkpoint
    from harness.train.arrays import Arrays
    from harness.train.engine import Job

FORMAT = 2
"""Of the key, and of what is stored under it."""

PACKAGES = {"mxnet": ("mxnet", "mxnet-cu117", "numpy"), "xla": ("jax", "jaxlib", "mxnet", "mxnet-cu117", "numpy")}
"""What computes, by engine; MXNet scores what XLA has trained."""

LIBRARIES = (
    "jax",
    "ml-dtypes",
    "ml_dtypes",
    "mxnet",
    "numpy",
    "nvidia-",
    "nvidia_",
    "opt-einsum",
    "opt_einsum",
    "scipy",
)
"""How the names of all packages begin that may have a part in it: JAX on a GPU computes with NVIDIA's."""

SOURCES = (
    *("artifact.py", "errors.py", "experiment.py", "hyperparameters.py", "initializer.py", "optimizer.py", "result.py"),
    *("schedule.py", "storage.py", "train"),
)
"""Files and folders of the harness that decide what training gives: all that the trainer imports."""

ROOT = Path(__file__).parents[1]

_SEEN = tuple(f"harness.{name.removesuffix('.py')}" for name in SOURCES)
_TICK = 0.01  # seconds by which a file's time may lag behind the clock: Linux stamps files with that of its last tick
_PYTHON_OPERATOR = re.compile(r'"op": *"(Custom|_Native|_NDArray)"')


def provenance(job: Job, arrays: Arrays, engine: str, checkpoint: Checkpoint) -> Provenance:
    """Where the model of a job comes from."""
    return Provenance(
        graph=digest_of(job.symbol_json.encode()),
        train_data=arrays.train_digest,
        test_data=arrays.test_digest,
        settings=settings_of(job.trial),
        versions=versions_of(engine),
        weights=weights_digest(checkpoint),
    )


def key_of(job: Job, arrays: Arrays, engine: str) -> str:
    """SHA-256 of everything that decides the bytes of a trained model.

    The names of experiment and data set, and the other seeds, decide nothing. Not seen from here are operators out of
    a library of the user's (``mx.library.load``), and arrays that are changed in place while the run lasts.

    Raises:
        OpaqueError: something that decides them may have changed, or may change, without being seen.
    """
    check_sources()
    operator = _PYTHON_OPERATOR.search(job.symbol_json)
    if operator:
        raise OpaqueError(f"the graph has an operator {operator[1]}, whose Python code is not part of it")
    experiment = job.trial.experiment
    parts = {
        "format": FORMAT,
        "engine": engine,
        "graph": digest_of(job.symbol_json.encode()),
        "data": [arrays.train_digest, arrays.test_digest],
        "settings": settings_of(job.trial) | {name: _own(experiment, name) for name in ("schedule", "initializer")},
        "seed": job.trial.seed,
        "devices": {"gpus": experiment.num_gpus, "cpus": experiment.num_cpus},
        "versions": versions_of(engine),
        "libraries": libraries(),
        "source": trainer_source(),
        "machine": machine(),
        "jax": jax_settings() if engine == "xla" else {},
    }
    return digest_of(json.dumps(parts, sort_keys=True).encode())


def check_sources(root: Path = ROOT) -> None:
    """Refuse to tell what trains, if its source was changed while this run goes on: what was loaded may be the older.

    Raises:
        OpaqueError: names the file.
    """
    for path in _trainer_files(root):
        try:
            status = path.stat()
            changed = max(status.st_mtime, status.st_ctime) > process_start() - _TICK
        except OSError:  # it was there when the run began
            changed = True
        if changed:
            raise OpaqueError(f"{path.relative_to(root.parent)} was changed after this run began; start it again")


def settings_of(trial: Trial) -> dict[str, Any]:
    """Every setting that decides a training but the seed, defaults filled in, in words and numbers."""
    experiment = trial.experiment
    return {
        "optimizer": trial.optimizer,
        **trial.optimizer_settings,
        "batch_size": trial.batch_size,
        "epochs": trial.epochs,
        "initializer": _words(experiment.initializer),
        "schedule": _words(experiment.schedule),
        **{f"build_graph.{name}": value for name, value in trial.graph_arguments.items()},
    }


def versions_of(engine: str) -> dict[str, str]:
    """Package to version, of what computes."""
    found = {package: _version(package) for package in PACKAGES[engine]}
    return {package: version for package, version in found.items() if version is not None}


@cache
def libraries() -> tuple[tuple[str, str | int], ...]:
    """Every installed package that may have a part in computing, with its version, and the size of MXNet's library.

    ``mxnet`` and ``mxnet-cu117`` write the same files: where both are installed, their versions do not tell which of
    them it is.
    """
    found = {
        (name.lower(), package.version)
        for package in importlib.metadata.distributions()
        if (name := package.name) and name.lower().startswith(LIBRARIES)
    }
    library = mxnet_library()
    return (*sorted(found), ("libmxnet.so", library.stat().st_size if library else 0))


@cache
def trainer_source(root: Path = ROOT) -> str:
    """SHA-256 of the source of everything here that decides what training gives."""
    return sources_digest(root / name for name in SOURCES)


def jax_settings() -> dict[str, str]:
    """What JAX is told to do, be it by the environment or by code such as a ``conftest.py``; loads JAX.

    Raises:
        OpaqueError: JAX cannot be asked.
    """
    try:
        importlib.import_module("harness.train.xla.devices")  # where JAX may be imported
        values = sys.modules["jax"].config.values
    except (ImportError, AttributeError) as error:
        raise OpaqueError(f"JAX does not tell its settings ({error})") from error
    return {name: repr(value) for name, value in values.items() if "cache" not in name}


@cache
def _trainer_files(root: Path) -> tuple[Path, ...]:
    return tuple(path for name in SOURCES for path in source_files(root / name))


@cache
def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _words(value: object) -> str:
    """``repr``, or the name of the class where that would hold an address."""
    text = repr(value)
    return f"{type(value).__module__}.{type(value).__qualname__}" if " at 0x" in text else text


def _own(experiment: Experiment, name: str) -> str:
    try:
        return value_digest(getattr(experiment, name), seen=_SEEN)
    except OpaqueError as error:
        raise OpaqueError(f"{name}: {error}") from error
