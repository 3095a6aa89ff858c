"""The simulated account through boto3: SageMaker refuses, fails and answers as AWS does."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tarball_parts as parts
from marked_processes import Process, marked, wait_for
from simulator_aws import BUCKET, Aws, refused, unique
from simulator_models import IMAGES, JUNK, Perceptron, as_json

from harness.errors import ServingError
from harness.simulator import account as account_module
from harness.simulator.account import REGION, ROLE, SimulatedAccount
from harness.simulator.behaviour import Behaviour
from harness.simulator.server_command import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.serving

XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
"""An image that the account does not run: its endpoints fail at once, without a server."""


@dataclass
class Served:
    """An endpoint in service, and what was seen while it was made."""

    name: str
    statuses: list[str] = field(default_factory=list)
    deletion: tuple[str, str] = ("", "")
    invocation: tuple[str, str] = ("", "")


@pytest.fixture(scope="module")
def served(aws: Aws, plain_tarball: Path) -> Iterator[Served]:
    """An endpoint of ``Perceptron(0)``, which was asked to go, and to answer, while it was being created."""
    seen = Served(unique("served"))
    aws.deploy(seen.name, plain_tarball)
    seen.statuses.append(aws.status(seen.name))
    with refused() as refusal:
        aws.delete(seen.name)
    seen.deletion = refusal.code, refusal.message
    with refused() as refusal:
        aws.invoke(seen.name, as_json(IMAGES))
    seen.invocation = refusal.code, refusal.message
    seen.statuses.append(aws.settled(seen.name)["EndpointStatus"])
    yield seen
    aws.delete(seen.name)


@pytest.fixture(scope="module")
def plain_url(aws: Aws, plain_tarball: Path) -> str:
    """Where the tarball of ``Perceptron(0)`` is in S3."""
    return aws.upload(plain_tarball)


@pytest.fixture
def failing(aws: Aws, plain_url: str) -> str:
    """Name of a model, and of its config, whose endpoints fail at once."""
    name = unique("failing")
    aws.create_model(name, plain_url, image=XGBOOST)
    aws.create_config(name, name)
    return name


def servers(mark: str) -> set[Process]:
    """The model servers that run now."""
    return {process for process in marked(mark) if process.is_java}


def predictions(answer: bytes) -> np.ndarray:
    return np.array(json.loads(answer))


def test_an_image_that_is_not_mxnets_fails_with_a_reason(aws: Aws, failing: str) -> None:
    """The account runs one container only, and says so instead of serving something else."""
    aws.create_endpoint(failing, failing)
    description = aws.settled(failing)
    assert description["EndpointStatus"] == "Failed"
    assert f"runs mxnet-inference images only, found {XGBOOST}; deploy with MXNetModel" in description["FailureReason"]


def test_a_broken_tarball_fails_with_the_verifiers_problem(aws: Aws, tmp_path: Path) -> None:
    """What `verify` finds is the endpoint's failure reason, as AWS words the start of it."""
    files = Perceptron().files()
    del files["model-shapes.json"]
    name = unique("broken")
    aws.deploy(name, parts.write(tmp_path / "model.tar.gz", files))
    description = aws.settled(name)
    assert description["EndpointStatus"] == "Failed"
    reason = description["FailureReason"]
    assert reason.startswith("The primary container for production variant AllTraffic did not pass the ping health")
    assert "[missing-member]" in reason
    assert "model-shapes.json" in reason


def test_an_object_deleted_meanwhile_fails_the_endpoint(aws: Aws, plain_tarball: Path) -> None:
    """A tarball that was there for CreateModel and is gone for CreateEndpoint is told in the reason."""
    name, url = unique("gone"), aws.upload(plain_tarball)
    aws.create_model(name, url)
    aws.create_config(name, name)
    aws.s3.delete_object(Bucket=BUCKET, Key=url.removeprefix(f"s3://{BUCKET}/"))
    aws.create_endpoint(name, name)
    description = aws.settled(name)
    assert description["EndpointStatus"] == "Failed"
    assert f"Could not find model data at {url}." in description["FailureReason"]


