"""MLflow tracking: what arrives in the store, what it leaves alone, and what it says when the store is not there."""

from __future__ import annotations

import fcntl
import importlib.util
import logging
import math
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import DeclarationError, HarnessError
from harness.report import tracking
from harness.report.board import Deployed, Packed, Replicate, Row
from harness.verdict import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

needs_mlflow = pytest.mark.skipif(
    importlib.util.find_spec("mlflow") is None, reason="MLflow is not installed: pip install 'byom-harness[mlflow]'"
)

FACTS = {"commit": "b45e53d", "mxnet": "1.9.1"}


def epoch(number: int, loss: float = 0.5) -> Mapping[str, float]:
    """One epoch of two seconds."""
    return {
        "number": number,
        "train_accuracy": 0.5 + number / 10000,
        "train_loss": loss,
        "validation_accuracy": 0.25,
        "seconds": 2.0,
    }


def replicate(seed: int = 0, epochs: int = 2, **fields: Any) -> Replicate:
    """A replicate with a history."""
    values: dict[str, Any] = {
        "accuracy": 0.75,
        "loss": 0.125,
        "seconds": 2.0 * epochs,
        "cached": False,
        "history": tuple(epoch(number) for number in range(1, epochs + 1)),
    }
    return Replicate(seed=seed, **values | fields)


def row(*replicates: Replicate, **fields: Any) -> Row:
    """A setting of experiment ``e``."""
    values: dict[str, Any] = {"settings": {"learning_rate": 0.5, "optimizer": "sgd"}, "engine": "xla"}
    return Row("e", "learning_rate=0.5", replicates={str(model.seed): model for model in replicates}, **values | fields)


SESSION = """
    import os, sys, threading

    asked = []

    def watch(event, arguments):
        if event in ("socket.connect", "socket.getaddrinfo"):
            asked.append(event)
            raise OSError("no network in this test")

    sys.addaudithook(watch)
    sys.path.insert(0, {folder!r})
    import test_report_tracking as t

    before = dict(os.environ)
    {preparation}
    print(t.tracking.track([t.row({replicates})], {uri!r}, run_id="r", facts={{}}))
    for thread in threading.enumerate():
        if thread.name == "GetTelemetryConfig":
            thread.join()
    print("asked", *asked)
    print("environment", dict(os.environ) == before)
    print("loaded", "mlflow" in sys.modules)
"""


