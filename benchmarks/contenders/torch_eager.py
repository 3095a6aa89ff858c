"""The same training in PyTorch, eager, as somebody writes it who knows PyTorch.

Data lie on the device, a batch is an index into them, nothing waits for the device before the end of an epoch. How the
optimizer updates and how many threads are used is tried for a moment before the first training, and the fastest taken.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.contenders.torch_common import data_on, device_for, torch
from benchmarks.workload import BATCH, CLASSES, LAYERS, order, start

if TYPE_CHECKING:
    from benchmarks.contenders import Course
    from benchmarks.workload import Clock, History, Workload

_TRIED_UPDATES = 60
_ROUNDS = 3


class Made:
    """Trains one trial after the other, so it is asked for one."""

    packages = ("torch", "numpy")

    def __init__(self, course: Course) -> None:
        """See `benchmarks.contenders.Contender`."""
        self._arrays, self._device = course.arrays, device_for(course)
        self._threads, self._updating = self._fastest()
        torch.set_num_threads(self._threads)
        self.notes: dict[str, Any] = {"threads": self._threads, "SGD": self._updating}

    def train(self, workload: Workload, clock: Clock) -> History:
        """See `benchmarks.contenders.Contender`."""
        assert workload.trials == 1
        images, labels, test_images, test_labels = data_on(self._device, self._arrays)
        model = _model(self._device)
        optimizer = torch.optim.SGD(model.parameters(), lr=workload.learning_rates[0], **self._updating)
        figures = []
        for number in range(1, workload.epochs + 1):
            rows = torch.from_numpy(order(0, number, len(images))).to(self._device)
            right, loss = _updates(model, optimizer, images, labels, rows)
            with torch.inference_mode():
                tested = (model(test_images).argmax(1) == test_labels).sum()
            figures.append(
                (
                    right.item() / len(images),
                    loss.item() * BATCH / len(images),
                    tested.item() / len(test_images),
                )
            )
            clock.epoch_done()
        for weight in model.parameters():
            weight.detach().cpu().numpy()
        return [figures]

    def _fastest(self) -> tuple[int, dict[str, bool]]:
        """Number of threads and options of SGD that take the least time for a few updates on made-up images."""
        images = torch.zeros(BATCH, LAYERS[0][1], device=self._device)
        labels = torch.arange(BATCH, device=self._device) % CLASSES
        rows = torch.arange(BATCH, device=self._device).repeat(_TRIED_UPDATES, 1)
        counts = {1, torch.get_num_threads()} if self._device.type == "cpu" else {torch.get_num_threads()}
        options = ({"foreach": False}, {"foreach": True}, {"fused": True})
        seconds: dict[tuple[int, int], list[float]] = {}
        for _ in range(_ROUNDS):
            for count, option in itertools.product(counts, range(len(options))):
                torch.set_num_threads(count)
                model = _model(self._device)
                optimizer = torch.optim.SGD(model.parameters(), lr=0.1, **options[option])
                started = time.perf_counter()
                _updates(model, optimizer, images, labels, rows)[0].item()
                seconds.setdefault((count, option), []).append(time.perf_counter() - started)
        count, option = min(seconds, key=lambda chosen: min(seconds[chosen]))
        return count, options[option]


def _updates(model: Any, optimizer: Any, images: Any, labels: Any, rows: Any) -> tuple[Any, Any]:
    """Update on every batch; how many were right, and the sum of the batches' mean losses, still on the device."""
    right = torch.zeros((), dtype=torch.int64, device=images.device)
    total = torch.zeros((), device=images.device)
    for chosen in rows:
        label = labels[chosen]
        scores = model(images[chosen])
        loss = torch.nn.functional.cross_entropy(scores, label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach()
        right += (scores.detach().argmax(1) == label).sum()
    return right, total


def _model(device: Any) -> Any:
    values = start(0)
    layers = []
    for number, (outputs, inputs) in enumerate(LAYERS, 1):
        layer = torch.nn.Linear(inputs, outputs)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(values[f"fc{number}_weight"]))
            layer.bias.copy_(torch.from_numpy(np.ascontiguousarray(values[f"fc{number}_bias"])))
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1]).to(device)
