"""Initializers draw from MXNet's distributions, and read what MXNet wrote."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness import Constant, MSRAPrelu, Normal, One, Orthogonal, Uniform, Xavier, Zero
from harness.errors import DeclarationError
from harness.initializer import from_mxnet
from harness.train import compat

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from harness.initializer import Initializer

MATRIX, KERNELS = (150, 200), (40, 50, 3, 5)

SAME: list[tuple[Initializer, str, dict[str, Any]]] = [
    (Uniform(), "Uniform", {}),
    (Uniform(0.3), "Uniform", {"scale": 0.3}),
    (Normal(), "Normal", {}),
    (Normal(2), "Normal", {"sigma": 2}),
    (Zero(), "Zero", {}),
    (One(), "One", {}),
    (Constant(-2.5), "Constant", {"value": -2.5}),
    (Xavier(), "Xavier", {}),
    (Xavier("gaussian", "in", 2), "Xavier", {"rnd_type": "gaussian", "factor_type": "in", "magnitude": 2}),
    (Xavier(factor_type="out", magnitude=0.5), "Xavier", {"factor_type": "out", "magnitude": 0.5}),
    (MSRAPrelu(), "MSRAPrelu", {}),
    (MSRAPrelu("in", 0.0), "MSRAPrelu", {"factor_type": "in", "slope": 0.0}),
    (Orthogonal(), "Orthogonal", {}),
    (Orthogonal(1, "normal"), "Orthogonal", {"scale": 1, "rand_type": "normal"}),
]
"""An initializer, and the name and settings of MXNet's."""


