"""Calls that tests make to a simulated account, each with the permissions that it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator_aws import IMAGE
from simulator_users import ACCOUNT, allow, document

from harness.simulator.account import REGION, ROLE

BUCKET, KEY = "authorization-tests", "byom/model.tar.gz"
ON_BUCKET, ON_OBJECT = f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/{KEY}"
IN_S3 = {"Bucket": BUCKET, "Key": KEY}
URL = f"s3://{BUCKET}/{KEY}"
TAGS = [{"Key": "Owner", "Value": "me"}]
GROUP = "/aws/sagemaker/Endpoints/byom"
PASS = ("iam:PassRole", ROLE)
VARIANT = {"VariantName": "A", "ModelName": "byom-kept", "InstanceType": "ml.m4.xlarge", "InitialInstanceCount": 1}
CONTAINER = {"Image": IMAGE, "ModelDataUrl": URL}
SERVICE_TRUST = document([])


def sagemaker_arn(kind: str, name: str = "byom-a") -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name}"


def logs_arn(group: str = GROUP, stream: str = "") -> str:
    return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:log-stream:{stream}"


def iam_arn(rest: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:{rest}"


MODEL, CONFIG, ENDPOINT = (sagemaker_arn(kind) for kind in ("model", "endpoint-config", "endpoint"))


@dataclass(frozen=True)
class Case:
    """One call, and every permission that it needs, in the order in which AWS tells of a missing one."""

    service: str
    operation: str
    parameters: dict[str, Any]
    needs: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"{self.operation}-{len(self.needs)}"


def case(service: str, operation: str, *needs: tuple[str, str], **parameters: Any) -> Case:
    return Case(service, operation, parameters, needs)


CASES = [
    case(
        "sagemaker",
        "create_model",
        ("sagemaker:CreateModel", MODEL),
        PASS,
        ModelName="BYOM-A",
        PrimaryContainer=CONTAINER,
        ExecutionRoleArn=ROLE,
    ),
    case(
        "sagemaker",
        "create_model",
        ("sagemaker:CreateModel", sagemaker_arn("model", "byom-b")),
        ("sagemaker:AddTags", sagemaker_arn("model", "byom-b")),
        PASS,
        ModelName="byom-b",
        PrimaryContainer=CONTAINER,
        ExecutionRoleArn=ROLE,
        Tags=TAGS,
    ),
    case(
        "sagemaker",
        "create_endpoint_config",
        ("sagemaker:CreateEndpointConfig", CONFIG),
        ("sagemaker:AddTags", CONFIG),
        EndpointConfigName="byom-a",
        ProductionVariants=[VARIANT],
        Tags=TAGS,
    ),
    case(
        "sagemaker",
        "create_endpoint",
        ("sagemaker:CreateEndpoint", sagemaker_arn("endpoint", "byom-e")),
        ("sagemaker:CreateEndpoint", sagemaker_arn("endpoint-config", "byom-none")),
        EndpointName="byom-e",
        EndpointConfigName="byom-none",
    ),
    case(
        "sagemaker",
        "update_endpoint",
        ("sagemaker:UpdateEndpoint", ENDPOINT),
        ("sagemaker:UpdateEndpoint", CONFIG),
        EndpointName="byom-a",
        EndpointConfigName="byom-a",
    ),
    case("sagemaker", "describe_model", ("sagemaker:DescribeModel", MODEL), ModelName="byom-a"),
    case("sagemaker", "describe_endpoint", ("sagemaker:DescribeEndpoint", ENDPOINT), EndpointName="byom-a"),
    case(
        "sagemaker",
        "describe_endpoint_config",
        ("sagemaker:DescribeEndpointConfig", CONFIG),
        EndpointConfigName="byom-a",
    ),
    case("sagemaker", "list_endpoints", ("sagemaker:ListEndpoints", "*")),
    case("sagemaker", "list_endpoint_configs", ("sagemaker:ListEndpointConfigs", "*")),
    case("sagemaker", "list_models", ("sagemaker:ListModels", "*")),
    case("sagemaker", "add_tags", ("sagemaker:AddTags", MODEL), ResourceArn=MODEL, Tags=TAGS),
    case("sagemaker", "list_tags", ("sagemaker:ListTags", MODEL), ResourceArn=MODEL),
    case("sagemaker", "delete_tags", ("sagemaker:DeleteTags", MODEL), ResourceArn=MODEL, TagKeys=["a"]),
    case("sagemaker", "delete_endpoint", ("sagemaker:DeleteEndpoint", ENDPOINT), EndpointName="byom-a"),
    case(
        "sagemaker", "delete_endpoint_config", ("sagemaker:DeleteEndpointConfig", CONFIG), EndpointConfigName="byom-a"
    ),
    case("sagemaker", "delete_model", ("sagemaker:DeleteModel", MODEL), ModelName="byom-a"),
    case(
        "sagemaker-runtime", "invoke_endpoint", ("sagemaker:InvokeEndpoint", ENDPOINT), EndpointName="byom-a", Body=b"1"
    ),
    case("s3", "list_buckets", ("s3:ListAllMyBuckets", "arn:aws:s3:::*")),
    case("s3", "create_bucket", ("s3:CreateBucket", "arn:aws:s3:::another-one"), Bucket="another-one"),
    case("s3", "delete_bucket", ("s3:DeleteBucket", "arn:aws:s3:::another-one"), Bucket="another-one"),
    case("s3", "list_objects_v2", ("s3:ListBucket", ON_BUCKET), Bucket=BUCKET, Prefix=""),
    case("s3", "list_object_versions", ("s3:ListBucketVersions", ON_BUCKET), Bucket=BUCKET, Prefix="a"),
    case("s3", "list_multipart_uploads", ("s3:ListBucketMultipartUploads", ON_BUCKET), Bucket=BUCKET),
    case("s3", "get_bucket_location", ("s3:GetBucketLocation", ON_BUCKET), Bucket=BUCKET),
    case("s3", "get_bucket_versioning", ("s3:GetBucketVersioning", ON_BUCKET), Bucket=BUCKET),
    case("s3", "get_object", ("s3:GetObject", ON_OBJECT), **IN_S3),
    case("s3", "get_object", ("s3:GetObjectVersion", ON_OBJECT), **IN_S3, VersionId="null"),
    case("s3", "get_object_tagging", ("s3:GetObjectTagging", ON_OBJECT), **IN_S3),
    case("s3", "get_object_tagging", ("s3:GetObjectVersionTagging", ON_OBJECT), **IN_S3, VersionId="null"),
    case("s3", "put_object", ("s3:PutObject", ON_OBJECT), **IN_S3, Body=bytes(1_000_000)),
    case(
        "s3",
        "put_object",
        ("s3:PutObject", ON_OBJECT),
        ("s3:PutObjectTagging", ON_OBJECT),
        ("s3:PutObjectAcl", ON_OBJECT),
        **IN_S3,
        Tagging="Owner=me",
        ACL="private",
    ),
    case("s3", "put_object_tagging", ("s3:PutObjectTagging", ON_OBJECT), **IN_S3, Tagging={"TagSet": TAGS}),
    case(
        "s3",
        "copy_object",
        ("s3:PutObject", f"{ON_BUCKET}/byom/copy ü"),
        ("s3:GetObject", ON_OBJECT),
        Bucket=BUCKET,
        Key="byom/copy ü",
        CopySource=IN_S3,
    ),
    case(
        "s3",
        "create_multipart_upload",
        ("s3:PutObject", ON_OBJECT),
        ("s3:PutObjectTagging", ON_OBJECT),
        **IN_S3,
        Tagging="Owner=me",
    ),
    case("s3", "upload_part", ("s3:PutObject", ON_OBJECT), **IN_S3, UploadId="none", PartNumber=1, Body=b"1"),
    case("s3", "list_parts", ("s3:ListMultipartUploadParts", ON_OBJECT), **IN_S3, UploadId="none"),
    case("s3", "abort_multipart_upload", ("s3:AbortMultipartUpload", ON_OBJECT), **IN_S3, UploadId="none"),
    case("s3", "delete_object", ("s3:DeleteObject", f"{ON_BUCKET}/none"), Bucket=BUCKET, Key="none"),
    case(
        "s3",
        "delete_object",
        ("s3:DeleteObjectVersion", f"{ON_BUCKET}/none"),
        Bucket=BUCKET,
        Key="none",
        VersionId="null",
    ),
    case("iam", "list_roles", ("iam:ListRoles", "*")),
    case("iam", "get_role", ("iam:GetRole", iam_arn("role/made/byom")), RoleName="byom"),
    case(
        "iam",
        "create_role",
        ("iam:CreateRole", iam_arn("role/new/byom-new")),
        ("iam:TagRole", iam_arn("role/new/byom-new")),
        RoleName="byom-new",
        Path="/new/",
        AssumeRolePolicyDocument=SERVICE_TRUST,
        Tags=TAGS,
    ),
    case(
        "iam",
        "put_user_policy",
        ("iam:PutUserPolicy", iam_arn("user/nobody")),
        UserName="nobody",
        PolicyName="a",
        PolicyDocument=document([allow("*")]),
    ),
    case("iam", "get_policy", ("iam:GetPolicy", iam_arn("policy/none")), PolicyArn=iam_arn("policy/none")),
    case(
        "iam",
        "create_policy",
        ("iam:CreatePolicy", iam_arn("policy/byom")),
        PolicyName="byom",
        PolicyDocument=document([allow("*")]),
    ),
    case("iam", "get_user", ("iam:GetUser", iam_arn("user/byom-user"))),
    case("iam", "get_group", ("iam:GetGroup", iam_arn("group/none")), GroupName="none"),
    case("sts", "assume_role", ("sts:AssumeRole", ROLE), RoleArn=ROLE, RoleSessionName="me"),
    case("logs", "describe_log_groups", ("logs:DescribeLogGroups", logs_arn("")), logGroupNamePrefix=GROUP),
    case("logs", "create_log_group", ("logs:CreateLogGroup", logs_arn()), logGroupName=GROUP),
    case(
        "logs",
        "filter_log_events",
        ("logs:FilterLogEvents", logs_arn()),
        logGroupIdentifier=f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}",
    ),
    case(
        "logs",
        "get_log_events",
        ("logs:GetLogEvents", logs_arn(stream="A/i-1")),
        logGroupName=GROUP,
        logStreamName="A/i-1",
    ),
    case("logs", "delete_log_group", ("logs:DeleteLogGroup", logs_arn()), logGroupName=GROUP),
]
