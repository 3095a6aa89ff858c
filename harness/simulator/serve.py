"""A tarball behind AWS's model server, as ``byom serve`` offers it."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.artifact import CODE
from harness.errors import ServingError
from harness.simulator.model_server import ModelServer
from harness.tarball.extract import extract
from harness.tarball.verify import check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DEFAULT_SCRIPT = "inference.py"
"""The module the toolkit imports when told none (``sagemaker_inference/environment.py``); it may be empty."""


@contextmanager
def serve_tarball(tarball: Path, *, port: int | None = None, entry_point: Path | None = None) -> Iterator[ModelServer]:
    """A model server that has loaded the tarball's model; ended with the context.

    Args:
        tarball: a ``model.tar.gz``; verified first.
        port: where to listen on 127.0.0.1; a free port unless one is given.
        entry_point: the script to serve with: a file, or the name of one in the tarball's ``code/``. Without it the
            container's default name there (``inference.py``) is used, or the only script, or none if there is none.

    Raises:
        ArtifactError: the tarball could not be served; lists why.
        ServingError: no or several scripts to choose from, the port is taken, or the server did not start.
    """
    check(tarball)
    server = ModelServer(port=port)
    try:
        extract(tarball, server.model_dir)
        program = _install_script(server.model_dir / CODE, entry_point)
        server.environment = {"SAGEMAKER_PROGRAM": program, "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
        server.start()
        yield server
    finally:
        server.stop()


def _install_script(code: Path, entry_point: Path | None) -> str:
    """Make sure that ``code`` holds the script to serve with; its name."""
    code.mkdir(exist_ok=True)
    scripts = sorted(path.name for path in code.glob("*.py"))
    if entry_point is not None:
        if entry_point.is_file():
            shutil.copyfile(entry_point, code / entry_point.name)
        elif str(entry_point) not in scripts:
            raise ServingError(
                f"entry point {entry_point}: expected a file, or one of the tarball's scripts "
                f"({', '.join(scripts) or 'it has none'}), found neither"
            )
        return entry_point.name
    if _DEFAULT_SCRIPT in scripts:
        return _DEFAULT_SCRIPT
    if len(scripts) > 1:
        raise ServingError(
            f"expected one script in {CODE}/, found {', '.join(scripts)}; choose one with --entry-point NAME"
        )
    if not scripts:
        (code / _DEFAULT_SCRIPT).touch()
        return _DEFAULT_SCRIPT
    return scripts[0]
