"""What ``pytest -m aws`` wants to have and promises beforehand, and who calls AWS and who does not."""

from __future__ import annotations

import select
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from live_account import ASKS, HEAD, OFFER, settings, small, write_live
from marked_processes import wait_for
from tiny_experiment import EXPERIMENT, SWEEP

from harness.plugin import live

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from forked_sessions import Nursery

ROLE = "the ARN of a role that SageMaker may assume"

THREE_EXPERIMENTS = EXPERIMENT.replace(
    '@pytest.fixture(scope="module")\ndef experiment():',
    '@pytest.fixture(scope="module", params=[1, 2, 3])\ndef experiment(request):',
)

OFTEN = """

@pytest.mark.parametrize("number", range(4))
def test_often(predictor, number):
    pass
"""


@dataclass(frozen=True)
class Ear:
    """Listens where an account would be, and answers nobody."""

    socket: socket.socket

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    @property
    def was_called(self) -> bool:
        """Whether anybody has connected."""
        return bool(select.select([self.socket], [], [], 0)[0])


@pytest.fixture
def ear() -> Iterator[Ear]:
    """One that nobody has called yet."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Ear(listener)


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        (
            {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
            "expected credentials, found none; run `aws configure` or set AWS_ACCESS_KEY_ID",
        ),
        (
            {"AWS_DEFAULT_REGION": ""},
            "expected a region, found none; pass --aws-region (of byom: --region) or set AWS_DEFAULT_REGION",
        ),
        ({"SAGEMAKER_ROLE": ""}, f"expected {ROLE}, found none; pass --aws-role or set SAGEMAKER_ROLE"),
        (
            {"AWS_PROFILE": "nosuch"},
            "The config profile (nosuch) could not be found; mend the AWS profile or unset AWS_PROFILE",
        ),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY; mend *"),
    ],
    ids=["credentials", "region", "role", "profile", "half"],
)
def test_what_is_missing_skips_with_its_name(
    forks: Nursery, ear: Ear, tmp_path: Path, changes: dict[str, str], missing: str
) -> None:
    """Nobody is called, nothing is trained or promised, and the last line says why nothing was tested."""
    folder = small(tmp_path)
    environment = {**settings(folder, ear.url), **changes}
    ran = forks.run(folder, "pytest", "-m", "aws", "-rs", env=environment)
    assert ran.code == 0, ran.output
    ran.matches(
        "test_small.py ss*", f"byom: live tests were skipped: live AWS: {missing}", f"SKIPPED * live AWS: {missing}"
    )
    assert "will make" not in ran.output
    assert not ear.was_called
    assert not (folder / "state").exists()


def test_workers_skip_with_the_same_words(forks: Nursery, ear: Ear, tmp_path: Path) -> None:
    """Under ``-n 2`` the controller promises nothing either, and says once at the end why nothing was tested."""
    folder = write_live(tmp_path, test_one=HEAD + ASKS, test_two=HEAD + ASKS)
    environment = {**settings(folder, ear.url), "SAGEMAKER_ROLE": ""}
    ran = forks.run(folder, "pytest", "-m", "aws", "-n", "2", env=environment)
    assert ran.code == 0, ran.output
    ran.matches("byom: live tests were skipped: live AWS: expected the ARN of a role *", "* 2 skipped*")
    assert "will make" not in ran.output
    assert ran.output.count("were skipped") == 1
    assert not ear.was_called


def test_every_endpoint_is_counted(forks: Nursery, ear: Ear, tmp_path: Path) -> None:
    """Whatever the parameters of a module's fixtures: each set of them has an endpoint, each test's own has not."""
    folder = write_live(tmp_path, test_many=THREE_EXPERIMENTS + SWEEP + OFTEN, test_one=HEAD + ASKS)
    environment = settings(folder, ear.url)
    ran = forks.run(folder, "pytest", "-m", "aws", "--aws-budget", "1.96", "--setup-plan", env=environment)
    assert ran.code == 0, ran.output
    ran.matches(f"{OFFER.format(7, 'ml.m4.xlarge', '0.280', 60, '1.96', '1.96')}*")
    assert forks.run(folder, "pytest", "-m", "aws", "--aws-budget", "1.95", env=environment).code == 4
    assert not ear.was_called


def test_a_run_that_could_cost_too_much_is_refused_beforehand(forks: Nursery, ear: Ear, tmp_path: Path) -> None:
    """Exit status 4, the figures and the option; nobody is called."""
    folder = small(tmp_path)
    environment = settings(folder, ear.url)
    ran = forks.run(folder, "pytest", "-m", "aws", "--aws-budget", "0.01", env=environment)
    assert ran.code == 4
    ran.matches(
        f"{OFFER.format(1, 'ml.m4.xlarge', '0.280', 60, '0.28', '0.01')}*",
        "ERROR: budget: expected at most $0.01, found that 1 more endpoint(s) at $0.280 an hour for up to 60 minutes "
        "can cost $0.28; none of that is made: raise --aws-budget, lower --aws-ttl or select fewer tests",
    )
    assert not ear.was_called
    assert not (folder / "state").exists()


def test_workers_are_not_sent_to_make_what_costs_too_much(forks: Nursery, ear: Ear, tmp_path: Path) -> None:
    """Under pytest-xdist the controller, which cannot count endpoints, refuses as well if one alone is too much."""
    folder = small(tmp_path)
    ran = forks.run(folder, "pytest", "-m", "aws", "-n", "1", "--aws-budget", "0.01", env=settings(folder, ear.url))
    assert ran.code == 4, ran.output
    ran.matches("*budget: expected at most $0.01, found that 1 more endpoint(s) at $0.280 an hour *")
    assert not ear.was_called
    assert not (folder / "state").exists()


def test_what_an_unknown_instance_costs_has_to_be_said(forks: Nursery, ear: Ear, tmp_path: Path) -> None:
    """Without a price it is refused, with one it is not; the price and the time are those that were given."""
    folder = small(tmp_path)
    environment = settings(folder, ear.url)
    options = ("pytest", "-m", "aws", "--setup-plan", "--aws-instance-type", "ml.p9.xlarge")
    refused = forks.run(folder, *options, env=environment)
    assert refused.code == 4
    refused.matches(
        "ERROR: budget: expected an instance type whose price is known (ml.t2.medium, *), found 'ml.p9.xlarge'; "
        "look up its hourly price and pass --aws-hourly-price"
    )
    options += ("--aws-hourly-price", "12", "--aws-ttl", "5", "--aws-budget", "2")
    accepted = forks.run(folder, *options, env=environment)
    assert accepted.code == 0, accepted.output
    accepted.matches(f"{OFFER.format(1, 'ml.p9.xlarge', '12.000', 5, '1.00', '2.00')}*")
    assert not ear.was_called


@pytest.mark.parametrize("option", ["--aws-budget", "--aws-ttl", "--aws-hourly-price"])
@pytest.mark.parametrize("text", ["much", "", "0", "-1", "nan", "inf", "1e999"])
def test_a_figure_has_to_be_one(option: str, text: str) -> None:
    """What is no number above 0, or no end of it, is refused by the name of its option."""

    class Config:
        def getoption(self, name: str) -> str:
            return text if name == option else "1"

    with pytest.raises(pytest.UsageError) as caught:
        live.check_options(Config())  # type: ignore[arg-type]
    assert str(caught.value) == f"{option}: expected a number above 0, found {text!r}"


def test_a_bad_figure_ends_the_run_before_it_begins(forks: Nursery, tmp_path: Path) -> None:
    """Exit status 4, even where nothing live is selected: it was typed for something."""
    ran = forks.run(small(tmp_path), "pytest", "--aws-ttl", "soon")
    assert ran.code == 4
    ran.matches("ERROR: --aws-ttl: expected a number above 0, found 'soon'")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("-k", "plain or live"), 0),
        (("-m", "local", "-k", "plain"), 0),
        (("-m", "not serving"), 0),
        (("-m", "aws", "--collect-only"), 0),
        (("-m", "aws", "-k", "plain"), 5),
        (("-m", "aws", "-k", "plain", "--aws-instance-type", "ml.unknown", "--aws-budget", "0.001"), 5),
    ],
    ids=["bare", "local", "not-serving", "collect-only", "none", "none-with-terms"],
)
def test_who_does_not_run_a_live_test_calls_nobody(
    forks: Nursery, ear: Ear, tmp_path: Path, arguments: tuple[str, ...], code: int
) -> None:
    """Nothing is said of costs and no connection is made, whatever the environment offers."""
    folder = small(tmp_path)
    environment = settings(folder, ear.url)
    ran = forks.run(folder, "pytest", *arguments, env=environment)
    assert ran.code == code, ran.output
    assert not ear.was_called
    assert "live AWS" not in ran.output
    assert not (folder / "state").exists()


def test_who_runs_a_live_test_calls(forks: Nursery, ear: Ear, tmp_path: Path) -> None:
    """Control: the same module under ``-m aws`` does."""
    folder = small(tmp_path)
    session = forks.start(folder, "pytest", "-m", "aws", env=settings(folder, ear.url))
    try:
        assert wait_for(lambda: ear.was_called, 60), session.told
    finally:
        session.kill()
