"""Random numbers of a trial: repeatable, independent streams, MXNet's rules by name."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness import Constant, MSRAPrelu, Normal, One, Orthogonal, Uniform, Xavier, Zero
from harness.errors import TrainingError
from harness.train import compat
from harness.train.randomness import epoch_order, initial_values, noise_seed, own_initializers

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHAPES = {
    "fc1_weight": (8, 16),
    "fc1_bias": (8,),
    "bn_gamma": (3,),
    "bn_beta": (3,),
    "bn_moving_var": (3,),
    "fc2_weight": (4, 8),
}


@pytest.mark.parametrize("initializer", [Uniform(0.01), Normal(), Xavier(), MSRAPrelu(), Orthogonal()])
def test_weights_follow_the_seed(initializer: Any) -> None:
    """The same seed gives the same weights, another seed others, whatever draws them."""
    first, again, other = (initial_values(SHAPES, seed, initializer=initializer)["fc1_weight"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_values_follow_their_names() -> None:
    """Weights lie within the notebook's ±0.01, biases and betas are 0, gammas and moving variances are 1."""
    values = initial_values(SHAPES, 3)
    assert np.abs(values["fc1_weight"]).max() <= 0.01
    assert values["fc1_weight"].std() > 0
    assert not values["fc1_bias"].any()
    assert not values["bn_beta"].any()
    assert (values["bn_gamma"] == 1).all()
    assert (values["bn_moving_var"] == 1).all()
    assert {value.dtype for value in values.values()} == {np.dtype(np.float32)}


def test_the_default_start_is_never_another() -> None:
    """The bytes are those of the first release: models that were trained once can be trained again."""
    content = b"".join(value.tobytes() for value in initial_values(SHAPES, 3).values())
    assert hashlib.sha256(content).hexdigest() == "cd72bd5ae3126666f09da94a834ed76bab06ce2a3e13eab0fc0e3d1ea6796aea"


def test_every_suffix_starts_as_mxnet_starts_it() -> None:
    """Of each suffix that MXNet knows, and of moving statistics by the names that MXNet and Gluon give them."""
    mx = compat.mxnet()
    known = ["a_weight", "a_bias", "a_gamma", "a_beta", "a_min", "a_max"]
    values = initial_values(dict.fromkeys([*known, "a_running_mean", "a_running_var", "a_moving_avg"], (2,)), 0)
    for name in known[1:]:
        expected = mx.nd.full((2,), 7)
        mx.init.Uniform()(mx.init.InitDesc(name), expected)
        np.testing.assert_array_equal(values[name], expected.asnumpy(), err_msg=name)
    assert [values[name][0] for name in ("a_running_mean", "a_running_var", "a_moving_avg")] == [0, 1, 0]


def test_a_name_that_says_nothing_is_refused() -> None:
    """A parameter whose suffix MXNet would not know is an error that names it."""
    with pytest.raises(
        TrainingError, match=r"parameter alpha: expected a name ending in weight.*rename .* mx.sym.var\('alpha', init="
    ):
        initial_values({"alpha": (2,)}, 0)


def test_the_experiments_initializer_starts_the_weights_alone() -> None:
    """Another one than the default changes weights; what starts by its suffix is as before."""
    values = initial_values(SHAPES, 3, initializer=Constant(0.5))
    plain = initial_values(SHAPES, 3)
    for name, value in values.items():
        np.testing.assert_array_equal(value, 0.5 if name.endswith("weight") else plain[name], err_msg=name)


def test_an_own_initializer_wins_whatever_the_name() -> None:
    """It starts weights, biases, and variables whose names say nothing."""
    own = {"alpha": Constant(2), "fc1_bias": One(), "fc1_weight": Zero()}
    values = initial_values({"alpha": (2,), **SHAPES}, 3, initializer=Normal(1.0), own=own)
    assert (values["alpha"] == 2).all()
    assert (values["fc1_bias"] == 1).all()
    assert not values["fc1_weight"].any()
    assert values["fc2_weight"].std() > 0.5


