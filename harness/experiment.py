"""What is declared before anything runs: experiments, hyperparameters and trials.

All values are frozen and validated when they are made, so a typing error costs a second, not a training run.
"""

from __future__ import annotations

import ast
import functools
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from harness.errors import DeclarationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Value = int | float | str | bool

ENGINES = ("mxnet",)
"""Names of the training engines, for ``Experiment(engine=...)`` and ``--engine``."""

OPTIMIZER_DEFAULTS: Mapping[str, float] = {"learning_rate": 0.11, "momentum": 0.0, "wd": 0.0}
"""The optimizer's settings under MXNet's names; the notebook trains at learning rate 0.11."""

_COUNTS = ("epochs", "batch_size")
_TRAINER = (*OPTIMIZER_DEFAULTS, *_COUNTS)
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


class Hyperparameters(Mapping[str, Value]):
    """One setting of an experiment: an immutable, hashable mapping from name to value.

    Names are the optimizer's (``learning_rate``, ``momentum``, ``wd``), ``epochs``, ``batch_size``, or parameters of
    the entry point's ``build_graph``. The seed is not among them: seeds are replicates of a setting, see `Experiment`.

    Raises:
        DeclarationError: a value that is not a finite number, a string or a bool; a seed; a count below one; a negative
            learning rate, momentum or weight decay.
    """

    def __init__(self, values: Mapping[str, Value] | None = None, /, **named: Value) -> None:
        given: dict[str, Any] = {**(values or {}), **named}
        # numpy's numbers become Python's: they print alike and travel anywhere.
        self._values: dict[str, Value] = {
            name: value.item() if type(value).__module__ == "numpy" and getattr(value, "shape", None) == () else value
            for name, value in given.items()
        }
        for name, value in self._values.items():
            _check_hyperparameter(name, value)

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(self._typed())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hyperparameters) and self._typed() == other._typed()

    def _typed(self) -> frozenset[tuple[str, type, Value]]:
        """Names, types and values: a graph may take 0 and False, or 8 and 8.0, for different things."""
        return frozenset((name, type(value), value) for name, value in self._values.items())

    def __str__(self) -> str:
        return ",".join(f"{name}={value}" for name, value in self._values.items()) or "defaults"

    def __repr__(self) -> str:
        return f"Hyperparameters({', '.join(f'{name}={value!r}' for name, value in self._values.items())})"


def grid(**axes: Iterable[Value]) -> list[Hyperparameters]:
    """Every combination of the axes' values, the last axis varying fastest.

    ``grid(learning_rate=[0.05, 0.2], momentum=[0, 0.9])`` gives four settings, for ``pytest.fixture(params=...)``.

    Raises:
        DeclarationError: an axis without values, or a value that `Hyperparameters` refuses.
    """
    listed: dict[str, list[Value]] = {}
    for name, values in axes.items():
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise DeclarationError(
                f"grid: {name} must be a list of values, found {values!r}; write {name}=[{values!r}]"
            )
        listed[name] = list(values)
        if not listed[name]:
            raise DeclarationError(f"grid: {name} has no values, so there is no trial to run; give it at least one")
    return [Hyperparameters(dict(zip(listed, chosen, strict=True))) for chosen in itertools.product(*listed.values())]


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A model, its data and how it is trained.

    Attributes:
        name: lower-case letters, digits and single hyphens, at most 40; it becomes part of AWS resource names.
        entry_point: the Python script that defines ``build_graph`` and is shipped in the tarball's ``code/``.
        dataset: where the arrays come from, for instance ``harness.mnist()``.
        epochs: passes over the training data.
        batch_size: images per update.
        seeds: one replicate of every setting is trained per seed; a gate looks at all of them.
        engine: ``"mxnet"``, the reference.
        num_gpus: GPUs to train on, data parallel; 0 trains on the CPU.
        num_cpus: CPU contexts to train on, data parallel, when ``num_gpus`` is 0.

    Raises:
        DeclarationError: any of these is out of range, the engine is unknown, the script is missing, or it defines no
            ``build_graph``.
    """

    name: str
    entry_point: Path
    dataset: Dataset
    epochs: int = 10
    batch_size: int = 100
    seeds: Sequence[int] = (0,)
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
        object.__setattr__(self, "seeds", tuple(self.seeds))
        _check_dataset(self.dataset)
        for field, least in (("epochs", 1), ("batch_size", 1), ("num_gpus", 0), ("num_cpus", 1)):
            _check_count(field, getattr(self, field), least)
        if not self.seeds:
            raise DeclarationError(
                f"experiment {self.name}: seeds is empty, so nothing would be trained; give at least one"
            )
        for seed in self.seeds:
            _check_count("seed", seed, 0)
        if len(set(self.seeds)) != len(self.seeds):
            raise DeclarationError(
                f"experiment {self.name}: seeds repeat ({self.seeds}); a replicate needs its own seed"
            )
        check_engine(self.engine)
        both = [name for name in graph_parameters(self.entry_point) if name in _TRAINER]
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
        unknown = [name for name in self.hyperparameters if name not in _TRAINER and name not in graph]
        if unknown:
            known = ", ".join((*_TRAINER, *graph))
            raise DeclarationError(
                f"experiment {self.experiment.name}: unknown hyperparameter {', '.join(unknown)}; the trainer and "
                f"build_graph in {self.experiment.entry_point.name} know {known}"
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
    def optimizer_settings(self) -> dict[str, float]:
        """``learning_rate``, ``momentum`` and ``wd``, defaults filled in."""
        return {name: float(self.hyperparameters.get(name, default)) for name, default in OPTIMIZER_DEFAULTS.items()}

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


def _check_hyperparameter(name: str, value: object) -> None:
    if name in ("seed", "seeds"):
        raise DeclarationError(
            f"{name} is not a hyperparameter: seeds are replicates of a setting; write Experiment(seeds=range(5))"
        )
    if not isinstance(value, int | float | str | bool):
        raise DeclarationError(f"hyperparameter {name}: expected a number, a string or a bool, found {value!r}")
    if not isinstance(value, str) and not _is_finite(value):
        raise DeclarationError(f"hyperparameter {name}: expected a finite number, found {value!r}")
    if name in _COUNTS:
        _check_count(name, value, 1)
    if name in OPTIMIZER_DEFAULTS and (isinstance(value, bool | str) or value < 0):
        raise DeclarationError(f"hyperparameter {name}: expected a number of at least 0, found {value!r}")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False


def _check_dataset(dataset: object) -> None:
    if not isinstance(getattr(dataset, "name", None), str) or not callable(getattr(dataset, "load", None)):
        raise DeclarationError(
            f"dataset: expected an object with a name and a load() method, found {dataset!r}; such as mnist()"
        )
    try:
        hash(dataset)
    except TypeError as error:
        raise DeclarationError(
            f"dataset {dataset!r}: expected a hashable value, as it is loaded once and looked up later, found {error}; "
            f"declare its class with @dataclass(frozen=True), or eq=False"
        ) from error


def _check_count(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise DeclarationError(f"{name}: expected a whole number of at least {least}, found {value!r}")
