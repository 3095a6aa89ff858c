"""Engine mxnet: the notebook's results, the same bytes every time, and clear errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from small_graph import GRAPH

from harness import CosineDecay, Normal, PolynomialDecay, Xavier
from harness.errors import TrainingError
from harness.train import compat
from harness.train.arrays import Arrays
from harness.train.entry_point import build_job
from harness.train.mxnet_engine import MXNetEngine
from harness.train.progress import Silent
from harness.train.randomness import epoch_order, initial_values, own_initializers

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from harness.experiment import Trial
    from harness.initializer import Initializer
    from harness.train.engine import Training


def train(trial: Trial) -> Training:
    """What the engine makes of a trial."""
    dataset = trial.experiment.dataset
    [outcome] = MXNetEngine().train([build_job(trial)], Arrays.from_mapping(dataset.name, dataset.load()), Silent())
    if isinstance(outcome, TrainingError):
        raise outcome
    return outcome


def start_of(trial: Trial) -> dict[str, NDArray[np.float32]]:
    """The weights before the first update, by name."""
    symbol_json = build_job(trial).symbol_json
    symbol = compat.mxnet().sym.load_json(symbol_json)
    shapes, _, _ = symbol.infer_shape(data=(trial.batch_size, 1, 4, 4))
    named = dict(zip(symbol.list_arguments(), shapes, strict=True))
    return initial_values(
        {name: named[name] for name in named if name not in ("data", "softmax_label")},
        trial.seed,
        initializer=trial.experiment.initializer,
        own=own_initializers(symbol_json),
    )


def mxnet_settings(trial: Trial) -> dict[str, Any]:
    """The optimizer's settings as MXNet's documentation has them: None for a bound that is not used."""
    settings: dict[str, Any] = dict(trial.optimizer_settings)
    for bound in ("clip_gradient", "clip_weights"):
        if bound in settings:
            settings[bound] = settings[bound] or None
    if "centered" in settings:
        settings["centered"] = bool(settings["centered"])
    return settings


def notebook(trial: Trial, scheduler: Any = None) -> tuple[dict[str, Any], list[float], list[float]]:
    """Weights, train and validation accuracies by epoch of the notebook's own loop, from the same start and order.

    The loop is ``Module.fit`` over ``NDArrayIter`` with the metric ``acc``; only what is random is given to it.
    """
    mx = compat.mxnet()
    data = {name: value.astype(np.float32) for name, value in trial.experiment.dataset.load().items()}
    symbol, batch = mx.sym.load_json(build_job(trial).symbol_json), trial.batch_size

    class Ordered(mx.io.DataIter):  # type: ignore[misc]
        """``NDArrayIter`` whose every epoch has the trial's order."""

        epoch = 0

        def __init__(self) -> None:
            super().__init__(batch)
            self.reset()

        def reset(self) -> None:
            self.epoch += 1
            order = epoch_order(trial.seed, self.epoch, len(data["train_data"]))
            self._inner = mx.io.NDArrayIter(data["train_data"][order], data["train_label"][order], batch)
            self.provide_data, self.provide_label = self._inner.provide_data, self._inner.provide_label

        def next(self) -> Any:
            return self._inner.next()

    metric, seen, validation = mx.metric.Accuracy(), [], []
    module = mx.mod.Module(symbol)
    module.fit(
        Ordered(),
        eval_data=mx.io.NDArrayIter(data["test_data"], data["test_label"], 10),
        eval_metric=metric,
        validation_metric="acc",
        arg_params={name: mx.nd.array(value) for name, value in start_of(trial).items()},
        optimizer=trial.optimizer,
        optimizer_params={**mxnet_settings(trial), "lr_scheduler": scheduler},
        num_epoch=trial.epochs,
        epoch_end_callback=lambda *_: seen.append(metric.get()[1]),
        eval_end_callback=lambda end: validation.append(end.eval_metric.get()[1]),
    )
    return {name: value.asnumpy() for name, value in module.get_params()[0].items()}, seen, validation


