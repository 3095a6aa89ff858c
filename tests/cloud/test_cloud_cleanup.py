"""Clean-up: newest first, by name, until it is gone; what is left is named with its price; no stranger is touched."""

from __future__ import annotations

import dataclasses
import itertools
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from leaks import flow, strangers
from leaks.hollow_account import hollow_account

from harness.cloud import cleanup
from harness.cloud.claim import LOGS
from harness.cloud.cleanup import Leftover, clean, delete_all, leftover_error, remove
from harness.cloud.sighting import Sighting
from harness.errors import LeftoverError
from harness.resources import Kind, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.cloud.session import Cloud

NAME = f"byom-x-{flow.RUN}-1"
MADE = (
    Resource(Kind.OBJECT, f"s3://bucket/{NAME}/model.tar.gz"),
    Resource(Kind.MODEL, NAME),
    Resource(Kind.ENDPOINT_CONFIG, NAME),
    Resource(Kind.LOG_GROUP, f"{LOGS}{NAME}"),
    Resource(Kind.ENDPOINT, NAME),
)
OURS = {"byom:run": flow.RUN.encode().decode()}
"""AWS answers with a text that is equal, and not the same object."""


@pytest.fixture(scope="module")
def hollow() -> Iterator[str]:
    """Address of an account without models."""
    with hollow_account() as url:
        yield url


@pytest.fixture
def cloud(hollow: str, tmp_path: Path) -> Cloud:
    """That account, with a new ledger."""
    return flow.open_account(hollow, tmp_path)


@pytest.fixture
def intended(cloud: Cloud) -> Cloud:
    """The same, with a line in the ledger for each kind of thing."""
    cloud.recorder.begin()
    for resource in MADE:
        hourly = 0.28 if resource.kind is Kind.ENDPOINT else 0.0
        cloud.recorder.ledger.intend(flow.RUN, resource, hourly=hourly)
    return cloud


class Things:
    """What `look` sees: each thing is there until it is deleted; answers and errors can be put in between."""

    def __init__(self, there: tuple[Resource, ...], *, tags: dict[str, str] | None = None) -> None:
        self.there = list(there)
        self.tags = OURS if tags is None else tags
        self.deleted: list[Kind] = []
        self.answers: list[Exception | Sighting | None] = []

    def look(self, _: Cloud, resource: Resource, __: str) -> Sighting | None:
        """As `harness.cloud.sighting.look`."""
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        return Sighting(self.tags, lambda: self._delete(resource)) if resource in self.there else None

    def _delete(self, resource: Resource) -> None:
        self.there.remove(resource)
        self.deleted.append(resource.kind)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Things]:
    """Lets clean-up see things of a test's making."""

    def see(*there: Resource, tags: dict[str, str] | None = None) -> Things:
        things = Things(there, tags=tags)
        monkeypatch.setattr(cleanup, "look", things.look)
        return things

    return see


def refusal(code: str, message: str = "no", status: int = 400) -> Exception:
    """What botocore raises for an error answer."""
    from botocore.exceptions import ClientError

    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "DescribeEndpoint")


def test_newest_first(intended: Cloud, seen: Callable[..., Things]) -> None:
    """The endpoint goes before its log and its config, the config before the model, the model before its tarball."""
    things = seen(*MADE)
    assert clean(intended, intended.recorder.ledger, flow.RUN) == []
    assert things.deleted == [Kind.ENDPOINT, Kind.LOG_GROUP, Kind.ENDPOINT_CONFIG, Kind.MODEL, Kind.OBJECT]
    [state] = intended.recorder.ledger.runs()
    assert state.open == ()


def test_what_is_gone_is_done(intended: Cloud, seen: Callable[..., Things]) -> None:
    """Nothing is there any more, and long enough: the ledger is settled without a single delete."""
    things = seen()
    assert clean(intended, intended.recorder.ledger, flow.RUN, is_answered=lambda _: True) == []
    assert (things.deleted, intended.recorder.ledger.runs()[0].open) == ([], ())