def draw(initializer: Initializer, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """From a seed of the test's own."""
    return initializer.draw(shape, np.random.default_rng(0))


def by_mxnet(initializer: Any, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """What MXNet makes of it."""
    mx = compat.mxnet()
    mx.random.seed(0)
    array = mx.nd.empty(shape)
    initializer(mx.init.InitDesc("a_weight"), array)
    values: NDArray[np.float32] = array.asnumpy()
    return values


@pytest.mark.parametrize(("ours", "name", "values"), SAME, ids=str)
@pytest.mark.parametrize("shape", [MATRIX, KERNELS])
def test_the_distribution_is_mxnets(
    ours: Initializer, name: str, values: dict[str, Any], shape: tuple[int, ...]
) -> None:
    """30000 numbers of either have one mean, spread and kurtosis, within what chance allows."""
    theirs = by_mxnet(getattr(compat.mxnet().init, name)(**values), shape)
    drawn = draw(ours, shape)
    assert drawn.dtype == np.float32
    assert drawn.shape == shape
    spread = float(theirs.std())
    assert drawn.mean() == pytest.approx(theirs.mean(), abs=0.05 * spread)
    assert drawn.std() == pytest.approx(spread, rel=0.03)
    if spread:  # 1.8 for uniform, 3 for normal
        kurtosis = [float(((array / spread) ** 4).mean()) for array in (drawn, theirs)]
        assert kurtosis[0] == pytest.approx(kurtosis[1], rel=0.1)


def test_another_distribution_would_be_seen() -> None:
    """Control: a uniform of the same spread as a normal has another kurtosis, and another factor another spread."""
    uniform, normal = draw(Uniform(math.sqrt(3)), MATRIX), draw(Normal(1), MATRIX)
    assert float((uniform**4).mean()) < 0.9 * float((normal**4).mean())
    assert draw(Xavier(), MATRIX).std() > 1.03 * draw(Xavier(factor_type="in"), MATRIX).std()


@pytest.mark.parametrize("shape", [(30, 20), (20, 30), (8, 3, 2, 2)])
def test_orthogonal_is_orthogonal(shape: tuple[int, ...]) -> None:
    """Rows, or columns if there are fewer, have the length that was asked for and are at right angles."""
    drawn = draw(Orthogonal(2.0), shape).reshape(shape[0], -1)
    short = drawn if drawn.shape[0] <= drawn.shape[1] else drawn.T
    np.testing.assert_allclose(short @ short.T, 4 * np.eye(len(short)), atol=1e-5)


@pytest.mark.parametrize(("ours", "name", "values"), SAME, ids=str)
def test_what_mxnet_wrote_is_read(ours: Initializer, name: str, values: dict[str, Any]) -> None:
    """The text that ``mx.sym.var(init=...)`` leaves gives the same initializer."""
    mx = compat.mxnet()
    written = mx.sym.var("a", init=getattr(mx.init, name)(**values)).attr("__init__")
    assert from_mxnet(written) == ours


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("zeros", Zero()),
        ("One", One()),
        ('["ones", {}]', One()),
        ('["Constant", {"value": 0.25}]', Constant(0.25)),
        ("xavier", Xavier()),
    ],
)
def test_names_are_read_as_mxnets_registry_reads_them(text: str, expected: Initializer) -> None:
    """In any case of letters, by alias, and bare; MXNet makes the same of it."""
    mx = compat.mxnet()
    assert from_mxnet(text) == expected
    assert from_mxnet(mx.init.create(text).dumps()) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('["bilinear", {}]', r"init: expected one of uniform, normal, .*orthogonal, found '\[\"bilinear\", \{\}\]'"),
        ("kaiming", "init: expected one of .*, found 'kaiming'"),
        ('["xavier", {"magnitud": 2}]', r"cannot be made: .*magnitud.*; see harness.Xavier"),
        ('["constant", {"value": [1, 2]}]', r"Constant: value: expected a finite number, found \[1, 2\]"),
        ('["xavier"', r"expected text such as \[\"xavier\", \{\"magnitude\": 2\}\], found '\[\"xavier\"'"),
        ("[1]", "expected text such as"),
        ('["xavier", 3]', "expected text such as"),
    ],
)
def test_what_is_not_known_is_refused(text: str, message: str) -> None:
    """The error shows the text and what is expected."""
    with pytest.raises(DeclarationError, match=message):
        from_mxnet(text)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(-1), "Uniform: scale: expected a finite number of at least 0, found -1"),
        (lambda: Normal(math.inf), "Normal: sigma: expected a finite number of at least 0, found inf"),
        (lambda: Normal("1"), "Normal: sigma: expected .*found '1'"),
        (lambda: Constant(math.nan), "Constant: value: expected a finite number, found nan"),
        (lambda: Constant(True), "Constant: value: expected a finite number, found True"),
        (lambda: Xavier("normal"), "Xavier: rnd_type: expected one of uniform, gaussian, found 'normal'"),
        (lambda: Xavier(factor_type="both"), "Xavier: factor_type: expected one of avg, in, out, found 'both'"),
        (lambda: Xavier(magnitude=-3), "Xavier: magnitude: expected a finite number of at least 0, found -3"),
        (lambda: MSRAPrelu("all"), "MSRAPrelu: factor_type: expected one of avg, in, out, found 'all'"),
        (lambda: MSRAPrelu(slope=None), "MSRAPrelu: slope: expected a finite number, found None"),
        (lambda: Orthogonal(rand_type="gaussian"), "Orthogonal: rand_type: expected one of uniform, normal, found"),
        (lambda: Orthogonal(-1), "Orthogonal: scale: expected a finite number of at least 0, found -1"),
    ],
)
def test_bad_initializers_are_refused(make: Callable[[], Initializer], message: str) -> None:
    """Each setting is checked when the initializer is made."""
    with pytest.raises(DeclarationError, match=message):
        make()


@pytest.mark.parametrize("initializer", [Xavier(), MSRAPrelu(), Orthogonal()])
def test_fans_need_two_dimensions(initializer: Initializer) -> None:
    """A vector has no fans: the error says so, and what to do."""
    with pytest.raises(
        DeclarationError, match=r"expected a variable of at least two dimensions, found shape \(3,\); start it with"
    ):
        draw(initializer, (3,))
