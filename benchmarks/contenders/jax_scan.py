"""The same training as a JAX program written by hand: what an engine that takes any graph is measured against.

One program is one epoch, test images included. Images are bytes, given as arguments; weights lie as (inputs, outputs)
and are donated; gathers do not look whether rows are there; the scan makes two updates a turn, which saved three in a
hundred; products are in full float32, as the engine's. The host draws the next epoch's orders while the device is at
work. Forms that were tried and were no faster: weights as (outputs, inputs), gradients by hand, images in float32, an
epoch's images gathered at once, four updates a turn, other sizes of test batches, and for sweeps `jax.lax.map` over
trials or groups of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.contenders import Course, UnavailableError
from benchmarks.workload import BATCH, LAYERS, flat, order, start

try:
    import jax
    import jax.numpy as jnp
except ModuleNotFoundError as error:
    raise UnavailableError("needs jax, found none; install byom-harness[xla]") from error

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from benchmarks.workload import Clock, History, Workload

_TEST_BATCH = 1000
_UPDATES_A_TURN = 2
_BLOCK = 256  # images converted together: they stay in the processor's cache
_BY_TRIAL = (0, 0, 0, None)  # weights, rate, order, data


class Made:
    """Trains all trials at once."""

    packages = ("jax", "jaxlib", "numpy")

    def __init__(self, course: Course) -> None:
        """See `benchmarks.contenders.Contender`."""
        self._arrays = course.arrays
        try:
            self._device = jax.devices(course.device)[0]
        except RuntimeError as error:
            raise UnavailableError(f"needs a {course.device} that JAX can use, found none") from error
        self.notes: dict[str, Any] = {"device": self._device.device_kind, "jax": jax.__version__}
        self._one = jax.jit(_epoch, donate_argnums=0)
        self._many = jax.jit(jax.vmap(_epoch, in_axes=_BY_TRIAL), donate_argnums=0)

    def train(self, workload: Workload, clock: Clock) -> History:
        """See `benchmarks.contenders.Contender`."""
        arrays, seeds = self._arrays, range(workload.trials)
        count = len(arrays.train_data)
        data = self._put(
            (
                _bytes(arrays.train_data),
                arrays.train_label.astype(np.int32),
                _batches(_bytes(arrays.test_data)),
                _batches(arrays.test_label.astype(np.int32)),
            )
        )
        program, stack = (self._one, _only) if workload.trials == 1 else (self._many, _stacked)
        weights = self._put(stack([_layers(seed) for seed in seeds]))
        rates = self._put(stack([np.float32(rate) for rate in workload.learning_rates]))
        history: History = [[] for _ in seeds]
        drawn = self._put(stack([order(seed, 1, count) for seed in seeds]))
        for number in range(1, workload.epochs + 1):
            weights, seen = program(weights, rates, drawn, data)
            if number < workload.epochs:
                drawn = self._put(stack([order(seed, number + 1, count) for seed in seeds]))
            right, loss, tested = (np.atleast_1d(figure) for figure in jax.device_get(seen))
            for trial in seeds:
                history[trial].append(
                    (
                        float(right[trial] / count),
                        float(loss[trial] / count),
                        float(tested[trial] / len(arrays.test_data)),
                    )
                )
            clock.epoch_done()
        jax.device_get(weights)
        return history

    def _put(self, tree: Any) -> Any:
        return jax.device_put(tree, self._device)


def _epoch(weights: Any, rate: Any, rows: Any, data: Any) -> tuple[Any, tuple[Any, Any, Any]]:
    """Update on every batch, then score the test images; weights, (right, summed loss, right of the test images)."""
    images, labels, test_images, test_labels = data

    def update(weights: Any, chosen: Any) -> tuple[Any, tuple[Any, Any]]:
        label = labels.at[chosen].get(mode="promise_in_bounds")
        batch = _decoded(images.at[chosen].get(mode="promise_in_bounds"))
        (loss, right), slopes = jax.value_and_grad(_loss, has_aux=True)(weights, batch, label)
        weights = jax.tree.map(lambda weight, slope: weight - rate / BATCH * slope, weights, slopes)
        return weights, (right, loss)

    weights, (right, loss) = jax.lax.scan(update, weights, rows, unroll=_UPDATES_A_TURN)
    tested = jax.lax.map(
        lambda batch: _right(_scores(weights, _decoded(batch[0])), batch[1]), (test_images, test_labels)
    )
    return weights, (right.sum(), loss.sum(), tested.sum())


def _loss(weights: Any, images: Any, labels: Any) -> tuple[Any, Any]:
    scores = _scores(weights, images)
    chosen = jnp.take_along_axis(jax.nn.log_softmax(scores), labels[:, None], axis=1)
    return -chosen.sum(), _right(scores, labels)


def _scores(weights: Any, images: Any) -> Any:
    *hidden, (last, bias) = weights
    for weight, offset in hidden:
        images = jax.nn.relu(_product(images, weight) + offset)
    return _product(images, last) + bias


def _product(left: Any, right: Any) -> Any:
    return jnp.matmul(left, right, precision=jax.lax.Precision.HIGHEST)


def _right(scores: Any, labels: Any) -> Any:
    return (scores.argmax(axis=1) == labels).sum()


def _decoded(stored: Any) -> Any:
    return stored.astype(jnp.float32) / np.float32(255)


def _bytes(images: NDArray[np.float32]) -> NDArray[np.uint8]:
    stored = np.empty((len(images), images[0].size), np.uint8)
    for first in range(0, len(images), _BLOCK):
        block = flat(images[first : first + _BLOCK])
        stored[first : first + _BLOCK] = block * np.float32(255) + np.float32(0.5)
    return stored


def _batches(test: NDArray[Any]) -> NDArray[Any]:
    return test.reshape(-1, min(_TEST_BATCH, len(test)), *test.shape[1:])


def _layers(seed: int) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    values = start(seed)
    return [
        (np.ascontiguousarray(values[f"fc{number}_weight"].T), values[f"fc{number}_bias"])
        for number in range(1, len(LAYERS) + 1)
    ]


def _only(trees: list[Any]) -> Any:
    return trees[0]


def _stacked(trees: list[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)
