"""The optimizers for populations do what MXNet's updaters do."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from harness.errors import TrainingError
from harness.optimizer import OPTIMIZERS
from harness.train import compat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Weights = dict[str, NDArray[np.float32]]

SHAPES = {"fc_weight": (6, 5), "fc_bias": (6,), "bn_gamma": (5,), "slopes": (3,)}
ATTRIBUTES = {"fc_weight": {"__lr_mult__": "0.5", "__wd_mult__": "3"}, "slopes": {"__wd_mult__": "2"}}
BATCH, TRIALS = 32, 3
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]

VARIANTS: dict[tuple[str, ...], tuple[str, dict[str, float]]] = {
    ("sgd",): ("sgd", {"momentum": 0.0}),
    ("sgd", "momentum"): ("sgd", {}),
    ("nag",): ("nag", {"momentum": 0.0}),
    ("nag", "momentum"): ("nag", {}),
    ("adam",): ("adam", {}),
    ("rmsprop",): ("rmsprop", {"centered": 0.0}),
    ("rmsprop", "centered"): ("rmsprop", {"centered": 1.0}),
}
"""Variant to optimizer and to the settings that make it."""


def powers(least: float, most: float) -> st.SearchStrategy[float]:
    """Numbers of all magnitudes between two powers of ten."""
    return st.floats(least, most).map(lambda exponent: 10.0**exponent)


RANGES: Mapping[str, st.SearchStrategy[float]] = {
    # Rates and decays as they are used: far above, updates multiply rounding errors, and no two programs agree.
    "learning_rate": powers(-4, -1),
    "momentum": st.floats(0.01, 0.99),
    "wd": st.just(0.0) | powers(-5, -2),
    "clip_gradient": st.just(0.0) | powers(-2, 1),
    "beta1": st.just(0.0) | st.floats(0.01, 0.99),
    "beta2": st.sampled_from([0.9, 0.999, 0.9999]) | st.floats(0.5, 0.9999),
    "gamma1": st.floats(0.5, 0.99),  # near 0 the variance of centered rmsprop is the difference of equal numbers
    "gamma2": st.just(0.0) | st.floats(0.01, 0.95),
    "epsilon": powers(-8, -2),
    "clip_weights": st.just(0.0) | powers(-1, 1),
}


def trials_of(variant: tuple[str, ...]) -> st.SearchStrategy[list[dict[str, float]]]:
    """Settings of some trials of one variant."""
    name, given_settings = VARIANTS[variant]
    drawn = {setting: RANGES[setting] for setting in OPTIMIZERS[name] if setting not in given_settings}
    one = st.fixed_dictionaries(drawn).map(lambda values: {**values, **given_settings})
    return st.lists(one, min_size=TRIALS, max_size=TRIALS)


def random_weights(seed: int, scale: float) -> Weights:
    """Normal random numbers in the shapes of the parameters."""
    generator = np.random.default_rng(seed)
    return {name: (generator.normal(size=shape) * scale).astype(np.float32) for name, shape in SHAPES.items()}


def random_gradients(seed: int, steps: int) -> list[Weights]:
    """Sums over a batch, of several magnitudes."""
    scales = 10.0 ** np.random.default_rng([seed, 1]).uniform(-2, 1, steps)
    return [random_weights(1000 * seed + step, BATCH * scale) for step, scale in enumerate(scales)]


def by_mxnet(name: str, values: Mapping[str, float], start: Weights, gradients: list[Weights]) -> Weights:
    """The weights after MXNet's updates, with the multipliers that ``Module.fit`` gives them."""
    mx = compat.mxnet()
    variables = [mx.sym.var(parameter, attr=ATTRIBUTES.get(parameter)) for parameter in SHAPES]
    optimizer = mx.optimizer.create(
        name,
        sym=mx.sym.Group(variables),
        param_idx2name=dict(enumerate(SHAPES)),
        rescale_grad=1 / BATCH,
        **values,
    )
    updater = mx.optimizer.get_updater(optimizer)
    weights = {parameter: mx.nd.array(value) for parameter, value in start.items()}
    for gradient in gradients:
        for index, parameter in enumerate(SHAPES):
            updater(index, mx.nd.array(gradient[parameter]), weights[parameter])
    return {parameter: value.asnumpy() for parameter, value in weights.items()}