def test_a_container_that_cannot_load_fails_with_its_exception(aws: Aws, tmp_path: Path, session_mark: str) -> None:
    """The model's own exception is in the failure reason, the endpoint answers nobody, and its server is gone."""
    name, before = unique("unloadable"), servers(session_mark)
    tarball = Perceptron().tarball(tmp_path / "model.tar.gz", bad="raise RuntimeError('no such café')\n")
    aws.deploy(name, tarball, script="bad.py")
    description = aws.settled(name)
    assert description["EndpointStatus"] == "Failed"
    assert "the model cannot be loaded: RuntimeError: no such café" in description["FailureReason"]
    assert len(description["FailureReason"]) <= 1024
    assert servers(session_mark) <= before
    with refused() as refusal:
        aws.invoke(name, as_json(IMAGES))
    assert refusal.code == "ValidationError"
    assert any("RuntimeError: no such café" in line for line in aws.log(name))
    aws.delete_and_wait(name)


def test_an_endpoint_is_creating_then_in_service(served: Served) -> None:
    """The status a client polls for is told as it is."""
    assert served.statuses == ["Creating", "InService"]


def test_an_endpoint_cannot_be_deleted_while_it_is_created(served: Served) -> None:
    """As on AWS, where that is how endpoints of killed runs survive."""
    code, message = served.deletion
    assert code == "ValidationException"
    assert message.startswith("Cannot update in-progress endpoint")


def test_an_endpoint_does_not_answer_while_it_is_created(served: Served) -> None:
    """Until it is in service, its name is unknown to the runtime."""
    assert served.invocation[0] == "ValidationError"


def test_an_endpoint_answers_with_the_models_output(aws: Aws, served: Served) -> None:
    """The answer is the model's, with the variant that gave it; moto's is a canned one."""
    answer = aws.runtime.invoke_endpoint(
        EndpointName=served.name, Body=as_json(IMAGES), ContentType="application/json", Accept="application/json"
    )
    assert answer["ContentType"] == "application/json"
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    expected = Perceptron().probabilities(IMAGES)
    np.testing.assert_allclose(predictions(answer["Body"].read()), expected, atol=1e-5)


def test_what_the_model_server_prints_can_be_read(aws: Aws, served: Served) -> None:
    """Its log is in CloudWatch Logs while it runs."""
    assert any("Model model loaded" in line for line in aws.log(served.name))


def test_an_error_of_the_model_is_a_model_error(aws: Aws, served: Served) -> None:
    """HTTP 424 carries the container's own status and message."""
    with refused() as refusal:
        aws.invoke(served.name, JUNK)
    assert (refusal.code, refusal.status) == ("ModelError", 424)
    assert refusal.message.startswith('Received server error (500) from primary with message "Expecting property name')
    assert refusal.response["OriginalStatusCode"] == 500
    assert "Traceback (most recent call last):" in refusal.response["OriginalMessage"]


def test_several_endpoints_are_served_and_deleted_one_by_one(
    aws: Aws, served: Served, tmp_path: Path, session_mark: str
) -> None:
    """Each answers with its own model; a deleted one's name is unknown and its server gone, and the others go on."""
    before = servers(session_mark)
    names = {seed: unique("several") for seed in (1, 2)}
    for seed, name in names.items():
        aws.deploy(name, Perceptron(seed).tarball(tmp_path / f"{seed}.tar.gz", inference=""))
    for name in names.values():
        assert aws.settled(name)["EndpointStatus"] == "InService"
    assert len(servers(session_mark) - before) == 2
    for seed, name in {0: served.name, **names}.items():
        answer = predictions(aws.invoke(name, as_json(IMAGES)))
        np.testing.assert_allclose(answer, Perceptron(seed).probabilities(IMAGES), atol=1e-5)

    aws.delete_and_wait(names[1])
    assert len(servers(session_mark) - before) == 1
    with refused() as refusal:
        aws.describe(names[1])
    assert refusal.code == "ValidationException"
    with refused() as refusal:
        aws.invoke(names[1], as_json(IMAGES))
    assert refusal.code == "ValidationError"
    with refused() as refusal:
        aws.delete(names[1])
    assert refusal.code == "ValidationException"

    aws.invoke(names[2], as_json(IMAGES))
    aws.delete(names[2])
    assert wait_for(lambda: servers(session_mark) <= before, 15)
    aws.invoke(served.name, as_json(IMAGES))


