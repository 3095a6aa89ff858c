"""What is declared before anything runs: experiments, hyperparameters and trials.

All values are frozen and validated when they are made, so a typing error costs a second, not a training run.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from harness.errors import DeclarationError
from harness.hyperparameters import COUNTS, TRAINER, Hyperparameters, Value, check_count, grid
from harness.initializer import MODULE_FIT, Initializer
from harness.optimizer import OPTIMIZERS, check_optimizer
from harness.schedule import ConstantRate, Schedule

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ENGINES", "Dataset", "Experiment", "Hyperparameters", "Trial", "check_engine", "graph_parameters", "grid"]

ENGINES = ("mxnet", "xla")
"""Names of the training engines, for ``Experiment(engine=...)`` and ``--engine``."""

_CONSTANT_RATE = ConstantRate()
_NAME = re.compile(r"(?=.{1,40}$)[a-z0-9]+(?:-[a-z0-9]+)*")


class Dataset(Protocol):
    """Where an experiment's arrays come from."""

    @property
    def name(self) -> str:
        """Short name for tables and messages."""

    def load(self) -> Mapping[str, NDArray[Any]]:
        """Arrays as ``mx.test_utils.get_mnist`` names them.

        Returns:
            ``train_data`` float32 (n, ...), ``train_label`` (n,), ``test_data`` float32 (m, ...), ``test_label`` (m,).

        Raises:
            DataError: the arrays cannot be had.
        """


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A model, its data and how it is trained.

    Attributes:
        name: lower-case letters, digits and single hyphens, at most 40; it becomes part of AWS resource names.
        entry_point: the Python script that defines ``build_graph`` and is shipped in the tarball's ``code/``.
        dataset: where the arrays come from, for instance ``harness.mnist()``.
        requirements: a file of packages that the container installs with pip before it imports the entry point; shipped
            as ``code/requirements.txt``. The simulated account installs nothing: there they have to be installed here.
        epochs: passes over the training data.
        batch_size: images per update.
        seeds: one replicate of every setting is trained per seed; a gate looks at all of them.
        optimizer: one of `harness.optimizer.OPTIMIZERS`; a hyperparameter ``optimizer`` replaces it.
        initializer: how weights start whose variable has no ``init=`` of its own; what ``Module.fit`` takes by default.
        schedule: the course of the learning rate.
        engine: ``"mxnet"``, the reference, or ``"xla"``, which trains a whole sweep at once.
        num_gpus: GPUs to train on, data parallel; 0 trains on the CPU.
        num_cpus: CPU contexts to train on, data parallel, when ``num_gpus`` is 0.

    Raises:
        DeclarationError: any of these is out of range, the engine or optimizer is unknown, a file is missing, or the
            script defines no ``build_graph``.
    """

    name: str
    entry_point: Path
    dataset: Dataset
    requirements: Path | None = None
    epochs: int = 10
    batch_size: int = 100
    seeds: Sequence[int] = (0,)
    optimizer: str = "sgd"
    initializer: Initializer = MODULE_FIT
    schedule: Schedule = _CONSTANT_RATE
    engine: str = "mxnet"
    num_gpus: int = 0
    num_cpus: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise DeclarationError(
                f"experiment name: expected lower-case letters, digits and single hyphens, at most 40 of them, "
                f"found {self.name!r}; it becomes part of AWS resource names"
            )
        if not isinstance(self.entry_point, str | Path):
            raise DeclarationError(f"entry_point: expected the path of a Python script, found {self.entry_point!r}")
        if not isinstance(self.seeds, Iterable):
            raise DeclarationError(f"seeds: expected a list of whole numbers, found {self.seeds!r}; such as range(5)")
        object.__setattr__(self, "entry_point", Path(self.entry_point).resolve())
        object.__setattr__(self, "requirements", _requirements_file(self.requirements))
        object.__setattr__(self, "seeds", tuple(self.seeds))
        _check_dataset(self.dataset)
        check_optimizer("optimizer", self.optimizer)
        _check_value("initializer", self.initializer, "draw", "Xavier()")
        _check_value("schedule", self.schedule, "factor", "CosineDecay(epochs=10)")
        for field, least in (("epochs", 1), ("batch_size", 1), ("num_gpus", 0), ("num_cpus", 1)):
            check_count(field, getattr(self, field), least)
        if not self.seeds:
            raise DeclarationError(
                f"experiment {self.name}: seeds is empty, so nothing would be trained; give at least one"
            )
        for seed in self.seeds:
            check_count("seed", seed, 0)
        if len(set(self.seeds)) != len(self.seeds):
            raise DeclarationError(
                f"experiment {self.name}: seeds repeat ({self.seeds}); a replicate needs its own seed"
            )
        check_engine(self.engine)
        both = [name for name in graph_parameters(self.entry_point) if name in TRAINER]
        if both:
            raise DeclarationError(
                f"entry point {self.entry_point}: build_graph() takes {', '.join(both)}, which the trainer takes too; "
                f"rename the parameter"
            )

    def trials(self, hyperparameters: Hyperparameters) -> tuple[Trial, ...]:
        """The replicates of one setting, one trial per seed, in the order of ``seeds``."""
        return tuple(Trial(experiment=self, hyperparameters=hyperparameters, seed=seed) for seed in self.seeds)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One experiment with one set of hyperparameters and one seed: what a single training run needs to know.

    Raises:
        DeclarationError: a hyperparameter that neither the trainer nor the entry point's ``build_graph`` knows.
    """

    experiment: Experiment
    hyperparameters: Hyperparameters
    seed: int

    def __post_init__(self) -> None:
        graph = graph_parameters(self.experiment.entry_point)
        known = ("optimizer", *OPTIMIZERS[self.optimizer], *COUNTS, *graph)
        unknown = [name for name in self.hyperparameters if name not in known]
        if unknown:
            raise DeclarationError(
                f"experiment {self.experiment.name}: unknown hyperparameter {', '.join(unknown)}; the trainer, with "
                f"optimizer {self.optimizer}, and build_graph in {self.experiment.entry_point.name} know "
                f"{', '.join(known)}"
            )

    def __str__(self) -> str:
        return f"{self.experiment.name}[{self.hyperparameters},seed={self.seed}]"

    @property
    def epochs(self) -> int:
        """Passes over the training data."""
        return int(self.hyperparameters.get("epochs", self.experiment.epochs))

    @property
    def batch_size(self) -> int:
        """Images per update."""
        return int(self.hyperparameters.get("batch_size", self.experiment.batch_size))

    @property
    def optimizer(self) -> str:
        """Name of the optimizer."""
        return str(self.hyperparameters.get("optimizer", self.experiment.optimizer))

    @property
    def optimizer_settings(self) -> dict[str, float]:
        """Every setting of the optimizer, defaults filled in; a flag is 1 or 0."""
        defaults = OPTIMIZERS[self.optimizer]
        return {name: float(self.hyperparameters.get(name, default)) for name, default in defaults.items()}

    @property
    def graph_arguments(self) -> dict[str, Value]:
        """The hyperparameters that ``build_graph`` takes."""
        known = graph_parameters(self.experiment.entry_point)
        return {name: value for name, value in self.hyperparameters.items() if name in known}


