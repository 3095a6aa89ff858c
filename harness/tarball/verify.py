"""Tells whether AWS's MXNet container could serve a ``model.tar.gz``, before anything is uploaded or paid for.

Every rule is looked at, and all problems are reported at once. First the file is judged by its text, without MXNet and
without running any of it. What passes can then be loaded by AWS's own handler, in a process apart (`loading`).

Codes:
    of the archive: unreadable, not-gzip, damaged, truncated, trailing-data, too-large, too-many-members,
    suspicious-ratio.
    of its members: unsafe-path, link, special-file, duplicate-member, path-conflict, case-collision, missing-member,
    not-flat.
    of the graph: symbol-json, symbol-graph, unknown-operator, operator-attribute, graph-shape, graph-dtype.
    of its inputs: shapes-json, shapes-entry, shapes-name, several-inputs.
    of its parameters: params-format, missing-parameter, unknown-parameter, parameter-kind, parameter-shape,
    parameter-dtype, parameter-storage, empty-parameter, not-finite.
    of code/: code-syntax, requirements-syntax.
    of loading: load-error, load-crash, load-timeout, load-memory, not-finite-output.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness.artifact import Artifact, Problem
from harness.errors import ArtifactError
from harness.tarball.examination import examine
from harness.tarball.extract import extract
from harness.tarball.member import Kind, printable
from harness.tarball.reader import members
from harness.tarball.unpacked import LIMITS, Limits

if TYPE_CHECKING:
    from harness.tarball.loading import Loader

SHOWN = 50
"""Problems that an error message lists; `verify` returns them all."""


def check(path: Path, *, limits: Limits = LIMITS, loader: Loader | None = None) -> None:
    """Raise `ArtifactError` with the path and every problem, one a line, unless `verify` finds none."""
    problems = verify(path, limits=limits, loader=loader)
    if problems:
        count = f"{len(problems):,} problem{'s' if len(problems) > 1 else ''}"
        shown = [f"  {problem}" for problem in problems[:SHOWN]]
        if len(problems) > SHOWN:
            shown.append(f"  and {len(problems) - SHOWN:,} more")
        lines = "\n".join(shown)
        where = printable(str(path))
        raise ArtifactError(
            f"{where}: expected a tarball that SageMaker's MXNet container can serve, found {count}:\n{lines}"
        )


def load_artifact(path: Path | str) -> Artifact:
    """A ``model.tar.gz`` that exists already, as the fixture ``artifact`` gives one.

    Raises:
        ArtifactError: the container could not serve it; see `check`.
    """
    path = Path(path)
    check(path)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    names = tuple(member.path for member in members(path) if member.kind is Kind.FILE)
    return Artifact(path=path, sha256=sha256, size=path.stat().st_size, members=names)


def verify(path: Path, *, limits: Limits = LIMITS, loader: Loader | None = None) -> list[Problem]:
    """Every reason why the container could not serve this file; an empty list when it can.

    Without a loader, the file is read and judged by its text alone, and nothing is raised. With one, a file in which
    nothing was found is unpacked and loaded by AWS's handler as well.

    Raises:
        ArtifactError: the loader cannot be started here, or there is no room to unpack.
    """
    problems = examine(members(path, limits=limits)).problems
    if problems or loader is None:
        return problems
    with tempfile.TemporaryDirectory(prefix="byom-verify-") as folder:
        extract(path, Path(folder) / "model", limits=limits)
        return loader.problems(Path(folder) / "model")
