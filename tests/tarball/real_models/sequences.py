"""Recurrent layers, words, attention, loops."""

from __future__ import annotations

from typing import Any

import numpy as np

from real_models.model import (
    SEQUENCE,
    WORDS,
    Made,
    block,
    dense,
    sequence,
    served,
)


@served
def fused_lstm_with_zeros(mx: Any) -> Made:
    states = {name: mx.sym.zeros((2, 1, 4)) for name in ("state", "state_cell")}
    steps = mx.sym.SwapAxis(mx.sym.var("data"), dim1=0, dim2=1)
    return Made(dense(mx, mx.sym.RNN(steps, state_size=4, num_layers=2, mode="lstm", **states)), SEQUENCE)


@served
def fused_gru_with_constants(mx: Any) -> Made:
    steps = mx.sym.transpose(mx.sym.var("data"), axes=(1, 0, 2))
    start = mx.sym.var("start", shape=(2, 1, 4))
    both = mx.sym.RNN(steps, state=start, state_size=4, num_layers=1, mode="gru", bidirectional=True)
    return Made(dense(mx, mx.sym.SequenceLast(both)), SEQUENCE)


@served
def fused_cell(mx: Any) -> Made:
    cell = mx.rnn.FusedRNNCell(4, 2, mode="lstm", bidirectional=True, prefix="l_")
    outputs, _ = cell.unroll(7, inputs=mx.sym.var("data"), merge_outputs=True, layout="NTC")
    return Made(dense(mx, outputs), SEQUENCE)


@served
def gluon_lstm(mx: Any) -> Made:
    nn, rnn = mx.gluon.nn, mx.gluon.rnn
    return Made(sequence(mx, nn.Embedding(20, 5), rnn.LSTM(4, 2, layout="NTC", bidirectional=True), nn.Dense(3)), WORDS)


@served
def gluon_gru(mx: Any) -> Made:
    return Made(sequence(mx, mx.gluon.rnn.GRU(4, layout="NTC", dropout=0.2), mx.gluon.nn.Dense(3)), SEQUENCE)


@served
def unrolled_cells(mx: Any) -> Made:
    cells = mx.rnn.SequentialRNNCell()
    cells.add(mx.rnn.LSTMCell(4, prefix="first_"))
    cells.add(mx.rnn.GRUCell(3, prefix="second_"))
    words = mx.sym.Embedding(mx.sym.var("data"), input_dim=20, output_dim=5)
    outputs, _ = cells.unroll(7, inputs=words, merge_outputs=True)
    return Made(mx.sym.softmax(dense(mx, mx.sym.Reshape(outputs, shape=(-1, 3)))), WORDS)


@served
def unrolled_gluon_cell(mx: Any) -> Made:
    def forward(net: Any, _ops: Any, data: Any) -> Any:
        return net.head(net.cell.unroll(7, data, layout="NTC", merge_outputs=True)[0])

    return Made(block(mx, forward, cell=mx.gluon.rnn.LSTMCell(4), head=mx.gluon.nn.Dense(2)), SEQUENCE)


@served
def text_cnn(mx: Any) -> Made:
    words = mx.sym.Embedding(mx.sym.var("data"), input_dim=20, output_dim=5)
    signal = mx.sym.transpose(words, axes=(0, 2, 1))
    found = [mx.sym.Convolution(signal, kernel=(width,), num_filter=3) for width in (2, 3)]
    best = [mx.sym.Flatten(mx.sym.Pooling(mx.sym.relu(one), global_pool=True, pool_type="max")) for one in found]
    return Made(mx.sym.softmax(dense(mx, mx.sym.Dropout(mx.sym.concat(*best, dim=1)))), WORDS)


@served
def transformer(mx: Any) -> Made:
    nn = mx.gluon.nn

    def forward(net: Any, ops: Any, data: Any, places: Any, mask: Any) -> Any:
        words = ops.broadcast_add(net.words(data), ops.expand_dims(places, 0))
        query, key, value = ops.split(net.project(words), num_outputs=3, axis=2)
        scores = ops.broadcast_add(ops.batch_dot(query, key, transpose_b=True), ops.expand_dims(mask, 0))
        attended = net.norm(words + ops.batch_dot(ops.softmax(scores), value))
        return net.head(ops.LeakyReLU(attended, act_type="gelu"))

    constants = {"places": np.linspace(0, 1, 56).reshape(7, 8), "mask": np.triu(np.full((7, 7), -np.inf), 1)}
    layers = {"words": nn.Embedding(20, 8), "project": nn.Dense(24, flatten=False)}
    return Made(block(mx, forward, constants, **layers, norm=nn.LayerNorm(), head=nn.Dense(3)), WORDS)


@served
def heads_of_attention(mx: Any) -> Made:
    def forward(net: Any, ops: Any, data: Any) -> Any:
        apart = ops.reshape(net.project(data), shape=(0, 0, -4, 2, -1)).transpose((0, 2, 1, 3))
        folded = ops.reshape(apart, shape=(-3, 0, 0))
        scores = ops.softmax(ops.batch_dot(folded, folded, transpose_b=True))
        joined = ops.reshape(ops.batch_dot(scores, folded), shape=(-4, -1, 2, 0, 0)).transpose((0, 2, 1, 3))
        return ops.reshape(joined, shape=(0, 0, -3))

    return Made(block(mx, forward, project=mx.gluon.nn.Dense(8, flatten=False)), SEQUENCE)


@served
def loop_over_a_sequence(mx: Any) -> Made:
    start = mx.sym.zeros((1, 5))
    steps = mx.sym.transpose(mx.sym.var("data"), axes=(1, 0, 2))
    outputs, _ = mx.sym.contrib.foreach(lambda step, state: (step + state, mx.sym.tanh(step + state)), steps, start)
    return Made(dense(mx, mx.sym.transpose(outputs, axes=(1, 0, 2))), SEQUENCE)
