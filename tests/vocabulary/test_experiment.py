"""Declarations are validated when they are made, and say what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import ConstantRate, CosineDecay, Experiment, Hyperparameters, Uniform, Xavier, arrays, grid, mnist
from harness.errors import DeclarationError
from harness.experiment import Trial, graph_parameters

if TYPE_CHECKING:
    from pathlib import Path

DATA = arrays(
    "d",
    train_data=np.zeros((2, 1)),
    train_label=np.zeros(2),
    test_data=np.zeros((2, 1)),
    test_label=np.zeros(2),
)


@dataclass
class Unhashable:
    """A data set as a plain dataclass, which Python makes unhashable."""

    name: str = "d"

    def load(self) -> dict[str, Any]:
        """Nothing."""
        return {}


@dataclass
class UnhashableValue:
    """Has the methods of an initializer and a schedule, but no hash."""

    scale: float = 1

    def draw(self) -> None:
        """Nothing."""

    def factor(self) -> float:
        """The same."""
        return self.scale


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """An entry point whose build_graph takes a width."""
    path = tmp_path / "entry.py"
    path.write_text("def build_graph(hidden=8, *, depth=1):\n    raise AssertionError('read, never run')\n")
    return path


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rate": float("nan")}, "learning_rate: expected a finite number, found nan"),
        ({"learning_rate": float("inf")}, "learning_rate: expected a finite number, found inf"),
        ({"learning_rate": -0.1}, "learning_rate: expected a number of at least 0, found -0.1"),
        ({"learning_rate": "0.1"}, "learning_rate: expected a number of at least 0, found '0.1'"),
        ({"momentum": True}, "momentum: expected a number of at least 0, found True"),
        ({"epochs": 0}, "epochs: expected a whole number of at least 1, found 0"),
        ({"batch_size": 1.5}, "batch_size: expected a whole number of at least 1, found 1.5"),
        ({"hidden": [1]}, r"hidden: expected a number, a string or a bool, found \[1\]"),
        ({"beta1": 1}, "beta1: expected a number of at least 0 and below 1, found 1"),
        ({"beta2": -0.1}, "beta2: expected a number of at least 0 and below 1, found -0.1"),
        ({"gamma1": 1.0}, "gamma1: expected a number of at least 0 and below 1, found 1.0"),
        ({"gamma2": "0.9"}, "gamma2: expected a number of at least 0 and below 1, found '0.9'"),
        ({"epsilon": 0}, "epsilon: expected a number above 0, found 0"),
        ({"clip_gradient": -1}, "clip_gradient: expected a number of at least 0, found -1"),
        ({"clip_weights": -1}, "clip_weights: expected a number of at least 0, found -1"),
        ({"wd": -1}, "wd: expected a number of at least 0, found -1"),
        ({"centered": 1}, "centered: expected True or False, found 1"),
        ({"learning_rate": 1e-39}, "learning_rate: expected 0 or a number from 1.2e-38 to 3.4e.38, as float32 holds"),
        ({"wd": 1e39}, "wd: expected 0 or a number from 1.2e-38 to 3.4e.38, as float32 holds, found 1e.39"),
        ({"optimizer": "adamw"}, "hyperparameter optimizer: expected one of sgd, nag, adam, rmsprop, found 'adamw'"),
        ({"optimizer": True}, "hyperparameter optimizer: expected one of sgd, .*found True"),
        ({"learning_rate": 10**400}, "learning_rate: expected a finite number, found 1000"),
        ({"seed": 1}, r"seed is not a hyperparameter: seeds are replicates .*Experiment\(seeds=range\(5\)\)"),
    ],
)
def test_bad_hyperparameters_are_refused(values: dict[str, Any], message: str) -> None:
    """Each is an error that names the hyperparameter, what was expected and what was found."""
    with pytest.raises(DeclarationError, match=message):
        Hyperparameters(values)


def test_hyperparameters_are_values() -> None:
    """They compare, hash and print by content, whatever the order, and cannot be changed."""
    one, other = Hyperparameters(a=1, learning_rate=0.5), Hyperparameters(learning_rate=0.5, a=1)
    assert one == other
    assert hash(one) == hash(other)
    assert str(one) == "a=1,learning_rate=0.5"
    assert str(Hyperparameters()) == "defaults"
    assert repr(one) == "Hyperparameters(a=1, learning_rate=0.5)"
    with pytest.raises(TypeError):
        one["a"] = 2  # type: ignore[index]


@given(
    st.lists(st.floats(0.001, 1), min_size=1, max_size=4, unique=True),
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
)
def test_a_grid_is_every_combination_in_order(rates: list[float], widths: list[int]) -> None:
    """The product of the axes, the last varying fastest."""
    settings = grid(learning_rate=rates, hidden=widths)
    assert [tuple(setting.values()) for setting in settings] == [(rate, width) for rate in rates for width in widths]


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"learning_rate": []}, "learning_rate has no values, so there is no trial to run"),
        ({"learning_rate": 0.1}, r"learning_rate must be a list of values, found 0.1; write learning_rate=\[0.1\]"),
        ({"act": "relu"}, "act must be a list of values, found 'relu'"),
        ({"seed": [1, 2]}, "seeds are replicates"),
    ],
)
def test_bad_grids_are_refused(axes: dict[str, Any], message: str) -> None:
    """Empty axes, bare values and seeds are errors that show what to write."""
    with pytest.raises(DeclarationError, match=message):
        grid(**axes)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "Mnist MLP"}, "experiment name: expected lower-case letters.*found 'Mnist MLP'"),
        ({"name": "a" * 41}, "at most 40"),
        ({"name": "a" + "-a" * 20}, "at most 40"),
        ({"seeds": 5}, r"seeds: expected a list of whole numbers, found 5; such as range\(5\)"),
        ({"entry_point": None}, "entry_point: expected the path of a Python script, found None"),
        (
            {"dataset": None},
            r"dataset: expected an object with a name and a load\(\) method, found None; such as mnist",
        ),
        ({"dataset": mnist}, r"dataset: expected .*found <function mnist"),
        ({"dataset": Unhashable()}, "expected a hashable value, .*eq=False"),
        ({"name": "-a"}, "experiment name"),
        ({"epochs": 0}, "epochs: expected a whole number of at least 1, found 0"),
        ({"batch_size": True}, "batch_size: expected a whole number"),
        ({"num_gpus": -1}, "num_gpus: expected a whole number of at least 0, found -1"),
        ({"num_cpus": 0}, "num_cpus: expected a whole number of at least 1, found 0"),
        ({"engine": "torch"}, "engine: expected one of mxnet, xla, found 'torch'"),
        ({"optimizer": "adamw"}, "optimizer: expected one of sgd, nag, adam, rmsprop, found 'adamw'"),
        ({"optimizer": None}, "optimizer: expected one of sgd, nag, adam, rmsprop, found None"),
        (
            {"initializer": "xavier"},
            r"initializer: expected an object with a draw\(\) method, found 'xavier'; such as Xavier\(\)",
        ),
        ({"initializer": Xavier}, "initializer: expected an object with a draw.* found <class"),
        ({"initializer": UnhashableValue()}, r"initializer UnhashableValue\(.*: expected a hashable value, .*eq=False"),
        (
            {"schedule": 0.5},
            r"schedule: expected an object with a factor\(\) method, found 0.5; such as CosineDecay\(epochs=10\)",
        ),
        ({"schedule": UnhashableValue()}, r"schedule UnhashableValue\(.*: expected a hashable value, .*eq=False"),
        ({"seeds": []}, "seeds is empty, so nothing would be trained"),
        ({"seeds": [1, 1]}, r"seeds repeat \(\(1, 1\)\)"),
        ({"seeds": [-1]}, "seed: expected a whole number of at least 0, found -1"),
        ({"entry_point": "/nowhere/entry.py"}, "expected a Python script at /nowhere/entry.py, found none"),
        ({"requirements": 5}, "requirements: expected the path of a file for pip, found 5"),
        ({"requirements": "/nowhere/r.txt"}, "requirements: expected a file for pip, found none at /nowhere/r.txt"),
    ],
)
def test_bad_experiments_are_refused(script: Path, fields: dict[str, Any], message: str) -> None:
    """Each field is checked when the experiment is made."""
    good: dict[str, Any] = {"name": "good", "entry_point": script, "dataset": DATA}
    Experiment(**good)
    with pytest.raises(DeclarationError, match=message):
        Experiment(**{**good, **fields})


@pytest.mark.parametrize(
    ("text", "message"),
    [("x = 1", "expected a function build_graph"), ("def build_graph(:", "cannot be read as Python"), ("\0", "Python")],
)
def test_bad_entry_points_are_refused(tmp_path: Path, text: str, message: str) -> None:
    """A script without build_graph, or that is not Python, is refused by reading it."""
    path = tmp_path / "entry.py"
    path.write_text(text)
    with pytest.raises(DeclarationError, match=message):
        graph_parameters(path)


def test_an_edited_entry_point_is_read_again(script: Path) -> None:
    """The parameters are those of the file as it is now."""
    assert graph_parameters(script) == ("hidden", "depth")
    script.write_text("def build_graph(width): ...")
    assert graph_parameters(script) == ("width",)


def test_trials_fill_in_defaults(script: Path) -> None:
    """A setting overrides the experiment's epochs and batch size; what is left out is the notebook's or zero."""
    experiment = Experiment(name="e", entry_point=script, dataset=DATA, epochs=3, batch_size=2, seeds=range(2))
    plain, other = (
        experiment.trials(Hyperparameters()),
        experiment.trials(Hyperparameters(epochs=5, momentum=0.9, hidden=4)),
    )
    assert [trial.seed for trial in plain] == [0, 1]
    assert (plain[0].epochs, plain[0].batch_size) == (3, 2)
    assert plain[0].optimizer_settings == {
        "learning_rate": 0.11,
        "momentum": 0.0,
        "wd": 0.0,
        "clip_gradient": 0.0,
    }
    assert plain[0].graph_arguments == {}
    assert (other[0].epochs, other[0].optimizer_settings["momentum"]) == (5, 0.9)
    assert other[0].graph_arguments == {"hidden": 4}
    assert str(other[1]) == "e[epochs=5,momentum=0.9,hidden=4,seed=1]"


def test_an_unknown_hyperparameter_is_refused(script: Path) -> None:
    """The error lists what the trainer and build_graph know."""
    experiment = Experiment(name="e", entry_point=script, dataset=DATA)
    with pytest.raises(DeclarationError, match=r"unknown hyperparameter learning_rte; .*learning_rate.*hidden, depth"):
        Trial(experiment=experiment, hyperparameters=Hyperparameters(learning_rte=0.1), seed=0)


def test_an_optimizer_is_chosen_by_experiment_or_setting(script: Path) -> None:
    """A hyperparameter wins over the experiment's field; each optimizer has MXNet's defaults."""
    experiment = Experiment(name="e", entry_point=script, dataset=DATA, optimizer="adam")
    adam, other = (
        experiment.trials(setting)[0]
        for setting in (
            Hyperparameters(beta1=0.5),
            Hyperparameters(optimizer="rmsprop", centered=True, learning_rate=1),
        )
    )
    assert adam.optimizer == "adam"
    assert adam.optimizer_settings == {
        "learning_rate": 0.001,
        "beta1": 0.5,
        "beta2": 0.999,
        "epsilon": 1e-8,
        "wd": 0.0,
        "clip_gradient": 0.0,
    }
    assert other.optimizer == "rmsprop"
    assert other.optimizer_settings == {
        "learning_rate": 1.0,
        "gamma1": 0.9,
        "gamma2": 0.9,
        "epsilon": 1e-8,
        "centered": 1.0,
        "clip_weights": 0.0,
        "wd": 0.0,
        "clip_gradient": 0.0,
    }
    assert {type(value) for value in other.optimizer_settings.values()} == {float}


def test_defaults_are_the_notebooks(script: Path) -> None:
    """What ``Module.fit`` starts from, plain sgd, and a learning rate that stays as it is."""
    experiment = Experiment(name="e", entry_point=script, dataset=DATA)
    assert (experiment.optimizer, experiment.initializer, experiment.schedule) == (
        "sgd",
        Uniform(0.01),
        ConstantRate(),
    )


def test_an_optimizer_is_swept_like_anything_else(script: Path) -> None:
    """A grid over optimizers gives a trial of each."""
    experiment = Experiment(name="e", entry_point=script, dataset=DATA)
    trials = [experiment.trials(setting)[0] for setting in grid(optimizer=["sgd", "adam"], wd=[0, 0.1])]
    assert [(trial.optimizer, trial.optimizer_settings["wd"]) for trial in trials] == [
        ("sgd", 0.0),
        ("sgd", 0.1),
        ("adam", 0.0),
        ("adam", 0.1),
    ]


def test_another_optimizers_setting_is_refused(script: Path) -> None:
    """The error names the setting, the optimizer, and what it knows."""
    experiment = Experiment(name="e", entry_point=script, dataset=DATA)
    with pytest.raises(
        DeclarationError,
        match=r"unknown hyperparameter beta1; the trainer, with optimizer sgd, .*optimizer, learning_rate, momentum",
    ):
        experiment.trials(Hyperparameters(beta1=0.9))
    with pytest.raises(DeclarationError, match=r"unknown hyperparameter momentum; .* optimizer adam, .*beta1, beta2"):
        experiment.trials(Hyperparameters(optimizer="adam", momentum=0.9))


def test_a_graph_cannot_take_what_an_optimizer_takes(tmp_path: Path) -> None:
    """Whichever optimizer is chosen, a setting's name means the setting."""
    script = tmp_path / "entry.py"
    script.write_text("def build_graph(epsilon=1e-5): ...\n")
    with pytest.raises(DeclarationError, match=r"build_graph\(\) takes epsilon, which the trainer takes too; rename"):
        Experiment(name="e", entry_point=script, dataset=DATA)


def test_trials_differ_by_initializer_and_schedule(script: Path) -> None:
    """Trials are looked up by all that they are made of: same declarations, same trial."""
    trials = [
        Experiment(name="e", entry_point=script, dataset=DATA, **fields).trials(Hyperparameters())[0]
        for fields in (
            {},
            {"initializer": Uniform(0.01), "schedule": ConstantRate()},
            {"initializer": Xavier()},
            {"schedule": CosineDecay(epochs=3)},
            {"optimizer": "adam"},
        )
    ]
    assert len(set(trials)) == 4
