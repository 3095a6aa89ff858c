"""Those who train: one module each, so that a worker process loads one library and no other."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from benchmarks.workload import Clock, History, Workload
    from harness.train.arrays import Arrays


class UnavailableError(Exception):
    """A contender cannot run on this machine; says what it needs."""


@dataclass(frozen=True)
class Course:
    """What a contender is given.

    Attributes:
        arrays: the data, in the host's memory.
        device: ``cpu`` or ``gpu``.
        symbol_json: the graph.
    """

    arrays: Arrays
    device: str
    symbol_json: str


class Contender(Protocol):
    """Made once in its worker process; trains as often as it is asked to.

    Attributes:
        packages: whose versions count.
        notes: what it chose by itself, for the record.
    """

    packages: tuple[str, ...]
    notes: dict[str, Any]

    def __init__(self, course: Course) -> None:
        """Load libraries and look for the device; nothing that a training needs is computed here.

        Raises:
            UnavailableError: the machine lacks something.
        """

    def train(self, workload: Workload, clock: Clock) -> History:
        """From the arrays in the host's memory to trained weights and figures there."""


@dataclass(frozen=True)
class Entry:
    """What is known of a contender without loading it.

    Attributes:
        description: for the table's legend.
        module: within this package.
        together: it trains all trials of a sweep as one program; others train one after the other.
        keeps: it keeps compiled programs on disk, so its second process starts faster.
    """

    description: str
    module: str
    together: bool = False
    keeps: bool = False


CONTENDERS = {
    "notebook": Entry("the notebook's own loop, Module.fit", "notebook"),
    "mxnet": Entry("the harness's engine mxnet", "mxnet_engine"),
    "xla": Entry("the harness's engine xla", "xla_engine", together=True, keeps=True),
    "torch-eager": Entry("PyTorch, eager", "torch_eager"),
    "torch-compiled": Entry("PyTorch, torch.compile of the whole step", "torch_compiled", keeps=True),
    "jax-scan": Entry("JAX by hand: a scan over an epoch, vmap over trials", "jax_scan", together=True),
}


def contender(name: str, course: Course) -> Contender:
    """Load and make one."""
    module = importlib.import_module(f"{__name__}.{CONTENDERS[name].module}")
    made: Contender = module.Made(course)
    return made
