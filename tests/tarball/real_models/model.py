"""Small models of every kind that people build with MXNet 1.9.1, each written by MXNet itself.

`SERVED` and `ZOO` are models that AWS's handler serves, `REFUSED` such that it does not. A builder takes the module
``mxnet`` and gives a `Made`; `build` writes that. Widths are tiny: most models are built in a few milliseconds.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.artifact import EPOCH, PREFIX, SHAPES, SYMBOL, Shape, shapes_signature
from harness.train.compat import mxnet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Builder = Callable[[Any], "Made"]


@dataclass(frozen=True)
class Made:
    """A model that is not on disk yet.

    Attributes:
        model: a symbol, or a Gluon block that is exported as it is.
        shape: of the one input, ``data``.
        dtype: of a symbol's parameters.
        labels: variables that training feeds and that no parameter stands for.
        given: parameters and states, where another tool made them; else a symbol's are drawn.
    """

    model: Any
    shape: Shape
    dtype: str = "float32"
    labels: tuple[str, ...] = ()
    given: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None


SERVED: dict[str, Builder] = {}
REFUSED: dict[str, Builder] = {}
ZOO: dict[str, Builder] = {}
PICTURE = (1, 3, 8, 8)
ROW = (1, 6)
WORDS = (1, 7)
SEQUENCE = (1, 7, 5)


def build(name: str, folder: Path) -> None:
    """Write the three files that the container reads, with ``save_checkpoint`` or Gluon's ``export``."""
    mx = mxnet()
    mx.random.seed(0)
    with mx.name.NameManager():
        made = (SERVED | REFUSED | ZOO)[name](mx)
        prefix = str(folder / PREFIX)
        if isinstance(made.model, mx.gluon.Block):
            made.model.initialize(mx.init.Xavier())
            made.model.hybridize()
            made.model(mx.nd.ones(made.shape))
            made.model.export(prefix, EPOCH)
        else:
            mx.model.save_checkpoint(prefix, EPOCH, made.model, *(made.given or drawn(mx, made)))
    (folder / SHAPES).write_text(json.dumps(shapes_signature([("data", made.shape)])), encoding="utf-8")


def shapes_of_mxnet(folder: Path) -> tuple[Shape, list[Shape]]:
    """Of the input, and what MXNet then infers for the outputs."""
    [data] = json.loads((folder / SHAPES).read_text(encoding="utf-8"))
    shape = tuple(data["shape"])
    _, outputs, _ = mxnet().sym.load(str(folder / SYMBOL)).infer_shape(data=shape)
    return shape, outputs


def drawn(mx: Any, made: Made) -> tuple[dict[str, Any], dict[str, Any]]:
    """Positive values for every parameter and state of a symbol."""
    draw = np.random.default_rng(0)
    arguments, _, states = made.model.infer_shape_partial(data=made.shape)  # a label may stay open
    names = made.model.list_arguments(), made.model.list_auxiliary_states()
    parameters, kept = (
        {
            name: mx.nd.array(draw.uniform(0.1, 0.5, shape), dtype=made.dtype)
            for name, shape in zip(of, shapes, strict=True)
            if name not in {"data", *made.labels}
        }
        for of, shapes in zip(names, (arguments, states), strict=True)
    )
    return parameters, kept


def served(build: Builder) -> Builder:
    """AWS's handler serves what this builds."""
    SERVED[build.__name__] = build
    return build


def refused(build: Builder) -> Builder:
    """AWS's handler does not serve what this builds."""
    REFUSED[build.__name__] = build
    return build


def dense(mx: Any, data: Any = None, units: int = 4, **settings: Any) -> Any:
    """A fully connected layer, on the input unless told otherwise."""
    return mx.sym.FullyConnected(mx.sym.var("data") if data is None else data, num_hidden=units, **settings)


def convolution(mx: Any, data: Any = None, filters: int = 4) -> Any:
    """A convolution that keeps height and width, BatchNorm and ReLU."""
    data = mx.sym.var("data") if data is None else data
    made = mx.sym.Convolution(data, kernel=(3, 3), pad=(1, 1), num_filter=filters)
    return mx.sym.Activation(mx.sym.BatchNorm(made), act_type="relu")


def classifier(mx: Any) -> tuple[Any, tuple[dict[str, Any], dict[str, Any]]]:
    """A symbol to be converted, with its parameters and states."""
    symbol = mx.sym.SoftmaxOutput(dense(mx, convolution(mx)), name="softmax")
    return symbol, drawn(mx, Made(symbol, PICTURE, labels=("softmax_label",)))


def block(mx: Any, forward: Callable[..., Any], constants: Mapping[str, Any] | None = None, **layers: Any) -> Any:
    """A Gluon block: `forward` gets the block, the operators, the input and the constants by name."""

    class Net(mx.gluon.HybridBlock):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            for name, value in (constants or {}).items():
                setattr(self, name, self.params.get_constant(name, value))
            for name, layer in layers.items():
                setattr(self, name, layer)

        def hybrid_forward(self, ops: Any, data: Any, **found: Any) -> Any:
            return forward(self, ops, data, **found)

    return Net()


def sequence(mx: Any, *layers: Any) -> Any:
    """Gluon layers, one after the other."""
    made = mx.gluon.nn.HybridSequential()
    made.add(*layers)
    return made
