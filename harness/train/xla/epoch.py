"""One epoch of one trial as a pure function; `population` makes it one of many trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from harness.train.xla.lowering import Lowered
    from harness.train.xla.operators.operator import Array
    from harness.train.xla.optimizers import Optimizer
    from harness.train.xla.resident import Resident

_GENERATOR = "threefry2x32"  # whatever the user has set as JAX's default: a trial's noise is its own
_EPSILON = 1e-12  # as `harness.train.scores.cross_entropy`


class State(NamedTuple):
    """What an epoch changes.

    Attributes:
        parameters: name to weights.
        auxiliary: name to moving statistics.
        optimizer: what the optimizer remembers between updates.
    """

    parameters: Any
    auxiliary: Any
    optimizer: Any


class Course(NamedTuple):
    """What decides a trial's epoch beside its state.

    Attributes:
        settings: the optimizer's, name to float32 ().
        order: int32 (updates, batch), which training images each update looks at.
        noise: uint32 (2,), a seed for what draws random numbers inside this epoch.
    """

    settings: Any
    order: Any
    noise: Any


class Seen(NamedTuple):
    """What an epoch tells.

    Attributes:
        correct: int32 (updates,), training images classified right, before the update that they led to.
        loss: float32 (updates,), their cross-entropy, summed; not a number from the first update on that diverged.
        test_correct: int32 (), test images classified right by the weights at the end.
        probabilities: float32 (m, classes), predictions for the test images from the weights at the end.
    """

    correct: Any
    loss: Any
    test_correct: Any
    probabilities: Any


@dataclass(frozen=True)
class EpochOf:
    """The function, and what it is made of.

    Attributes:
        lowered: the graph.
        optimizer: how gradients change weights.
        data: name of the graph's input.
        label: name of its label.
        train_count: training images; what an order holds beyond them fills the last batch.
        test_count: test images, likewise.
    """

    lowered: Lowered
    optimizer: Optimizer
    data: str
    label: str
    train_count: int
    test_count: int

    def __call__(self, state: State, course: Course, rates: Array, resident: Resident) -> tuple[State, Seen]:
        """Update on every batch, then look at the test data.

        Args:
            state: of one trial.
            course: of the same trial.
            rates: float32 (updates,), the schedule's factor on the learning rate.
            resident: the data.
        """
        settings, order, noise = course
        updates, batch = order.shape
        counted = jnp.arange(updates * batch).reshape(updates, batch) < self.train_count

        def update(state: State, step: tuple[Array, ...]) -> tuple[State, tuple[Array, Array]]:
            number, rows, rate, counts = step
            label = _rows_of(resident.train_label, rows)
            key = (
                jax.random.fold_in(jax.random.wrap_key_data(noise, impl=_GENERATOR), number)
                if self.lowered.random
                else None
            )
            inputs = {self.data: resident.decode(_rows_of(resident.train, rows)), self.label: label}
            state, probabilities = self._update(state, settings, inputs, rate, key)
            return state, _score(probabilities, label, counts)

        steps = (jnp.arange(updates), order, rates, counted)
        # Weights of layers come as (outputs, inputs); a product with (inputs, outputs) is faster on CPUs, so they are
        # turned for as long as the loop runs. What is computed is the same.
        turned, (correct, loss) = jax.lax.scan(update, _turned(state), steps)
        state = _turned(turned)
        probabilities, test_correct = self._test(turned, resident)
        return state, Seen(correct, loss, test_correct, probabilities)

    def _update(self, state: State, settings: Any, inputs: Any, rate: Array, key: Array | None) -> tuple[State, Array]:
        def forward(parameters: Any) -> tuple[Array, Any]:
            given = _matrices_turned(parameters)
            (output,), auxiliary = self.lowered(given, state.auxiliary, inputs, training=True, key=key)
            return output, auxiliary

        output, backward, auxiliary = jax.vjp(forward, state.parameters, has_aux=True)
        (gradients,) = backward(jnp.ones_like(output))
        parameters, slots = self.optimizer.update(
            state.optimizer, state.parameters, gradients, settings, rate * settings["learning_rate"]
        )
        held = {name: jnp.full_like(parameters[name], value) for name, value in self.lowered.fixed.items()}
        return State({**parameters, **held}, auxiliary, slots), output

    def _test(self, state: State, resident: Resident) -> tuple[Array, Array]:
        def predict(stored: Array) -> Array:
            inputs = {self.data: resident.decode(stored)}
            (output,), _ = self.lowered(_matrices_turned(state.parameters), state.auxiliary, inputs, training=False)
            return output

        probabilities = jax.lax.map(predict, resident.test)
        probabilities = probabilities.reshape(-1, probabilities.shape[-1])[: self.test_count]
        label = resident.test_label.reshape(-1)[: self.test_count]
        return probabilities, (probabilities.argmax(axis=-1) == label).sum(dtype=jnp.int32)


def _turned(state: State) -> State:
    """Every matrix among the parameters, and what the optimizer remembers of it, with its axes exchanged."""
    return State(_matrices_turned(state.parameters), state.auxiliary, _matrices_turned(state.optimizer))


def _matrices_turned(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf.T if leaf.ndim == 2 else leaf, tree)  # noqa: PLR2004 - a matrix


def _rows_of(array: Array, rows: Array) -> Array:
    """``array[rows]`` without a look at whether the rows are there: they come from a permutation."""
    return array.at[rows].get(mode="promise_in_bounds")


def _score(probabilities: Array, label: Array, counts: Array) -> tuple[Array, Array]:
    """How many of a batch are right, and their cross-entropy in nats; only those that count."""
    right = (probabilities.argmax(axis=-1) == label) & counts
    chosen = jnp.take_along_axis(probabilities, label[:, None].astype(np.int32), axis=-1)[:, 0]
    loss = jnp.where(counts, -jnp.log(chosen + np.float32(_EPSILON)), 0.0)
    return right.sum(dtype=jnp.int32), loss.sum()