def test_xavier_on_a_vector_is_refused() -> None:
    """The error names parameter, initializer and shape."""
    with pytest.raises(
        TrainingError,
        match=r"parameter fc1_bias: Xavier: expected a variable of at least two dimensions, found .*\(8,\)",
    ):
        initial_values(SHAPES, 0, own={"fc1_bias": Xavier()})


@dataclass(frozen=True)
class Drawing:
    """An initializer of the user's own, which draws one thing."""

    drawn: str

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[Any]:
        """What was asked for, or what nobody can use."""
        wrong = {
            "float64": np.zeros(shape),
            "a vector": np.zeros(3, np.float32),
            "nan": np.full(shape, np.nan, np.float32),
        }
        return wrong.get(self.drawn, generator.normal(size=shape).astype(np.float32))


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        ("float64", r"found float64 of shape \(8, 16\)"),
        ("a vector", r"found float32 of shape \(3,\)"),
        ("nan", "128 of them not finite"),
    ],
)
def test_what_an_initializer_draws_is_checked(drawn: str, message: str) -> None:
    """One of the user's own has to keep to dtype and shape, and draw numbers."""
    assert initial_values(SHAPES, 0, initializer=Drawing("right"))["fc1_weight"].std() > 0.5
    with pytest.raises(TrainingError, match=f"parameter fc1_weight: expected Drawing.* {message}"):
        initial_values(SHAPES, 0, initializer=Drawing(drawn))


def test_own_initializers_are_read_from_the_symbol() -> None:
    """Those that ``init=`` left, and those that MXNet's layers leave, are found as MXNet wrote them."""
    mx = compat.mxnet()
    weight = mx.sym.var("fc_weight", init=mx.init.Xavier(rnd_type="gaussian", magnitude=2))
    first = mx.sym.FullyConnected(mx.sym.var("data"), weight, num_hidden=3, name="fc")
    slope = mx.sym.LeakyReLU(first, act_type="prelu", name="slope")
    bias = mx.sym.var("out_bias", init="zeros")
    symbol = mx.sym.FullyConnected(mx.sym.BatchNorm(slope, name="bn"), bias=bias, num_hidden=2, name="out")
    assert own_initializers(symbol.tojson()) == {
        "fc_weight": Xavier("gaussian", "avg", 2),
        "slope_gamma": Constant(0.25),
        "bn_moving_mean": Zero(),
        "bn_moving_var": One(),
        "out_bias": Zero(),
    }


def test_an_unknown_own_initializer_is_refused() -> None:
    """The error names the variable and lists what is known."""
    symbol_json = json.dumps(
        {"nodes": [{"op": "null", "name": "up_weight", "attrs": {"__init__": '["bilinear", {}]'}, "inputs": []}]}
    )
    with pytest.raises(
        TrainingError, match=r"variable up_weight: init: expected one of uniform, normal, .*, found .*bilinear"
    ):
        own_initializers(symbol_json)


def test_every_epoch_has_its_own_noise() -> None:
    """Two unsigned words that differ between epochs and seeds."""
    noises = [noise_seed(seed, epoch) for seed, epoch in ((0, 1), (0, 2), (1, 1))]
    assert {noise.dtype for noise in noises} == {np.dtype(np.uint32)}
    assert len({tuple(noise) for noise in noises}) == 3


def test_every_epoch_visits_every_image_in_its_own_order() -> None:
    """An epoch's order is a permutation that differs between epochs and seeds and repeats with both."""
    orders = [epoch_order(seed, epoch, 100) for seed, epoch in ((0, 1), (0, 2), (1, 1))]
    for order in orders:
        assert sorted(order) == list(range(100))
    assert not np.array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[0], orders[2])
    np.testing.assert_array_equal(orders[0], epoch_order(0, 1, 100))