def test_a_hostile_environment_changes_nothing(
    account: SimulatedAccount, served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Profiles, endpoints, proxies and certificates that lead nowhere stop neither an account nor its clients."""
    from harness.cloud.session import simulated_cloud

    (tmp_path / "config").write_text("[default]\nregion = mars-north-1\nendpoint_url = http://127.0.0.1:9\n")
    hostile = {
        "AWS_PROFILE": "no-such-profile",
        "AWS_DEFAULT_PROFILE": "no-such-profile",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "nowhere"),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_DEFAULT_REGION": "mars-north-1",
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_SECRET_ACCESS_KEY": "real",
        "AWS_CA_BUNDLE": str(tmp_path / "nowhere.pem"),
        "REQUESTS_CA_BUNDLE": str(tmp_path / "nowhere.pem"),
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "",
        "no_proxy": "",
    }
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    old = Aws(simulated_cloud(account.url, role=ROLE, region=REGION))
    np.testing.assert_allclose(
        predictions(old.invoke(served.name, as_json(IMAGES))), Perceptron().probabilities(IMAGES), atol=1e-5
    )
    with SimulatedAccount() as another:
        new = Aws(simulated_cloud(another.url, role=ROLE, region=REGION))
        assert new.cloud.client("sts").get_caller_identity()["Account"] == "123456789012"
        (tmp_path / "object").write_bytes(b"content")
        new.upload(tmp_path / "object")
        assert new.listed() == {}


def test_an_account_can_be_stopped_twice_and_leaves_nothing(session_mark: str) -> None:
    """After it, its process and its folder are gone, and its address answers nobody."""
    before = {process.pid for process in marked(session_mark)}
    account = SimulatedAccount()
    account.stop()
    account.start()
    folder = account._folder
    assert folder.is_dir()
    assert {process.pid for process in marked(session_mark)} > before
    account.stop()
    account.stop()
    assert {process.pid for process in marked(session_mark)} <= before
    assert not folder.exists()


def test_an_account_behaves_as_it_is_told_where_it_is_told(account: SimulatedAccount, plain_tarball: Path) -> None:
    """Behaviour and port reach its process; another account there is refused before it starts."""
    from harness.cloud.session import simulated_cloud

    port = free_port()
    with SimulatedAccount(Behaviour(quotas={"ml.m4.xlarge": 0}), port) as told:
        assert told.url == f"http://127.0.0.1:{port}"
        assert told.is_running()
        with refused() as refusal:
            Aws(simulated_cloud(told.url, role=ROLE, region=REGION)).deploy("too-many", plain_tarball)
        assert refusal.code == "ResourceLimitExceeded"
        with pytest.raises(ServingError, match=f"^port {port} on 127.0.0.1 is in use; choose another one$"):
            SimulatedAccount(port=port).start()
    assert not told.is_running()


@pytest.mark.parametrize("port", [-1, 65536])
def test_an_account_knows_what_a_port_is(port: int) -> None:
    """The message gives the range."""
    with pytest.raises(ServingError, match=f"^port: expected 0 to 65535, found {port}$"):
        SimulatedAccount(port=port)


def test_an_account_that_does_not_start_shows_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """What its process printed is in the message, and its folder is deleted."""
    monkeypatch.setattr(account_module, "_environment", lambda _: {"PYTHONPATH": "/nowhere", "PYTHONHOME": "/nowhere"})
    account = SimulatedAccount()
    with pytest.raises(
        ServingError, match=r"(?s)simulated account: expected it to listen within 60 s, it did not:\n.+"
    ):
        account.start()
    assert not account._folder.exists()


@pytest.mark.parametrize("missing", ["moto", "werkzeug"])
def test_an_account_without_its_packages_says_what_to_install(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """The message names the package and the pip line that mends it."""
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else found(name))
    with pytest.raises(ServingError) as caught:
        SimulatedAccount().start()
    assert str(caught.value) == (
        f"simulated account: expected {missing}, found none; install it with: pip install 'byom-harness[simulator]'"
    )


def test_something_else_can_be_done_while_an_account_loads(session_mark: str) -> None:
    """It is called once, before the account listens; if it fails, nothing of the account is left."""
    before, seen = marked(session_mark), list[str]()
    account = SimulatedAccount()
    account.start(meanwhile=lambda: seen.append(account.url))
    account.stop()
    assert seen == [""]

    def fails() -> None:
        raise LookupError("meanwhile")

    with pytest.raises(LookupError, match="meanwhile"):
        SimulatedAccount().start(meanwhile=fails)
    assert wait_for(lambda: len(marked(session_mark)) <= len(before), 10)
