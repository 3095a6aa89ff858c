"""The recorder: nothing leaves for AWS that is not on the disk, and nothing is made that does not say whose it is."""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from harness.cloud import recorder as recorder_module
from harness.cloud.budget import Budget
from harness.cloud.ledger import Ledger, Run
from harness.cloud.recorder import Recorder
from harness.errors import CloudError
from harness.resources import Kind, Resource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RUN = Run(
    run="aaaa1111",
    session="5e551011",
    owner="arn:aws:sts::123456789012:assumed-role/a role/me",
    account="123456789012",
    region="us-east-1",
    expires=float(int(time.time()) + 3600) + 0.75,
)
NAME = "byom-aaaa1111-1"
CLAIM = {"byom:run": RUN.run, "byom:owner": RUN.owner, "byom:expires": str(math.ceil(RUN.expires))}
CLAIMED = [{"Key": key, "Value": value} for key, value in CLAIM.items()]
KEY = f"{NAME}/model.tar.gz"

MODEL, CONFIG, ENDPOINT, LOG_GROUP = (
    Resource(Kind.MODEL, NAME),
    Resource(Kind.ENDPOINT_CONFIG, NAME),
    Resource(Kind.ENDPOINT, NAME),
    Resource(Kind.LOG_GROUP, f"/aws/sagemaker/Endpoints/{NAME}"),
)
OBJECT = Resource(Kind.OBJECT, f"s3://a-bucket/{KEY}")


def create_model(client: Any, **more: Any) -> None:
    """A model."""
    client.create_model(ModelName=NAME, **more)


def create_config(client: Any, **more: Any) -> None:
    """An endpoint config."""
    client.create_endpoint_config(EndpointConfigName=NAME, ProductionVariants=[{"VariantName": "one"}], **more)


def create_endpoint(client: Any, **more: Any) -> None:
    """An endpoint."""
    client.create_endpoint(EndpointName=NAME, EndpointConfigName=NAME, **more)


def put_object(client: Any, **more: Any) -> None:
    """An object."""
    client.put_object(**{"Bucket": "a-bucket", "Key": KEY, "Body": b"x", **more})


def start_upload(client: Any, **more: Any) -> None:
    """An object in parts."""
    client.create_multipart_upload(**{"Bucket": "a-bucket", "Key": KEY, **more})


def complete(client: Any, key: str = KEY) -> None:
    """The end of an object in parts."""
    client.complete_multipart_upload(Bucket="a-bucket", Key=key, UploadId="1")


MAKES = [(create_model, [MODEL]), (create_config, [CONFIG]), (create_endpoint, [ENDPOINT, LOG_GROUP])]
STORES = [put_object, start_upload]
ANSWERED = [*MAKES, (put_object, [OBJECT])]


@dataclass
class Account:
    """A boto3 session that records, with nothing behind it but the answers that a test gives it.

    Attributes:
        ledger: what was written down.
        recorder: of the run.
        answers: HTTP statuses, or what is raised in place of an answer; 200 where there are none left.
        sent: the requests, each with what could exist at that moment according to the ledger.
    """

    ledger: Ledger
    recorder: Recorder
    answers: list[int | Exception] = field(default_factory=list)
    sent: list[tuple[Any, list[Resource]]] = field(default_factory=list)
    boto: Any = None

    def client(self, service: str, attempts: int = 1) -> Any:
        """A client of this session."""
        from botocore.config import Config

        return self.boto.client(service, config=Config(retries={"total_max_attempts": attempts}))

    @property
    def sagemaker(self) -> Any:
        """A client that tries once."""
        return self.client("sagemaker")

    def client_for(self, call: Callable[..., None]) -> Any:
        """The client that a call is made with."""
        return self.client("s3" if call in STORES else "sagemaker")

    @property
    def open(self) -> list[Resource]:
        """What may exist, newest first."""
        return [intent.resource for state in self.ledger.runs() for intent in state.open]

    def answer(self, request: Any, **_: Any) -> Any:
        """What botocore gets in place of AWS's answer."""
        from botocore.awsrequest import AWSResponse

        self.sent.append((request, self.open))
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        form = "<Answer/>" if "s3" in request.url else "{}"
        return AWSResponse(request.url, answer, {}, SimpleNamespace(stream=lambda **_: iter([form.encode()])))