def test_a_run_that_nobody_knows_has_nothing(cloud: Cloud) -> None:
    """No line, no call."""
    assert clean(cloud, cloud.recorder.ledger, "ffffffff") == []


def test_one_deployment_of_several(cloud: Cloud, seen: Callable[..., Things]) -> None:
    """Only what has the deployment's name is deleted: not one whose name begins the same."""
    cloud.recorder.begin()
    others = [dataclasses.replace(one, name=one.name.replace(NAME, f"{NAME}0")) for one in MADE]
    for resource in (*MADE, *others):
        cloud.recorder.ledger.intend(flow.RUN, resource)
    things = seen(*MADE, *others)
    assert clean(cloud, cloud.recorder.ledger, flow.RUN, deployment=NAME) == []
    assert things.there == others


def test_one_line_twice_is_looked_at_once(intended: Cloud, seen: Callable[..., Things]) -> None:
    """A thing that was intended twice is one thing."""
    intended.recorder.ledger.intend(flow.RUN, MADE[1])
    things = seen(*MADE)
    things.answers = [None]  # of the model, which is now the newest
    assert clean(intended, intended.recorder.ledger, flow.RUN, is_answered=lambda _: True) == []
    assert Kind.MODEL not in things.deleted


def test_a_late_creation_is_waited_for(intended: Cloud, seen: Callable[..., Things]) -> None:
    """What is not there yet, and whose creation nobody has answered, is looked for until its time is over."""
    things = seen(MADE[4])
    things.answers = [None, None]
    assert remove(intended, MADE[4], flow.RUN, final=time.time() + 0.3) == ""
    assert things.deleted == [Kind.ENDPOINT]


def test_what_nobody_has_answered_may_still_come(cloud: Cloud, seen: Callable[..., Things]) -> None:
    """From the line in the ledger on, as long as a request may be on its way, "not there" is no end."""
    cloud.recorder.begin()
    cloud.recorder.ledger.intend(flow.RUN, MADE[1])
    things = seen(MADE[1])
    things.answers = [None]
    assert clean(cloud, cloud.recorder.ledger, flow.RUN) == []
    assert things.deleted == [Kind.MODEL]


def test_a_creation_that_never_comes_is_told_if_its_time_is_not_over(
    intended: Cloud, seen: Callable[..., Things]
) -> None:
    """It never passes for gone."""
    seen()
    quick = dataclasses.replace(intended, pace=dataclasses.replace(flow.QUICK, busy=0.05))
    assert remove(quick, MADE[4], flow.RUN, final=time.time() + 60) == (
        "it is not there, but the call that makes it may be on its way"
    )
    assert remove(quick, MADE[4], flow.RUN, final=time.time()) == ""


@pytest.mark.parametrize("tags", [{}, {"byom:run": "ffffffff"}, {"Byom:Run": flow.RUN}])
def test_what_does_not_carry_our_tags_is_not_touched(
    intended: Cloud, seen: Callable[..., Things], tags: dict[str, str]
) -> None:
    """By name it is ours and by its tags it is not: it stays, and the user is told."""
    things = seen(MADE[1], tags=tags)
    left = clean(intended, intended.recorder.ledger, flow.RUN, is_answered=lambda _: True)
    reason = "it does not carry this run's tags, so it was not touched; if it is yours, delete it by hand"
    assert left == [Leftover(MADE[1], reason)]
    assert things.there == [MADE[1]]


def test_what_nobody_can_tag_is_known_by_its_name(intended: Cloud, seen: Callable[..., Things]) -> None:
    """A log group has no tags of ours: SageMaker made it."""
    things = seen()
    deleted: list[str] = []
    things.answers = [Sighting(None, lambda: deleted.append("log group"))]
    assert remove(intended, MADE[3], flow.RUN) == ""
    assert deleted == ["log group"]


