"""Recurrent layers, whose weights are one vector, and what comes before and after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.tarball.shapes.rule import NOTHING, Family, Found, Given, expect

if TYPE_CHECKING:
    from harness.artifact import Shape
    from harness.tarball.operators import Settings

RECURRENT = Family()

_GATES = {"lstm": 4, "gru": 3, "rnn_relu": 1, "rnn_tanh": 1}


def _is_lstm(settings: Settings) -> bool:
    return str(settings["mode"]) == "lstm"


def _rnn_inputs(settings: Settings) -> int:
    return 3 + _is_lstm(settings) + int(settings["use_sequence_length"])


def _rnn_outputs(settings: Settings) -> int:
    """The states after the last step are outputs if they are asked for."""
    return 2 + _is_lstm(settings) if settings["state_outputs"] else 1


@RECURRENT.add("RNN", inputs=_rnn_inputs, outputs=_rnn_outputs)
def _rnn(settings: Settings, given: Given) -> Found:
    data = given[0]
    if data is None:
        return NOTHING
    expect(len(data) == 3, "data of 3 dimensions: steps, batch, features", data)  # noqa: PLR2004 - these
    size, layers = settings["state_size"], settings["num_layers"]
    width = size if settings["projection_size"] is None else settings["projection_size"]
    sizes = {"state_size": size, "num_layers": layers, "projection_size": width}
    expect(min(sizes.values()) > 0, f"{', '.join(sizes)} above 0", tuple(sizes.values()))
    steps, batch, features = data
    directions = 2 if settings["bidirectional"] else 1
    state, cell = (layers * directions, batch, width), (layers * directions, batch, size)
    inputs: dict[int, Shape] = {1: (_weights(settings, features, directions, width),), 2: state}
    if _is_lstm(settings):
        inputs[3] = cell
    if settings["use_sequence_length"]:
        inputs[len(given) - 1] = (batch,)
    return Found(((steps, batch, directions * width), state, cell), inputs)


def _weights(settings: Settings, features: int, directions: int, width: int) -> int:
    """How many numbers the weights and biases of all layers are: of gates, and of projections."""
    size, layers = int(settings["state_size"]), int(settings["num_layers"])
    rows = size * directions * _GATES[settings["mode"]]
    first, later = features + width + 2, width * directions + width + 2
    projected = width * size * layers * directions if settings["projection_size"] else 0
    return rows * (first + (layers - 1) * later) + projected
