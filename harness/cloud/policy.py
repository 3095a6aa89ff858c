"""The least that the harness must be allowed to do, as an IAM policy.

Each action is one that a recorded deployment, validation, clean-up or search for leftovers needs: a test records them
and holds this list to what it saw, both ways.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from string import Formatter
from typing import Any

from harness.cloud.claim import LOGS, PREFIX
from harness.errors import CloudError

_MODEL, _CONFIG, _ENDPOINT = (
    f"arn:{{partition}}:sagemaker:{{region}}:{{account}}:{kind}/{PREFIX}*"
    for kind in ("model", "endpoint-config", "endpoint")
)
_BUCKET = "arn:{partition}:s3:::{bucket}"
_LOG_GROUP = "arn:{partition}:logs:{region}:{account}:log-group:"
_ANYWHERE = {"partition": "aws", "region": "*", "account": "*", "role": "*", "bucket": "*"}

_FORMS = {
    "account": (r"\*|\d{12}", "an account's number of twelve digits"),
    "region": (r"\*|[a-z]{2,}(-[a-z]+)+-\d+", "a region such as us-east-1"),
    "role": (r"\*|arn:[a-z-]+:iam::(\d{12}|\*):role/[!-~]+", "the ARN of a role"),
    "partition": (r"aws|aws-[a-z-]+", "a partition: aws, aws-cn or aws-us-gov"),
}
_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}


@dataclass(frozen=True)
class Statement:
    """One statement of the policy.

    Attributes:
        sid: its name.
        actions: what it allows; no other statement allows the same.
        resources: ARNs of what AWS checks each of the actions on; names in braces are filled in.
        condition: operator, key and value, or nothing.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: tuple[str, str, str] | None = None

    def to_plain(self, names: dict[str, str]) -> dict[str, Any]:
        """As in a policy document, with the names filled in."""
        plain: dict[str, Any] = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": list(self.actions),
            "Resource": [resource.format(**names) for resource in self.resources],
        }
        if self.condition:
            operator, key, value = self.condition
            plain["Condition"] = {operator: {key: value}}
        return plain


STATEMENTS = (
    Statement("Tag", ("sagemaker:AddTags", "sagemaker:ListTags"), (_MODEL, _CONFIG, _ENDPOINT)),
    Statement("Models", ("sagemaker:CreateModel", "sagemaker:DeleteModel", "sagemaker:DescribeModel"), (_MODEL,)),
    Statement(
        "EndpointConfigs",
        ("sagemaker:CreateEndpointConfig", "sagemaker:DeleteEndpointConfig", "sagemaker:DescribeEndpointConfig"),
        (_CONFIG,),
    ),
    Statement("CreateEndpoints", ("sagemaker:CreateEndpoint",), (_CONFIG, _ENDPOINT)),
    Statement(
        "Endpoints",
        ("sagemaker:DeleteEndpoint", "sagemaker:DescribeEndpoint", "sagemaker:InvokeEndpoint"),
        (_ENDPOINT,),
    ),
    Statement(
        "FindLeftovers",
        ("sagemaker:ListEndpointConfigs", "sagemaker:ListEndpoints", "sagemaker:ListModels"),
        ("*",),
    ),
    Statement(
        "RunUnderTheRole",
        ("iam:PassRole",),
        ("{role}",),
        ("StringEquals", "iam:PassedToService", "sagemaker.amazonaws.com"),
    ),
    Statement("FindTheBucket", ("s3:ListAllMyBuckets",), ("*",)),
    Statement(
        "Bucket",
        ("s3:CreateBucket", "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions"),
        (_BUCKET,),
    ),
    Statement(
        "Objects",
        (
            "s3:AbortMultipartUpload",
            "s3:DeleteObjectVersion",
            "s3:GetObject",
            "s3:GetObjectVersionTagging",
            "s3:PutObject",
            "s3:PutObjectTagging",
        ),
        (f"{_BUCKET}/{PREFIX}*",),
    ),
    Statement("FindLogs", ("logs:DescribeLogGroups",), (f"{_LOG_GROUP}*",)),
    Statement(
        "ReadAndDeleteLogs",
        ("logs:DeleteLogGroup", "logs:FilterLogEvents"),
        (f"{_LOG_GROUP}{LOGS}{PREFIX}*",),
    ),
    Statement("LookBeforehand", ("iam:SimulatePrincipalPolicy",), ("*",)),
)
"""STS GetCallerIdentity needs no permission (API reference)."""

ACTIONS = tuple(sorted(action for statement in STATEMENTS for action in statement.actions))


def policy(*, account: str = "*", region: str = "*", role: str = "*", partition: str = "") -> dict[str, Any]:
    """The policy document.

    Without white space it has about 2,600 characters. A managed policy may have 6,144 and a role's inline policies
    10,240, but a user's inline policies no more than 2,048 (IAM user guide, "IAM and AWS STS quotas").

    Args:
        account: AWS's number of the account; any unless given.
        region: of AWS; any unless given.
        role: ARN of the role that models run under; any unless given.
        partition: ``aws``, ``aws-cn`` or ``aws-us-gov``; the region's unless given.

    Raises:
        CloudError: one of them is not of that form: IAM would refuse the policy, or it would allow nothing.
    """
    given = {"account": account, "region": region, "role": role, "partition": partition or partition_of(region)}
    for name, (form, words) in _FORMS.items():
        if not re.fullmatch(form, given[name]):
            raise CloudError(f"IAM policy: expected {words}, found {given[name]!r}; give the {name} as AWS writes it")
    # The SageMaker SDK's default bucket (Session.default_bucket).
    names = {**given, "bucket": f"sagemaker-{region}-{account}"}
    return {"Version": "2012-10-17", "Statement": [statement.to_plain(names) for statement in STATEMENTS]}


def partition_of(region: str) -> str:
    """The part of AWS that a region belongs to, as ARNs name it."""
    return next((name for start, name in _PARTITIONS.items() if region.startswith(start)), "aws")


def line_of(action: str, resource: str = "") -> str:
    """The statement that allows one action, on one line.

    Args:
        action: such as ``sagemaker:CreateModel``.
        resource: ARN of what it was denied on. Where the policy has patterns for it, these are told, filled in from the
            ARN: a line for what is named after one run would not help the next one.
    """
    found = next((one for one in STATEMENTS if action in one.actions), None)
    if found is None:
        return json.dumps({"Effect": "Allow", "Action": action, "Resource": resource or "*"})
    names = next((known for pattern in found.resources if (known := _names(pattern, resource)) is not None), None)
    plain = found.to_plain(_ANYWHERE if names is None else names) | {"Action": action}
    resources = [resource] if resource and names is None else plain["Resource"]
    plain["Resource"] = resources[0] if resource and len(resources) == 1 else resources
    del plain["Sid"]
    return json.dumps(plain)


def _names(pattern: str, resource: str) -> dict[str, str] | None:
    """What an ARN has in place of a pattern's names in braces; None if it is none of that pattern."""
    names = {"bucket": "sagemaker-[^/]+", "role": ".+"}
    expression = "".join(
        re.escape(text).replace(r"\*", ".*") + (f"(?P<{name}>{names.get(name, '[^:]*')})" if name else "")
        for text, name, _, _ in Formatter().parse(pattern)
    )
    match = re.fullmatch(expression, resource)
    return match.groupdict() if match else None
