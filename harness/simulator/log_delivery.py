"""What endpoints print, in the account's CloudWatch Logs: ``/aws/sagemaker/Endpoints/NAME``, ``VARIANT/INSTANCE``.

Names as in AWS's table of log groups and streams that SageMaker writes to. Nothing is written but at the moments when
it could be missed: an endpoint has come up, failed or gone, or somebody asks CloudWatch Logs for anything.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from harness.simulator.aws_request import call, service_request

if TYPE_CHECKING:
    from harness.simulator.endpoints import Endpoint

GROUP = "/aws/sagemaker/Endpoints/"
"""What an endpoint's name follows."""

_LINES = 1000
"""Delivered at once at most; the last ones."""


class LogDelivery:
    """Sends lines to moto's CloudWatch Logs, each once. Log groups outlive their endpoint.

    Args:
        moto: the application that has CloudWatch Logs.
    """

    def __init__(self, moto: Any) -> None:
        self._moto = moto
        self._lock = threading.Lock()

    def deliver(self, endpoint: Endpoint) -> None:
        """Write what an endpoint has printed since the last time."""
        with self._lock:
            lines = [line for line in endpoint.new_log_lines() if line.strip()][-_LINES:]
            if lines:
                self._write(endpoint, lines)

    def _write(self, endpoint: Endpoint, lines: list[str]) -> None:
        group = {"logGroupName": f"{GROUP}{endpoint.entry.name}"}
        stream = {**group, "logStreamName": f"{endpoint.variant.name}/{endpoint.instance}"}
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in lines]
        region = endpoint.entry.region
        for operation, body in (
            ("CreateLogGroup", group),  # refused if there is one, or deleted meanwhile
            ("CreateLogStream", stream),
            ("PutLogEvents", {**stream, "logEvents": events}),
        ):
            call(self._moto, service_request("logs", region, f"Logs_20140328.{operation}", body))
