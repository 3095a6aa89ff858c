"""Engine ``mxnet``: the notebook's training with ``mx.mod.Module``, without what made it slow.

The notebook calls ``Module.fit`` on an ``NDArrayIter`` with the ``acc`` metric: every batch is copied from numpy, and
the metric waits for every batch's output, so MXNet's asynchronous engine never runs ahead. Here the arrays are
resident, every batch is gathered on the device, outputs are kept on the device and read once an epoch, and
parameters are updated one by one. The numbers are the same: see ``tests/train/test_mxnet_engine.py``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import DeviceError, TrainingError
from harness.optimizer import SMALLEST
from harness.result import Checkpoint, Epoch
from harness.train import compat
from harness.train.devices import contexts
from harness.train.divergence import diverged
from harness.train.engine import DATA, Training
from harness.train.entry_point import label_name
from harness.train.randomness import epoch_order, initial_values, own_initializers
from harness.train.scores import accuracy, cross_entropy

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import NDArray

    from harness.experiment import Trial
    from harness.train.arrays import Arrays
    from harness.train.engine import Job, Outcome
    from harness.train.progress import Progress


class MXNetEngine:
    """The reference engine."""

    name = "mxnet"

    def kind(self, job: Job) -> Hashable:
        """See `harness.train.engine.Engine.kind`: each trial is trained alone."""
        del job
        return None

    def train(self, jobs: Sequence[Job], arrays: Arrays, progress: Progress) -> Sequence[Outcome]:
        """See `harness.train.engine.Engine.train`."""
        return [self._outcome(job, arrays, progress) for job in jobs]

    def _outcome(self, job: Job, arrays: Arrays, progress: Progress) -> Outcome:
        try:
            return _train(job, arrays, progress)
        except DeviceError:
            raise
        except TrainingError as error:
            return error


def _train(job: Job, arrays: Arrays, progress: Progress) -> Training:
    mx, trial = compat.mxnet(), job.trial
    devices = contexts(mx, trial.experiment)
    arrays.check_trial(trial, len(devices))
    # Dropout and its kin draw from MXNet's own generator, which is global to the process.
    mx.random.seed(trial.seed % 2**31)
    loop = _Loop(mx, job, arrays, devices)
    history: list[Epoch] = []
    with progress.following([trial], len(arrays.train_data)) as report:
        for number in range(1, trial.epochs + 1):
            history.append(loop.epoch(number))
            report(history[-1:])
    return Training(loop.checkpoint(), tuple(history), loop.predictions)


class _Loop:
    """A bound module with its data beside it, on the device."""

    def __init__(self, mx: Any, job: Job, arrays: Arrays, devices: list[Any]) -> None:
        self._mx, self._trial, self._arrays = mx, job.trial, arrays
        trial, symbol = job.trial, mx.sym.load_json(job.symbol_json)
        self._data_shape = (trial.batch_size, *arrays.train_data.shape[1:])
        self._classes = _output_classes(trial, symbol, self._data_shape)
        arrays.check_labels(trial.experiment.dataset.name, self._classes)
        self._module = _bind(mx, job, symbol, devices, self._data_shape)
        updates = -(-len(arrays.train_data) // trial.batch_size)
        _init_optimizer(mx, self._module, trial, updates)
        self._train = mx.nd.array(arrays.train_data, ctx=devices[0])
        self._train_label = mx.nd.array(arrays.train_label, ctx=devices[0])
        whole = -(-len(arrays.test_data) // trial.batch_size) * trial.batch_size  # the module takes full batches only
        padded = np.resize(np.arange(len(arrays.test_data)), whole)
        self._test = mx.nd.array(arrays.test_data[padded], ctx=devices[0])

    def epoch(self, number: int) -> Epoch:
        """One pass over the training data, then a look at the test data."""
        started = time.perf_counter()
        order = epoch_order(self._trial.seed, number, len(self._arrays.train_data))
        probabilities = self._update_on_all(order)
        _check_finite(self._trial, number, probabilities)
        label = self._arrays.train_label[order]
        validation = self.predictions = self._predict_test()
        _check_finite(self._trial, number, validation, updating=False)
        return Epoch(
            number=number,
            train_accuracy=accuracy(probabilities, label),
            train_loss=cross_entropy(probabilities, label),
            validation_accuracy=accuracy(validation, self._arrays.test_label),
            seconds=time.perf_counter() - started,
        )

    def checkpoint(self) -> Checkpoint:
        """The weights as they are now, in the order of the graph's arguments."""
        parameters, auxiliary = self._module.get_params()
        symbol = self._module.symbol
        return Checkpoint(
            symbol_json=symbol.tojson(),
            parameters={name: parameters[name].asnumpy() for name in symbol.list_arguments() if name in parameters},
            auxiliary={name: auxiliary[name].asnumpy() for name in symbol.list_auxiliary_states()},
            data_shapes=((DATA, self._data_shape),),
        )

    def _update_on_all(self, order: NDArray[np.int64]) -> NDArray[np.float32]:
        """Update on every batch; float32 (n, classes) predictions made on the way, in that order."""
        mx, batch = self._mx, self._trial.batch_size
        count = len(order)
        # As NDArrayIter's default ("pad") does: a last batch that is not full is filled from the epoch's start.
        padded = np.resize(order, -(-count // batch) * batch)
        index = mx.nd.array(padded, ctx=self._train.context, dtype="int32")
        kept = mx.nd.empty((len(padded), self._classes), ctx=self._train.context)
        for start in range(0, len(padded), batch):
            rows = slice(start, start + batch)
            chosen = index[rows]
            data, label = mx.nd.take(self._train, chosen), mx.nd.take(self._train_label, chosen)
            self._module.forward(mx.io.DataBatch([data], [label]), is_train=True)
            self._module.backward()
            self._module.update()
            self._module.get_outputs()[0].copyto(kept[rows])
        result: NDArray[np.float32] = kept.asnumpy()[:count]
        return result

    def _predict_test(self) -> NDArray[np.float32]:
        """Float32 (m, classes) predictions for the test images, weights unchanged."""
        mx, batch = self._mx, self._trial.batch_size
        kept = mx.nd.empty((len(self._test), self._classes), ctx=self._test.context)
        for start in range(0, len(self._test), batch):
            rows = slice(start, start + batch)
            self._module.forward(mx.io.DataBatch([self._test[rows]], None), is_train=False)
            self._module.get_outputs()[0].copyto(kept[rows])
        result: NDArray[np.float32] = kept.asnumpy()[: len(self._arrays.test_data)]
        return result


class _ScheduledRate:
    """What an MXNet optimizer asks for the learning rate of its update number ``num_update``, counted from 1."""

    def __init__(self, trial: Trial, updates_per_epoch: int) -> None:
        self._schedule, self._updates_per_epoch = trial.experiment.schedule, updates_per_epoch
        self.base_lr = trial.optimizer_settings["learning_rate"]  # the optimizer complains if it is another one

    def __call__(self, num_update: int) -> float:
        rate = self.base_lr * self._schedule.factor(num_update, self._updates_per_epoch)
        return 0.0 if abs(rate) < SMALLEST else rate


def _bind(mx: Any, job: Job, symbol: Any, devices: list[Any], data_shape: tuple[int, ...]) -> Any:
    """A module with the trial's initial weights."""
    trial, label = job.trial, label_name(symbol)
    module = mx.mod.Module(symbol, data_names=[DATA], label_names=[label], context=devices)
    module.bind([(DATA, data_shape)], [(label, (trial.batch_size,))])
    try:
        start = initial_values(
            _parameter_shapes(symbol, {DATA: data_shape}),
            trial.seed,
            initializer=trial.experiment.initializer,
            own=own_initializers(job.symbol_json),
        )
    except TrainingError as error:
        raise TrainingError(f"{trial}: {error}") from error
    values = {name: mx.nd.array(value) for name, value in start.items()}
    auxiliary = symbol.list_auxiliary_states()
    module.init_params(
        arg_params={name: value for name, value in values.items() if name not in auxiliary},
        aux_params={name: value for name, value in values.items() if name in auxiliary},
    )
    return module


def _init_optimizer(mx: Any, module: Any, trial: Trial, updates_per_epoch: int) -> None:
    """The optimizer that ``Module.fit`` makes, but for one update per parameter.

    By default MXNet's SGD updates four parameters in one call, which on the CPU takes three times as long as one call
    for each of them, with the same results.
    """
    try:
        optimizer = mx.optimizer.create(
            trial.optimizer,
            sym=module.symbol,
            rescale_grad=1 / trial.batch_size,
            lr_scheduler=_ScheduledRate(trial, updates_per_epoch),
            **trial.optimizer_settings,
        )
    except ValueError as error:  # lr_mult= or wd_mult= of a variable
        raise TrainingError(
            f"{trial}: expected lr_mult= and wd_mult= of variables to be numbers, found one that is none ({error}); "
            f"mend build_graph()"
        ) from error
    if optimizer.aggregate_num:
        optimizer.aggregate_num = 1
    module.init_optimizer(optimizer=optimizer)
    optimizer.set_wd_mult({})  # the module has told it the parameters' names: of the rest only weights and gammas decay


def _parameter_shapes(symbol: Any, inputs: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Shape of every parameter and auxiliary state, in the order of the graph."""
    arguments, _, auxiliary = symbol.infer_shape(**inputs)
    named = dict(zip(symbol.list_arguments(), arguments, strict=True))
    named |= dict(zip(symbol.list_auxiliary_states(), auxiliary, strict=True))
    return {name: shape for name, shape in named.items() if name not in inputs and not name.endswith("label")}


def _output_classes(trial: Trial, symbol: Any, data_shape: tuple[int, ...]) -> int:
    """How many classes the graph tells apart, once it is known to fit the data."""
    mx = compat.mxnet()
    try:
        _, outputs, _ = symbol.infer_shape(**{DATA: data_shape})
    except mx.base.MXNetError as error:
        first = str(error).strip().splitlines()[-1]
        raise TrainingError(
            f"{trial}: the graph of {trial.experiment.entry_point.name} does not fit images of shape {data_shape[1:]}: "
            f"{first}; mend build_graph() or reshape the data"
        ) from error
    if len(outputs[0]) != 2 or outputs[0][0] != data_shape[0]:  # noqa: PLR2004 - one row of class probabilities per image
        raise TrainingError(
            f"{trial}: expected an output of shape ({data_shape[0]}, classes), found {outputs[0]}; mend build_graph()"
        )
    return int(outputs[0][1])


def _check_finite(trial: Trial, epoch: int, probabilities: NDArray[np.float32], *, updating: bool = True) -> None:
    """Refuse predictions that are no numbers; each update is seen by the predictions after it."""
    finite = np.isfinite(probabilities).all(axis=1)
    if not finite.all():
        raise diverged(trial, epoch, int(finite.argmin()) // trial.batch_size + 1 if updating else None)