def test_what_is_being_created_is_waited_for(intended: Cloud, seen: Callable[..., Things]) -> None:
    """It is not asked to go before it can."""
    things = seen(MADE[4])
    changing = Sighting(OURS, lambda: pytest.fail("AWS would refuse"), is_changing=True)
    things.answers = [changing, changing]
    assert remove(intended, MADE[4], flow.RUN) == ""
    assert things.deleted == [Kind.ENDPOINT]


def test_what_stays_busy_is_left_over(intended: Cloud, seen: Callable[..., Things]) -> None:
    """After the longest time that it may take."""
    things = seen(MADE[4])
    things.answers = [Sighting(OURS, lambda: None, is_changing=True)] * 1000
    quick = dataclasses.replace(intended, pace=dataclasses.replace(flow.QUICK, busy=0.05))
    assert remove(quick, MADE[4], flow.RUN) == "AWS is still creating or deleting it"


def test_a_delete_that_does_nothing_is_left_over(intended: Cloud, seen: Callable[..., Things]) -> None:
    """AWS took the order, and the thing is still there: that is no clean-up."""
    things = seen(MADE[4])
    things.answers = [Sighting(OURS, lambda: None)] * 1000
    quick = dataclasses.replace(intended, pace=dataclasses.replace(flow.QUICK, busy=0.05))
    assert remove(quick, MADE[4], flow.RUN) == "AWS was told to delete it, and it is still there"


@pytest.mark.parametrize(
    ("code", "message", "status"),
    [
        ("ThrottlingException", "Rate exceeded", 400),
        ("InternalFailure", "try again", 500),
        ("ValidationException", 'Cannot update in-progress endpoint "x".', 400),
        ("ValidationException", 'Could not find endpoint "x".', 400),  # between the look and the delete
        ("AccessDeniedException", "not yet", 400),  # permissions take seconds to arrive
    ],
)
def test_a_refusal_is_tried_again(
    intended: Cloud, seen: Callable[..., Things], code: str, message: str, status: int
) -> None:
    """One refusal more or less changes nothing."""
    things = seen(MADE[4])
    things.answers = [refusal(code, message, status)] * (cleanup.REFUSALS - 1)
    assert remove(intended, MADE[4], flow.RUN) == ""
    assert things.deleted == [Kind.ENDPOINT]


def test_refusals_count_in_a_row(intended: Cloud, seen: Callable[..., Things]) -> None:
    """One now and then among answers is not held against AWS."""
    things = seen(MADE[4])
    changing = Sighting(OURS, lambda: None, is_changing=True)
    refusals = [refusal("AccessDeniedException")] * (cleanup.REFUSALS - 1)
    things.answers = [*refusals, changing, *refusals]
    assert remove(intended, MADE[4], flow.RUN) == ""


def test_an_answer_forgives_all_refusals(intended: Cloud, seen: Callable[..., Things]) -> None:
    """After one it takes as many as from the start until they are believed."""
    things = seen(MADE[4])
    refused = refusal("AccessDeniedException")
    things.answers = [refused, Sighting(OURS, lambda: None, is_changing=True), *[refused] * 100]
    assert remove(intended, MADE[4], flow.RUN).startswith("AccessDeniedException")
    assert len(things.answers) == 100 - cleanup.REFUSALS


@pytest.mark.parametrize("message", ['Cannot update in-progress endpoint "x".', 'Could not find endpoint "x".'])
def test_busy_and_gone_are_no_refusals(intended: Cloud, seen: Callable[..., Things], message: str) -> None:
    """However often AWS says one of them, it is looked again until the thing is deleted."""
    things = seen(MADE[4])
    things.answers = [refusal("ValidationException", message)] * (2 * cleanup.REFUSALS)
    assert remove(intended, MADE[4], flow.RUN) == ""
    assert things.deleted == [Kind.ENDPOINT]


