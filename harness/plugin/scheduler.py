"""How the controller of pytest-xdist hands out tests; see `harness.plugin.distribution`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xdist.scheduler import LoadScheduling  # type: ignore[import-untyped]

from harness.plugin.distribution import LABEL

if TYPE_CHECKING:
    from collections.abc import Sequence

START = 2
"""A worker runs a test only once it knows the next one, so it needs two to begin with."""


class PopulationScheduling(LoadScheduling):  # type: ignore[misc]
    """``--dist load``, but whoever gets one of the labelled tests of a module gets all of them.

    Where no test is labelled, it does what its base class does.
    """

    def __init__(self, config: Any, log: Any = None) -> None:
        """Hand out nothing yet."""
        super().__init__(config, log)
        self._modules: dict[int, str] = {}

    def add_node_collection(self, node: Any, collection: Sequence[str]) -> None:
        """Take a worker's tests, in its order; their labels are read and removed."""
        parts = [name.partition(LABEL) for name in collection]
        self._modules = {index: module for index, (_, label, module) in enumerate(parts) if label}
        super().add_node_collection(node, [name for name, _, _ in parts])

    def _send_tests(self, node: Any, num: int) -> None:
        chosen = self._choose(num, least=START - len(self.node2pending[node]))
        if chosen:
            self.pending[:] = [index for index in self.pending if index not in chosen]
            self.node2pending[node].extend(sorted(chosen))
            node.send_runtest_some(sorted(chosen))

    def _choose(self, count: int, *, least: int) -> set[int]:
        """Tests that wait: the next ``count``, with all that belong to them, but no second module beyond ``least``."""
        chosen: set[int] = set()
        begun = False
        for index in self.pending:
            if index in chosen:
                continue
            name = self._modules.get(index)
            if len(chosen) >= count or (name and begun and len(chosen) >= least):
                break
            if name is None:
                chosen.add(index)
            else:
                chosen |= {other for other in self.pending if self._modules.get(other) == name}
                begun = True
        return chosen
