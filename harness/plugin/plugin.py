"""The plugin's front door: options, markers, and the hooks of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness.plugin import distribution, live, properties, telling
from harness.plugin.session import NAME, SHARED, HarnessSession

if TYPE_CHECKING:
    from collections.abc import Generator

MARKERS = (
    "local: runs on this machine alone, against the simulated account (set by the plugin)",
    "aws: runs against a real AWS account and costs money; only ever selected by -m aws (set by the plugin)",
    "gpu: needs an accelerator that JAX can use; skipped where there is none",
    "serving: starts AWS's model server",
    "browser: needs a browser",
)


REPLICATES = 24
"""In a baseline: made now and then, it may cost more than the runs that are compared with it, and steadies them all."""

QUIET = (
    # MXNet is archived: nobody will mend what its NDArray constructor asks of scipy.
    "ignore:Please import `csr_matrix`:DeprecationWarning",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the harness."""
    group = parser.getgroup("byom", "byom: bring your own model")
    group.addoption(
        "--engine", metavar="NAME", help="train with this engine, whatever the experiments name: mxnet, xla"
    )
    group.addoption(
        "--gpus", metavar="N", help="train on this many GPUs, whatever the experiments say; 0 trains on the CPU"
    )
    group.addoption("--retrain", action="store_true", help="train anew what an earlier run has trained and kept")
    group.addoption(
        "--update-baselines",
        action="store_true",
        help="accept what this run trains as the baselines that later runs are compared with, if it passes its floors",
    )
    group.addoption(
        "--baseline-replicates",
        metavar="N",
        default=str(REPLICATES),
        help="with --update-baselines: train at least this many seeds of each setting (default: %(default)s)",
    )
    group.addoption("--report", metavar="DIR", help="write index.html and results.jsonl into this folder")
    group.addoption(
        "--mlflow-uri",
        metavar="URI",
        nargs="?",
        const=telling.MLFLOW_DEFAULT,
        help="log every trial to MLflow; without a value to %(const)s",
    )
    group.addoption("--artifacts", metavar="DIR", help="keep a copy of every model.tar.gz in this folder")
    live.add_options(group)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers and register the session's state."""
    for line in MARKERS:
        config.addinivalue_line("markers", line)
    for line in QUIET:
        config.addinivalue_line("filterwarnings", line)
    config.pluginmanager.register(HarnessSession(config, gpus=_gpus(config), replicates=_replicates(config)), NAME)
    telling.check_options(config)
    live.check_options(config)
    if config.getoption("--engine"):
        from harness.errors import DeclarationError
        from harness.experiment import check_engine

        try:
            check_engine(config.getoption("--engine"))
        except DeclarationError as error:
            raise pytest.UsageError(f"--{error}") from error


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by -m
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what uses the pipeline, and leave out what would reach AWS without having been asked for."""
    from harness.plugin import selection

    expression = config.getoption("-m")
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        selection.mark(item)
        if selection.is_live(item) and config.pluginmanager.has_plugin("timeout"):
            # A real endpoint takes minutes to come up and longer to give up: deploying has a time limit of its own.
            item.add_marker(pytest.mark.timeout(0))
        is_live = item.get_closest_marker("aws") is not None
        (left_out if is_live and not selection.opted_in(item, expression) else kept).append(item)
    if left_out:
        items[:] = kept
        config.hook.pytest_deselected(items=left_out)
    HarnessSession.of(config).live = any(item.get_closest_marker("aws") for item in kept)


@pytest.hookimpl(wrapper=True)  # around what pytest-xdist does then
def pytest_collection_finish(session: pytest.Session) -> Generator[None, Any, Any]:
    """Tell the controller of pytest-xdist which tests belong together; say beforehand what a live run may cost."""
    with distribution.labelled(session.config, session.items):
        result = yield
    if not session.config.getoption("collectonly"):
        live.announce(session.config, session.items)
    return result


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """In the controller of pytest-xdist: tell a worker how tests are distributed, and whose budget it shares."""
    node.workerinput[distribution.INPUT] = node.config.getoption("dist")
    node.workerinput[SHARED] = HarnessSession.of(node.config).shared_id


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Under ``-n`` and ``--dist load``: keep the tests of a module that train on one worker."""
    if config.getoption("dist") != "load":
        return None
    from harness.plugin.scheduler import PopulationScheduling

    return PopulationScheduling(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: list[str]) -> None:
    """The same in the controller of pytest-xdist, which collects nothing itself and knows tests by their names."""
    state = HarnessSession.of(node.config)
    if not state.live and any("[live" in name for name in ids):
        state.live = True  # so that it is said once
        live.announce_for_workers(node.config)