@cache
def population_of(variant: tuple[str, ...]) -> tuple[Any, Any]:
    """The optimizer of a variant, and its compiled update of many trials."""
    import jax

    from harness.train.xla.optimizers import multipliers, optimizer_for

    name, values = VARIANTS[variant]
    found = optimizer_for(
        name,
        {**dict.fromkeys(OPTIMIZERS[name], 0.5), **values},
        batch_size=BATCH,
        multipliers=multipliers(SHAPES, ATTRIBUTES),
    )
    assert found.variant == variant
    return found, jax.jit(jax.vmap(found.update))


def by_population(
    variant: tuple[str, ...], trials: list[dict[str, float]], start: Weights, gradients: list[Weights]
) -> list[Weights]:
    """The weights of each of some trials after updates as one program."""
    import jax

    optimizer, update = population_of(variant)

    def for_all(weights: Weights) -> Weights:
        return {name: np.stack([value] * len(trials)) for name, value in weights.items()}

    weights = for_all(start)
    scalars = jax.tree.map(lambda *each: np.stack(each), *(optimizer.scalars(trial) for trial in trials))
    rates = np.array([trial["learning_rate"] for trial in trials], np.float32)
    state = jax.vmap(optimizer.init)(weights)
    for gradient in gradients:
        weights, state = update(state, weights, for_all(gradient), scalars, rates)
    return [{name: np.asarray(value[index]) for name, value in weights.items()} for index in range(len(trials))]


@pytest.mark.parametrize("variant", VARIANTS, ids="-".join)
@given(data=st.data())
@settings(deadline=None, max_examples=15, phases=PHASES)
def test_a_first_update_is_mxnets(variant: tuple[str, ...], data: st.DataObject) -> None:
    """From weights of 0 every change agrees to 2e-6 of itself: some ten roundings of float32."""
    trials, seed = data.draw(trials_of(variant)), data.draw(st.integers(0, 1000))
    start, gradients = random_weights(seed, 0), random_gradients(seed, 1)
    for trial, found in zip(trials, by_population(variant, trials, start, gradients), strict=True):
        expected = by_mxnet(VARIANTS[variant][0], trial, start, gradients)
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=2e-6, err_msg=name)


@pytest.mark.parametrize("beta", [0.999, 0.9999])
def test_a_beta_near_one_keeps_its_digits(beta: float) -> None:
    """Adam's usual betas: 1 - beta, from beta in float32, would be off by 7e-6 and 8e-5 of the first update."""
    trial = {**dict(OPTIMIZERS["adam"]), "beta2": beta}
    start, gradients = random_weights(0, 0), random_gradients(0, 1)
    [found, *_] = by_population(("adam",), [trial] * TRIALS, start, gradients)
    for name, value in by_mxnet("adam", trial, start, gradients).items():
        np.testing.assert_allclose(found[name], value, rtol=2e-6, err_msg=name)


@pytest.mark.parametrize("variant", VARIANTS, ids="-".join)
@given(data=st.data())
@settings(deadline=None, max_examples=15, phases=PHASES)
def test_twenty_updates_are_mxnets(variant: tuple[str, ...], data: st.DataObject) -> None:
    """From random weights they agree to 4e-6 of the largest one: 2e-7, or two roundings, an update."""
    trials, seed = data.draw(trials_of(variant)), data.draw(st.integers(0, 1000))
    start, gradients = random_weights(seed, 1), random_gradients(seed, 20)
    for trial, found in zip(trials, by_population(variant, trials, start, gradients), strict=True):
        expected = by_mxnet(VARIANTS[variant][0], trial, start, gradients)
        for name, value in expected.items():
            scale = max(np.abs(value).max(), np.abs(start[name]).max())
            np.testing.assert_allclose(found[name], value, rtol=0, atol=4e-6 * scale, err_msg=name)