def assert_notebooks(trial: Trial, scheduler: Any = None) -> None:
    """Every epoch's accuracies and the final weights are those of ``Module.fit``, and it learned something."""
    training = train(trial)
    weights, seen, validation = notebook(trial, scheduler)
    assert [epoch.train_accuracy for epoch in training.history] == pytest.approx(seen, abs=1e-9)
    assert [epoch.validation_accuracy for epoch in training.history] == pytest.approx(validation, abs=1e-9)
    assert training.history[-1].validation_accuracy > 0.9
    for name, expected in weights.items():
        np.testing.assert_allclose(training.checkpoint.parameters[name], expected, atol=1e-6, err_msg=name)


FULL = {"batch_size": 53, "epochs": 4}
"""530 images: ten full batches an epoch."""

MULTIPLIED = GRAPH.replace(
    'num_hidden=hidden, name="fc1"',
    'mx.sym.var("fc1_weight", lr_mult=0.5, wd_mult=3), mx.sym.var("fc1_bias", wd_mult=2), hidden, name="fc1"',
)
OWN = GRAPH.replace(
    'num_hidden=hidden, name="fc1"', 'mx.sym.var("fc1_weight", init=mx.init.Xavier()), num_hidden=hidden, name="fc1"'
)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"momentum": 0.9, "learning_rate": 0.05},
        {"wd": 0.01},
        {"clip_gradient": 0.02},
        {"optimizer": "nag", "momentum": 0.9, "learning_rate": 0.05, "wd": 0.01},
        {"optimizer": "nag", "clip_gradient": 0.02},
        {"optimizer": "adam", "learning_rate": 0.02, "wd": 0.001},
        {
            "optimizer": "adam",
            "learning_rate": 0.02,
            "beta1": 0.8,
            "beta2": 0.9,
            "epsilon": 0.01,
            "clip_gradient": 0.02,
        },
        {"optimizer": "rmsprop", "learning_rate": 0.02, "gamma1": 0.8, "clip_weights": 0.6},
        {"optimizer": "rmsprop", "learning_rate": 0.01, "centered": True, "gamma2": 0.5, "wd": 0.001},
        {"initializer": Xavier()},
    ],
    ids=str,
)
def test_results_are_the_notebooks(make_trial: Callable[..., Trial], settings: dict[str, Any]) -> None:
    """From the same start and order, with any optimizer, the results are those of ``Module.fit``."""
    assert_notebooks(make_trial(**FULL, **settings))


@pytest.mark.parametrize("optimizer", [{"wd": 0.02}, {"optimizer": "adam", "learning_rate": 0.02, "wd": 0.02}], ids=str)
@pytest.mark.parametrize("graph", [MULTIPLIED, OWN], ids=["multiplied", "own"])
def test_what_variables_ask_for_is_done_as_in_the_notebook(
    make_trial: Callable[..., Trial], graph: str, optimizer: dict[str, Any]
) -> None:
    """``lr_mult=``, ``wd_mult=`` and ``init=`` of variables count as for ``Module.fit``."""
    assert_notebooks(make_trial(graph, **FULL, **optimizer))


@pytest.mark.parametrize("optimizer", [{"learning_rate": 0.5}, {"optimizer": "adam", "learning_rate": 0.02}], ids=str)
def test_a_schedule_is_followed_as_in_the_notebook(make_trial: Callable[..., Trial], optimizer: dict[str, Any]) -> None:
    """With MXNet's own scheduler, which counts updates, ``Module.fit`` gives the same results."""
    trial = make_trial(**FULL, **optimizer, schedule=CosineDecay(epochs=3, warmup_updates=5, final=0.1))
    rate = optimizer["learning_rate"]
    scheduler = compat.mxnet().lr_scheduler.CosineScheduler(30, base_lr=rate, final_lr=0.1 * rate, warmup_steps=5)
    assert_notebooks(trial, scheduler)


@pytest.mark.parametrize(
    ("settings", "graph"),
    [
        ({"schedule": CosineDecay(epochs=4)}, GRAPH),
        ({"optimizer": "nag", "momentum": 0.5}, GRAPH),
        ({"clip_gradient": 0.01}, GRAPH),
        ({"initializer": Xavier()}, GRAPH),
        ({}, OWN),
        ({"wd": 0.01}, MULTIPLIED),
    ],
    ids=str,
)
def test_all_of_it_changes_the_weights(make_trial: Callable[..., Trial], settings: dict[str, Any], graph: str) -> None:
    """Control: each of these trains to other weights than the plain trial, beyond what the comparisons allow."""
    plain, other = train(make_trial()), train(make_trial(graph, **settings))
    weights = plain.checkpoint.parameters["fc1_weight"]
    assert np.abs(other.checkpoint.parameters["fc1_weight"] - weights).max() > 1e-3