def check_engine(name: str) -> None:
    """Refuse a name that is no engine's.

    Raises:
        DeclarationError: says which there are.
    """
    if name not in ENGINES:
        raise DeclarationError(f"engine: expected one of {', '.join(ENGINES)}, found {name!r}")


def graph_parameters(entry_point: Path) -> tuple[str, ...]:
    """Names of the parameters of ``build_graph`` in a script, read from its text: nothing is imported or run.

    Raises:
        DeclarationError: no such file, not Python, or no ``build_graph`` at its top level.
    """
    try:
        content = entry_point.read_bytes()
    except OSError as error:
        raise DeclarationError(
            f"entry point: expected a Python script at {entry_point}, found none ({error.strerror}); "
            f"pass the path of the script that defines build_graph()"
        ) from error
    return _graph_parameters(entry_point, content)


@functools.lru_cache(maxsize=64)
def _graph_parameters(entry_point: Path, content: bytes) -> tuple[str, ...]:
    try:
        tree = ast.parse(content, filename=str(entry_point))
    except (SyntaxError, ValueError) as error:
        raise DeclarationError(f"entry point {entry_point}: cannot be read as Python: {error}") from error
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "build_graph":
            arguments = node.args
            return tuple(argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs))
    raise DeclarationError(
        f"entry point {entry_point}: expected a function build_graph() that returns an MXNet symbol, found none"
    )


def _requirements_file(given: object) -> Path | None:
    if given is None:
        return None
    if not isinstance(given, str | Path):
        raise DeclarationError(f"requirements: expected the path of a file for pip, found {given!r}")
    path = Path(given).resolve()
    if not path.is_file():
        raise DeclarationError(f"requirements: expected a file for pip, found none at {path}; check the path")
    return path


def _check_dataset(dataset: object) -> None:
    if not isinstance(getattr(dataset, "name", None), str) or not callable(getattr(dataset, "load", None)):
        raise DeclarationError(
            f"dataset: expected an object with a name and a load() method, found {dataset!r}; such as mnist()"
        )
    _check_hashable("dataset", dataset, "it is loaded once and looked up later")


def _check_value(field: str, value: object, method: str, example: str) -> None:
    if isinstance(value, type) or not callable(getattr(value, method, None)):
        raise DeclarationError(
            f"{field}: expected an object with a {method}() method, found {value!r}; such as {example}"
        )
    _check_hashable(field, value, "a trial is looked up by all that it is made of")


def _check_hashable(field: str, value: object, reason: str) -> None:
    try:
        hash(value)
    except TypeError as error:
        raise DeclarationError(
            f"{field} {value!r}: expected a hashable value, as {reason}, found {error}; "
            f"declare its class with @dataclass(frozen=True), or eq=False"
        ) from error
