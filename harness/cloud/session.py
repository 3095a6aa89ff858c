"""The two kinds of account an experiment deploys to, and the sessions that reach them.

A session of the simulated kind cannot reach AWS: every request it would send goes to the simulated account instead.
Proxies, profiles, credentials and endpoint settings of the environment have no part in it.
"""

from __future__ import annotations

import os
import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from harness.cloud import pace
from harness.cloud.ledger import Ledger, Run
from harness.cloud.recorder import Recorder
from harness.errors import CloudError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.cloud.pace import Pace

SIMULATED, LIVE = "simulated", "live"

INSTANCE_TYPE = "ml.m4.xlarge"
"""What the notebook deploys to."""

_SIMULATED_SECONDS = 86400.0
"""A simulated account ends with its process, long before that."""

STAND_IN = "BYOM_AWS_STAND_IN"
"""Names a simulated account on this machine that stands in for AWS: to test the live path, and to try it out."""


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """An account to deploy to.

    Attributes:
        kind: ``"simulated"`` or ``"live"``.
        boto: the boto3 session whose every client reaches that account.
        role: ARN of the role that models run under.
        recorder: writes down what is created through ``boto``.
        instance_type: what endpoints run on.
        pace: how long to wait for it.
    """

    kind: str
    boto: Any
    role: str
    recorder: Recorder
    instance_type: str = INSTANCE_TYPE
    pace: Pace = pace.LIVE
    _clients: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Listen before there is a client: one that was made earlier would create unrecorded."""
        self.recorder.listen(self.boto)

    def client(self, service: str) -> Any:
        """The boto3 client of this account for a service."""
        if service not in self._clients:
            self._clients[service] = self.boto.client(service)
        return self._clients[service]

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


def simulated_cloud(url: str, *, role: str, region: str, run: str | None = None) -> Cloud:
    """The simulated account that listens at ``url``. Its ledger ends with this process, as the account does.

    Args:
        url: on 127.0.0.1.
        role: ARN of a role of that account.
        region: of AWS.
        run: eight hexadecimal digits that are part of every name this process makes; drawn unless given.
    """
    name, account, expires = run or secrets.token_hex(4), role.split(":")[4], time.time() + _SIMULATED_SECONDS
    who = Run(run=name, session=name, owner=SIMULATED, account=account, region=region, expires=expires)
    boto = redirected_session(url, region)
    recorder = Recorder(Ledger.temporary(), who)
    return Cloud(kind=SIMULATED, boto=boto, role=role, recorder=recorder, pace=pace.SIMULATED)


def redirected_session(url: str, region: str) -> Any:
    """A boto3 session whose every request goes to the account at ``url``, whatever the environment says.

    Raises:
        CloudError: ``url`` is not on this machine's loopback.
    """
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
    return redirected(boto3.Session(botocore_session=core, region_name=region), url)


def redirected(boto: Any, url: str) -> Any:
    """A boto3 session, with every request of its clients from now on going to the account at ``url``.

    Raises:
        CloudError: ``url`` is not on this machine's loopback.
    """
    try:
        place = urlsplit(url)
        is_here = place.scheme == "http" and place.hostname == "127.0.0.1" and place.port != 0
    except ValueError:
        is_here = False
    if not is_here:
        raise CloudError(
            f"simulated account: expected an address on 127.0.0.1, found {url!r}; pass the one that byom simulate "
            f"tells, such as http://127.0.0.1:5000"
        )
    boto.events.register("before-send", _Redirect(url))
    return boto


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
        # It reads botocore's list of all of AWS's endpoints, a tenth of a second each time, five times a deployment.
        sagemaker.utils._botocore_resolver = cache(sagemaker.utils._botocore_resolver)  # noqa: SLF001
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
