"""SageMaker's control plane and runtime, where moto alone would let pass what AWS refuses.

A WSGI application around moto's: what it does not answer itself, moto does. The rules that it holds are in
`harness.simulator.rules`.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from harness.errors import ServingError
from harness.simulator import aws_request, listing
from harness.simulator.aws_request import Refusal, Response, call, json_response, object_request
from harness.simulator.behaviour import PROMPT
from harness.simulator.catalogue import ACCOUNT, CONFIG, ENDPOINT, IN_SERVICE, KINDS, MODEL, Catalogue, Entry, Lifetime
from harness.simulator.constraints import name_violations, refuse, role_violations
from harness.simulator.endpoints import Container, Endpoint, Endpoints, RecordedServer, Variant
from harness.simulator.limits import Throttle, check_quota
from harness.simulator.log_delivery import LogDelivery
from harness.simulator.sagemaker_request import Request
from harness.simulator.tags import check_not_reserved, check_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from harness.simulator.aws_request import Environ, StartResponse
    from harness.simulator.behaviour import Behaviour
    from harness.simulator.catalogue import Kind
    from harness.simulator.endpoints import Server

PAYLOAD_LIMIT = 6 * 1024 * 1024
"""Bytes that ``InvokeEndpoint`` takes at most (SageMaker quotas, real-time inference)."""

_NOT_SIMULATED = ("CreateTransformJob", "CreateInferenceComponent")
_UPDATES = ("UpdateEndpoint", "UpdateEndpointWeightsAndCapacities")


class ControlPlane:
    """moto's application with endpoints that mean something.

    Args:
        moto: its WSGI application.
        behaviour: where it is to be slow, late or sparing.
        server: makes what runs behind an endpoint.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        moto: Any,
        *,
        behaviour: Behaviour = PROMPT,
        server: Callable[[], Server] = RecordedServer,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._moto, self._behaviour, self._server, self._clock = moto, behaviour, server, clock
        self.endpoints = Endpoints()
        self._catalogue = Catalogue(clock, lag=behaviour.list_lag_seconds)
        self._throttle = Throttle(behaviour.requests_per_second, clock)
        self._logs = LogDelivery(moto)
        self._lock = threading.RLock()
        self._operations: dict[str, Callable[[Request], Response | None]] = {
            **{f"Describe{kind.noun}": partial(self._describe, kind) for kind in KINDS},
            **{f"List{kind.noun}s": partial(self._list, kind) for kind in KINDS},
            "CreateModel": self._create_model,
            "CreateEndpointConfig": self._create_config,
            "CreateEndpoint": self._create_endpoint,
            "DeleteModel": partial(self._delete, MODEL),
            "DeleteEndpointConfig": partial(self._delete, CONFIG),
            "DeleteEndpoint": self._delete_endpoint,
            "AddTags": self._add_tags,
            "DeleteTags": self._delete_tags,
            "ListTags": self._list_tags,
            **dict.fromkeys(_UPDATES, self._update_endpoint),
            **dict.fromkeys(_NOT_SIMULATED, self._not_simulated),
        }

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """The WSGI entry."""
        try:
            answer = self._invoke(environ) if aws_request.is_runtime(environ) else self._control(environ)
        except Refusal as refusal:
            answer = refusal.response()
        if answer is not None:
            return answer.send(start_response)
        passed_on: Iterable[bytes] = self._moto(environ, start_response)
        return passed_on

    def _control(self, environ: Environ) -> Response | None:
        """The answer to anything but an invocation; None if it is moto's to answer."""
        with self._lock:
            for entry in self.endpoints.forget_gone():
                self._tell_moto(entry.region, "DeleteEndpoint", EndpointName=entry.name)
            if aws_request.is_for_logs(environ):
                for endpoint in self.endpoints:
                    self._logs.deliver(endpoint)
            request = Request(environ)
            if not request.operation:
                return None
            self._throttle.take((request.region, request.operation))
            handler = self._operations.get(request.operation)
            return handler(request) if handler else None

    def _create_model(self, request: Request) -> Response:
        self._check_new(MODEL, request)
        body = request.body
        if role := body.get("ExecutionRoleArn"):
            refuse(role_violations(role, "executionRoleArn"))
        url = (body.get("PrimaryContainer") or {}).get("ModelDataUrl", "")
        if self._object("HEAD", url).status != HTTPStatus.OK:
            raise Refusal("ValidationException", f"Could not find model data at {url}.")
        return self._record(request, Entry(MODEL, request.region, request.name(MODEL), Lifetime(self._clock())))

    def _create_config(self, request: Request) -> Response:
        self._check_new(CONFIG, request)
        variants = request.body.get("ProductionVariants") or []
        names = [variant.get("ModelName", "") for variant in variants]
        members = [f"productionVariants.{number}.member.modelName" for number in range(1, len(names) + 1)]
        refuse([one for pair in zip(names, members, strict=True) for one in name_violations(*pair)])
        for name in names:
            self._catalogue.need(MODEL, request.region, name)
        return self._record(request, Entry(CONFIG, request.region, request.name(CONFIG), Lifetime(self._clock())))

    def _create_endpoint(self, request: Request) -> Response:
        self._check_new(ENDPOINT, request)
        region = request.region
        config = self._need(CONFIG, region, request.name(CONFIG))
        [described, *others] = config["ProductionVariants"]
        if others:
            raise Refusal("ValidationException", "The simulated account serves one production variant per endpoint.")
        model = self._need(MODEL, region, described["ModelName"])
        variant = Variant(
            described["VariantName"], described.get("InstanceType", ""), described.get("InitialInstanceCount", 1)
        )
        used = self.endpoints.instances(region, variant.instance_type)
        check_quota(self._behaviour.quotas, variant.instance_type, used=used, wanted=variant.instances)
        behaviour = self._behaviour
        lifetime = Lifetime(self._clock(), creating=behaviour.creating_seconds, deleting=behaviour.deleting_seconds)
        entry = Entry(ENDPOINT, region, request.name(ENDPOINT), lifetime)
        answer = self._record(request, entry)
        if answer.status == HTTPStatus.OK:
            self._start(entry, variant, self._container(model["PrimaryContainer"]))
        return answer

    def _start(self, entry: Entry, variant: Variant, container: Container) -> None:
        deliver, server = self._logs.deliver, self._server()
        self.endpoints.start(Endpoint(entry, variant, container, server=server, clock=self._clock, deliver=deliver))

    def _describe(self, kind: Kind, request: Request) -> Response:
        name = request.name(kind)
        entry = self._catalogue.need(kind, request.region, name)
        answer = call(self._moto, request.environ)
        if answer.status != HTTPStatus.OK:
            return answer
        endpoint = self.endpoints.find(request.region, name) if kind is ENDPOINT else None
        state = endpoint.state() if endpoint else {}
        return json_response({**answer.json(), "CreationTime": entry.lifetime.created, **state})

    def _list(self, kind: Kind, request: Request) -> Response:
        return json_response(listing.page(kind, self._catalogue.listed(kind, request.region), request.body))

    def _delete(self, kind: Kind, request: Request) -> Response:
        """Delete a model or an endpoint configuration, were it in use: AWS lets that happen."""
        entry = self._catalogue.need(kind, request.region, request.name(kind))
        entry.lifetime.end(self._clock())
        return call(self._moto, request.environ)

    def _delete_endpoint(self, request: Request) -> Response:
        self.endpoints.need(request.region, request.name(ENDPOINT)).delete()
        return json_response({})

    def _update_endpoint(self, request: Request) -> Response:
        self.endpoints.need(request.region, request.name(ENDPOINT)).check_idle()
        return self._not_simulated(request)

    def _add_tags(self, request: Request) -> Response | None:
        entry = self._tagged(request)
        if entry is None:
            return None
        arn, tags = entry.arn, request.body.get("Tags") or []
        listed = self._tell_moto(request.region, "ListTags", ResourceArn=arn, MaxResults=100).json()["Tags"]
        check_tags(tags, [tag["Key"] for tag in listed])
        # moto would add a second tag of that key.
        self._tell_moto(request.region, "DeleteTags", ResourceArn=arn, TagKeys=[tag["Key"] for tag in tags])
        return call(self._moto, request.environ)

    def _delete_tags(self, request: Request) -> Response | None:
        check_not_reserved(request.body.get("TagKeys") or [])
        self._tagged(request)
        return None

    def _list_tags(self, request: Request) -> Response | None:
        self._tagged(request)
        return None

    def _tagged(self, request: Request) -> Entry | None:
        """What a request about tags is for; None if that is nothing of ours.

        Raises:
            Refusal: there is no such thing.
        """
        arn: str = request.body.get("ResourceArn", "")
        kinds = {kind.arn(request.region, ""): kind for kind in KINDS}
        prefix, _, name = arn.rpartition("/")
        kind = kinds.get(f"{prefix}/")
        return self._catalogue.need(kind, request.region, name) if kind else None

    def _not_simulated(self, request: Request) -> Response:
        raise Refusal(
            "ValidationException", f"The simulated account does not simulate {request.operation}: use a live account."
        )

    def _invoke(self, environ: Environ) -> Response:
        path: str = environ["PATH_INFO"]
        quoted, _, verb = path.removeprefix("/endpoints/").partition("/")
        if verb != "invocations":
            raise Refusal("ValidationError", f"The simulated account answers /invocations only, not /{verb}.")
        name, body = unquote(quoted), aws_request.read_body(environ, PAYLOAD_LIMIT)
        endpoint = self.endpoints.find(aws_request.region(environ), name)
        if endpoint is None or endpoint.status != IN_SERVICE:
            raise Refusal("ValidationError", f"Endpoint {name} of account {ACCOUNT} not found.")
        accept = environ.get("HTTP_ACCEPT") or "*/*"
        return endpoint.invoke(body, environ.get("CONTENT_TYPE") or "application/octet-stream", accept)

    def _check_new(self, kind: Kind, request: Request) -> None:
        name = request.name(kind)
        check_tags(request.body.get("Tags") or [])
        self._catalogue.check_new(kind, request.region, name)

    def _record(self, request: Request, entry: Entry) -> Response:
        """Let moto keep what is created, and the catalogue find it."""
        answer = call(self._moto, request.environ)
        if answer.status == HTTPStatus.OK:
            self._catalogue.add(entry)
        return answer

    def _need(self, kind: Kind, region: str, name: str) -> dict[str, Any]:
        """What moto keeps of something that has to be there."""
        self._catalogue.need(kind, region, name)
        return self._tell_moto(region, f"Describe{kind.noun}", **{kind.parameter: name}).json()

    def _tell_moto(self, region: str, operation: str, **parameters: Any) -> Response:
        """Another operation of SageMaker, from inside the account."""
        environ = aws_request.service_request("sagemaker", region, f"SageMaker.{operation}", parameters)
        return call(self._moto, environ)

    def _container(self, primary: dict[str, Any]) -> Container:
        url = primary.get("ModelDataUrl", "")

        def fetch(target: Path) -> None:
            answer = self._object("GET", url)
            if answer.status != HTTPStatus.OK:
                raise ServingError(f"Could not find model data at {url}.")
            target.write_bytes(answer.body)

        return Container(primary.get("Image", ""), primary.get("Environment") or {}, fetch)

    def _object(self, method: str, url: str) -> Response:
        parts = urlsplit(url)
        return call(self._moto, object_request(method, parts.netloc, parts.path.lstrip("/")))
