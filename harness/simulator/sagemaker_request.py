"""A request to SageMaker's control plane, read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from harness.simulator import aws_request
from harness.simulator.aws_request import Response
from harness.simulator.constraints import name_violations, refuse

if TYPE_CHECKING:
    from harness.simulator.aws_request import Environ
    from harness.simulator.catalogue import Kind


@dataclass(frozen=True)
class Request:
    """A request to SageMaker's control plane."""

    environ: Environ

    @cached_property
    def body(self) -> dict[str, Any]:
        """What it asks."""
        return Response(HTTPStatus.OK, aws_request.read_body(self.environ)).json()

    @property
    def region(self) -> str:
        """Where."""
        return aws_request.region(self.environ)

    @property
    def operation(self) -> str:
        """Such as ``CreateEndpoint``."""
        return aws_request.operation(self.environ)

    def name(self, kind: Kind) -> str:
        """The name that it gives to, or asks for, a thing of a kind.

        Raises:
            Refusal: that cannot be a name.
        """
        name: str = self.body.get(kind.parameter, "")
        refuse(name_violations(name, _member(kind.parameter)))
        return name


def _member(parameter: str) -> str:
    """A parameter as AWS writes it in what is wrong with it."""
    return parameter[0].lower() + parameter[1:]
