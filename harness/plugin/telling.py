"""What a session leaves when it is over: baselines, the report, a summary for GitHub, runs in MLflow.

Only one process tells: under pytest-xdist the controller, which has heard of all that its workers did.
"""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
import shlex
import subprocess
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.gate.acceptance import Proposal
    from harness.plugin.session import HarnessSession

MLFLOW_DEFAULT = "sqlite:///mlflow.db"
"""Where ``--mlflow-uri`` without a value keeps its runs: a file in the working directory."""


def check_options(config: pytest.Config) -> None:
    """Refuse now what could not be told at the end.

    Raises:
        UsageError: ``--report`` is a file, ``--mlflow-uri`` no URI, or MLflow is not installed.
    """
    report, uri = config.getoption("--report"), config.getoption("--mlflow-uri")
    if report and Path(report).exists() and not Path(report).is_dir():
        raise pytest.UsageError(f"--report: expected a folder to write into, found the file {report}; name another")
    if uri is None:
        return
    from harness.errors import HarnessError
    from harness.report.tracking import check_installed, check_uri

    try:
        check_uri(uri)
        check_installed()
    except HarnessError as error:
        raise pytest.UsageError(str(error)) from error


def tell(session: HarnessSession, config: pytest.Config) -> Iterator[tuple[str, bool]]:
    """Write everything that was asked for; a line for each thing, and whether it went well."""
    from harness.errors import HarnessError

    if config.option.collectonly:
        return
    for step in _steps(session, config):
        try:
            yield step(), True
        except HarnessError as error:
            yield str(error), False
        except Exception as error:  # noqa: BLE001 - what one step does not foresee must not cost the others
            yield f"{type(error).__name__}: {error}", False


def _steps(session: HarnessSession, config: pytest.Config) -> Iterator[Callable[[], str]]:
    for name in dict.fromkeys(session.clashes):
        yield partial(_clash, name)
    for proposal in session.proposals:
        yield partial(_accept, session, proposal)
    if session.updates_baselines and not session.proposals:
        yield _nothing_to_accept
    seen = bool(session.board.rows())
    if config.getoption("--report"):
        yield partial(_report, session, config) if seen else _nothing_to_report
    if os.environ.get("GITHUB_STEP_SUMMARY") and seen:
        yield partial(_summarize, session, Path(os.environ["GITHUB_STEP_SUMMARY"]))
    if config.getoption("--mlflow-uri") and seen:
        yield partial(_track, session, config)


def _clash(name: str) -> str:
    from harness.errors import DeclarationError

    raise DeclarationError(f"experiment {name}: expected a name of its own, found two different experiments called so")


def _nothing_to_report() -> str:
    return "no report written, as no test used a trained model"


def _nothing_to_accept() -> str:
    from harness.errors import HarnessError

    raise HarnessError("--update-baselines: nothing written, as no test that ran compares with a baseline")


def _accept(session: HarnessSession, proposal: Proposal) -> str:
    from harness.errors import HarnessError

    setting = proposal.experiment, proposal.hyperparameters
    spoiled = session.incomplete or session.spoiled.get(setting, "")
    if proposal.experiment in session.clashes:
        spoiled = "two different experiments have its name"
    try:
        return proposal.accept(session.board.row(*setting).findings, spoiled)
    except OSError as error:
        raise HarnessError(f"baseline {proposal.path}: cannot be written: {error}; the old one is untouched") from error


def _report(session: HarnessSession, config: pytest.Config) -> str:
    from harness.report.write import write_report

    index = write_report(Path(config.getoption("--report")), session.board.rows(), facts=_facts(session, config))
    return f"report written to {index}"


def _summarize(session: HarnessSession, path: Path) -> str:
    from harness.report.write import append_step_summary

    append_step_summary(path, session.board.rows())
    return "summary appended for GitHub"


def _track(session: HarnessSession, config: pytest.Config) -> str:
    from harness.report.tracking import track

    uri = config.getoption("--mlflow-uri")
    count = track(session.board.rows(), uri, run_id=session.run_id, facts=_facts(session, config))
    return f"{count} runs logged to MLflow"


def _facts(session: HarnessSession, config: pytest.Config) -> dict[str, str]:
    """What ran, when and on what, in words."""
    return {
        "when": f"{dt.datetime.now().astimezone():%Y-%m-%d %H:%M %Z}",
        "command": _command(config),
        "run": session.run_id,
        "commit": _commit(config.rootpath),
        "harness": importlib.metadata.version("byom-harness"),
        "python": platform.python_version(),
        **session.versions,
    }


def _command(config: pytest.Config) -> str:
    """What was typed, without the credentials that a URI may hold."""
    words, uri = shlex.join(["pytest", *map(str, config.invocation_params.args)]), config.getoption("--mlflow-uri")
    if not uri:
        return words
    from harness.report.tracking import masked

    return masked(words, uri)


def _commit(folder: Path) -> str:
    """The commit that is checked out, and whether files differ from it; "none" outside of git."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "none"
