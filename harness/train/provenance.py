"""Where a trained model comes from: digests of everything that decides its bytes."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import inspect
import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.result import Provenance
from harness.train.digests import digest_of, sources_digest, weights_digest
from harness.train.processor import machine

if TYPE_CHECKING:
    from harness.experiment import Trial
    from harness.result import Checkpoint
    from harness.train.arrays import Arrays
    from harness.train.engine import Job

FORMAT = 1
"""Of the key, and of what is stored under it."""

PACKAGES = {"mxnet": ("mxnet", "mxnet-cu117", "numpy"), "xla": ("jax", "jaxlib", "mxnet", "mxnet-cu117", "numpy")}
"""What computes, by engine; MXNet scores what XLA has trained."""

SOURCES = ("experiment.py", "hyperparameters.py", "initializer.py", "optimizer.py", "schedule.py", "result.py", "train")
"""Files and folders of the harness that decide what training gives."""


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


def key_of(job: Job, arrays: Arrays, engine: str) -> str | None:
    """SHA-256 of everything that decides the bytes of a trained model; None if something cannot be told.

    That is a schedule or an initializer of the user's own whose text cannot be read: it may change unseen.
    """
    own = [_own(value) for value in (job.trial.experiment.schedule, job.trial.experiment.initializer)]
    if None in own:
        return None
    experiment = job.trial.experiment
    parts = {
        "format": FORMAT,
        "engine": engine,
        "graph": digest_of(job.symbol_json.encode()),
        "data": [arrays.train_digest, arrays.test_digest],
        "settings": settings_of(job.trial),
        "seed": job.trial.seed,
        "devices": {"gpus": experiment.num_gpus, "cpus": experiment.num_cpus},
        "versions": versions_of(engine),
        "source": trainer_source(),
        "own classes": own,
        "machine": machine(),
    }
    return digest_of(json.dumps(parts, sort_keys=True).encode())


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
    found = {}
    for package in PACKAGES[engine]:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@lru_cache(maxsize=1)
def trainer_source() -> str:
    """SHA-256 of the source of everything here that decides what training gives."""
    root = Path(__file__).parents[1]
    return sources_digest(root / name for name in SOURCES)


def _words(value: object) -> str:
    """``repr``, or the name of the class where that would hold an address."""
    text = repr(value)
    return f"{type(value).__module__}.{type(value).__qualname__}" if " at 0x" in text else text


def _own(value: object) -> object:
    """What identifies a value of a class that is the user's own; "" for the harness's; None if a change may go unseen.

    The file that defines the class stands for its code, and all fields of a dataclass for its state.
    """
    if type(value).__module__.partition(".")[0] == "harness":
        return ""
    if not dataclasses.is_dataclass(value):
        return None
    fields = [(field.name, repr(getattr(value, field.name))) for field in dataclasses.fields(value)]
    if any(" at 0x" in text for _, text in fields):
        return None
    try:
        path = inspect.getsourcefile(type(value))
        return [digest_of(Path(path).read_bytes()), fields] if path else None
    except (OSError, TypeError):
        return None
