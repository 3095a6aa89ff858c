"""The results in MLflow: one experiment there per experiment here, one run per replicate.

MLflow takes more than a second to import, so nothing here does before there is something to log. While it is in use it
neither reports its own use nor writes to the terminal, and the environment is afterwards as it was.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import logging
import math
import os
import re
import sqlite3
import time
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from harness.errors import DeclarationError, HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harness.report.board import Replicate, Row

SWITCHES = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""What MLflow's documentation gives against its telemetry, its log lines and its links on the terminal."""

PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
"""Unless the user says otherwise; MLflow's own values keep a session waiting for minutes for a server that is away."""

TALKERS = ("alembic", "mlflow", "sqlalchemy", "urllib3")
"""Loggers that would write to the terminal; what goes wrong is told by the error instead, without credentials."""

MAX_RUN_NAME = 250
"""Characters of the column in which MLflow's databases keep the name of a run."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What is logged of one replicate.

    Attributes:
        experiment: its name in MLflow.
        name: of the run.
        start: in milliseconds since 1970.
        end: the same.
        params: name to text.
        tags: name to text.
        metrics: name, value, time in milliseconds since 1970, and step.
    """

    experiment: str
    name: str
    start: int
    end: int
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Sequence[tuple[str, float, int, int]]


def check_uri(uri: str) -> None:
    """Refuse what cannot be the address of an MLflow store, without importing MLflow.

    Raises:
        DeclarationError: it is not of the form ``scheme://...``.
    """
    with contextlib.suppress(ValueError):
        if re.match(r"[a-z][a-z0-9+.-]*://\S", uri, re.IGNORECASE) and urlsplit(uri):
            return
    raise DeclarationError(
        f"--mlflow-uri: expected an address such as sqlite:///mlflow.db or https://mlflow.example.org, found {uri!r}; "
        f"the option takes the word that follows it, so put what pytest is to run before it, and --mlflow-uri last "
        f"(alone it means sqlite:///mlflow.db), or write --mlflow-uri=ADDRESS"
    )


def check_installed() -> None:
    """Refuse to go on without MLflow, without importing it.

    Raises:
        HarnessError: it is not installed.
    """
    if importlib.util.find_spec("mlflow") is None:
        raise HarnessError(
            "--mlflow-uri: expected the package mlflow-skinny, found none; pip install 'byom-harness[mlflow]'"
        )


def track(rows: Iterable[Row], uri: str, *, run_id: str, facts: Mapping[str, str]) -> int:
    """Log every replicate as a run of its own.

    Args:
        rows: the settings of a session.
        uri: of the MLflow store, as MLflow takes it.
        run_id: of the session; a tag of each run.
        facts: what else to tell of the session, as tags; the commit that ``commit`` starts with has a place in MLflow.

    Returns:
        How many runs were logged.

    Raises:
        DeclarationError: the URI is no address.
        HarnessError: MLflow is not installed, or its store cannot be reached or refuses the runs.
    """
    check_uri(uri)
    told = {name: masked(text, uri) for name, text in facts.items()}  # a command line repeats the address
    runs = describe(rows, run_id=run_id, facts=told, now=int(1000 * time.time()))
    if not runs:
        return 0
    check_installed()
    logged: list[str] = []
    with _environment(), _silence():
        from mlflow.exceptions import MlflowException

        try:
            with _alone(uri):
                _log(runs, uri, logged)
        except (MlflowException, OSError, ImportError, sqlite3.Error, *_database_errors()) as error:
            found = str(error).partition("\n")[0] or type(error).__name__
            raise HarnessError(
                f"MLflow at {masked(uri, uri)}: expected to log {len(runs)} run(s), logged {len(logged)}, then found: "
                f"{masked(found, uri)}; see that the address is right and the server runs, then run again"
            ) from error
    return len(logged)


def describe(rows: Iterable[Row], *, run_id: str, facts: Mapping[str, str], now: int) -> list[Run]:
    """What there is to log.

    Args:
        rows: the settings of a session.
        run_id: of the session.
        facts: of the session.
        now: milliseconds since 1970: when each run ends, so that its duration is that of the training.
    """
    session = {f"byom.{_plain(name)}": text for name, text in facts.items() if text} | {"byom.run_id": run_id}
    if commit := re.match(r"[0-9a-f]{7,64}\b", facts.get("commit", "")):
        session["mlflow.source.git.commit"] = commit[0]
    return [
        _run(row, replicate, now, session | _tags(row, replicate, first=not number))
        for row in rows
        for number, replicate in enumerate(row.replicates.values())
    ]


def masked(text: str, uri: str) -> str:
    """A text without the credentials of an address, in whatever form it repeats them."""
    text = re.sub(r"(?<=://)([^/@\s]*:\S*|[^/\s]+)@", "***@", text)  # SQLAlchemy takes / and @ in passwords as they are
    password = urlsplit(uri).password
    for secret in {password, unquote(password)} if password else ():
        text = text.replace(secret, "***")
    return text