def session(
    folder: Path, uri: str, *, replicates: str = "t.replicate()", preparation: str = ""
) -> subprocess.Popen[str]:
    """A process like a user's: no CI, no pytest; each warning an error, and a hook that refuses and notes a network."""
    environment = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("PYTEST", "MLFLOW", "CI", "GITHUB")) and name != "DO_NOT_TRACK"
    }
    here = str(Path(__file__).parent)
    script = SESSION.format(folder=here, uri=uri, replicates=replicates, preparation=preparation)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        cwd=folder,
        env=environment | {"XDG_CONFIG_HOME": str(folder / "config")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def two_sessions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Two sessions that start at once without a store: their folder, and what they wrote to the terminal."""
    folder = tmp_path_factory.mktemp("sessions")
    both = [session(folder, f"sqlite:///{folder}/new/mlflow.db") for _ in range(2)]
    return folder, [process.communicate(timeout=120)[0] for process in both]


@pytest.fixture(scope="module")
def empty_store(two_sessions: tuple[Path, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables: they take longer to make than to copy."""
    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    shutil.copy(two_sessions[0] / "new" / "mlflow.db", path)
    with closing(sqlite3.connect(path)) as database, database:
        for table in ("metrics", "latest_metrics", "params", "tags", "runs"):
            database.execute(f"DELETE FROM {table}")  # noqa: S608 - five literals
        database.execute("DELETE FROM experiments WHERE experiment_id > 0")
    return path


@pytest.fixture
def uri(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store of its own, in the working directory."""
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    return f"sqlite:///{tmp_path}/mlflow.db"


def logged(uri: str, experiment: str = "byom/e") -> list[Any]:
    """The runs of an experiment as MLflow gives them back, in the order of their names."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri)
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    return sorted(client.search_runs([found.experiment_id]), key=lambda run: str(run.info.run_name))


def history(uri: str, run: Any, metric: str) -> list[tuple[int, float]]:
    """Step and value of each entry of a metric."""
    from mlflow.tracking import MlflowClient

    return [(entry.step, entry.value) for entry in MlflowClient(uri).get_metric_history(run.info.run_id, metric)]


@needs_mlflow
def test_each_replicate_becomes_a_run(uri: str) -> None:
    """Two seeds of one setting and one of another experiment: three runs in two experiments, finished and named."""
    other = Row("f", "wd=0.1", replicates={"7": replicate(7)})
    assert tracking.track([row(replicate(0), replicate(1)), other], uri, run_id="20261122", facts={}) == 3
    assert [run.info.run_name for run in logged(uri)] == ["learning_rate=0.5 seed=0", "learning_rate=0.5 seed=1"]
    assert [run.info.run_name for run in logged(uri, "byom/f")] == ["wd=0.1 seed=7"]
    assert {run.info.status for run in logged(uri)} == {"FINISHED"}


@needs_mlflow
def test_a_run_has_the_settings_and_every_epoch(uri: str) -> None:
    """Params are the setting, the seed and the engine; metrics have one entry per epoch, the scores one."""
    tracking.track([row(replicate(3))], uri, run_id="r", facts={})
    [run] = logged(uri)
    assert run.data.params == {"learning_rate": "0.5", "optimizer": "sgd", "seed": "3", "engine": "xla"}
    assert history(uri, run, "train_accuracy") == [(1, 0.5001), (2, 0.5002)]
    assert history(uri, run, "train_loss") == [(1, 0.5), (2, 0.5)]
    assert history(uri, run, "validation_accuracy") == [(1, 0.25), (2, 0.25)]
    assert history(uri, run, "seconds") == [(1, 2.0), (2, 2.0)]
    assert history(uri, run, "accuracy") == [(2, 0.75)]
    assert history(uri, run, "loss") == [(2, 0.125)]


@needs_mlflow
def test_a_run_lasts_as_long_as_the_training(uri: str) -> None:
    """MLflow's duration is the training time, and its clock puts each epoch where it ended."""
    tracking.track([row(replicate(0, epochs=3))], uri, run_id="r", facts={})
    with closing(sqlite3.connect("mlflow.db")) as database:
        [(start, end)] = database.execute("SELECT start_time, end_time FROM runs")
        times = database.execute("SELECT timestamp FROM metrics WHERE key = 'train_loss' ORDER BY step").fetchall()
    assert end - start == 6000
    assert [time - start for (time,) in times] == [2000, 4000, 6000]


@needs_mlflow
def test_tags_tell_where_a_run_comes_from(uri: str) -> None:
    """Session, verdict, cache and facts on every run; the tarball and its endpoints on the replicate that they hold."""
    packed = Packed(digest="ab", sha256="ab" * 32, size=1, members=())
    deployed = Deployed(kind="simulated", name="byom-e-1", instance_type="ml.m4.xlarge", state="deleted")
    setting = row(
        replicate(0, cached=True),
        replicate(1),
        artifact=packed,
        endpoints={"simulated": deployed},
        findings=[Finding(rule="accuracy >= 0.9", reason="it is not")],
    )
    tracking.track([setting], uri, run_id="20261122", facts=FACTS)
    first, second = ({name: text for name, text in run.data.tags.items() if "." in name} for run in logged(uri))
    assert first.pop("byom.artifact_sha256") == "ab" * 32
    assert first.pop("byom.endpoint.simulated") == "byom-e-1: deleted"
    assert (first.pop("byom.cached"), second.pop("byom.cached")) == ("true", "false")
    assert (first.pop("mlflow.runName"), second.pop("mlflow.runName")) != ("", "")
    assert first == second
    assert first == {
        "byom.run_id": "20261122",
        "byom.verdict": "failed",
        "byom.commit": "b45e53d",
        "byom.mxnet": "1.9.1",
        "mlflow.source.git.commit": "b45e53d",
    }


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ([], "not judged"),
        ([Finding(rule="a")], "passed"),
        ([Finding(rule="a"), Finding(rule="b", reason="c")], "failed"),
    ],
)
def test_the_verdict_is_told_in_words(findings: list[Finding], verdict: str) -> None:
    """A setting that nothing judged has not passed."""
    [run] = tracking.describe([row(replicate(), findings=findings)], run_id="r", facts={}, now=0)
    assert run.tags["byom.verdict"] == verdict