def test_a_refusal_for_good_is_believed(intended: Cloud, seen: Callable[..., Things]) -> None:
    """The third in a row ends it, in AWS's words and with the policy line."""
    things = seen(MADE[4])
    message = "User: u is not authorized to perform: sagemaker:DescribeEndpoint on resource: r"
    things.answers = [refusal("AccessDeniedException", message)] * 100
    problem = remove(intended, MADE[4], flow.RUN)
    assert problem.startswith(f"AccessDeniedException: {message}; the policy line that is missing: ")
    assert len(things.answers) == 100 - cleanup.REFUSALS


def test_a_service_that_stays_broken_is_left_over(intended: Cloud, seen: Callable[..., Things]) -> None:
    """Patience ends in a named leftover, not in an endless loop; it is counted from the last answer."""
    things = seen(MADE[4])
    things.answers = [refusal("InternalFailure", "still broken", 500)] * 100_000
    assert remove(intended, MADE[4], flow.RUN) == "InternalFailure: still broken"


def test_patience_is_counted_from_the_last_answer(
    intended: Cloud, seen: Callable[..., Things], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failures on AWS's side are borne for longer than the time that is allowed for them, by a hair, and no longer."""
    ticks = itertools.count(1, 2)
    monkeypatch.setattr(cleanup, "time", SimpleNamespace(monotonic=lambda: next(ticks), time=time.time))
    things = seen(MADE[4])
    things.answers = [refusal("InternalFailure", "broken", 500)] * 100
    patient = dataclasses.replace(intended, pace=dataclasses.replace(flow.QUICK, poll=0.001, broken=4))
    assert remove(patient, MADE[4], flow.RUN) == "InternalFailure: broken"
    assert len(things.answers) == 100 - 3


def test_what_cannot_be_deleted_is_named_and_keeps_nothing_else(intended: Cloud, seen: Callable[..., Things]) -> None:
    """One refusal leaves that thing in the ledger and in the error, with its price; all others are deleted."""
    things = seen(*MADE)
    things.answers = [refusal("ValidationException", "no such luck")] * cleanup.REFUSALS
    with pytest.raises(LeftoverError) as caught:
        delete_all(intended, because=KeyError("first"))
    assert str(caught.value) == (
        "clean-up of the simulated account: expected everything to be deleted, left over and possibly billed:\n"
        f"  endpoint {NAME} ($0.280 an hour): ValidationException: no such luck\n"
        f"mend the reason, then delete them with: byom reap --run {flow.RUN}"
    )
    assert isinstance(caught.value.__cause__, KeyError)
    [state] = intended.recorder.ledger.runs()
    assert [intent.resource for intent in state.open] == [MADE[4]]
    assert things.there == [MADE[4]]


def test_what_costs_nothing_has_no_price() -> None:
    """A leftover without an hourly price is named alone."""
    assert str(Leftover(MADE[1], "why")) == f"model {NAME}: why"


def test_the_loud_list_says_which_account(intended: Cloud) -> None:
    """Live and simulated ones are told apart."""
    live = dataclasses.replace(intended, kind="live")
    assert str(leftover_error(live, flow.RUN, [])).startswith("clean-up of the live account: ")


def test_strangers_are_not_touched(hollow: str, tmp_path: Path, packed_hollow: tuple[object, Path]) -> None:
    """Fifty things that look like ours, by name, key and tags, survive a deployment and its clean-up."""
    from leaks.flow import deploy_validate_delete

    bystander = flow.open_account(hollow, tmp_path / "bystander", run="00000000")
    strangers.settle_in(bystander)
    before = strangers.census(bystander), flow.everything(bystander)
    cloud = flow.open_account(hollow, tmp_path)
    deploy_validate_delete(cloud, *packed_hollow)  # type: ignore[arg-type]
    assert (strangers.census(bystander), flow.everything(bystander)) == before
