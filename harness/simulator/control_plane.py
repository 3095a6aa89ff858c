"""SageMaker's control plane and runtime, where moto alone would let pass what AWS refuses.

A WSGI application around moto's: what it does not answer itself, moto does.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from harness.errors import ServingError
from harness.simulator import aws_request
from harness.simulator.aws_request import Environ, Refusal, Response, StartResponse, call, json_response, object_request
from harness.simulator.endpoints import IN_SERVICE, Container, Endpoint, Endpoints

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PAYLOAD_LIMIT = 6 * 1024 * 1024
"""Bytes that ``InvokeEndpoint`` takes at most (SageMaker quotas, real-time inference)."""

_ACCOUNT = "123456789012"
_NOT_SIMULATED = (
    "UpdateEndpoint",
    "UpdateEndpointWeightsAndCapacities",
    "CreateTransformJob",
    "CreateInferenceComponent",
)


class ControlPlane:
    """moto's application with endpoints that mean something."""

    def __init__(self, moto: Any) -> None:
        self._moto = moto
        self.endpoints = Endpoints()
        self._operations = {
            "CreateModel": self._create_model,
            "CreateEndpoint": self._create_endpoint,
            "DescribeEndpoint": self._describe_endpoint,
            "ListEndpoints": self._list_endpoints,
            "DeleteEndpoint": self._delete_endpoint,
            **dict.fromkeys(_NOT_SIMULATED, self._not_simulated),
        }

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """The WSGI entry."""
        path = environ.get("PATH_INFO", "")
        try:
            if "sagemaker" in environ.get("HTTP_HOST", "") and path.startswith("/endpoints/"):
                return self._invoke(environ, path).send(start_response)
            handler = self._operations.get(aws_request.operation(environ))
            if handler is not None:
                return handler(environ).send(start_response)
        except Refusal as refusal:
            return refusal.response().send(start_response)
        answer: Iterable[bytes] = self._moto(environ, start_response)
        return answer

    def _create_model(self, environ: Environ) -> Response:
        body = self._body(environ)
        name, container = body.get("ModelName", ""), body.get("PrimaryContainer") or {}
        if (
            call(self._moto, aws_request.with_body(environ, "DescribeModel", {"ModelName": name})).status
            == HTTPStatus.OK
        ):
            arn = _arn(environ, "model", name)
            raise Refusal("ValidationException", f'Cannot create already existing model "{arn}".')
        url = container.get("ModelDataUrl", "")
        if self._object("HEAD", url).status != HTTPStatus.OK:
            raise Refusal("ValidationException", f"Could not find model data at {url}.")
        return call(self._moto, environ)

    def _create_endpoint(self, environ: Environ) -> Response:
        body = self._body(environ)
        region, name = aws_request.region(environ), body.get("EndpointName", "")
        self.endpoints.check_new(region, name)
        config = self._ask(environ, "DescribeEndpointConfig", EndpointConfigName=body.get("EndpointConfigName", ""))
        [variant, *others] = config["ProductionVariants"]
        if others:
            raise Refusal("ValidationException", "The simulated account serves one production variant per endpoint.")
        model = self._ask(environ, "DescribeModel", ModelName=variant["ModelName"])
        answer = call(self._moto, environ)
        if answer.status == HTTPStatus.OK:
            container = self._container(model["PrimaryContainer"])
            endpoint = Endpoint(answer.json()["EndpointArn"], variant["VariantName"], container)
            self.endpoints.add(region, name, endpoint)
        return answer

    def _describe_endpoint(self, environ: Environ) -> Response:
        name = self._body(environ).get("EndpointName", "")
        answer = call(self._moto, environ)
        if answer.status != HTTPStatus.OK:
            return answer
        return json_response({**answer.json(), **self._state(environ, name)})

    def _list_endpoints(self, environ: Environ) -> Response:
        body = self._body(environ)
        wanted = body.pop("StatusEquals", None)
        answer = call(self._moto, aws_request.with_body(environ, "ListEndpoints", body))
        if answer.status != HTTPStatus.OK:
            return answer
        content = answer.json()
        listed = [{**entry, **self._state(environ, entry["EndpointName"])} for entry in content["Endpoints"]]
        for entry in listed:
            entry.pop("FailureReason", None)  # a summary has none
        content["Endpoints"] = [entry for entry in listed if wanted in (None, entry["EndpointStatus"])]
        return json_response(content)

    def _delete_endpoint(self, environ: Environ) -> Response:
        self.endpoints.remove(aws_request.region(environ), self._body(environ).get("EndpointName", ""))
        return call(self._moto, environ)

    def _invoke(self, environ: Environ, path: str) -> Response:
        _, _, name, verb, *_ = [*path.split("/"), "", ""]
        if verb != "invocations":
            raise Refusal("ValidationError", f"The simulated account answers /invocations only, not /{verb}.")
        body = aws_request.read_body(environ, PAYLOAD_LIMIT)
        endpoint = self.endpoints.find(aws_request.region(environ), unquote(name))
        if endpoint is None or endpoint.status != IN_SERVICE:
            raise Refusal("ValidationError", f"Endpoint {unquote(name)} of account {_ACCOUNT} not found.")
        accept = environ.get("HTTP_ACCEPT") or "*/*"
        return endpoint.invoke(body, environ.get("CONTENT_TYPE") or "application/octet-stream", accept)

    def _not_simulated(self, environ: Environ) -> Response:
        name = aws_request.operation(environ)
        raise Refusal("ValidationException", f"The simulated account does not simulate {name}: use a live account.")

    def _container(self, primary: dict[str, Any]) -> Container:
        url = primary.get("ModelDataUrl", "")

        def fetch(target: Path) -> None:
            answer = self._object("GET", url)
            if answer.status != HTTPStatus.OK:
                raise ServingError(f"Could not find model data at {url}.")
            target.write_bytes(answer.body)

        return Container(primary.get("Image", ""), primary.get("Environment") or {}, fetch)

    def _state(self, environ: Environ, name: str) -> dict[str, Any]:
        endpoint = self.endpoints.find(aws_request.region(environ), name)
        if endpoint is None:
            return {}
        state = {"EndpointStatus": endpoint.status}
        return {**state, "FailureReason": endpoint.failure_reason} if endpoint.failure_reason else state

    def _ask(self, environ: Environ, operation: str, **parameters: str) -> dict[str, Any]:
        """Another operation on the caller's behalf; its refusal is ours."""
        answer = call(self._moto, aws_request.with_body(environ, operation, parameters))
        if answer.status != HTTPStatus.OK:
            error = answer.json()
            message = error.get("message") or error.get("Message", "")  # moto writes either
            raise Refusal(error.get("__type", "ValidationException"), message, answer.status)
        return answer.json()

    def _object(self, method: str, url: str) -> Response:
        parts = urlsplit(url)
        return call(self._moto, object_request(method, parts.netloc, parts.path.lstrip("/")))

    @staticmethod
    def _body(environ: Environ) -> dict[str, Any]:
        return Response(HTTPStatus.OK, aws_request.read_body(environ)).json()


def _arn(environ: Environ, kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:{aws_request.region(environ)}:{_ACCOUNT}:{kind}/{name}"