@pytest.mark.parametrize(
    ("told", "commit"),
    [("b45e53d", "b45e53d"), ("b45e53d98363-dirty", "b45e53d98363"), ("none", None), ("", None)],
)
def test_mlflow_is_told_the_commit_alone(told: str, commit: str | None) -> None:
    """Its own tag takes a commit and nothing else; what is said beside it is in the tag of the fact."""
    [run] = tracking.describe([row(replicate())], run_id="r", facts={"commit": told}, now=0)
    assert run.tags.get("mlflow.source.git.commit") == commit
    assert run.tags.get("byom.commit", "") == told


def test_two_endpoints_of_one_kind_share_a_tag() -> None:
    """Neither replaces the other."""
    endpoints = {
        name: Deployed(kind="live", name=name, instance_type="ml.m4.xlarge", state="deleted") for name in ("a", "b")
    }
    [run] = tracking.describe([row(replicate(), endpoints=endpoints)], run_id="r", facts={}, now=0)
    assert run.tags["byom.endpoint.live"] == "a: deleted; b: deleted"


@needs_mlflow
def test_a_second_session_adds_to_the_experiment(uri: str) -> None:
    """The experiment is found again, and nothing of the first session changes."""
    for run_id in ("one", "two"):
        tracking.track([row(replicate())], uri, run_id=run_id, facts={})
    assert sorted(run.data.tags["byom.run_id"] for run in logged(uri)) == ["one", "two"]


@needs_mlflow
def test_a_figure_that_is_none_is_not_a_number(uri: str) -> None:
    """A loss that was NaN or infinite reads NaN; what stands in the file is marked as such."""
    diverged = replicate(0, loss=math.nan, history=(epoch(1, math.inf), epoch(2, -math.inf), epoch(3, 0.5)))
    tracking.track([row(diverged)], uri, run_id="r", facts={})
    [run] = logged(uri)
    assert [math.isnan(value) for _, value in history(uri, run, "train_loss")] == [True, True, False]
    assert math.isnan(run.data.metrics["loss"])
    with closing(sqlite3.connect("mlflow.db")) as database:
        assert database.execute("SELECT count(*) FROM metrics WHERE is_nan").fetchall() == [(3,)]


@needs_mlflow
def test_mlflow_would_keep_infinity_as_a_number(uri: str) -> None:
    """Control: passed on as it is, an infinite loss reads as the largest float."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri)
    run = client.create_run(client.create_experiment("infinite"))
    client.log_metric(run.info.run_id, "loss", math.inf)
    assert history(uri, run, "loss") == [(0, sys.float_info.max)]


@needs_mlflow
def test_long_histories_arrive_whole(uri: str) -> None:
    """More metrics, params and tags than MLflow takes in one request, and every one is there."""
    settings: dict[str, int | float | str | bool] = {f"setting{number}": number for number in range(120)}
    facts = {f"fact{number}": "x" for number in range(120)}
    tracking.track([row(replicate(0, epochs=260), settings=settings)], uri, run_id="r", facts=facts)
    with closing(sqlite3.connect("mlflow.db")) as database:
        counts = [database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("metrics", "params")]  # noqa: S608
        [facts_logged] = database.execute("SELECT count(*) FROM tags WHERE key LIKE 'byom.fact%'").fetchone()
    assert counts == [260 * 4 + 2, 120 + 2]
    assert facts_logged == 120


@needs_mlflow
def test_long_values_are_shortened(uri: str) -> None:
    """Params, tags and names end in dots where MLflow's columns end, and odd names get characters that it takes."""
    long = row(replicate(), settings={"layers": "x" * 7000, "größe?": 1})
    long.hyperparameters = "y" * 300
    tracking.track([long], uri, run_id="r", facts={"note": "z" * 9000})
    [run] = logged(uri)
    assert run.data.params["layers"] == "x" * 5997 + "..."
    assert run.data.params["größe_"] == "1"
    assert run.data.tags["byom.note"] == "z" * 7997 + "..."
    assert run.info.run_name == "y" * 247 + "..."


