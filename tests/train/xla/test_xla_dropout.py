"""Dropout drops as MXNet does: not the same numbers, but as many, scaled alike, and with the mask as its gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mxnet_reference import Case, Numbers, by_mxnet

from harness.errors import TrainingError
from harness.train.compat import mxnet
from harness.train.xla.graph import Graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHAPE = (100, 40)


def mxnet_mask(**attributes: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What MXNet makes of ones, and the gradient of ones."""
    mx = mxnet()
    executor = Case("Dropout", attributes, {"data": SHAPE}).symbol("op").simple_bind(mx.cpu(), op_data=SHAPE)
    executor.arg_dict["op_data"][:] = 1
    [output] = executor.forward(is_train=True)
    executor.backward([mx.nd.ones(SHAPE)])
    return output.asnumpy(), executor.grad_dict["op_data"].asnumpy()


def mask(seed: int = 0, *, training: bool = True, **attributes: Any) -> tuple[Any, Any]:
    """The same of ours."""
    import jax
    import jax.numpy as jnp

    from harness.train.xla.lowering import Lowered

    symbol = Case("Dropout", attributes, {"data": SHAPE}).symbol("op")
    lowered = Lowered(Graph.parse(symbol.tojson()), {"op_data": SHAPE})

    def forward(data: Any) -> Any:
        [output], _ = lowered({}, {}, {"op_data": data}, training=training, key=jax.random.key(seed))
        return output

    output, backward = jax.vjp(forward, jnp.ones(SHAPE))
    return np.asarray(output), np.asarray(backward(jnp.ones(SHAPE))[0])


def assert_rate(kept: NDArray[np.bool_], p: float) -> None:
    """So many are kept as can be expected: within four standard deviations."""
    assert abs(kept.mean() - (1 - p)) < 4 * np.sqrt(p * (1 - p) / kept.size)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_elements_are_dropped_and_scaled_as_in_mxnet(p: float) -> None:
    """Both give nothing but 0 and 1 / (1 - p), at the same rate, and the gradient is the mask."""
    for output, gradient in (mxnet_mask(p=p), mask(p=p)):
        np.testing.assert_allclose(np.unique(output), [0, 1 / (1 - p)], rtol=1e-6)
        assert_rate(output > 0, p)
        np.testing.assert_array_equal(gradient, output)


@pytest.mark.parametrize(("axes", "independent"), [((0,), (1, 40)), ((1,), (100, 1)), ((0, 1), (1, 1))])
def test_along_axes_all_share_one_fate_as_in_mxnet(axes: tuple[int, ...], independent: tuple[int, ...]) -> None:
    """The mask is the same along these axes, and nowhere else."""
    for output, gradient in (mxnet_mask(p=0.5, axes=axes), mask(p=0.5, axes=axes)):
        own = output[tuple(slice(size) for size in independent)]
        np.testing.assert_array_equal(output, np.broadcast_to(own, SHAPE))
        np.testing.assert_array_equal(gradient, output)
        if own.size > 1:
            assert len(np.unique(own)) == 2
            assert_rate(own > 0, 0.5)


def test_each_key_has_a_mask_of_its_own() -> None:
    """Another key drops others, the same key the same."""
    one, again, other = (mask(seed, p=0.5)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).mean() > 0.4


def test_two_layers_draw_two_masks() -> None:
    """What the second layer keeps does not hang on what the first one kept."""
    import jax
    import jax.numpy as jnp

    from harness.train.xla.lowering import Lowered

    mx = mxnet()
    data = mx.sym.var("data")
    symbol = mx.sym.Group([mx.sym.Dropout(data, p=0.5), mx.sym.Dropout(data, p=0.5)])
    lowered = Lowered(Graph.parse(symbol.tojson()), {"data": SHAPE})
    (one, other), _ = lowered({}, {}, {"data": jnp.ones(SHAPE)}, training=True, key=jax.random.key(0))
    assert lowered.random
    assert_rate(np.asarray(one == other), 0.5)


def test_predictions_drop_nothing_unless_told_to() -> None:
    """Mode training is the identity in predictions; mode always drops there as well."""
    np.testing.assert_array_equal(mask(p=0.5, training=False)[0], np.ones(SHAPE))
    output, gradient = mask(p=0.5, mode="always", training=False)
    assert_rate(output > 0, 0.5)
    np.testing.assert_array_equal(gradient, output)


@pytest.mark.parametrize(
    ("mode", "training", "advice"),
    [
        ("training", True, "pass one"),
        ("always", False, "pass one, also in predictions, or write the graph without mode=always"),
    ],
)
def test_no_key_no_mask(mode: str, advice: str, *, training: bool) -> None:
    """Without a key nothing is dropped silently, nor by a mask that never changes."""
    from harness.train.xla.lowering import Lowered

    symbol = Case("Dropout", {"mode": mode}, {"data": (2, 3)}).symbol("op")
    lowered = Lowered(Graph.parse(symbol.tojson()), {"op_data": (2, 3)})
    with pytest.raises(TrainingError) as error:
        lowered({}, {}, {"op_data": np.ones((2, 3), np.float32)}, training=training)
    assert str(error.value) == f"Dropout node 'op': expected a random key, found none; {advice}"


def test_a_perceptron_s_outputs_scatter_as_mxnet_s() -> None:
    """Two thousand times the same image: with dropout the outputs have the mean and the spread that MXNet's have."""
    import jax

    from harness.train.xla.lowering import Lowered

    mx, rows = mxnet(), 2000
    hidden = mx.sym.Activation(mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=20, name="fc1"), act_type="relu")
    symbol = mx.sym.FullyConnected(mx.sym.Dropout(hidden, p=0.4), num_hidden=3, name="fc2")
    numbers = Numbers.draw(symbol, {"data": (rows, 8)}, seed=0)
    numbers.inputs["data"][:] = numbers.inputs["data"][0]
    lowered = Lowered(Graph.parse(symbol.tojson()), {"data": (rows, 8)})
    [ours], _ = lowered(numbers.parameters, {}, numbers.inputs, training=True, key=jax.random.key(0))
    answer = by_mxnet(symbol, numbers)
    certain, theirs = answer.predictions[0][0], answer.outputs[0]
    for outputs in (np.asarray(ours), theirs):
        assert (np.abs(outputs.mean(axis=0) - certain) < 4 * outputs.std(axis=0) / np.sqrt(rows)).all()
    np.testing.assert_allclose(np.asarray(ours).std(axis=0), theirs.std(axis=0), rtol=0.1)
