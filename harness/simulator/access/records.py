"""What the account holds that permissions depend on: moto's records of IAM, STS and SageMaker."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.simulator.access.refusals import not_simulated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.simulator.access.policies import Document

_PARTITION = "aws"


@dataclass(frozen=True)
class Identity:
    """A user, a role or somebody in a role.

    Attributes:
        arn: as refusals name them.
        documents: their policies: inline, attached, and a user's groups'.
        context: the condition keys that are theirs whatever they ask for.
    """

    arn: str
    documents: tuple[Document, ...]
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Records:
    """The account's users, roles and tags, as they are now."""

    def __init__(self) -> None:
        from moto.core import DEFAULT_ACCOUNT_ID
        from moto.iam.utils import generate_access_key_id_from_account_id as access_key

        self.account: str = DEFAULT_ACCOUNT_ID
        # What all keys that moto ever makes for the account begin with: so a deleted one is not taken for the root's.
        self._minted = tuple(access_key(self.account, prefix=prefix)[:12] for prefix in ("AKIA", "ASIA"))

    def caller(self, access_key: str) -> Identity | None:
        """Whose key it is; None if it is nobody's, which is how the account's root signs.

        Raises:
            LookupError: it is a user's or a session's that was deleted or is inactive.
            Refusal: the session has limits that are not simulated.
        """
        if not access_key.startswith(self._minted):
            return None
        key = self._iam.access_keys.get(access_key)
        if key is None or key.status != "Active":
            raise LookupError(access_key)
        session = self._sts.get_assumed_role_from_access_key(access_key)
        return self._session(session) if session else self._user(self._iam.users[key.user_name])

    def identity(self, arn: str) -> Identity | None:
        """The user or role of that ARN."""
        users = (self._user(user) for user in list(self._iam.users.values()) if user.arn == arn)
        roles = (self._role(role) for role in list(self._iam.get_roles()) if role.arn == arn)
        return next(users, None) or next(roles, None)

    def arn(self, kind: str, name: str, path: str) -> str:
        """The ARN of a user, role, group or policy: with its own path, if there is one of that name."""
        found: dict[str, list[Any]] = {
            "user": list(self._iam.users.values()),
            "role": list(self._iam.get_roles()),
            "group": list(self._iam.groups.values()),
        }
        known = (str(entity.arn) for entity in found.get(kind, []) if entity.name == name)
        return next(known, f"arn:{_PARTITION}:iam::{self.account}:{kind}{path}{name}")

    def tags(self, region: str, kind: str, name: str) -> dict[str, str]:
        """The tags of a model, an endpoint or its config; none if there is no such thing."""
        from moto.sagemaker.models import sagemaker_backends

        try:
            tags, _ = sagemaker_backends[self.account][region].list_tags(arn=f"{kind}/{name}")
        except AttributeError:  # how moto fails on a name that it does not know
            return {}
        return {tag["Key"]: tag["Value"] for tag in tags}

    @property
    def _iam(self) -> Any:
        from moto.iam.models import iam_backends

        return iam_backends[self.account][_PARTITION]

    @property
    def _sts(self) -> Any:
        from moto.sts.models import sts_backends

        return sts_backends[self.account][_PARTITION]

    def _user(self, user: Any) -> Identity:
        holders = [user, *self._iam.get_groups_for_user(user.name)]
        documents = tuple(document for holder in holders for document in _documents(holder))
        return Identity(user.arn, documents, {**self._principal(user.arn), "aws:username": (user.name,)})

    def _role(self, role: Any) -> Identity:
        if role.permissions_boundary_arn:
            raise not_simulated("permissions boundaries")
        return Identity(role.arn, tuple(_documents(role)), self._principal(role.arn))

    def _session(self, session: Any) -> Identity:
        if session.policy:
            raise not_simulated("session policies")
        role = self.identity(session.role_arn)
        return Identity(session.arn, role.documents if role else (), self._principal(session.role_arn))

    def _principal(self, arn: str) -> dict[str, tuple[str, ...]]:
        return {"aws:principalarn": (arn,), "aws:principalaccount": (self.account,)}


def _documents(holder: Any) -> list[Document]:
    attached = [version for policy in list(holder.managed_policies.values()) for version in policy.versions]
    texts = [*list(holder.policies.values()), *(version.document for version in attached if version.is_default)]
    return [json.loads(text) for text in texts]
