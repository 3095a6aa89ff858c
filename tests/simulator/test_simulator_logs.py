"""What endpoints print, in CloudWatch Logs of a hollow account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hollow_account import LINE
from simulator_aws import log_group, refused, unique
from simulator_rules import holds

from harness.simulator.endpoints import RecordedServer

if TYPE_CHECKING:
    from hollow_account import HollowAccount


def groups(hollow: HollowAccount, name: str) -> list[str]:
    """The log groups whose names begin as that of an endpoint."""
    found = hollow.client("logs").describe_log_groups(logGroupNamePrefix=log_group(name))["logGroups"]
    return [one["logGroupName"] for one in found]


@holds("logs")
def test_what_a_server_prints_can_be_read(hollow: HollowAccount) -> None:
    """At once, each line once and in order, in a stream of the variant and its instance."""
    name = hollow.serve(unique("loud"))
    assert hollow.log(name) == [LINE]
    hollow.invoke(name, b"[1]", content_type="text/csv")
    hollow.invoke(name, b"[2]")
    asked = [
        f"asked [{number}] as {kind} for */* within 60" for number, kind in ((1, "text/csv"), (2, "application/json"))
    ]
    assert hollow.log(name) == [LINE, *asked]
    assert hollow.log(name) == [LINE, *asked]
    [stream] = hollow.client("logs").describe_log_streams(logGroupName=log_group(name))["logStreams"]
    variant, _, instance = stream["logStreamName"].partition("/")
    assert variant == "AllTraffic"
    assert instance.startswith("i-0")
    assert len(instance) == 19


@holds("logs")
def test_a_server_that_did_not_start_has_left_its_log(hollow: HollowAccount) -> None:
    """The lines of an endpoint that failed are there without anybody asking before."""
    hollow.gates.refuses = "no such café"
    name = hollow.serve(unique("failed"))
    assert hollow.log(name) == [LINE, "no such café"]


@holds("logs-stay")
def test_a_log_outlives_its_endpoint(hollow: HollowAccount) -> None:
    """What was printed last is in it, and it is gone when somebody deletes it."""
    name = hollow.serve(unique("loud"))
    hollow.invoke(name, b"[1]")
    hollow.delete_and_wait(name)
    assert hollow.log(name) == [LINE, "asked [1] as application/json for */* within 60"]
    hollow.client("logs").delete_log_group(logGroupName=log_group(name))
    assert groups(hollow, name) == []


@holds("logs")
def test_a_log_that_was_deleted_begins_anew(hollow: HollowAccount) -> None:
    """An endpoint that goes on printing makes the group again, without the lines of before; a quiet one does not."""
    name = hollow.serve(unique("loud"))
    hollow.client("logs").delete_log_group(logGroupName=log_group(name))
    assert groups(hollow, name) == []
    hollow.invoke(name, b"[1]")
    assert hollow.log(name) == ["asked [1] as application/json for */* within 60"]


@holds("logs")
def test_an_endpoint_of_the_same_name_has_a_stream_of_its_own(hollow: HollowAccount) -> None:
    """The group is the name's, the stream the instance's."""
    name = hollow.serve(unique("again"))
    hollow.delete_and_wait(name)
    hollow.create_endpoint(name, name)
    hollow.settled(name)
    assert hollow.log(name) == [LINE, LINE]
    assert len(hollow.client("logs").describe_log_streams(logGroupName=log_group(name))["logStreams"]) == 2


def test_an_endpoint_that_printed_nothing_has_no_log(hollow: HollowAccount) -> None:
    """A server that was never started leaves no group."""
    name = hollow.serve(unique("silent"), image="xgboost")
    assert hollow.status(name) == "Failed"
    assert groups(hollow, name) == []
    with refused() as refusal:
        hollow.log(name)
    assert refusal.code == "ResourceNotFoundException"


def test_a_recorded_server_can_be_read_when_it_is_over() -> None:
    """Its folder is gone, its log is not, however often it is stopped."""
    server = RecordedServer()
    (server.folder / "container.log").write_text("first\nlast\n", encoding="utf-8")
    server.stop()
    server.stop()
    assert not server.folder.exists()
    assert server.log() == "first\nlast\n"