@pytest.mark.parametrize(("graph", "initializer"), [(GRAPH, Xavier()), (OWN, Normal(0.2))])
def test_the_start_is_what_was_declared(make_trial: Callable[..., Trial], graph: str, initializer: Initializer) -> None:
    """A learning rate of 0 keeps the weights where they started, byte for byte."""
    trial = make_trial(graph, epochs=1, learning_rate=0, initializer=initializer)
    parameters = train(trial).checkpoint.parameters
    for name, value in start_of(trial).items():
        assert parameters[name].tobytes() == value.tobytes()
    limit = np.sqrt(3 / ((8 + 16) / 2))  # Xavier's, of fc1 in both
    assert 0.9 * limit < np.abs(parameters["fc1_weight"]).max() <= limit


def test_a_schedule_may_end_below_what_float32_holds(make_trial: Callable[..., Trial]) -> None:
    """MXNet refuses such a learning rate in the middle of training; it gets 0 instead."""
    training = train(make_trial(**FULL, optimizer="nag", schedule=PolynomialDecay(epochs=4, power=40)))
    assert np.isfinite(training.checkpoint.parameters["fc1_weight"]).all()


def test_the_same_trial_gives_the_same_bytes(make_trial: Callable[..., Trial]) -> None:
    """Training twice gives equal bytes in graph and weights; another seed does not."""
    first, again, other = train(make_trial()), train(make_trial()), train(make_trial(seed=1))
    assert first.checkpoint.symbol_json == again.checkpoint.symbol_json == other.checkpoint.symbol_json
    for name, value in first.checkpoint.parameters.items():
        assert value.tobytes() == again.checkpoint.parameters[name].tobytes()
        assert value.tobytes() != other.checkpoint.parameters[name].tobytes()


def test_a_last_batch_that_is_not_full_wraps_around(make_trial: Callable[..., Trial]) -> None:
    """530 images in batches of 100 train, and every figure counts each image once."""
    training = train(make_trial(batch_size=100))
    for epoch in training.history:
        assert epoch.train_accuracy * 530 == pytest.approx(round(epoch.train_accuracy * 530))
        assert epoch.validation_accuracy * 90 == pytest.approx(round(epoch.validation_accuracy * 90))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": "adam", "learning_rate": 0.01, "epsilon": 0.001, "wd": 0.01, "schedule": CosineDecay(epochs=4)},
    ],
    ids=str,
)
def test_data_parallel_training_agrees_with_one_device(
    make_trial: Callable[..., Trial], settings: dict[str, Any]
) -> None:
    """Two CPU contexts split every batch and sum their gradients: the weights agree to rounding, and repeat exactly."""
    one, two, again = (train(make_trial(MULTIPLIED, num_cpus=count, **settings)) for count in (1, 2, 2))
    for name, value in one.checkpoint.parameters.items():
        np.testing.assert_allclose(two.checkpoint.parameters[name], value, atol=1e-4)
        assert two.checkpoint.parameters[name].tobytes() == again.checkpoint.parameters[name].tobytes()


def test_hyperparameters_reach_the_graph(make_trial: Callable[..., Trial]) -> None:
    """A hyperparameter that build_graph takes decides the shapes of the weights."""
    training = train(make_trial(hidden=5, epochs=1))
    assert training.checkpoint.parameters["fc1_weight"].shape == (5, 16)


BATCH_NORM = """
import mxnet as mx

def build_graph():
    normal = mx.sym.BatchNorm(mx.sym.flatten(mx.sym.var("data")), name="bn", fix_gamma=False)
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(normal, num_hidden=4, name="fc"), name="softmax")
"""


def test_auxiliary_states_are_kept(make_trial: Callable[..., Trial]) -> None:
    """Moving statistics are trained and come back beside the parameters."""
    checkpoint = train(make_trial(BATCH_NORM)).checkpoint
    assert set(checkpoint.auxiliary) == {"bn_moving_mean", "bn_moving_var"}
    assert checkpoint.auxiliary["bn_moving_mean"].any()


