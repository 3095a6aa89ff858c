"""The two kinds of account an experiment deploys to, and the sessions that reach them.

A session of the simulated kind cannot reach AWS: every request it would send goes to the simulated account instead.
Proxies, profiles, credentials and endpoint settings of the environment have no part in it.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from harness.errors import CloudError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIMULATED, LIVE = "simulated", "live"

INSTANCE_TYPE = "ml.m4.xlarge"
"""What the notebook deploys to."""

_SIMULATED_POLL, _LIVE_POLL = 0.25, 15.0
_DEPLOY_SECONDS = 1800.0


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """An account to deploy to.

    Attributes:
        kind: ``"simulated"`` or ``"live"``.
        boto: the boto3 session whose every client reaches that account.
        role: ARN of the role that models run under.
        instance_type: what endpoints run on.
        poll_seconds: pause between looks at an endpoint's status.
        deploy_seconds: how long an endpoint may take to be in service.
    """

    kind: str
    boto: Any
    role: str
    instance_type: str = INSTANCE_TYPE
    poll_seconds: float = _LIVE_POLL
    deploy_seconds: float = _DEPLOY_SECONDS

    def client(self, service: str) -> Any:
        """A boto3 client of this account."""
        return self.boto.client(service)

    @cached_property
    def sdk(self) -> Any:
        """The SageMaker SDK's session. Importing the SDK takes seconds: it happens here, where a deployment starts."""
        sagemaker = import_sagemaker()
        # An empty configuration of defaults: a file in the user's home must not change what a run does, and without
        # the opt-out the SDK reports its use to an address of its own.
        config = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}
        return sagemaker.Session(
            boto_session=self.boto,
            sagemaker_client=self.client("sagemaker"),
            sagemaker_runtime_client=self.client("sagemaker-runtime"),
            sagemaker_config=config,
        )


def simulated_cloud(url: str, *, role: str, region: str) -> Cloud:
    """The simulated account that listens at ``url``."""
    return Cloud(kind=SIMULATED, boto=redirected_session(url, region), role=role, poll_seconds=_SIMULATED_POLL)


def live_cloud(*, role: str | None, region: str | None, instance_type: str = INSTANCE_TYPE) -> Cloud:
    """The account that the user's own credentials belong to.

    Raises:
        CloudError: no credentials, no region or no role; names what is missing.
    """
    boto3 = import_boto3()
    import botocore.exceptions

    try:
        boto = boto3.Session(region_name=region)
        if boto.get_credentials() is None:
            raise CloudError("live AWS: expected credentials, found none; run `aws configure` or set AWS_ACCESS_KEY_ID")
        if boto.region_name is None:
            raise CloudError("live AWS: expected a region, found none; pass --aws-region or set AWS_DEFAULT_REGION")
    except botocore.exceptions.BotoCoreError as error:
        raise CloudError(f"live AWS: {error}; mend the AWS profile or unset AWS_PROFILE") from error
    role = role or os.environ.get("SAGEMAKER_ROLE")
    if not role:
        raise CloudError(
            "live AWS: expected the ARN of a role that SageMaker may assume, found none; "
            "pass --aws-role or set SAGEMAKER_ROLE"
        )
    return Cloud(kind=LIVE, boto=boto, role=role, instance_type=instance_type)


def redirected_session(url: str, region: str) -> Any:
    """A boto3 session whose every request goes to the account at ``url``, whatever the environment says.

    Raises:
        CloudError: ``url`` is not on this machine's loopback.
    """
    if urlsplit(url).hostname != "127.0.0.1":
        raise CloudError(
            f"simulated account: expected an address on 127.0.0.1, found {url!r}; pass SimulatedAccount.url"
        )
    boto3 = import_boto3()
    import botocore.session
    from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES

    # Every setting keeps botocore's own default, and is looked up neither in the environment nor in a file: one could
    # lead elsewhere, or fail before a request is made, like a profile that does not exist.
    settings: dict[str, tuple[Any, ...]] = {
        name: (None, None, default, conversion)
        for name, (_, _, default, conversion) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
    }
    for name in ("config_file", "credentials_file"):
        settings[name] = (None, None, os.devnull, None)
    core = botocore.session.Session(session_vars=settings)
    core.set_credentials("simulated", "simulated", "simulated")
    core.set_config_variable("ignore_configured_endpoint_urls", True)
    core.register("before-send", _Redirect(url))
    return boto3.Session(botocore_session=core, region_name=region)


class _Redirect:
    """Sends a prepared AWS request to the simulated account, and hands its answer back to botocore.

    A handler of ``before-send`` that returns an answer keeps botocore from sending anything itself, so the client's own
    endpoint, proxy and certificate settings never count. The SDK's STS client, which is made with an explicit endpoint,
    is caught like any other.
    """

    def __init__(self, url: str) -> None:
        from botocore.httpsession import URLLib3Session

        self._target = urlsplit(url)
        self._http = URLLib3Session(proxies={}, timeout=90, max_pool_connections=20)

    def __call__(self, request: Any, **_: Any) -> Any:
        original = urlsplit(request.url)
        request.headers["Host"] = original.netloc
        request.url = urlunsplit(original._replace(scheme=self._target.scheme, netloc=self._target.netloc))
        return self._http.send(request)


def import_boto3() -> Any:
    """boto3.

    Raises:
        CloudError: it is not installed.
    """
    try:
        import boto3
    except ImportError as error:
        raise CloudError(
            f"expected boto3, found none that can be imported ({error}); "
            f"install it with: pip install 'byom-harness[aws]'"
        ) from error
    return boto3


def import_sagemaker() -> Any:
    """The SageMaker SDK, without the noise of its first import.

    Raises:
        CloudError: it is not installed.
    """
    import logging
    import warnings

    # It announces the configuration files it did not find, and warns of its line 3, which has no MXNetModel.
    logging.getLogger("sagemaker.config").setLevel(logging.WARNING)
    os.environ.setdefault("SAGEMAKER_SUPPRESS_V2_WARNING", "1")
    try:
        with warnings.catch_warnings(), _hidden_aws_settings():
            warnings.simplefilter("ignore")
            import sagemaker
            import sagemaker.mxnet.model
            import sagemaker.predictor
            import sagemaker.utils
    except ImportError as error:
        raise CloudError(
            f"expected the SageMaker SDK 2.x, found none that can be imported ({error}); "
            f"install it with: pip install 'byom-harness[aws]'"
        ) from error
    if not isinstance(sagemaker.utils.validate_sagemaker_config, _ValidateOnce):
        sagemaker.utils.validate_sagemaker_config = _ValidateOnce(sagemaker.utils.validate_sagemaker_config)
    return sagemaker


class _ValidateOnce:
    """Checks a configuration of the SDK's defaults against its schema once.

    The SDK looks up 23 defaults while it deploys, and each time checks the schema itself and then the configuration,
    always the same: nine tenths of the time that its calls take.
    """

    def __init__(self, validate: Callable[[Any], None]) -> None:
        self._validate = validate
        self._valid: list[str] = []

    def __call__(self, config: Any = None) -> None:
        if repr(config) not in self._valid:
            self._validate(config)
            self._valid.append(repr(config))


@contextmanager
def _hidden_aws_settings() -> Iterator[None]:
    """Hide AWS's settings: the SDK makes boto3 sessions of its own while it is imported, and stumbles over bad ones."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("AWS_")}
    lent = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    os.environ.update(lent)
    try:
        yield
    finally:
        for name in lent:
            del os.environ[name]
        os.environ.update(hidden)
