"""Users of a simulated account: their keys, their policies and their clients."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ACCOUNT = "123456789012"

DENIED = ("AccessDenied", "AccessDeniedException", "403")

Statement = dict[str, Any]


def allow(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> Statement:
    """A statement that allows it."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> Statement:
    """A statement that takes it away."""
    return {**allow(action, resource, **more), "Effect": "Deny"}


def document(statements: Iterable[Statement]) -> str:
    """A policy of these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def outcome(call: Callable[[], Any]) -> tuple[str, str]:
    """AWS's error code and message; empty if it did what it was asked."""
    import botocore.exceptions

    try:
        call()
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    return "", ""


def refusal(who: str, action: str, resource: str) -> str:
    """How AWS words a permission that nothing gives."""
    quoted = f'"{resource}"' if action.startswith("s3:") else resource
    why = f"because no identity-based policy allows the {action} action"
    return f"User: {who} is not authorized to perform: {action} on resource: {quoted} {why}"


@dataclass(frozen=True)
class Keys:
    """What a client signs with."""

    session: Any
    access_key: str
    secret: str
    token: str | None = None
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A client of the account that signs with them."""
        if service not in self._clients:
            self._clients[service] = self.session.client(
                service,
                aws_access_key_id=self.access_key,
                aws_secret_access_key=self.secret,
                aws_session_token=self.token,
            )
        return self._clients[service]


@dataclass(frozen=True)
class User:
    """A user whose policies tests change; ``session`` is the root's."""

    session: Any
    name: str

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{ACCOUNT}:user/{self.name}"

    @cached_property
    def iam(self) -> Any:
        """The root's client of IAM."""
        return self.session.client("iam")

    @cached_property
    def keys(self) -> Keys:
        self.iam.create_user(UserName=self.name)
        return self.new_keys()

    def new_keys(self) -> Keys:
        made = self.iam.create_access_key(UserName=self.name)["AccessKey"]
        return Keys(self.session, made["AccessKeyId"], made["SecretAccessKey"])

    def permit(self, *statements: Statement) -> None:
        """Exactly these statements, in place of those before."""
        assert self.keys
        self.iam.put_user_policy(UserName=self.name, PolicyName="test", PolicyDocument=document(statements))

    def forbid(self) -> None:
        """No policy at all."""
        self.permit(allow("none:None"))
        self.iam.delete_user_policy(UserName=self.name, PolicyName="test")

    def call(self, service: str, operation: str, **parameters: Any) -> tuple[str, str]:
        """The outcome of one call of theirs."""
        return outcome(lambda: getattr(self.keys.client(service), operation)(**parameters))
