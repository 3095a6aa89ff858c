"""Deployment through the SageMaker SDK: verify, upload, ``MXNetModel``, endpoint; every name is chosen here."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.artifact import TARBALL
from harness.cloud.claim import PREFIX
from harness.cloud.cleanup import delete_all
from harness.cloud.endpoint_log import last_lines
from harness.cloud.refusal import is_passing, told
from harness.cloud.session import LIVE, import_sagemaker
from harness.errors import CloudError, HarnessError
from harness.tarball.loading import Loader
from harness.tarball.verify import check

if TYPE_CHECKING:
    from harness.artifact import Artifact
    from harness.cloud.session import Cloud

FRAMEWORK_VERSION, PYTHON_VERSION = "1.9.0", "py38"
"""The newest MXNet inference image; it reads what MXNet 1.9.1 writes."""

NAME_LIMIT = 63
"""Characters in the name of a model, an endpoint config or an endpoint (API reference, CreateEndpoint)."""


@dataclass(frozen=True)
class Deployment:
    """An endpoint in service.

    Attributes:
        cloud: the account it lives in.
        endpoint_name: its name; the endpoint config and the model have the same.
        seconds: from the first call to ``InService``.
    """

    cloud: Cloud
    endpoint_name: str
    seconds: float

    def delete(self) -> None:
        """Delete everything that was made for it, and wait until it is gone.

        Raises:
            LeftoverError: something could not be deleted; names it, and what it costs.
        """
        delete_all(self.cloud, deployment=self.endpoint_name)


def deploy(cloud: Cloud, artifact: Artifact, *, name: str, entry_point: Path) -> Deployment:
    """Upload an artifact and put an endpoint called ``name`` in front of it.

    Blocks until the endpoint is in service. Everything is in the account's ledger before it is made; if anything goes
    wrong, what was made until then is deleted. The tarball is verified before the first call to AWS; the one that the
    SDK makes of it, before a model is made of that.

    Args:
        cloud: the account.
        artifact: what to deploy.
        name: from `resource_name`.
        entry_point: the script that the container runs.

    Raises:
        ArtifactError: the container could not serve the tarball; lists why.
        CloudError: it could cost too much, AWS refused a call, the endpoint failed (with AWS's reason), or it was not
            in service in time.
        LeftoverError: besides, something that was made could not be deleted.
    """
    started = time.monotonic()
    _check_name(cloud, name)
    cloud.recorder.check_budget()
    _verify(cloud, artifact.path)
    try:
        _create(cloud, artifact, name, entry_point)
        _wait_until_in_service(cloud, name)
    except BaseException as error:
        delete_all(cloud, deployment=name, because=error)
        raise
    return Deployment(cloud, name, time.monotonic() - started)


def resource_name(cloud: Cloud, title: str, number: int = 1) -> str:
    """The name of everything that is made for one deployment: what, which run, which of its deployments.

    The same for the same run, title and number.

    Args:
        cloud: the account.
        title: such as an experiment's name; letters, digits and hyphens.
        number: which deployment of the run.
    """
    return f"{PREFIX}{title}-{cloud.recorder.run.run}-{number}"


def _check_name(cloud: Cloud, name: str) -> None:
    """Objects are told from other people's by the run's id in their keys."""
    if not cloud.recorder.owns_key(f"{name}/{TARBALL}") or len(name) > NAME_LIMIT:
        raise CloudError(
            f"deployment: expected a name from resource_name(), at most {NAME_LIMIT} characters, found {name!r}"
        )


def _verify(cloud: Cloud, tarball: Path) -> None:
    """A simulated endpoint loads the model at once; a live one minutes later, and for money, so it is loaded here."""
    if cloud.kind != LIVE:
        check(tarball)
        return
    with Loader() as loader:
        check(tarball, loader=loader)


def _create(cloud: Cloud, artifact: Artifact, name: str, entry_point: Path) -> None:
    sagemaker = import_sagemaker()
    try:
        bucket = cloud.sdk.default_bucket()
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
        # wait=True would sleep 30 seconds before the first look, and look for ever.
        model.deploy(1, cloud.instance_type, endpoint_name=name, wait=False)
    except HarnessError:
        raise
    except Exception as error:  # the SDK repacks the tarball itself, and raises whatever tarfile, shutil or boto3 do
        raise CloudError(f"deploying {name} to the {cloud.kind} account: {told(error)}") from error


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

    client, pace = cloud.client("sagemaker"), cloud.pace
    status, heard = "unknown", time.monotonic()
    for _ in pace.pauses(pace.deploy):
        try:
            described: dict[str, Any] = client.describe_endpoint(EndpointName=name)
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            if is_passing(error) and time.monotonic() - heard < pace.broken:
                continue
            raise CloudError(f"endpoint {name}: cannot tell its status: {told(error)}") from error
        status, heard = described["EndpointStatus"], time.monotonic()
        if status == "InService":
            return
        if status != "Creating":
            reason = described.get("FailureReason", "AWS gives no reason")
            raise CloudError(f"endpoint {name}: expected InService, found {status}: {reason}{last_lines(cloud, name)}")
    raise CloudError(
        f"endpoint {name}: expected InService within {pace.deploy:g} s, found {status}{last_lines(cloud, name)}"
    )