@pytest.hookimpl(trylast=True)  # after the fixtures are set up
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse to test one class's experiment with another one's model: pytest keeps one per module."""
    properties.note_trials(item)
    values = getattr(item, "funcargs", {})
    experiment, setting = values.get("experiment"), values.get("hyperparameters")
    for trial in properties.models_of(item):
        if experiment is None or setting is None:
            continue
        declared = HarnessSession.of(item.config).as_run(experiment), setting
        if (trial.experiment, trial.hyperparameters) != declared:
            from harness.errors import DeclarationError

            raise DeclarationError(
                f"{item.nodeid}: expected one experiment per module, found another than the one that was trained here "
                f"({trial}); move it to a module of its own"
            )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Show the harness's own errors as their message: it says all, and a traceback through the harness says nothing."""
    report = yield
    from harness.errors import HarnessError

    if report.failed:
        HarnessSession.of(item.config).spoil(item)
    if (
        call.excinfo is not None
        and isinstance(call.excinfo.value, HarnessError)
        and not item.config.getoption("fulltrace")
    ):
        from harness.plugin.failure import Brief

        report.longrepr = Brief.of(item, call.excinfo)
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The table of what was trained, packed and deployed."""
    from harness.report.table import as_table

    session = HarnessSession.of(config)
    rows, keep = session.board.rows(), config.getoption("--artifacts")
    if rows:
        terminalreporter.write_sep("=", "experiments")  # not section(), which does not end a line that is begun
        terminalreporter.write_line(as_table(rows))
    if keep and any(row.artifact for row in rows):
        terminalreporter.write_line(f"byom: tarballs kept in {keep}, each named after its experiment and artifact")
    for line, well in session.told:
        terminalreporter.write_line(f"byom: {line}", red=not well, bold=not well)
    for line in dict.fromkeys(session.heard):
        terminalreporter.write_line(f"byom: {line}", yellow=True)
    for line in live.remains(config):
        terminalreporter.write_line(f"byom: {line}", red=True, bold=True)
    if session.refusal:
        terminalreporter.write_line(f"byom: live tests were skipped: {session.refusal}", yellow=True)


@pytest.hookimpl(trylast=True)  # when the workers of pytest-xdist are down
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write what is left of the session; in a worker of pytest-xdist: send the controller what it takes for that."""
    state = HarnessSession.of(session.config)
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[NAME] = state.to_plain()
        return
    if session.shouldstop or session.shouldfail or session.exitstatus == pytest.ExitCode.INTERRUPTED:
        state.incomplete = "the run was stopped before its end"
    state.told = list(telling.tell(state, session.config))
    if not all(well for _, well in state.told) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """In the controller of pytest-xdist: take what a worker has to tell; one that was killed sends nothing."""
    del error
    state, sent = HarnessSession.of(node.config), getattr(node, "workeroutput", {}).get(NAME)
    if sent:
        state.absorb(sent)
    else:
        state.incomplete = "a worker ended without telling what it saw"


def _gpus(config: pytest.Config) -> int | None:
    """What ``--gpus`` says; None if it was not given."""
    text = config.getoption("--gpus")
    if text is None or (text.isascii() and text.isdigit()):
        return None if text is None else int(text)
    raise pytest.UsageError(
        f"--gpus: expected a whole number of at least 0, found {text!r}; 0 trains on the CPU, 1 on one GPU"
    )


def _replicates(config: pytest.Config) -> int:
    """What ``--baseline-replicates`` says."""
    text = config.getoption("--baseline-replicates")
    if text.isascii() and text.isdigit() and int(text) > 1:
        return int(text)
    raise pytest.UsageError(
        f"--baseline-replicates: expected a whole number of at least 2, found {text!r}; one model says nothing of noise"
    )
