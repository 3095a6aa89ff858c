"""What AWS's handler cannot serve on a CPU, each for a reason of MXNet's."""

from __future__ import annotations

from typing import Any

from real_models.model import (
    ROW,
    Made,
    dense,
    refused,
    sequence,
)


@refused
def gluon_float16(mx: Any) -> Made:
    return cast(mx, "float16")


@refused
def gluon_float64(mx: Any) -> Made:
    return cast(mx, "float64")


def cast(mx: Any, dtype: str) -> Made:
    """What a block exports whose parameters were cast; by way of its symbol, as no CPU runs a float16 block."""
    net = sequence(mx, mx.gluon.nn.Dense(4, activation="relu"), mx.gluon.nn.Dense(3))
    net.cast(dtype)
    return Made(net(mx.sym.var("data")), ROW, dtype=dtype)


@refused
def float16_layer(mx: Any) -> Made:
    return Made(dense(mx, mx.sym.Cast(mx.sym.var("data"), dtype="float16")), ROW)


@refused
def two_dropouts_in_a_row(mx: Any) -> Made:
    return Made(dense(mx, mx.sym.Dropout(mx.sym.Dropout(mx.sym.var("data")))), ROW)


@refused
def while_loop(mx: Any) -> Made:
    def step(count: Any, value: Any) -> Any:
        return [value], [count + 1, value * 2]

    start = [mx.sym.zeros((1, 1)), mx.sym.var("data")]
    _, states = mx.sym.contrib.while_loop(lambda count, _: count.reshape((-1,)) < 5, step, start, max_iterations=6)
    return Made(states[1], ROW)


@refused
def condition(mx: Any) -> Made:
    data = mx.sym.var("data")
    return Made(mx.sym.contrib.cond(mx.sym.sum(data) > 1, lambda: data * 2, lambda: data + 1), ROW)


@refused
def channels_last(mx: Any) -> Made:
    return Made(mx.sym.Convolution(mx.sym.var("data"), kernel=(3, 3), num_filter=4, layout="NHWC"), (1, 8, 8, 3))


@refused
def reshaped_label(mx: Any) -> Made:
    label = mx.sym.Reshape(mx.sym.var("y"), shape=(-1,))
    return Made(mx.sym.SoftmaxOutput(dense(mx), label=label), ROW, labels=("y",))
