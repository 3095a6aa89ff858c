"""Initial weights: MXNet's initializers, drawn by numpy so that every engine starts from the same bytes.

Names, defaults and formulas are those of ``initializer.py`` in mxnet 1.9.1; its own random numbers are not used, as
they differ between devices.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from harness.errors import DeclarationError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Shape = tuple[int, ...]
"""Shape of a variable: output channels first, then input channels, then the kernel's sizes."""

_MATRIX = 2


class Initializer(Protocol):
    """How weights start. A value of your own will do as well, if it is hashable."""

    def draw(self, shape: Shape, generator: np.random.Generator) -> NDArray[np.float32]:
        """Starting values, float32, of one variable of this shape.

        Raises:
            DeclarationError: a variable of this shape cannot be started so.
        """


@dataclass(frozen=True)
class Uniform:
    """Uniform in ±``scale``."""

    scale: float = 0.07

    def __post_init__(self) -> None:
        _check_number("Uniform", "scale", self.scale, least=0)

    def draw(self, shape: Shape, generator: np.random.Generator) -> NDArray[np.float32]:
        """See `Initializer.draw`."""
        return _uniform(generator, self.scale, shape)


@dataclass(frozen=True)
class Normal:
    """Normal with mean 0 and standard deviation ``sigma``."""

    sigma: float = 0.01

    def __post_init__(self) -> None:
        _check_number("Normal", "sigma", self.sigma, least=0)

    def draw(self, shape: Shape, generator: np.random.Generator) -> NDArray[np.float32]:
        """See `Initializer.draw`."""
        return _normal(generator, self.sigma, shape)


@dataclass(frozen=True)
class Constant:
    """The same value everywhere."""

    value: float

    def __post_init__(self) -> None:
        _check_number("Constant", "value", self.value)

    def draw(self, shape: Shape, generator: np.random.Generator) -> NDArray[np.float32]:
        """See `Initializer.draw`."""
        del generator
        return _full(self.value, shape)


@dataclass(frozen=True)
class Zero:
    """Zero everywhere."""

    def draw(self, shape: Shape, generator: np.random.Generator) -> NDArray[np.float32]:
        """See `Initializer.draw`."""
        del generator
        return _full(0, shape)


@dataclass(frozen=True)
class One:
    """One everywhere."""

    def draw(self, shape: Shape, generator: np.random.Generator) -> NDArray[np.float32]:
        """See `Initializer.draw`."""
        del generator
        return _full(1, shape)


@dataclass(frozen=True)
class Xavier:
    """Keeps the scale of gradients alike in all layers (Glorot and Bengio, 2010).

    With fans of ``shape[1]`` and ``shape[0]`` times the kernel's size, and a factor of their mean, the first or the
    second, it draws uniform in ±sqrt(magnitude / factor), or normal with this standard deviation.

    Attributes:
        rnd_type: ``"uniform"`` or ``"gaussian"``.
        factor_type: ``"avg"``, ``"in"`` or ``"out"``.
        magnitude: scale, squared.
    """

    rnd_type: str = "uniform"
    factor_type: str = "avg"
    magnitude: float = 3

    def __post_init__(self) -> None:
        _check_choice("Xavier", "rnd_type", self.rnd_type, ("uniform", "gaussian"))
        _check_choice("Xavier", "factor_type", self.factor_type, tuple(_FACTORS))
        _check_number("Xavier", "magnitude", self.magnitude, least=0)

    def draw(self, shape: Shape, generator: np.random.Generator) -> NDArray[np.float32]:
        """See `Initializer.draw`; the shape needs at least two dimensions."""
        scale = _fan_scale(self, self.magnitude, self.factor_type, shape)
        return (_uniform if self.rnd_type == "uniform" else _normal)(generator, scale, shape)


@dataclass(frozen=True)
class MSRAPrelu:
    """`Xavier`, gaussian, for layers before a ReLU of negative ``slope`` (He et al., 2015): magnitude 2 / (1 + slope²).

    Attributes:
        factor_type: ``"avg"``, ``"in"`` or ``"out"``.
        slope: of the ReLU, for negative values.
    """

    factor_type: str = "avg"
    slope: float = 0.25

    def __post_init__(self) -> None:
        _check_choice("MSRAPrelu", "factor_type", self.factor_type, tuple(_FACTORS))
        _check_number("MSRAPrelu", "slope", self.slope)

    def draw(self, shape: Shape, generator: np.random.Generator) -> NDArray[np.float32]:
        """See `Initializer.draw`; the shape needs at least two dimensions."""
        scale = _fan_scale(self, 2 / (1 + self.slope**2), self.factor_type, shape)
        return _normal(generator, scale, shape)