@pytest.fixture(scope="module")
def loader() -> Any:
    """AWS's descriptions of its services, read once."""
    from botocore.loaders import create_loader

    return create_loader()


@pytest.fixture
def open_account(loader: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Account]:
    """Make an account; what it is given, the recorder is given."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    import boto3
    import botocore.session

    def open_it(**options: Any) -> Account:
        ledger, core = Ledger(tmp_path / "ledger"), botocore.session.Session()
        core.register_component("data_loader", loader)
        account = Account(ledger, Recorder(ledger, options.pop("run", RUN), **options))
        account.boto = boto3.Session("id", "secret", botocore_session=core, region_name="us-east-1")
        account.boto.events.register("before-send", account.answer)
        account.recorder.listen(account.boto)
        return account

    return open_it


@pytest.fixture
def account(open_account: Callable[..., Account]) -> Account:
    """One without a budget."""
    return open_account()


def body_of(account: Account, number: int = 0) -> dict[str, Any]:
    """What a request to SageMaker asks for."""
    return dict(json.loads(account.sent[number][0].body))


@pytest.mark.parametrize(("create", "made"), MAKES)
def test_it_is_in_the_ledger_before_the_request_leaves(
    account: Account, create: Callable[..., None], made: list[Resource]
) -> None:
    """At the moment of sending, the ledger has what is made; of an endpoint also the log group that it will make."""
    create(account.sagemaker)
    assert [could_exist for _, could_exist in account.sent] == [made]
    assert account.open == made


@pytest.mark.parametrize("store", STORES)
def test_an_object_is_in_the_ledger_before_the_request_leaves(account: Account, store: Callable[..., None]) -> None:
    """At the moment of sending, the ledger has the object, by bucket and key."""
    store(account.client("s3"))
    assert [could_exist for _, could_exist in account.sent] == [[OBJECT]]


def test_a_run_begins_with_the_first_thing_it_makes(account: Account) -> None:
    """Who creates is written down once, before the first thing, and not by a run that creates nothing."""
    account.sagemaker.delete_endpoint(EndpointName=NAME)
    assert not account.ledger.path.exists()
    create_model(account.sagemaker)
    account.recorder.begin()
    create_config(account.sagemaker)
    events = [json.loads(line)["event"] for line in account.ledger.path.read_text().splitlines()]
    assert events == ["run", "intent", "intent"]
    assert account.ledger.runs()[0].run == RUN


def test_listening_twice_records_once(account: Account) -> None:
    """A session that is recorded already is not recorded once more; another one is."""
    import boto3

    account.recorder.listen(account.boto)
    create_model(account.sagemaker)
    assert account.open == [MODEL]
    assert body_of(account)["Tags"] == CLAIMED
    other = Account(account.ledger, account.recorder, boto=boto3.Session("id", "secret", region_name="us-east-1"))
    other.boto.events.register("before-send", other.answer)
    account.recorder.listen(other.boto)
    create_config(other.sagemaker)
    assert account.open == [CONFIG, MODEL]


@pytest.mark.parametrize(("create", "made"), MAKES)
def test_everything_of_sagemaker_says_whose_it_is(
    account: Account, create: Callable[..., None], made: list[Resource]
) -> None:
    """The claim's three tags are added to the request, and nothing else is changed."""
    create(account.sagemaker)
    body = body_of(account)
    assert body.pop("Tags") == CLAIMED
    expected = {
        create_model: {"ModelName": NAME},
        create_config: {"EndpointConfigName": NAME, "ProductionVariants": [{"VariantName": "one"}]},
        create_endpoint: {"EndpointName": NAME, "EndpointConfigName": NAME},
    }
    assert body == expected[create]


