"""A tarball behind AWS's model server, as ``byom serve`` offers it."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from harness.artifact import CODE
from harness.errors import ServingError
from harness.simulator.model_server import ModelServer
from harness.tarball.extract import extract
from harness.tarball.verify import check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_JSON = "application/json"

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


def one_answer(server: ModelServer, example: NDArray[np.float32]) -> NDArray[np.float64]:
    """What the model says to one example, given without the dimension of the batch; without that dimension itself.

    Raises:
        ServingError: the server is gone, or answers with an error or with something else than one row of numbers.
    """
    import numpy as np

    answer = server.invoke(json.dumps([example.tolist()]).encode(), _JSON, _JSON)
    shown = f"{answer.body[:200]!r}"
    if answer.status != HTTPStatus.OK:
        raise ServingError(f"model server: expected status 200, found {answer.status}: {shown}; byom serve shows why")
    try:
        rows = np.array(json.loads(answer.body), dtype=np.float64)
    except (TypeError, ValueError, OverflowError, RecursionError):
        rows = np.empty(0)
    if rows.ndim != 2 or len(rows) != 1:  # noqa: PLR2004 - examples and classes
        raise ServingError(f"model server: expected one row of numbers as JSON, found {shown}")
    row: NDArray[np.float64] = rows[0]
    return row


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
