"""Things of other people's whose names, keys and tags look like ours; ten of each of five kinds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from leaks.flow import ACCOUNT, BUCKET, NAME, OWNER, REGION, ROLE, RUN

if TYPE_CHECKING:
    from harness.cloud.session import Cloud

NAMES = (
    f"{NAME}0",
    f"{NAME}-1",
    f"{NAME}x",
    NAME.removesuffix("-1"),
    f"x{NAME}",
    NAME.upper(),
    NAME.replace(RUN, "0a1b2c3e"),
    "byom-leak",
    "byom-permission-check",
    "sagemaker-mxnet-2026-11-23",
)
KEYS = (
    f"{NAME}0/model.tar.gz",
    f"{NAME}/model.tar.gz.bak",
    f"{NAME}/model.tar",
    f"{NAME}/{NAME}/model.tar.gz/",
    f"x/{NAME}/model.tar.gz",
    f"{NAME.upper()}/model.tar.gz",
    f"{NAME.replace(RUN, '0a1b2c3e')}/model.tar.gz",
    "byom-leak/model.tar.gz",
    f"{NAME}",
    "model.tar.gz",
)
BUCKETS = (f"{BUCKET}-x", f"x-{BUCKET}", *(f"byom-stranger-{number}" for number in range(8)))

_PAST, _FUTURE = str(int(time.time()) - 3600), str(int(time.time()) + 86400)
TAGS: tuple[dict[str, str], ...] = (
    {},
    {"project": "byom"},
    {"byom:run": RUN},  # a claim needs all three
    {"byom:run": "ffffffff", "byom:owner": "somebody else", "byom:expires": _PAST},
    {"byom:run": "ffffffff", "byom:owner": OWNER, "byom:expires": _FUTURE},
    {"byom:run": "ffffffff", "byom:owner": f"{OWNER}2", "byom:expires": _PAST},
    {"byom:run": "ffffffff", "byom:owner": OWNER, "byom:expires": "never"},
    {"byom:owner": OWNER, "byom:expires": _PAST},
    {"Byom:Run": RUN, "byom:Owner": OWNER, "byom:Expires": _PAST},
    {"byom:run": "", "byom:owner": "", "byom:expires": _PAST},
)


def settle_in(cloud: Cloud) -> None:
    """Make all fifty, and the bucket that the SageMaker SDK would make."""
    sagemaker, s3 = cloud.client("sagemaker"), cloud.client("s3")
    for bucket in (BUCKET, *BUCKETS):
        s3.create_bucket(Bucket=bucket)
    for key, tags in zip(KEYS, TAGS, strict=True):
        tagging = "&".join(f"{name}={value}" for name, value in tags.items())
        s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode(), Tagging=tagging)
    container = {"Image": _IMAGE, "ModelDataUrl": f"s3://{BUCKET}/{KEYS[0]}"}
    for name, tags in zip(NAMES, TAGS, strict=True):
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE, Tags=listed)
        variant = {"VariantName": "v", "ModelName": name, "InstanceType": "ml.m4.xlarge", "InitialInstanceCount": 1}
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], Tags=listed)
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name, Tags=listed)


def census(cloud: Cloud) -> dict[str, Any]:
    """All of them as they are now: what they are, their tags and, of objects, their content."""
    from harness.cloud.sighting import as_dict, read_tags

    sagemaker, s3 = cloud.client("sagemaker"), cloud.client("s3")
    found: dict[str, Any] = {}
    for name in NAMES:
        for kind in ("endpoint", "endpoint-config", "model"):
            arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name}"
            found[f"{kind} {name}"] = read_tags(sagemaker, arn)
        described = sagemaker.describe_endpoint(EndpointName=name)
        found[f"status {name}"] = described["EndpointStatus"] in ("InService", "Failed", "Creating")
    for key in KEYS:
        tags = s3.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]
        found[f"object {key}"] = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read(), as_dict(tags)
    names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    found["buckets"] = [bucket for bucket in BUCKETS if bucket in names]
    return found


_IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/mxnet-inference:1.9.0-cpu-py38"