@pytest.mark.parametrize(("create", "made"), MAKES)
def test_tags_of_the_caller_stay_but_for_forged_ones(
    account: Account, create: Callable[..., None], made: list[Resource]
) -> None:
    """Own tags of a test come first; one that is called like a tag of the claim gives way."""
    team, forged = {"Key": "team", "Value": "vision"}, {"Key": "byom:run", "Value": "another"}
    given = [forged, team]
    create(account.sagemaker, Tags=given)
    assert body_of(account)["Tags"] == [team, *CLAIMED]
    assert given == [forged, team]


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, {}),
        ({"Tagging": "team=vision&a%20b=%2B&empty="}, {"team": "vision", "a b": "+", "empty": ""}),
        ({"Tagging": "byom:run=another&team=vision"}, {"team": "vision"}),
    ],
)
def test_everything_in_s3_says_whose_it_is(
    account: Account, store: Callable[..., None], given: dict[str, str], kept: dict[str, str]
) -> None:
    """The claim joins the caller's tags but forged ones, each name once, in the form of a query, blanks as %20."""
    store(account.client("s3"), **given)
    tagging = account.sent[0][0].headers["x-amz-tagging"].decode()
    tags = parse_qsl(tagging, keep_blank_values=True, strict_parsing=True)
    assert sorted(tags) == sorted((kept | CLAIM).items())
    assert "a%20role" in tagging


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("key", ["data/train.csv", "byom-bbbb2222-1/model.tar.gz", "aaaa1111/model.tar.gz"])
def test_what_is_not_of_this_run_is_left_alone(account: Account, store: Callable[..., None], key: str) -> None:
    """Objects that a test stores under names of its own are its own: neither written down nor tagged."""
    store(account.client("s3"), Key=key)
    [(request, could_exist)] = account.sent
    assert could_exist == []
    assert "x-amz-tagging" not in request.headers
    assert account.open == []


@pytest.mark.parametrize(
    ("key", "is_own"),
    [
        ("byom-aaaa1111/x", True),
        ("byom-mnist-aaaa1111-2/data/x", True),
        ("byom-aaaa1111/", False),
        ("byom-aaaa1111", False),
        ("byom-aaaa11112/x", False),
        ("byom-xaaaa1111/x", False),
        ("other-aaaa1111/x", False),
        ("/byom-aaaa1111/x", False),
        ("data/byom-aaaa1111/x", False),
        ("", False),
    ],
)
def test_a_key_is_owned_by_its_first_folder(account: Account, key: str, is_own: bool) -> None:
    """The folder begins like the harness's names and has the run as one of its parts."""
    assert account.recorder.owns_key(key) is is_own


def test_other_calls_are_left_alone(account: Account) -> None:
    """What creates nothing is sent as it is, and nothing is written down."""
    account.sagemaker.delete_endpoint(EndpointName=NAME)
    account.client("s3").delete_object(Bucket="a-bucket", Key=KEY)
    assert body_of(account) == {"EndpointName": NAME}
    assert account.open == []


def test_the_price_is_written_down(open_account: Callable[..., Account]) -> None:
    """An endpoint's hourly price is the budget's; what costs nothing by the hour has none."""
    account = open_account(budget=Budget(cap=1.0, hourly=0.28, seconds=3600))
    create_model(account.sagemaker)
    create_endpoint(account.sagemaker)
    assert [(intent.resource, intent.hourly) for intent in account.ledger.runs()[0].intents] == [
        (MODEL, 0.0),
        (LOG_GROUP, 0.0),
        (ENDPOINT, 0.28),
    ]


@pytest.mark.parametrize("create", [create_model, create_config, create_endpoint, put_object, start_upload])
def test_nothing_is_made_after_the_runs_time(
    open_account: Callable[..., Account], monkeypatch: pytest.MonkeyPatch, create: Callable[..., None]
) -> None:
    """When its time is over a run makes nothing: nothing is asked, written or sent. A moment earlier it may."""
    called: list[str] = []
    account = open_account(before_endpoint=lambda: called.append("before"))
    client = account.client_for(create)
    clock = SimpleNamespace(time=lambda: RUN.expires)
    monkeypatch.setattr(recorder_module, "time", clock)
    with pytest.raises(CloudError) as caught:
        create(client)
    assert (account.sent, account.open, called) == ([], [], [])
    assert str(caught.value).partition(": ")[2] == (
        "expected to make it before the run's time is over, found that it is; give the run more time with --aws-ttl"
    )
    clock.time = lambda: RUN.expires - 0.001
    create(client)
    assert len(account.sent) == 1


def test_a_refusal_names_what_was_to_be_made(open_account: Callable[..., Account]) -> None:
    """The whole message, of a run whose time is over from the start."""
    account = open_account(run=replace(RUN, expires=1.0))
    with pytest.raises(CloudError) as caught:
        create_endpoint(account.sagemaker)
    assert str(caught.value) == (
        "endpoint byom-aaaa1111-1: expected to make it before the run's time is over, found that it is; "
        "give the run more time with --aws-ttl"
    )