def _run(row: Row, replicate: Replicate, now: int, tags: Mapping[str, str]) -> Run:
    start = now - int(1000 * replicate.seconds)
    settings = row.settings or {"hyperparameters": row.hyperparameters}
    params = settings | {"seed": replicate.seed, "engine": row.engine}
    return Run(
        experiment=f"byom/{row.experiment}",
        name=f"{row.hyperparameters} seed={replicate.seed}",
        start=start,
        end=now,
        params={_plain(name): str(value) for name, value in params.items()},
        tags=tags,
        metrics=_metrics(replicate, start, now),
    )


def _tags(row: Row, replicate: Replicate, *, first: bool) -> dict[str, str]:
    """Tags of one replicate; the first is the one that is packed and deployed."""
    verdict = {True: "passed", False: "failed", None: "not judged"}[row.passed]
    tags = {"byom.cached": str(replicate.cached).lower(), "byom.verdict": verdict}
    if first and row.artifact:
        tags["byom.artifact_sha256"] = row.artifact.sha256
    if first:
        for endpoint in row.endpoints.values():
            key = f"byom.endpoint.{_plain(endpoint.kind)}"
            tags[key] = "; ".join(filter(None, (tags.get(key), f"{endpoint.name}: {endpoint.state}")))
    return tags


def _metrics(replicate: Replicate, start: int, end: int) -> list[tuple[str, float, int, int]]:
    """Every field of every epoch, and the final scores."""
    ends = accumulate(epoch["seconds"] for epoch in replicate.history)
    epochs = [
        (name, _number(value), min(start + int(1000 * elapsed), end), int(epoch["number"]))
        for epoch, elapsed in zip(replicate.history, ends, strict=True)
        for name, value in epoch.items()
        if name != "number"
    ]
    last = len(replicate.history)
    return [*epochs, *((name, _number(getattr(replicate, name)), end, last) for name in ("accuracy", "loss"))]


def _number(value: float) -> float:
    """The value, or NaN, which MLflow keeps as it is; infinity it would keep as the largest float, a wrong figure."""
    return value if math.isfinite(value) else math.nan


def _plain(name: str) -> str:
    """A name of the characters that MLflow takes."""
    return re.sub(r"[^/\w.\- :]", "_", name)


def _log(runs: Iterable[Run], uri: str, logged: list[str]) -> None:
    """Log the runs; ``logged`` gets the id of each that is complete."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri)
    experiments: dict[str, str] = {}
    for run in runs:
        if run.experiment not in experiments:
            experiments[run.experiment] = _experiment(client, run.experiment)
        made = client.create_run(
            experiments[run.experiment], start_time=run.start, run_name=_shortened(run.name, MAX_RUN_NAME)
        )
        client.log_batch(made.info.run_id, synchronous=True, **_content(run))
        client.set_terminated(made.info.run_id, end_time=run.end)
        logged.append(made.info.run_id)


def _experiment(client: Any, name: str) -> str:
    """The id of an experiment, made if there is none."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name))
        except MlflowException as error:  # another session may have been faster
            found = client.get_experiment_by_name(name)
            if found is None:
                raise error from None
    return str(found.experiment_id)


def _content(run: Run) -> dict[str, Sequence[Any]]:
    """What a run consists of, in MLflow's types; its client divides it into requests of the size that it takes."""
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.utils.validation import MAX_PARAM_VAL_LENGTH, MAX_TAG_VAL_LENGTH

    return {
        "metrics": [Metric(*metric) for metric in run.metrics],
        "params": [Param(name, _shortened(text, MAX_PARAM_VAL_LENGTH)) for name, text in run.params.items()],
        "tags": [RunTag(name, _shortened(text, MAX_TAG_VAL_LENGTH)) for name, text in run.tags.items()],
    }


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def _database_errors() -> tuple[type[Exception], ...]:
    """What a database raises past MLflow; nothing where only servers are spoken to and SQLAlchemy is not installed."""
    if importlib.util.find_spec("sqlalchemy") is None:
        return ()
    from sqlalchemy.exc import SQLAlchemyError

    return (SQLAlchemyError,)


@contextlib.contextmanager
def _alone(uri: str) -> Iterator[None]:
    """Keep other sessions out of an SQLite file: two that make its tables at once both fail.

    The lock is on the folder, so that it leaves nothing behind. Where folders cannot be locked, on some network file
    systems, sessions are not kept apart.
    """
    path = _sqlite_path(uri)
    if path is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_EX)
        sqlite3.connect(path).close()  # fails at once where MLflow would try for a minute and a half
        yield
    finally:
        os.close(folder)


def _sqlite_path(uri: str) -> Path | None:
    """The file of an SQLite address; None for anything else."""
    if not uri.startswith("sqlite"):
        return None
    from sqlalchemy.engine import make_url

    database = make_url(uri).database
    return Path(database) if database and not database.startswith((":memory:", "file:")) else None


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """MLflow's switches, in the environment for a while: it reads them while it is imported and while it is used."""
    before = {name: os.environ.get(name) for name in (*SWITCHES, *PATIENCE)}
    os.environ.update(PATIENCE | {name: text for name, text in before.items() if text is not None} | SWITCHES)
    try:
        yield
    finally:
        for name, text in before.items():
            os.environ.pop(name, None)
            if text is not None:
                os.environ[name] = text


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    levels = {name: logging.getLogger(name).level for name in TALKERS}
    try:
        for name in TALKERS:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