@needs_mlflow
def test_nothing_else_is_written(uri: str, tmp_path: Path) -> None:
    """The folder holds the database and nothing beside it; no ``mlruns``."""
    tracking.track([row(replicate())], uri, run_id="r", facts={})
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


@pytest.mark.parametrize(
    "uri", ["sqlite:///mlflow.db", "http://localhost:5000", "https://u:p@h.example/x", "databricks://profile"]
)
def test_addresses_are_accepted(uri: str) -> None:
    """Whatever has a scheme and something behind it; whether MLflow knows the scheme is for MLflow to say."""
    tracking.check_uri(uri)


@pytest.mark.parametrize("uri", ["", " ", "experiments", "mlflow.db", "./x", "/srv/x", "http://", "http:x", "://x"])
def test_what_is_no_address_is_refused(uri: str) -> None:
    """Above all the path that an option with an optional value swallows."""
    with pytest.raises(DeclarationError) as caught:
        tracking.check_uri(uri)
    assert str(caught.value) == (
        "--mlflow-uri: expected an address such as sqlite:///mlflow.db or https://mlflow.example.org, "
        f"found {uri!r}; the option takes the word that follows it, so put what pytest is to run before it, and "
        "--mlflow-uri last (alone it means sqlite:///mlflow.db), or write --mlflow-uri=ADDRESS"
    )


def test_an_address_that_cannot_be_read_is_refused() -> None:
    """An error of the declaration, not of the parser."""
    with pytest.raises(DeclarationError, match=r"found 'http://\[x'"):
        tracking.check_uri("http://[x")


