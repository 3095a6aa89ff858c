"""The same training in PyTorch, the whole step compiled: gather, gradients, update and figures in one graph.

Written with `torch.func`, whose gradients are part of what is compiled; compiling only the model, and leaving backward
and the optimizer to eager mode, took more than half as long again.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from benchmarks.contenders import Course, UnavailableError
from benchmarks.contenders.torch_common import data_on, device_for, torch
from benchmarks.workload import BATCH, SHAPES, order, start

if TYPE_CHECKING:
    from benchmarks.workload import Clock, History, Workload


class Made:
    """Trains one trial after the other, so it is asked for one.

    Everything that the compiled step takes stays where it is: on a GPU the step is one CUDA graph.
    """

    packages = ("torch", "numpy")

    def __init__(self, course: Course) -> None:
        """See `benchmarks.contenders.Contender`."""
        compiler = os.environ.get("CXX") or "g++"
        if shutil.which(compiler) is None:
            raise UnavailableError(f"needs the C++ compiler {compiler}, found none; install it, or name one in CXX")
        self._arrays, self._device = course.arrays, device_for(course)
        self.notes: dict[str, Any] = {"threads": torch.get_num_threads()}
        self._weights = {name: torch.zeros(shape, device=self._device) for name, shape in SHAPES.items()}
        self._rate = torch.zeros((), device=self._device)
        self._right = torch.zeros((), dtype=torch.int64, device=self._device)
        self._loss = torch.zeros((), device=self._device)
        self._data: list[Any] = []
        mode = "reduce-overhead" if self._device.type == "cuda" else "default"
        self._step = torch.compile(_step, fullgraph=True, dynamic=False, mode=mode)

    def train(self, workload: Workload, clock: Clock) -> History:
        """See `benchmarks.contenders.Contender`."""
        assert workload.trials == 1
        self._start(workload)
        images, labels, test_images, test_labels = self._data
        figures = []
        for number in range(1, workload.epochs + 1):
            rows = torch.from_numpy(order(0, number, len(images))).to(self._device)
            self._right.zero_()
            self._loss.zero_()
            with torch.no_grad():
                for chosen in rows:
                    self._step(self._weights, self._rate, (chosen, images, labels), (self._right, self._loss))
                tested = (_scores(self._weights, test_images).argmax(1) == test_labels).sum()
            figures.append(
                (
                    self._right.item() / len(images),
                    self._loss.item() * BATCH / len(images),
                    tested.item() / len(test_images),
                )
            )
            clock.epoch_done()
        for weight in self._weights.values():
            weight.cpu().numpy()
        return [figures]

    def _start(self, workload: Workload) -> None:
        fresh = data_on(self._device, self._arrays)
        if self._data:
            for kept, new in zip(self._data, fresh, strict=True):
                kept.copy_(new)
        else:
            self._data = fresh
            if self._device.type == "cuda":
                for fixed in (*self._weights.values(), self._rate, self._right, self._loss, *self._data):
                    torch._dynamo.mark_static_address(fixed)  # noqa: SLF001 - where PyTorch documents it
        self._rate.fill_(workload.learning_rates[0])
        for name, value in start(0).items():
            self._weights[name].copy_(torch.from_numpy(value))


def _step(weights: Any, rate: Any, batch: Any, figures: Any) -> None:
    """One update; weights and figures change in place."""
    (chosen, images, labels), (right, total) = batch, figures
    label = labels[chosen]
    gradients, (loss, scores) = torch.func.grad_and_value(_loss, has_aux=True)(weights, images[chosen], label)
    for name, weight in weights.items():
        weight.sub_(rate * gradients[name])
    total.add_(loss)
    right.add_((scores.argmax(1) == label).sum())


def _loss(weights: Any, images: Any, labels: Any) -> tuple[Any, Any]:
    scores = _scores(weights, images)
    return torch.nn.functional.cross_entropy(scores, labels), scores


def _scores(weights: Any, images: Any) -> Any:
    linear, relu = torch.nn.functional.linear, torch.nn.functional.relu
    images = relu(linear(images, weights["fc1_weight"], weights["fc1_bias"]))
    images = relu(linear(images, weights["fc2_weight"], weights["fc2_bias"]))
    return linear(images, weights["fc3_weight"], weights["fc3_bias"])
