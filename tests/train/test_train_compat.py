"""The one place that imports MXNet: what it lends, and what it says where MXNet cannot be had."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness.errors import DeviceError, TrainingError
from harness.train import compat, cuda_libraries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

import_anew = compat.mxnet.__wrapped__
"""The import itself, without the cache around it."""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """``__init__.py`` of a package named mxnet, which Python finds before the real one and nobody has imported yet."""
    folder = tmp_path / "mxnet"
    folder.mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    real = forget_mxnet()
    yield folder / "__init__.py"
    forget_mxnet()
    sys.modules.update(real)


def forget_mxnet() -> dict[str, ModuleType]:
    """Take MXNet's modules out of what is imported."""
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "mxnet"}


def test_numpy_bool_is_lent_for_the_import_alone(package: Path) -> None:
    """MXNet 1.9.1 reads numpy.bool while it is imported; nobody finds it afterwards."""
    package.write_text("import numpy\nlent = numpy.bool\n")
    before = "bool" in vars(np)
    assert import_anew().lent in (bool, np.bool_)
    assert ("bool" in vars(np)) == before


def test_cudas_libraries_come_before_the_import(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are in the process when MXNet's library is loaded, and what they say of themselves is not translated."""
    package.write_text("import os\nseen = os.environ.get('BYOM_TEST_PRELOADED')\n")
    monkeypatch.delenv("BYOM_TEST_PRELOADED", raising=False)
    monkeypatch.setattr(cuda_libraries, "preload", lambda: monkeypatch.setenv("BYOM_TEST_PRELOADED", "yes"))
    assert import_anew().seen == "yes"

    def refuse() -> None:
        raise DeviceError("no driver")

    monkeypatch.setattr(cuda_libraries, "preload", refuse)
    with pytest.raises(DeviceError, match=r"^no driver$"):
        import_anew()


@pytest.mark.parametrize("error", ["ImportError", "OSError", "RuntimeError"])
def test_an_mxnet_that_cannot_be_imported_says_what_to_install(package: Path, error: str) -> None:
    """No package, a library of the system's that is missing, or MXNet's own: each is one error with its reason."""
    package.write_text(f"raise {error}('libquadmath.so.0: cannot open')\n")
    with pytest.raises(TrainingError) as caught:
        import_anew()
    assert str(caught.value) == (
        "engine mxnet: expected the package mxnet 1.9.1, found none that can be imported (libquadmath.so.0: cannot "
        "open); install it with: pip install 'byom-harness[mxnet]'"
    )
    assert "bool" not in vars(np) or np.__version__ >= "2"


def test_a_fault_of_mxnets_is_not_hidden(package: Path) -> None:
    """The control: what is no failure to import, a bug say, comes through as it is."""
    package.write_text("raise ZeroDivisionError\n")
    with pytest.raises(ZeroDivisionError):
        import_anew()


def test_no_line_about_onednn(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MXNet is told to be quiet, unless the user has said otherwise."""
    package.touch()
    monkeypatch.delenv("MXNET_SUBGRAPH_VERBOSE", raising=False)
    import_anew()
    assert os.environ["MXNET_SUBGRAPH_VERBOSE"] == "0"
    monkeypatch.setenv("MXNET_SUBGRAPH_VERBOSE", "1")
    import_anew()
    assert os.environ["MXNET_SUBGRAPH_VERBOSE"] == "1"
