"""Sessions: the simulated kind cannot reach AWS, the live kind says what it lacks."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from harness.cloud.live import live_session
from harness.cloud.session import import_sagemaker, redirected_session
from harness.errors import CloudError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without anything of AWS's, and no metadata service to ask."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "SAGEMAKER_ROLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return monkeypatch


def test_no_setting_of_the_environment_has_a_part(account_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever variable botocore knows holds rubbish, and proxies and certificates lead nowhere: nothing changes."""
    from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES

    for _, names, _, _ in BOTOCORE_DEFAUT_SESSION_VARIABLES.values():
        for name in [names] if isinstance(names, str) else names or ():
            monkeypatch.setenv(name, "http://192.0.2.1:9/nowhere")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"):
        monkeypatch.setenv(name, "http://192.0.2.1:9")
    session = redirected_session(account_url, "us-east-1")
    assert session.client("sts").get_caller_identity()["Account"] == "123456789012"
    explicit = session.client("sts", endpoint_url="https://sts.us-east-1.amazonaws.com")  # as the SDK makes it
    assert explicit.get_caller_identity()["Account"] == "123456789012"
    assert session.client("s3").list_buckets()["Buckets"] is not None
    assert session.client("sagemaker").list_models()["Models"] is not None


def test_the_account_knows_nothing_of_the_users_files_and_variables(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A calendar.py in the working directory, and moto's own variables, do not reach the account's process."""
    from harness.simulator.account import REGION, SimulatedAccount

    (tmp_path / "calendar.py").write_text("raise SystemExit('the account imported a file of the user')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INITIAL_NO_AUTH_ACTION_COUNT", "0")
    monkeypatch.setenv("S3_IGNORE_SUBDOMAIN_BUCKETNAME", "1")
    with SimulatedAccount() as running:
        s3 = redirected_session(running.url, REGION).client("s3")
        s3.create_bucket(Bucket="a-bucket")
        s3.put_object(Bucket="a-bucket", Key="key", Body=b"x")
        assert s3.list_objects_v2(Bucket="a-bucket")["KeyCount"] == 1


def test_an_endpoint_behind_another_host_name_is_no_other_endpoint(account_url: str) -> None:
    """The FIPS host of the runtime is answered like the plain one, not with moto's canned body."""
    session = redirected_session(account_url, "us-east-1")
    fips = session.client("sagemaker-runtime", endpoint_url="https://runtime-fips.sagemaker.us-east-1.amazonaws.com")
    with pytest.raises(fips.exceptions.ClientError, match="Endpoint nope of account 123456789012 not found"):
        fips.invoke_endpoint(EndpointName="nope", Body=b"")


def test_a_missing_boto3_is_named(monkeypatch: pytest.MonkeyPatch, account_url: str) -> None:
    """Both kinds of account say which extra to install."""
    import sys

    monkeypatch.setitem(sys.modules, "boto3", None)
    for make in (lambda: redirected_session(account_url, "us-east-1"), lambda: live_session(None)):
        with pytest.raises(CloudError, match=r"expected boto3, .*pip install 'byom-harness\[aws\]'"):
            make()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://sagemaker.us-east-1.amazonaws.com",
        "http://192.0.2.1:80",
        "http://[",
        "http://127.0.0.1:x",
        "ftp://127.0.0.1",
    ],
)
def test_an_address_off_loopback_is_refused(url: str) -> None:
    """A session that calls itself simulated is never made for anything but this machine."""
    with pytest.raises(CloudError, match=r"expected an address on 127\.0\.0\.1, found"):
        redirected_session(url, "us-east-1")


def test_every_request_stays_on_loopback(account_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No name is ever looked up, and every connection goes to 127.0.0.1."""
    peers: list[object] = []
    connect = socket.socket.connect

    def watched(self: socket.socket, address: object) -> None:
        peers.append(address)
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", watched)
    session = redirected_session(account_url, "us-east-1")
    session.client("sagemaker").list_endpoints()
    session.client("s3").list_buckets()
    assert {peer[0] for peer in peers if isinstance(peer, tuple)} == {"127.0.0.1"}


def test_a_missing_sdk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the SageMaker SDK the error says which extra to install."""
    import sys

    monkeypatch.setitem(sys.modules, "sagemaker", None)
    with pytest.raises(CloudError, match=r"expected the SageMaker SDK 2.x.*pip install 'byom-harness\[aws\]'"):
        import_sagemaker()


def test_importing_the_sdk_leaves_the_environment_as_it_was(no_aws: pytest.MonkeyPatch) -> None:
    """What is hidden from the SDK while it is imported is back afterwards."""
    import os

    no_aws.setenv("AWS_PROFILE", "nosuch")
    before = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    import_sagemaker()
    assert {name: value for name, value in os.environ.items() if name.startswith("AWS_")} == before


def test_the_sdk_checks_a_configuration_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The schema is walked for a configuration that is new, not each time a default is looked up."""
    import_sagemaker()
    from sagemaker.config import config
    from sagemaker.utils import get_sagemaker_config_value

    checked: list[object] = []
    original = config.jsonschema.validate
    monkeypatch.setattr(config.jsonschema, "validate", lambda *given: (checked.append(given[0]), original(*given)))
    mine = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"Session": {"DefaultS3Bucket": "bucket"}}}}}
    path = "SageMaker.PythonSDK.Modules.Session.DefaultS3Bucket"
    assert [get_sagemaker_config_value(None, path, mine) for _ in range(3)] == ["bucket"] * 3
    assert checked == [mine]


def test_a_wrong_configuration_is_refused_each_time() -> None:
    """Only what the schema accepted is not checked again."""
    import_sagemaker()
    from jsonschema.exceptions import ValidationError
    from sagemaker.utils import get_sagemaker_config_value

    for _ in range(2):
        with pytest.raises(ValidationError):
            get_sagemaker_config_value(None, "SageMaker", {"SchemaVersion": 3})