def test_what_the_budget_refuses_is_not_sent(open_account: Callable[..., Account]) -> None:
    """An endpoint above the cap is neither sent nor left in the ledger, nor is its log; a model may still be made."""
    account = open_account(budget=Budget(cap=0.27, hourly=0.28, seconds=3600))
    with pytest.raises(CloudError, match=r"^budget: expected at most \$0\.27, found that 1 more "):
        create_endpoint(account.sagemaker)
    assert (account.sent, account.open) == ([], [])
    create_model(account.sagemaker)
    assert account.open == [MODEL]


def test_the_budget_can_be_asked_beforehand(open_account: Callable[..., Account]) -> None:
    """One more endpoint fits or does not, after what the session has made; asking writes nothing."""
    account = open_account(budget=Budget(cap=0.5, hourly=0.28, seconds=3600))
    account.recorder.check_budget()
    assert not account.ledger.path.exists()
    create_endpoint(account.sagemaker)
    before = account.ledger.path.read_bytes()
    with pytest.raises(
        CloudError, match=r"^budget: expected at most \$0\.50, found that 1 more .* after \$0\.28 so far"
    ):
        account.recorder.check_budget()
    assert account.ledger.path.read_bytes() == before
    account.recorder.budget = None
    account.recorder.check_budget()


def test_something_is_done_before_each_endpoint(open_account: Callable[..., Account]) -> None:
    """``before_endpoint`` is called for endpoints alone, each time, when the ledger does not have it yet."""
    seen: list[list[Resource]] = []
    account = open_account()
    account.recorder.before_endpoint = lambda: seen.append(account.open)
    create_model(account.sagemaker)
    create_config(account.sagemaker)
    put_object(account.client("s3"))
    assert seen == []
    create_endpoint(account.sagemaker)
    assert [ENDPOINT in could_exist for could_exist in seen] == [False]
    create_endpoint(account.sagemaker)
    assert len(seen) == 2


def test_what_fails_before_an_endpoint_keeps_it_from_being_made(open_account: Callable[..., Account]) -> None:
    """Without the watcher, say, nothing is written and nothing sent."""

    def fail() -> None:
        raise CloudError("watcher: it does not start")

    account = open_account(before_endpoint=fail)
    with pytest.raises(CloudError, match=r"^watcher: it does not start$"):
        create_endpoint(account.sagemaker)
    assert (account.sent, account.open) == ([], [])


@pytest.mark.parametrize("create", [create_model, create_config, create_endpoint, put_object, start_upload])
def test_without_a_ledger_nothing_is_sent(account: Account, create: Callable[..., None]) -> None:
    """Where the line cannot be written, the call ends before AWS hears of it; later, with a ledger, it may succeed."""
    client = account.client_for(create)
    account.ledger.path.mkdir(parents=True)
    with pytest.raises(CloudError, match=r"ledger\.jsonl: expected a file .*, found Is a directory; nothing is made "):
        create(client)
    account.ledger.path.rmdir()
    assert account.sent == []
    create(client)
    assert account.open != []


@pytest.mark.parametrize(("create", "made"), ANSWERED)
def test_an_answer_says_that_it_is_there(account: Account, create: Callable[..., None], made: list[Resource]) -> None:
    """After a first answer of success it is known for sure that all of it was made; it stays open."""
    assert not any(account.recorder.is_answered(one) for one in made)
    create(account.client_for(create))
    assert all(account.recorder.is_answered(one) for one in made)
    assert account.open == made


@pytest.mark.parametrize("status", [400, 403, 499])
@pytest.mark.parametrize(("create", "made"), ANSWERED)
def test_a_refusal_settles_at_once(
    account: Account, create: Callable[..., None], made: list[Resource], status: int
) -> None:
    """What AWS refuses at the first attempt was never made, nor what it would have made, time and again."""
    from botocore.exceptions import ClientError

    for _ in range(2):
        account.answers = [status]
        with pytest.raises(ClientError):
            create(account.client_for(create))
        assert all(account.recorder.is_answered(one) for one in made)
        assert account.open == []
    assert [could_exist for _, could_exist in account.sent] == [made, made]


def test_an_upload_in_parts_has_no_last_answer(account: Account) -> None:
    """The answer to its beginning says nothing of its end: whether the object will be there is not known."""
    start_upload(account.client("s3"))
    assert not account.recorder.is_answered(OBJECT)
    complete(account.client("s3"))
    assert account.recorder.is_answered(OBJECT)
    assert account.open == [OBJECT]