def test_divergence_is_told_at_once(make_trial: Callable[..., Trial]) -> None:
    """A learning rate that blows up is an error naming epoch, update and the rate, not a model of NaNs."""
    with pytest.raises(TrainingError, match=r"no longer a number, first in epoch 1, update \d+: .*now 1e\+20\)"):
        train(make_trial(learning_rate=1e20))


def test_divergence_on_the_last_update_is_told(make_trial: Callable[..., Trial]) -> None:
    """Weights that only the last update spoiled are found by the look at the test data."""
    with pytest.raises(TrainingError, match="no longer a number, first in epoch 1, after its last update"):
        train(make_trial(learning_rate=1e38, epochs=1, batch_size=530))


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        (
            "mx.sym.var('fc1_weight', init=mx.init.Bilinear())",
            r"blobs\[.*\]: variable fc1_weight: init: expected one of uniform, .*found .*bilinear",
        ),
        (
            "mx.sym.var('fc1_weight', init=mx.init.Xavier(factor_type='all'))",
            r"blobs\[.*\]: variable fc1_weight: Xavier: factor_type: expected one of avg, in, out, found 'all'",
        ),
        (
            "bias=mx.sym.var('fc1_bias', init=mx.init.Xavier())",
            r"blobs\[.*\]: parameter fc1_bias: Xavier: expected a variable of at least two dimensions, .*\(8,\)",
        ),
        (
            "mx.sym.var('fc1_weight', lr_mult='half')",
            r"blobs\[.*\]: expected lr_mult= and wd_mult= of variables to be numbers, found .*'half'.*mend build_graph",
        ),
    ],
)
def test_variables_that_cannot_be_had_so_are_refused(
    make_trial: Callable[..., Trial], variable: str, message: str
) -> None:
    """The error names the trial, the variable and what is wrong with it."""
    graph = GRAPH.replace('num_hidden=hidden, name="fc1"', f'{variable}, num_hidden=hidden, name="fc1"')
    with pytest.raises(TrainingError, match=message):
        train(make_trial(graph))


def test_an_entry_point_may_hold_dataclasses(make_trial: Callable[..., Trial]) -> None:
    """What imports in AWS's container imports here: dataclasses look their module up by its name."""
    head = "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\n"
    assert train(make_trial(head + GRAPH, epochs=1)).history


def test_labels_beyond_the_classes_are_refused(make_trial: Callable[..., Trial]) -> None:
    """A graph with fewer outputs than there are labels is refused before the first update."""
    graph = BATCH_NORM.replace("num_hidden=4", "num_hidden=3")
    with pytest.raises(TrainingError, match=r"whole numbers from 0 to 2, .*found 3 at train_label"):
        train(make_trial(graph))


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        ("def build_graph():\n    return 3", "to return an mxnet Symbol, found 3"),
        ("def build_graph():\n    raise KeyError('x')", "build_graph.* failed: KeyError: 'x'"),
        ("import nothing_of_that_name\ndef build_graph(): pass", "importing .* failed: ModuleNotFoundError"),
        (
            (
                "import mxnet as mx\ndef build_graph():\n"
                "    return mx.sym.FullyConnected(mx.sym.var('data'), num_hidden=2)"
            ),
            "one SoftmaxOutput at the end, found inputs data, fullyconnected0_weight.* and FullyConnected",
        ),
        (
            (
                "import mxnet as mx\ndef build_graph():\n"
                "    conv = mx.sym.Convolution(mx.sym.var('data'), kernel=(9, 9), num_filter=4)\n"
                "    return mx.sym.SoftmaxOutput(mx.sym.flatten(conv), name='softmax')"
            ),
            r"does not fit images of shape \(1, 4, 4\)",
        ),
        (
            (
                "import mxnet as mx\ndef build_graph():\n"
                "    return mx.sym.SoftmaxOutput(mx.sym.var('data'), name='softmax', multi_output=True)"
            ),
            r"expected an output of shape \(50, classes\), found \(50, 1, 4, 4\)",
        ),
    ],
)
def test_graphs_that_cannot_be_trained_are_refused(make_trial: Callable[..., Trial], graph: str, message: str) -> None:
    """Whatever is wrong with the user's graph, one error says where and what."""
    with pytest.raises(TrainingError, match=message):
        train(make_trial(graph))
