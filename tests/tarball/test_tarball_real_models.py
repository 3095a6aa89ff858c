"""Models as people build them are served if AWS's handler serves them, and their facts are MXNet's.

Gluon's model zoo too with ``pytest tests/tarball/test_tarball_real_models.py --hypothesis-profile=long``.
"""

from __future__ import annotations

import functools
import multiprocessing
import shutil
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from real_models import REFUSED, SERVED, ZOO, build, shapes_of_mxnet

from harness.artifact import PARAMETERS, SHAPES
from harness.tarball.export import pack
from harness.tarball.facts import read_facts
from harness.tarball.loading import Loader
from harness.tarball.shapes.registry import RULES
from harness.tarball.shapes.rule import Found, Rule
from harness.tarball.verify import verify
from harness.train.compat import mxnet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.pool import Pool
    from pathlib import Path

    from harness.artifact import Shape

LONG = settings.get_current_profile_name() == "long"


@dataclass(frozen=True)
class Packed:
    """A model on disk: its folder, its tarball, and the process that wrote it."""

    folder: Path
    tarball: Path
    mxnet: Pool

    def misread(self) -> list[str]:
        """Shapes of inputs and outputs that are not MXNet's; what is not known is not wrong."""
        facts = read_facts(self.tarball)
        data, outputs = self.mxnet.apply(shapes_of_mxnet, (self.folder,))
        wrong = [] if facts.inputs == {"data": data} else [f"{facts.inputs}, not {data}"]
        for (name, shape), expected in zip(facts.outputs.items(), outputs, strict=True):
            if shape not in {None, expected}:
                wrong.append(f"{name}: {shape}, not {expected}")
        return wrong

    def outputs(self) -> list[Shape | None]:
        """What the facts say."""
        return list(read_facts(self.tarball).outputs.values())


@pytest.fixture(scope="module")
def loader() -> Iterator[Loader]:
    """AWS's handler, for all models."""
    with Loader() as running:
        yield running


@pytest.fixture(scope="module")
def packed(loader: Loader, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Packed]]:
    """Models by name, built in a process apart, as MXNet's converters warn."""

    @functools.cache
    def make(name: str) -> Packed:
        folder = tmp_path_factory.mktemp(name)
        (folder / "model").mkdir()
        pool.apply(build, (name, folder / "model"))
        return Packed(folder / "model", pack(folder / "model", folder / "model.tar.gz").path, pool)

    mxnet()  # errors of its own come back from the process
    apart = multiprocessing.get_context("spawn")  # a fork would inherit the threads of JAX, where that is loaded
    with apart.Pool(1, initializer=warnings.simplefilter, initargs=("ignore",)) as pool:
        yield make


@pytest.mark.parametrize("name", SERVED | (ZOO if LONG else {}))
def test_a_model_that_the_handler_serves_is_valid(name: str, packed: Callable[[str], Packed], loader: Loader) -> None:
    """By its text and when loaded, and the facts hold no shape that MXNet does not infer."""
    model = packed(name)
    assert verify(model.tarball, loader=loader) == []
    assert model.misread() == []


@pytest.mark.parametrize("name", REFUSED)
def test_a_model_that_the_handler_refuses_is_not_valid(
    name: str, packed: Callable[[str], Packed], loader: Loader
) -> None:
    """It has a problem, found in the text or by loading, and the handler does refuse it."""
    model = packed(name)
    assert verify(model.tarball, loader=loader)
    assert loader.problems(model.folder)


def test_most_shapes_of_outputs_are_known(packed: Callable[[str], Packed]) -> None:
    """So the comparison with MXNet's says something: of three outputs, two at least have a shape."""
    found = [shape for name in SERVED for shape in packed(name).outputs()]
    assert sum(shape is not None for shape in found) > len(found) * 2 / 3


@pytest.mark.parametrize("part", [PARAMETERS, SHAPES])
def test_a_part_of_another_model_would_be_seen(part: str, packed: Callable[[str], Packed], tmp_path: Path) -> None:
    """Control: a model with the parameters, or the input's shape, of another one is refused."""
    mixed = shutil.copytree(packed("residual").folder, tmp_path / "model")
    shutil.copy(packed("generator").folder / part, mixed)
    assert verify(pack(mixed, tmp_path / "model.tar.gz").path)


def test_a_wrong_shape_would_be_seen(packed: Callable[[str], Packed], monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: the comparison fails for a rule that is off by one."""
    model = packed("residual")
    wrong = Rule(lambda _settings, _given: Found(((1, 5),)), lambda _: 1, lambda _: 1, False)
    assert isinstance(RULES, dict)
    monkeypatch.setitem(RULES, "softmax", wrong)
    assert model.misread() == ["softmax0: (1, 5), not (1, 4)"]