def test_an_upload_whose_completion_was_not_heard_is_unanswered(account: Account) -> None:
    """A refused completion settles nothing: the parts are there; somebody else's is none of ours."""
    from botocore.exceptions import ClientError

    start_upload(account.client("s3"))
    account.answers = [404]
    with pytest.raises(ClientError):
        complete(account.client("s3"))
    assert account.open == [OBJECT]
    complete(account.client("s3"), key="another/key")
    assert [len(account.sent), account.open] == [3, [OBJECT]]
    assert account.open == [OBJECT]


def test_a_refusal_of_what_was_made_before_settles_nothing(account: Account) -> None:
    """A second call of the same name is refused because the first has made it: it is still to be deleted."""
    from botocore.exceptions import ClientError

    create_model(account.sagemaker)
    account.answers = [400]
    with pytest.raises(ClientError):
        create_model(account.sagemaker)
    assert account.recorder.is_answered(MODEL)
    assert account.open == [MODEL, MODEL]


def lost() -> Exception:
    """A connection that ends without an answer."""
    from botocore.exceptions import ConnectionClosedError

    return ConnectionClosedError(endpoint_url="https://example.com")  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("answers", "attempts"),
    [([500], 1), ([503], 1), ([None], 1), ([500, 400], 2), ([None, 400], 2), ([500, 200], 2), ([None, None], 2)],
    ids=str,
)
def test_what_was_not_heard_at_first_may_be_there(
    account: Account, monkeypatch: pytest.MonkeyPatch, answers: list[int | None], attempts: int
) -> None:
    """After a failure on AWS's side, or no answer, nobody knows, whatever a later attempt says: it stays open."""
    from botocore.exceptions import BotoCoreError, ClientError

    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    account.answers = [lost() if status is None else status for status in answers]
    client = account.client("sagemaker", attempts)
    if answers[-1] == 200:
        create_model(client)
    else:
        with pytest.raises((BotoCoreError, ClientError)):
            create_model(client)
    assert len(account.sent) == attempts
    assert not account.recorder.is_answered(MODEL)
    assert account.open == [MODEL]


def test_a_new_attempt_makes_an_old_answer_worthless(account: Account) -> None:
    """What was answered once and is asked for again is not answered until the new answer comes."""
    from botocore.exceptions import ClientError

    create_model(account.sagemaker)
    account.answers = [500]
    with pytest.raises(ClientError):
        create_model(account.sagemaker)
    assert not account.recorder.is_answered(MODEL)


def test_what_was_never_sent_was_not_made_before(open_account: Callable[..., Account]) -> None:
    """An endpoint that the budget refused once and AWS refuses later is nobody's: nothing is left to look for."""
    from botocore.exceptions import ClientError

    account = open_account(budget=Budget(cap=0.0, hourly=0.28, seconds=3600))
    with pytest.raises(CloudError):
        create_endpoint(account.sagemaker)
    account.recorder.budget = None
    account.answers = [400]
    with pytest.raises(ClientError):
        create_endpoint(account.sagemaker)
    assert account.open == []


@pytest.mark.parametrize("call", ["create_model", "create_endpoint_config", "create_endpoint", "put_object"])
def test_what_has_no_name_is_left_to_botocore(account: Account, call: str) -> None:
    """A call that botocore refuses to send, for want of a name, is not written down: there is nothing to look for."""
    from botocore.exceptions import ParamValidationError

    client, arguments = (account.client("s3"), {"Key": KEY}) if call == "put_object" else (account.sagemaker, {})
    with pytest.raises(ParamValidationError):
        getattr(client, call)(**arguments)
    assert account.open == []


def test_only_what_was_recorded_is_answered(account: Account) -> None:
    """An answer to a call that was prepared by somebody else's hand changes nothing."""
    account.recorder._created({"ResponseMetadata": {"HTTPStatusCode": 400}}, {})
    assert not account.ledger.path.exists()


def test_a_ledger_that_was_deleted_is_written_again(account: Account) -> None:
    """Who deletes the file under a run loses nothing: the next line, or the clean-up, brings back all that was made."""
    create_model(account.sagemaker)
    account.ledger.path.unlink()
    create_config(account.sagemaker)
    assert account.open == [CONFIG, MODEL]
    account.ledger.path.unlink()
    account.recorder.begin()
    account.recorder.begin()
    assert account.open == [CONFIG, MODEL]
