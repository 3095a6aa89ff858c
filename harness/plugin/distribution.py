"""What ``pytest -n`` does with tests that train: those of one module stay together, on one worker.

They share trained models, and an engine may train all their trials at once; on two workers the same trials would be
trained twice. So with ``-n``, which distributes by ``load``, pytest-xdist hands the tests of a module that use
``trained`` or ``replicates`` to one worker, and spreads all others one by one as ever. A project without experiments
sees no difference.

Only workers know what a test uses, and only the controller distributes. A worker therefore labels the ids of these
tests while it tells the controller what it has collected; nobody else gets to see the label, neither reports nor the
cache. (The marker ``xdist_group`` would be the obvious means, but leaves its traces in every report, and pytest-xdist
3.8 writes it where pytest 9.2 no longer looks: it groups nothing.)

``--dist loadgroup`` takes the label for one of its groups, but a test that its author put into a group stays there.
Other modes are left alone: ``loadfile``, ``loadscope`` and ``each`` keep a module's tests together anyway;
``worksteal`` may take a module apart, so there each trial is trained alone, where it is asked for.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pytest

LABEL = "@byom-population:"
"""Begins the label at the end of an id; the rest names the module."""

INPUT = "byom-dist"
"""Under which name the controller tells a worker the mode of ``--dist``."""


def trains(item: pytest.Item) -> bool:
    """Whether a test uses trained models."""
    return not {"trained", "replicates"}.isdisjoint(getattr(item, "fixturenames", ()))


def mode(config: pytest.Config) -> str:
    """How the controller of a worker distributes; ``no`` outside of workers."""
    return str(getattr(config, "workerinput", {}).get(INPUT, "no"))


def keeps_modules_together(config: pytest.Config) -> bool:
    """Whether all tests of a module that train run in this process."""
    return mode(config) != "worksteal"


@contextmanager
def labelled(config: pytest.Config, items: Sequence[pytest.Item]) -> Iterator[None]:
    """A moment in which the ids of tests that train bear a label, if the controller knows what to do with it."""
    ids = {item: item.id for item in items if _needs_label(config, item)}
    for item, name in ids.items():
        item._id = type(name).parse(str(name) + _label(name.path))  # noqa: SLF001 - no other way to the controller
    try:
        yield
    finally:
        for item, name in ids.items():
            item._id = name  # noqa: SLF001


def _needs_label(config: pytest.Config, item: pytest.Item) -> bool:
    if not trains(item):
        return False
    return mode(config) == "load" or (mode(config) == "loadgroup" and item.get_closest_marker("xdist_group") is None)


def _label(module: str) -> str:
    return LABEL + re.sub(r"[]@]", "-", module)  # --dist loadgroup: what follows the last "@", behind the last "]"