@dataclass(frozen=True)
class Orthogonal:
    """``scale`` times a matrix whose rows, or columns if there are fewer of them, are orthonormal (Saxe et al., 2013).

    Attributes:
        scale: length of each.
        rand_type: what the matrix is made from: ``"uniform"`` or ``"normal"`` random numbers.
    """

    scale: float = 1.414
    rand_type: str = "uniform"

    def __post_init__(self) -> None:
        _check_number("Orthogonal", "scale", self.scale, least=0)
        _check_choice("Orthogonal", "rand_type", self.rand_type, ("uniform", "normal"))

    def draw(self, shape: Shape, generator: np.random.Generator) -> NDArray[np.float32]:
        """See `Initializer.draw`; the shape needs at least two dimensions."""
        import numpy as np

        _check_matrix(self, shape)
        size = (shape[0], math.prod(shape[1:]))
        drawn = generator.uniform(-1, 1, size) if self.rand_type == "uniform" else generator.normal(0, 1, size)
        left, _, right = np.linalg.svd(drawn, full_matrices=False)
        chosen = left if left.shape == size else right
        values: NDArray[np.float32] = (self.scale * chosen.reshape(shape)).astype(np.float32)
        return values


def from_mxnet(text: str) -> Initializer:
    """The initializer that ``mx.sym.var(init=...)`` left in a variable's attribute ``__init__``.

    ``mx.init.Initializer.dumps`` writes ``["xavier", {"magnitude": 2}]``; ``mx.init.registry`` takes a bare name as
    well, and any case of letters.

    Raises:
        DeclarationError: an initializer that is not known here, or settings that it does not take.
    """
    name, settings = _parsed(text)
    kind = _KINDS.get(name.lower())
    if kind is None:
        raise DeclarationError(f"init: expected one of {', '.join(_KINDS)}, found {text!r}; take one of these")
    try:
        made: Initializer = kind(**settings)
    except TypeError as error:
        raise DeclarationError(f"init: {text!r} cannot be made: {error}; see harness.{kind.__name__}") from error
    return made


_KINDS: dict[str, Any] = {
    "uniform": Uniform,
    "normal": Normal,
    "constant": Constant,
    "zero": Zero,
    "zeros": Zero,
    "one": One,
    "ones": One,
    "xavier": Xavier,
    "msraprelu": MSRAPrelu,
    "orthogonal": Orthogonal,
}
"""MXNet's names, in lower case, aliases included."""

_FACTORS = {"avg": (0.5, 0.5), "in": (1, 0), "out": (0, 1)}
"""Weights of the fans in and out."""


def _parsed(text: str) -> tuple[str, dict[str, Any]]:
    if not text.startswith("["):
        return text, {}
    try:
        name, settings = json.loads(text)
        return str(name), dict(settings)
    except (ValueError, TypeError) as error:
        raise DeclarationError(
            f'init: expected text such as ["xavier", {{"magnitude": 2}}], found {text!r} ({error}); '
            f"pass an initializer of mx.init"
        ) from error


def _uniform(generator: np.random.Generator, scale: float, shape: Shape) -> NDArray[np.float32]:
    import numpy as np

    return generator.uniform(-scale, scale, shape).astype(np.float32)


def _normal(generator: np.random.Generator, sigma: float, shape: Shape) -> NDArray[np.float32]:
    import numpy as np

    return generator.normal(0, sigma, shape).astype(np.float32)


def _full(value: float, shape: Shape) -> NDArray[np.float32]:
    import numpy as np

    return np.full(shape, value, np.float32)


def _fan_scale(initializer: object, magnitude: float, factor_type: str, shape: Shape) -> float:
    _check_matrix(initializer, shape)
    kernel = math.prod(shape[2:])
    of_in, of_out = _FACTORS[factor_type]
    return math.sqrt(magnitude / (of_in * shape[1] * kernel + of_out * shape[0] * kernel))


def _check_matrix(initializer: object, shape: Shape) -> None:
    if len(shape) < _MATRIX:
        raise DeclarationError(
            f"{type(initializer).__name__}: expected a variable of at least two dimensions, found shape {shape}; "
            f"start it with another initializer, as in mx.sym.var(init=mx.init.Zero())"
        )


def _check_number(owner: str, name: str, value: object, *, least: float = -math.inf) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < least:  # type: ignore[arg-type, operator]
        expected = "a finite number" if least == -math.inf else f"a finite number of at least {least}"
        raise DeclarationError(f"{owner}: {name}: expected {expected}, found {value!r}")


def _check_choice(owner: str, name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise DeclarationError(f"{owner}: {name}: expected one of {', '.join(choices)}, found {value!r}")


MODULE_FIT = Uniform(0.01)
"""What ``Module.fit`` starts from unless told otherwise, and so does the notebook."""
