"""Deployment through the SageMaker SDK: verify, upload, ``MXNetModel``, endpoint; every name is chosen here."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.artifact import TARBALL
from harness.cloud.cleanup import delete_all
from harness.cloud.session import LIVE, import_sagemaker
from harness.errors import ArtifactError, CloudError
from harness.resources import Inventory, Kind
from harness.tarball.loading import Loader
from harness.tarball.verify import check

if TYPE_CHECKING:
    from harness.artifact import Artifact
    from harness.cloud.session import Cloud

FRAMEWORK_VERSION, PYTHON_VERSION = "1.9.0", "py38"
"""The newest MXNet inference image; it reads what MXNet 1.9.1 writes."""


@dataclass(frozen=True)
class Deployment:
    """An endpoint in service.

    Attributes:
        cloud: the account it lives in.
        endpoint_name: its name; the endpoint config and the model have the same.
        inventory: everything that was made for it, in order.
        seconds: from the first call to ``InService``.
    """

    cloud: Cloud
    endpoint_name: str
    inventory: Inventory
    seconds: float

    def delete(self) -> None:
        """Delete everything that was made for it.

        Raises:
            LeftoverError: something could not be deleted; names it.
        """
        delete_all(self.cloud, self.inventory)


def deploy(cloud: Cloud, artifact: Artifact, *, name: str, entry_point: Path) -> Deployment:
    """Upload an artifact and put an endpoint called ``name`` in front of it.

    Blocks until the endpoint is in service. If anything goes wrong, what was made until then is deleted. The tarball is
    verified before the first call to AWS; the one that the SDK makes of it, before a model is made of that.

    Raises:
        ArtifactError: the container could not serve the tarball; lists why.
        CloudError: AWS refused a call, the endpoint failed (with AWS's reason), or it was not in service in time.
        LeftoverError: besides, something that was made could not be deleted.
    """
    started = time.monotonic()
    _verify(cloud, artifact.path)
    inventory = Inventory()
    try:
        _create(cloud, artifact, name, entry_point, inventory)
        _wait_until_in_service(cloud, name)
    except BaseException as error:
        delete_all(cloud, inventory, because=error)
        raise
    return Deployment(cloud, name, inventory, time.monotonic() - started)


def _verify(cloud: Cloud, tarball: Path) -> None:
    """A simulated endpoint loads the model at once; a live one minutes later, and for money, so it is loaded here."""
    if cloud.kind != LIVE:
        check(tarball)
        return
    with Loader() as loader:
        check(tarball, loader=loader)


def _create(cloud: Cloud, artifact: Artifact, name: str, entry_point: Path, inventory: Inventory) -> None:
    sagemaker = import_sagemaker()
    try:
        bucket = cloud.sdk.default_bucket()
        inventory.note(Kind.OBJECT, f"s3://{bucket}/{name}/{artifact.path.name}")
        uploaded = cloud.sdk.upload_data(str(artifact.path), bucket=bucket, key_prefix=name)
        model = _model_class(sagemaker, cloud)(
            name=name,
            model_data=uploaded,
            role=cloud.role,
            entry_point=str(entry_point),
            framework_version=FRAMEWORK_VERSION,
            py_version=PYTHON_VERSION,
            # The SDK packs the entry point into the tarball once more and uploads that, here:
            code_location=f"s3://{bucket}/{name}",
            sagemaker_session=cloud.sdk,
        )
        inventory.note(Kind.OBJECT, f"s3://{bucket}/{name}/{name}/{TARBALL}")
        for kind in (Kind.MODEL, Kind.ENDPOINT_CONFIG, Kind.ENDPOINT):
            inventory.note(kind, name)
        # wait=True would sleep 30 seconds before the first look, and look for ever.
        model.deploy(1, cloud.instance_type, endpoint_name=name, wait=False)
    except ArtifactError:
        raise
    except Exception as error:  # the SDK repacks the tarball itself, and raises whatever tarfile, shutil or boto3 do
        raise CloudError(f"deploying {name} to the {cloud.kind} account: {type(error).__name__}: {error}") from error


def _model_class(sagemaker: Any, cloud: Cloud) -> Any:
    """``MXNetModel``, with a look at the tarball that it makes: ours with the entry point packed into it once more."""

    class VerifiedModel(sagemaker.mxnet.model.MXNetModel):  # type: ignore[misc]
        def prepare_container_def(self, *arguments: Any, **options: Any) -> Any:
            definition = super().prepare_container_def(*arguments, **options)
            bucket, _, key = definition["ModelDataUrl"].removeprefix("s3://").partition("/")
            with tempfile.TemporaryDirectory(prefix="byom-repacked-") as folder:
                copy = Path(folder) / TARBALL
                cloud.client("s3").download_file(bucket, key, str(copy))
                check(copy)
            return definition

    return VerifiedModel


def _wait_until_in_service(cloud: Cloud, name: str) -> None:
    import botocore.exceptions

    client = cloud.client("sagemaker")
    attempts = max(1, round(cloud.deploy_seconds / cloud.poll_seconds))
    try:
        client.get_waiter("endpoint_in_service").wait(
            EndpointName=name, WaiterConfig={"Delay": cloud.poll_seconds, "MaxAttempts": attempts}
        )
    except botocore.exceptions.WaiterError as error:
        last: dict[str, Any] = error.last_response
        status, reason = last.get("EndpointStatus", "unknown"), last.get("FailureReason", "")
        if status == "Creating":
            raise CloudError(
                f"endpoint {name}: expected InService within {cloud.deploy_seconds:g} s, found Creating; "
                f"look at its log, or allow it more time"
            ) from error
        raise CloudError(f"endpoint {name}: expected InService, found {status}: {reason or error}") from error
    except botocore.exceptions.BotoCoreError as error:
        raise CloudError(f"endpoint {name}: cannot tell its status: {error}") from error
