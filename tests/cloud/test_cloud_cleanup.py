"""Clean-up: newest first, by name, what is gone is done, what is left is named."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from harness.cloud import cleanup
from harness.cloud.cleanup import delete_all
from harness.errors import LeftoverError
from harness.resources import Inventory, Kind, Resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.cloud.session import Cloud

EVERYTHING = (
    Resource(Kind.OBJECT, "s3://a-bucket/run/model.tar.gz"),
    Resource(Kind.MODEL, "run"),
    Resource(Kind.ENDPOINT_CONFIG, "run"),
    Resource(Kind.ENDPOINT, "run"),
)


def client_error(code: str, message: str, status: int = 400) -> Exception:
    """What botocore raises for an error answer."""
    from botocore.exceptions import ClientError

    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Delete"
    )


class Recorder:
    """A cloud that writes down every delete, and raises what it is told to, as often as it is told to."""

    kind, poll_seconds = "simulated", 0.0

    def __init__(self, failures: dict[str, list[Exception]] | None = None) -> None:
        self.calls: list[str] = []
        self._failures = failures or {}

    def client(self, service: str) -> Any:
        """A client of which only deletes exist."""
        names = {"sagemaker": ("delete_endpoint", "delete_endpoint_config", "delete_model"), "s3": ("delete_object",)}
        return SimpleNamespace(**{name: self._call(name) for name in names[service]})

    def _call(self, name: str) -> Callable[..., None]:
        def call(**_: Any) -> None:
            self.calls.append(name)
            if self._failures.get(name):
                raise self._failures[name].pop(0)

        return call


def clean(recorder: Recorder, inventory: Inventory) -> None:
    """delete_all over a recorder."""
    delete_all(recorder, inventory)  # type: ignore[arg-type]


def test_newest_first() -> None:
    """The endpoint goes before its config, the config before the model, the model before its tarball."""
    recorder, inventory = Recorder(), Inventory(list(EVERYTHING))
    clean(recorder, inventory)
    assert recorder.calls == ["delete_endpoint", "delete_endpoint_config", "delete_model", "delete_object"]
    assert inventory.made == []


def test_what_is_gone_is_done() -> None:
    """SageMaker's "Could not find" and S3's missing bucket count as deleted."""
    gone = {
        "delete_endpoint": [client_error("ValidationException", "Could not find endpoint 'x'.")],
        "delete_object": [client_error("NoSuchBucket", "The specified bucket does not exist", 404)],
    }
    inventory = Inventory(list(EVERYTHING))
    clean(Recorder(gone), inventory)
    assert inventory.made == []


@pytest.mark.parametrize(
    ("code", "message", "status"),
    [
        ("ValidationException", 'Cannot update in-progress endpoint "x".', 400),
        ("ThrottlingException", "Rate exceeded", 400),
        ("InternalFailure", "try again", 500),
    ],
)
def test_busy_is_tried_again(code: str, message: str, status: int) -> None:
    """While AWS is busy, slow or failing on its side, the same delete is repeated."""
    error = client_error(code, message, status)
    recorder = Recorder({"delete_endpoint": [error, error]})
    clean(recorder, Inventory([EVERYTHING[3]]))
    assert recorder.calls == ["delete_endpoint"] * 3


def test_what_cannot_be_deleted_is_named_and_keeps_nothing_else() -> None:
    """One refusal leaves that resource in the inventory and in the error, and everything else is deleted."""
    denied = client_error("AccessDeniedException", "not authorized to perform sagemaker:DeleteEndpointConfig")
    recorder, inventory = Recorder({"delete_endpoint_config": [denied]}), Inventory(list(EVERYTHING))
    with pytest.raises(
        LeftoverError, match=r"(?s)possibly billed:\n  endpoint config run: .*DeleteEndpointConfig"
    ) as caught:
        clean(recorder, inventory)
    assert "s3 object" not in str(caught.value)
    assert inventory.made == [EVERYTHING[2]]
    assert recorder.calls[-1] == "delete_object"


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that stays broken ends in a named leftover, not in an endless loop."""
    monkeypatch.setattr(cleanup, "_RETRY_SECONDS", 0.05)
    broken = [client_error("InternalFailure", "still broken", 500) for _ in range(100_000)]
    with pytest.raises(LeftoverError, match=r"endpoint run: .*still broken"):
        clean(Recorder({"delete_endpoint": broken}), Inventory([EVERYTHING[3]]))


def test_only_what_was_noted_is_touched(account: Cloud) -> None:
    """On the simulated account, an object and a bucket with look-alike names survive the clean-up."""
    s3 = account.client("s3")
    s3.create_bucket(Bucket="a-bucket")
    for key in ("run/model.tar.gz", "run/model.tar.gz.bak", "run2/model.tar.gz"):
        s3.put_object(Bucket="a-bucket", Key=key, Body=b"x")
    delete_all(account, Inventory(list(EVERYTHING)))
    left = [entry["Key"] for entry in s3.list_objects_v2(Bucket="a-bucket")["Contents"]]
    assert left == ["run/model.tar.gz.bak", "run2/model.tar.gz"]


def test_noting_twice_keeps_one_entry() -> None:
    """A resource that is noted again is not deleted twice."""
    inventory = Inventory()
    inventory.note(Kind.MODEL, "run")
    inventory.note(Kind.MODEL, "run")
    assert inventory.newest_first() == (Resource(Kind.MODEL, "run"),)
    assert str(inventory.made[0]) == "model run"