@pytest.mark.parametrize(
    ("variant", "setting"),
    [
        (variant, setting)
        for variant, (name, fixed) in VARIANTS.items()
        for setting in OPTIMIZERS[name]
        if setting not in fixed and (setting != "gamma2" or variant == ("rmsprop", "centered"))
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_every_setting_counts(variant: tuple[str, ...], setting: str) -> None:
    """Control: MXNet with one setting changed is farther away than the comparison allows."""
    name, fixed = VARIANTS[variant]
    trial = {**dict(OPTIMIZERS[name]), "momentum": 0.5, "clip_gradient": 1.0, "epsilon": 0.01, "wd": 0.1, **fixed}
    trial = {key: float(trial[key]) for key in OPTIMIZERS[name]}
    other = {**trial, setting: 0.75 * trial[setting] or 0.75}
    start, gradients = random_weights(0, 1), random_gradients(0, 20)
    [found, *_] = by_population(variant, [trial] * TRIALS, start, gradients)
    expected = by_mxnet(name, other, start, gradients)
    far = [np.abs(found[key] - value).max() / np.abs(value).max() for key, value in expected.items()]
    assert max(far) > 4e-6


@pytest.mark.parametrize("variant", VARIANTS, ids="-".join)
def test_neighbours_change_nothing(variant: tuple[str, ...]) -> None:
    """A trial's weights are the same to the bit beside others, whatever these are set to."""
    name, fixed = VARIANTS[variant]
    trial = {**dict.fromkeys(OPTIMIZERS[name], 0.1), **fixed}
    other = {key: value if key in fixed else 5 * value for key, value in trial.items()}
    unclipped = {**trial, "clip_gradient": 0.0, "wd": 0.0}
    start, gradients = random_weights(0, 1), random_gradients(0, 5)
    alone, beside = (
        by_population(variant, trials, start, gradients)[0] for trials in ([trial] * 3, [trial, other, unclipped])
    )
    for key, value in alone.items():
        np.testing.assert_array_equal(beside[key], value)


def test_what_is_not_a_number_stays_visible() -> None:
    """Clipping hides no gradient that is not a number: divergence is found by its weights."""
    start, [gradient] = random_weights(0, 1), random_gradients(0, 1)
    gradient["fc_bias"][2] = np.nan
    trial = {**dict(OPTIMIZERS["sgd"]), "clip_gradient": 1.0}
    [found, *_] = by_population(("sgd",), [trial] * TRIALS, start, [gradient])
    assert np.isnan(found["fc_bias"][2])
    assert np.isfinite(found["fc_weight"]).all()


@pytest.mark.parametrize(("variant", "slots"), [(("sgd",), 0), (("sgd", "momentum"), 1), (("rmsprop", "centered"), 3)])
def test_no_more_is_kept_than_needed(variant: tuple[str, ...], slots: int) -> None:
    """Plain sgd keeps nothing, others the arrays of their formula."""
    import jax

    optimizer, _ = population_of(variant)
    state = optimizer.init(random_weights(0, 1))
    assert len(jax.tree.leaves(state)) == slots * len(SHAPES)


def test_multipliers_are_those_of_the_symbol() -> None:
    """A variable's own win; else only names ending in _weight or _gamma decay."""
    from harness.train.xla.optimizers import Multiplier, multipliers

    assert multipliers([*SHAPES, "weight"], ATTRIBUTES) == {
        "fc_weight": Multiplier(0.5, 3.0),
        "fc_bias": Multiplier(1.0, 0.0),
        "bn_gamma": Multiplier(1.0, 1.0),
        "slopes": Multiplier(1.0, 2.0),
        "weight": Multiplier(1.0, 0.0),
    }


def test_a_multiplier_that_is_no_number_is_refused() -> None:
    """The error names the variable and the attribute."""
    from harness.train.xla.optimizers import multipliers

    with pytest.raises(TrainingError, match="variable a: expected a number as lr_mult, found 'half'; mend"):
        multipliers(["a"], {"a": {"__lr_mult__": "half"}})
