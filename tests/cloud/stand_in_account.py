"""A hollow account that stands in for AWS, with users of its own: the live path as it is, down to their permissions."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from leaks import flow
from leaks.hollow_account import hollow_account
from left_things import BRISK, Root
from simulator_users import DENIED, User

from harness.cloud import live, pace
from harness.cloud.ledger import Ledger
from harness.cloud.policy import policy
from harness.cloud.session import STAND_IN
from harness.simulator.access.needs import needs
from harness.simulator.access.records import Identity
from harness.simulator.access.signed_request import SignedRequest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

    from harness.cloud.session import Cloud


@dataclass
class Requests:
    """What was asked of an account through boto3 sessions, as IAM sees it.

    Attributes:
        actions: what permission was needed for, in order.
        denied: operations that were refused for want of it.
    """

    actions: list[str] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)

    def listen(self, boto: Any) -> None:
        """Write down what clients do that are made from a boto3 session from now on."""
        boto.events.register_first("before-send", self._send)
        boto.events.register("after-call", self._answered)

    def clear(self) -> None:
        """Forget all."""
        self.actions.clear()
        self.denied.clear()

    def _send(self, request: Any, **_: Any) -> None:
        signed = SignedRequest.read(_environ(request))
        assert signed is not None, request.url
        records: Any = SimpleNamespace(account=flow.ACCOUNT, tags=lambda *_: {}, arn=lambda *_: "*")
        self.actions += [need.action for need in needs(signed, Identity("", ()), records)]

    def _answered(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        if parsed.get("Error", {}).get("Code") in DENIED:
            self.denied.append(model.name)


class StandIn:
    """The account, and the environment in which the harness takes it for AWS.

    Args:
        url: of a hollow account.
        patch: for what lasts as long as the account.

    Attributes:
        root: the account, as somebody sees it who may do everything and is not recorded.
        requests: what was asked of it through the live path.
    """

    def __init__(self, url: str, patch: pytest.MonkeyPatch) -> None:
        self.url = url
        self.root = Root(url)
        self.requests = Requests()
        self._patch = patch
        self._numbers = 0
        for name in [name for name in os.environ if name.startswith(("AWS_", "BYOM_OWNER"))]:
            patch.delenv(name)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patch.setenv(name, os.devnull)
        for name, value in (
            (STAND_IN, url),
            ("AWS_DEFAULT_REGION", flow.REGION),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ):
            patch.setenv(name, value)
        patch.setattr(pace, "SIMULATED", BRISK)
        redirected, loader = live.redirected, self.root.boto._session.get_component("data_loader")

        def recorded(boto: Any, url: str) -> Any:
            boto._session.register_component("data_loader", loader)  # AWS's services, read once for all sessions
            self.requests.listen(boto)
            return redirected(boto, url)

        patch.setattr(live, "redirected", recorded)
        self.be_root()

    def user(self, name: str) -> User:
        """A user of the account, without permissions."""
        return User(self.root.boto, name)

    def be_root(self) -> None:
        """From now on, whoever calls has keys that IAM did not make."""
        self._keys("AKIAIOSFODNN7EXAMPLE", "example")

    def be(self, user: User) -> None:
        """From now on, the environment has a user's keys."""
        self._keys(user.keys.access_key, user.keys.secret)

    @contextlib.contextmanager
    def session(self, credentials: dict[str, Any]) -> Iterator[None]:
        """While this lasts, the environment has the keys of an assumed role."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", credentials["AccessKeyId"])
            patch.setenv("AWS_SECRET_ACCESS_KEY", credentials["SecretAccessKey"])
            patch.setenv("AWS_SESSION_TOKEN", credentials["SessionToken"])
            yield

    def remember_in(self, folder: Path) -> Ledger:
        """From now on, the ledger is in a folder."""
        self._patch.setenv("BYOM_STATE_DIR", str(folder))
        return Ledger(folder)

    def run(self, *, region: str = flow.REGION, minutes: float = 10.0) -> Cloud:
        """The live account for a new run of whoever calls."""
        self._numbers += 1
        run = f"{self._numbers:08x}"
        return live.live_cloud(live.Terms(role=flow.ROLE, region=region, minutes=minutes), run=run, session=run)

    def _keys(self, access_key: str, secret: str) -> None:
        self._patch.setenv("AWS_ACCESS_KEY_ID", access_key)
        self._patch.setenv("AWS_SECRET_ACCESS_KEY", secret)


@contextlib.contextmanager
def stand_in_account() -> Iterator[StandIn]:
    """One in a process of its own, for as long as the block lasts."""
    with hollow_account() as url, pytest.MonkeyPatch.context() as patch:
        yield StandIn(url, patch)


def least(*without: str, **names: str) -> dict[str, Any]:
    """The policy of `byom policy` for the account, without some of its actions."""
    given = {"account": flow.ACCOUNT, "role": flow.ROLE, **names}
    whole = policy(**given)
    kept = [
        {**statement, "Action": [action for action in statement["Action"] if action not in without]}
        for statement in whole["Statement"]
    ]
    return {**whole, "Statement": [statement for statement in kept if statement["Action"]]}


def attach(user: User, name: str, text: str) -> None:
    """Give a user a managed policy."""
    made = user.iam.create_policy(PolicyName=name, PolicyDocument=text)
    assert user.keys
    user.iam.attach_user_policy(UserName=user.name, PolicyArn=made["Policy"]["Arn"])


def invoked(*arguments: object) -> Result:
    """A run of the ``byom`` command in this process."""
    from typer.testing import CliRunner

    from harness.cli import app

    return CliRunner().invoke(app, list(map(str, arguments)))


def _environ(request: Any) -> dict[str, Any]:
    """As much of a WSGI request as tells what it needs permission for."""
    import io

    parts = urlsplit(request.url)
    body = request.body or b""
    content = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else b""
    headers = {f"HTTP_{name.upper().replace('-', '_')}": _text(value) for name, value in request.headers.items()}
    return {
        **headers,
        "REQUEST_METHOD": request.method,
        "HTTP_HOST": parts.netloc,
        "PATH_INFO": parts.path,
        "QUERY_STRING": parts.query,
        "CONTENT_TYPE": headers.get("HTTP_CONTENT_TYPE", ""),
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.input": io.BytesIO(content),
    }


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
