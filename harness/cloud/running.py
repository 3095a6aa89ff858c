"""An endpoint that exists already, whoever made it: whether it answers, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.cloud.budget import hourly_price
from harness.cloud.refusal import is_gone, told
from harness.cloud.session import SIMULATED
from harness.errors import CloudError

if TYPE_CHECKING:
    from harness.cloud.session import Cloud

IN_SERVICE = frozenset({"InService", "Updating", "SystemUpdating", "RollingBack"})
"""Statuses in which SageMaker answers invocations (``DescribeEndpoint``)."""

_VARIANTS = ("ProductionVariants", "ShadowProductionVariants")
"""All are billed, those as well that nobody gets an answer from."""


@dataclass(frozen=True)
class Running:
    """An endpoint in service.

    Attributes:
        name: of the endpoint.
        instances: type and number of what it runs on, such as ("ml.m4.xlarge", 1); empty where it is serverless, None
            where its configuration was deleted, which alone tells.
        hourly: dollars an hour that these cost at most; None where a price is not known.
    """

    name: str
    instances: tuple[tuple[str, int], ...] | None
    hourly: float | None

    def told_price(self) -> str:
        """What it costs, in words."""
        if self.instances is None:
            return (
                f"Endpoint {self.name}: its configuration was deleted, which alone tells what it runs on and costs: "
                f"billed until it is deleted, drawing or not."
            )
        machines = " and ".join(f"{count} x {kind}" for kind, count in self.instances)
        if not machines:
            return f"Endpoint {self.name} is serverless: AWS bills each request."
        price = "at a price that is not known here" if self.hourly is None else f"up to ${self.hourly:.3f} an hour"
        return f"Endpoint {self.name} runs on {machines}, {price}: billed until it is deleted, drawing or not."


def find_running(cloud: Cloud, name: str) -> Running:
    """Look an endpoint up.

    Raises:
        CloudError: there is none of that name, it is not in service, or AWS does not let us look.
    """
    import botocore.exceptions

    client = cloud.client("sagemaker")
    try:
        endpoint = client.describe_endpoint(EndpointName=name)
        status = endpoint["EndpointStatus"]
        if status not in IN_SERVICE:
            reason = endpoint.get("FailureReason", "")
            raise CloudError(f"endpoint {name}: expected it to be InService, found {status}. {reason}".rstrip(" ."))
        config = _config(client, endpoint["EndpointConfigName"])
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        if is_gone(error):
            raise CloudError(
                f"endpoint {name}: expected one of that name in the {cloud.kind} account in "
                f"{cloud.recorder.run.region}, found none"
            ) from error
        is_absent = cloud.kind == SIMULATED and isinstance(error, botocore.exceptions.EndpointConnectionError)
        hint = "; start it with: byom simulate" if is_absent else ""
        raise CloudError(f"endpoint {name}: {told(error)}{hint}") from error
    if config is None:
        return Running(name, None, None)
    instances = _instances(endpoint, config)
    return Running(name, instances, _hourly(instances, cloud.recorder.run.region))


def _config(client: Any, name: str) -> dict[str, Any] | None:
    """What an endpoint was made of; None if that was deleted, which an endpoint outlives."""
    import botocore.exceptions

    try:
        config: dict[str, Any] = client.describe_endpoint_config(EndpointConfigName=name)
    except botocore.exceptions.ClientError as error:
        if is_gone(error):
            return None
        raise
    return config


def _instances(endpoint: dict[str, Any], config: dict[str, Any]) -> tuple[tuple[str, int], ...]:
    """As many as there are now, which is not always what the configuration began with."""
    now = {variant["VariantName"]: variant for kind in _VARIANTS for variant in endpoint.get(kind, [])}
    return tuple(
        (
            variant["InstanceType"],
            now.get(variant["VariantName"], {}).get("CurrentInstanceCount") or variant.get("InitialInstanceCount", 1),
        )
        for kind in _VARIANTS
        for variant in config.get(kind, [])
        if "InstanceType" in variant
    )


def _hourly(instances: tuple[tuple[str, int], ...], region: str) -> float | None:
    try:
        return sum(hourly_price(kind, region) * count for kind, count in instances)
    except CloudError:
        return None
