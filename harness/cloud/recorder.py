"""Stands between boto3 and AWS: nothing is created that is not in the ledger first and does not carry its claim.

It listens to botocore's events, so it does not matter who makes a call: the harness, the SageMaker SDK, or a test.
"""

from __future__ import annotations

import time
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode

from harness.cloud.claim import LOGS, PREFIX, Claim
from harness.errors import CloudError
from harness.resources import Kind, Resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.cloud.budget import Budget
    from harness.cloud.ledger import Ledger, Run

_NAMED = {
    "CreateModel": (Kind.MODEL, "ModelName"),
    "CreateEndpointConfig": (Kind.ENDPOINT_CONFIG, "EndpointConfigName"),
    "CreateEndpoint": (Kind.ENDPOINT, "EndpointName"),
}
_STORING = ("PutObject", "CreateMultipartUpload")


class Recorder:
    """Writes down what one run creates through one boto3 session, and marks it.

    Everything of SageMaker's is recorded; of S3's, objects whose key begins with one of the run's own names.

    Args:
        ledger: where it is written down.
        run: who creates.
        budget: what endpoints may cost; without one nothing is refused.
        before_endpoint: called before each endpoint is created; what it raises keeps the endpoint from being created.
    """

    def __init__(
        self,
        ledger: Ledger,
        run: Run,
        *,
        budget: Budget | None = None,
        before_endpoint: Callable[[], None] = lambda: None,
    ) -> None:
        self.ledger = ledger
        self.run = run
        self.budget = budget
        self.before_endpoint = before_endpoint
        self._claim = Claim.of(run)
        self._listens_to: list[Any] = []
        self._intended: dict[Resource, float] = {}
        self._unheard: Counter[Resource] = Counter()

    def listen(self, boto: Any) -> None:
        """Record what clients create that are made from this boto3 session from now on; again does nothing."""
        if any(boto is known for known in self._listens_to):
            return
        self._listens_to.append(boto)
        for operation in _NAMED:
            boto.events.register(f"provide-client-params.sagemaker.{operation}", self._about_to_create)
            boto.events.register(f"after-call.sagemaker.{operation}", self._created)
        for operation in _STORING:
            boto.events.register(f"provide-client-params.s3.{operation}", self._about_to_store)
        # An upload in parts has not come to its end with the answer to its beginning, but with that to its completion.
        boto.events.register("provide-client-params.s3.CompleteMultipartUpload", self._about_to_complete)
        for operation in ("PutObject", "CompleteMultipartUpload"):
            boto.events.register(f"after-call.s3.{operation}", self._created)

    def begin(self) -> None:
        """See that the ledger knows the run; done before anything is created or deleted, if not before.

        If somebody has deleted the ledger meanwhile, all that the run has intended is written down again.

        Raises:
            CloudError: the ledger cannot be written.
        """
        if self.ledger.find(self.run.run) is not None:
            return
        self.ledger.begin(self.run)
        for resource, hourly in self._intended.items():
            self.ledger.intend(self.run.run, resource, hourly=hourly)

    def check_budget(self) -> None:
        """Refuse an endpoint before anything is made for it; once more, under the ledger's lock, when it is made.

        Raises:
            CloudError: it could cost more than the cap.
        """
        if self.budget is not None:
            self.budget.allows(self.run)(self.ledger.runs())

    def is_answered(self, resource: Resource) -> bool:
        """Whether AWS has said of each try to make something if it did; if not, one may still take effect."""
        return resource in self._unheard and not self._unheard[resource]

    def owns_key(self, key: str) -> bool:
        """Whether a key in S3 is below a name of this run."""
        folder, _, name = key.partition("/")
        return folder.startswith(PREFIX) and self.run.run in folder.split("-") and bool(name)

    def _about_to_create(self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> dict[str, Any]:
        kind, parameter = _NAMED[model.name]
        if not params.get(parameter):
            return params  # botocore will say so
        resource = Resource(kind, str(params[parameter]))
        self._announce(resource, context)
        given = [tag for tag in params.get("Tags") or () if tag.get("Key") not in self._claim.tags]
        claimed = [{"Key": key, "Value": value} for key, value in self._claim.tags.items()]
        return {**params, "Tags": [*given, *claimed]}

    def _about_to_store(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> dict[str, Any]:
        if not params.get("Bucket") or not self.owns_key(str(params.get("Key", ""))):
            return params
        self._announce(Resource(Kind.OBJECT, f"s3://{params['Bucket']}/{params['Key']}"), context)
        given = dict(parse_qsl(params.get("Tagging", ""), keep_blank_values=True))
        return {**params, "Tagging": urlencode({**given, **self._claim.tags}, quote_via=quote)}

    def _about_to_complete(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        resource = Resource(Kind.OBJECT, f"s3://{params.get('Bucket')}/{params.get('Key')}")
        if self._unheard[resource]:
            # Its parts are there, whatever the answer: nothing is settled by a refusal.
            context["byom_resource"], context["byom_first"] = resource, False

    def _announce(self, resource: Resource, context: dict[str, Any]) -> None:
        """Write down what is about to be made, and what comes with it; all of it or nothing."""
        self._check_time(resource)
        context["byom_resource"], context["byom_first"] = resource, resource not in self._intended
        if resource.kind is Kind.ENDPOINT:
            self.before_endpoint()
        self.begin()
        noted: list[Resource] = []
        try:
            for one in _with_log(resource):
                self._intend(one)
                noted.append(one)
        except CloudError:
            for one in noted:
                self.ledger.settle(self.run.run, one)
            raise
        self._intended.update({one: self._hourly(one) for one in noted})
        self._unheard.update(noted)

    def _intend(self, resource: Resource) -> None:
        hourly = self._hourly(resource)
        allow = self.budget.allows(self.run) if self.budget is not None and hourly else None
        self.ledger.intend(self.run.run, resource, hourly=hourly, allow=allow)

    def _hourly(self, resource: Resource) -> float:
        return self.budget.hourly if self.budget is not None and resource.kind is Kind.ENDPOINT else 0.0

    def _check_time(self, resource: Resource) -> None:
        if time.time() >= self.run.expires:
            raise CloudError(
                f"{resource}: expected to make it before the run's time is over, found that it is; "
                f"give the run more time with --aws-ttl"
            )

    def _created(self, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        """An answer has come. Only a first one tells for sure: an earlier attempt may have been carried out unheard."""
        metadata = parsed.get("ResponseMetadata", {})
        status, resource = metadata.get("HTTPStatusCode", 0), context.get("byom_resource")
        if resource is None or status >= HTTPStatus.INTERNAL_SERVER_ERROR or metadata.get("RetryAttempts"):
            return
        is_refused = status >= HTTPStatus.BAD_REQUEST and context["byom_first"]
        for one in _with_log(resource):
            self._unheard[one] -= 1
            if is_refused:
                # What has this name now, if anything, was made by somebody else, and is not for clean-up to look at.
                self._intended.pop(one, None)
                self.ledger.settle(self.run.run, one)


def _with_log(resource: Resource) -> tuple[Resource, ...]:
    """What comes into being with something: SageMaker makes a log group for an endpoint."""
    if resource.kind is not Kind.ENDPOINT:
        return (resource,)
    return Resource(Kind.LOG_GROUP, f"{LOGS}{resource.name}"), resource