def test_without_mlflow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for it learns what to install."""
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(HarnessError, match=r"found none; pip install 'byom-harness\[mlflow\]'"):
        tracking.track([row(replicate())], "sqlite:///mlflow.db", run_id="r", facts={})


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine that nobody listens at, kept from others meanwhile."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@needs_mlflow
def test_a_server_that_is_away_is_one_error(
    closed_port: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It names the address without the password, keeps the cause, and nothing is written to the terminal."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    uri = f"http://ann:s%65cret@127.0.0.1:{closed_port}"
    with pytest.raises(HarnessError) as caught:
        tracking.track([row(replicate(0), replicate(1))], uri, run_id="r", facts={})
    message = str(caught.value)
    assert message.startswith(
        f"MLflow at http://***@127.0.0.1:{closed_port}: expected to log 2 run(s), logged 0, then found: "
    )
    assert message.endswith("; see that the address is right and the server runs, then run again")
    assert "Connection refused" in message
    assert "cret" not in message
    assert type(caught.value.__cause__).__name__ == "MlflowException"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://ann:s%65cret@db/mlflow", "postgresql://***@db/mlflow"),
        ("at http://bob@x/, and http://x/", "at http://***@x/, and http://x/"),
        ("mysql://ann:p@s/w@db/mlflow", "mysql://***@db/mlflow"),
        ("password s%65cret or secret", "password *** or ***"),
        ("sqlite:///a@b.db", "sqlite:///a@b.db"),
    ],
)
def test_credentials_are_masked_wherever_they_stand(text: str, shown: str) -> None:
    """In any address, also with a password that should have been quoted, and the password alone, also decoded."""
    assert tracking.masked(text, "postgresql://ann:s%65cret@db/mlflow") == shown


@needs_mlflow
def test_the_command_line_is_logged_without_credentials(uri: str) -> None:
    """A fact that repeats an address does not carry its password into the store."""
    facts = {"command": "pytest --mlflow-uri=https://ann:secret@h.example"}
    tracking.track([row(replicate())], uri, run_id="r", facts=facts)
    [run] = logged(uri)
    assert run.data.tags["byom.command"] == "pytest --mlflow-uri=https://***@h.example"


@needs_mlflow
@pytest.mark.parametrize(
    ("address", "finding"),
    [("sqlite:///.", "unable to open database file"), ("sqlite:///text.db", "not a database"), ("foo://x", "'foo")],
    ids=["a folder", "another file", "an unknown scheme"],
)
def test_a_store_that_cannot_be_used_is_one_error(
    address: str, finding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The error has the database's or MLflow's own words, and the terminal has none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.db").write_text("a text that is long enough to be read as a database's first page\n" * 20)
    with pytest.raises(HarnessError, match=finding) as caught:
        tracking.track([row(replicate())], address, run_id="r", facts={})
    assert caught.value.__cause__ is not None
    assert capfd.readouterr() == ("", "")


@needs_mlflow
def test_the_process_is_left_as_it_was(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment and loggers, whether a switch was set before or not."""
    monkeypatch.setenv("DO_NOT_TRACK", "maybe")
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    environment = dict(os.environ)
    levels = [logging.getLogger(name).level for name in tracking.TALKERS]
    tracking.track([row(replicate())], uri, run_id="r", facts={})
    with pytest.raises(HarnessError):
        tracking.track([row(replicate())], "foo://x", run_id="r", facts={})
    assert dict(os.environ) == environment
    assert [logging.getLogger(name).level for name in tracking.TALKERS] == levels


@needs_mlflow
def test_only_one_session_at_a_time_is_in_a_file(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While runs are logged the folder is locked, and afterwards it is not."""
    from mlflow.tracking import MlflowClient

    def locked() -> bool:
        descriptor = os.open(tmp_path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    seen, terminate = [], MlflowClient.set_terminated
    monkeypatch.setattr(MlflowClient, "set_terminated", lambda *a, **k: (seen.append(locked()), terminate(*a, **k)))
    tracking.track([row(replicate())], uri, run_id="r", facts={})
    assert seen == [True]
    assert not locked()


@needs_mlflow
def test_two_sessions_make_one_store(two_sessions: tuple[Path, list[str]]) -> None:
    """Each logs its run; neither prints a word, asks the network, changes its environment or writes anything else."""
    folder, told = two_sessions
    assert told == ["1\nasked\nenvironment True\nloaded True\n"] * 2
    assert len(logged(f"sqlite:///{folder}/new/mlflow.db")) == 2
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) == ["new", "new/mlflow.db"]


@needs_mlflow
def test_mlflow_by_itself_tells_on_its_user(uri: str, tmp_path: Path) -> None:
    """Control: without the switches the same run asks the network, and leaves a number for this installation."""
    told = session(tmp_path, uri, preparation="t.tracking.SWITCHES.clear()").communicate(timeout=120)[0]
    assert "asked socket.getaddrinfo" in told
    assert (tmp_path / "config" / "mlflow" / "telemetry.json").exists()


def test_without_results_mlflow_is_not_loaded(tmp_path: Path) -> None:
    """Its import is paid by sessions that have something to log."""
    told = session(tmp_path, "sqlite:///mlflow.db", replicates="").communicate(timeout=120)[0]
    assert told == "0\nasked\nenvironment True\nloaded False\n"
    assert list(tmp_path.iterdir()) == []
