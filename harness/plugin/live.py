"""``-m aws``: the options, what is said and refused beforehand, and the live account as a fixture has it."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from harness.plugin.selection import Account
from harness.plugin.session import HarnessSession

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.cloud.budget import Budget
    from harness.cloud.ledger import RunState
    from harness.cloud.live import Terms
    from harness.cloud.session import Cloud


def add_options(group: pytest.OptionGroup) -> None:
    """Options of a live run."""
    group.addoption("--aws-role", metavar="ARN", help="with -m aws: the role that models run under (SAGEMAKER_ROLE)")
    group.addoption("--aws-region", metavar="NAME", help="with -m aws: the region (AWS_DEFAULT_REGION)")
    group.addoption(
        "--aws-instance-type",
        metavar="TYPE",
        default="ml.m4.xlarge",
        help="with -m aws: what endpoints run on (default: %(default)s)",
    )
    group.addoption(
        "--aws-budget",
        metavar="DOLLARS",
        default="1",
        help="with -m aws: make no endpoint that could bring the cost of all above this (default: %(default)s)",
    )
    group.addoption(
        "--aws-ttl",
        metavar="MINUTES",
        default="60",
        help="with -m aws: everything is deleted after so long, whatever happens (default: %(default)s)",
    )
    group.addoption(
        "--aws-hourly-price",
        metavar="DOLLARS",
        help="with -m aws: what an instance costs an hour, if the built-in list does not know it or is not exact",
    )
    group.addoption(
        "--keep-endpoint",
        action="store_true",
        help="with -m aws: leave the endpoints in service, and say how to remove them",
    )


def check_options(config: pytest.Config) -> None:
    """Refuse what is not a number, before anything is done.

    Raises:
        pytest.UsageError: names the option.
    """
    for option in ("--aws-budget", "--aws-ttl", "--aws-hourly-price"):
        _number(config, option)


def keeps_endpoints(config: pytest.Config, cloud: Cloud) -> bool:
    """Whether endpoints of an account are left in service."""
    return cloud.kind == Account.LIVE and bool(config.getoption("--keep-endpoint"))


def announce(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Say what the selected tests will make in AWS and what it may cost; refuse it if that is too much.

    Without credentials nothing is said: the tests will be skipped with the reason.

    Raises:
        pytest.UsageError: it could cost more than ``--aws-budget``, or no price is known.
    """
    endpoints = len({_setting(item) for item in items if _makes_endpoint(item)})
    if endpoints and not hasattr(config, "workerinput"):  # pytest-xdist shows nothing of a worker that ends here
        _announce(config, endpoints)


def announce_for_workers(config: pytest.Config) -> None:
    """The same in the controller of pytest-xdist, which knows that there are endpoints, and not how many.

    Raises:
        pytest.exit.Exception: one alone could cost more than ``--aws-budget``, or no price is known.
    """
    try:
        _announce(config, None)
    except pytest.UsageError as error:  # too late for that
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)


def _announce(config: pytest.Config, endpoints: int | None) -> None:
    from harness.cloud.live import execution_role, live_session, stand_in
    from harness.errors import CloudError, MissingError

    terms = _terms(config)
    try:
        region = live_session(terms.region).region_name
        execution_role(terms.role)
        budget = terms.budget_in(region)
        if stand_in():
            _say(config, f"byom: live AWS: {stand_in()} stands in for it (BYOM_AWS_STAND_IN); AWS itself is not tried")
        _say(config, _offer(config, region, endpoints, budget))
        budget.check(endpoints or 1)
    except MissingError:
        return
    except CloudError as error:
        raise pytest.UsageError(str(error)) from error


@contextmanager
def open_cloud(config: pytest.Config) -> Iterator[Cloud]:
    """The live account, for as long as a session needs it."""
    from harness.cloud.live import in_use, live_cloud
    from harness.errors import CloudError, MissingError

    session = HarnessSession.of(config)
    if not session.live:
        raise CloudError("live AWS: this run was not started with -m aws, so it must not reach an account")
    try:
        cloud = live_cloud(_terms(config), run=session.run_id, session=session.shared_id)
    except MissingError as error:
        session.refusal = str(error)
        pytest.skip(str(error))
    keep = keeps_endpoints(config, cloud)
    with in_use(cloud, say=session.hear, keep=keep):
        yield cloud


def remains(config: pytest.Config) -> list[str]:
    """At the end: what the runs of this session have left, in words; those of pytest-xdist's workers included."""
    session = HarnessSession.of(config)
    if not session.live:
        return []
    from harness.cloud.ledger import Ledger
    from harness.errors import CloudError

    try:
        states = [state for state in Ledger().runs() if state.run.session == session.shared_id]
    except CloudError as error:
        return [str(error)]
    return [_left(state) for state in states if state.open]


def _terms(config: pytest.Config) -> Terms:
    from harness.cloud.live import Terms

    return Terms(
        role=config.getoption("--aws-role"),
        region=config.getoption("--aws-region"),
        instance_type=config.getoption("--aws-instance-type"),
        budget=_number(config, "--aws-budget") or 0.0,
        minutes=_number(config, "--aws-ttl") or 0.0,
        hourly=_number(config, "--aws-hourly-price"),
    )


def _setting(item: pytest.Item) -> tuple[Path, tuple[tuple[str, int], ...]]:
    """What has an endpoint of its own: a module, and the parameters of whatever outlives a test."""
    callspec = getattr(item, "callspec", None)
    if callspec is None:
        return item.path, ()
    scopes = callspec._arg2scope.items()  # noqa: SLF001 - pytest tells the scope of a parameter nowhere else
    lasting = [name for name, scope in scopes if scope.value != "function" and name != "cloud"]
    return item.path, tuple((name, callspec.indices[name]) for name in sorted(lasting))


def _makes_endpoint(item: pytest.Item) -> bool:
    return item.get_closest_marker("aws") is not None and "endpoint" in getattr(item, "fixturenames", ())


def _offer(config: pytest.Config, region: str, endpoints: int | None, budget: Budget) -> str:
    terms = _terms(config)
    bound = f"at most ${budget.worst(endpoints):.2f} of " if endpoints else "at most "
    end = "They are deleted when their tests are done"
    if config.getoption("--keep-endpoint"):
        end = "They are kept (--keep-endpoint), and billed until you remove them, also beyond that"
    return (
        f"byom: live AWS: will make {endpoints or 'some'} endpoint(s) in {region}, each with a model, an endpoint "
        f"config and two objects in S3, on one {terms.instance_type} at up to ${budget.hourly:.3f} an hour, for at "
        f"most {terms.minutes:g} minutes: {bound}${budget.cap:.2f} (--aws-budget). {end}"
    )


def _left(state: RunState) -> str:
    names = ", ".join(str(intent.resource) for intent in state.open)
    command = f"byom reap --run {state.run.run} --region {state.run.region}"
    if state.kept:
        hourly = sum(intent.hourly for intent in state.open)
        price = f"${hourly:.3f} an hour"
        return f"live AWS: kept on purpose, and billed at up to {price} until you remove it: {names}; {command}"
    return f"live AWS: not deleted yet, and possibly billed: {names}; the run's watcher goes on trying, or: {command}"


def _say(config: pytest.Config, line: str) -> None:
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(line, yellow=True)


def _number(config: pytest.Config, option: str) -> float | None:
    text = config.getoption(option)
    try:
        number = None if text is None else float(text)
    except ValueError:
        number = math.nan
    if number is None or (math.isfinite(number) and number > 0):
        return number
    raise pytest.UsageError(f"{option}: expected a number above 0, found {text!r}")
