"""The rules of AWS that the simulated account holds, each with where it is known from and how well.

`docs/simulator.md` shows them as a table, and every rule has a test that names it; both are tested.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import DeclarationError

DOCUMENTED = "documented"
"""A page of AWS's documentation says so."""

REPORTED = "reported"
"""Somebody has published what AWS answered, or code that relies on it."""

CONFIRMED = "confirmed on AWS"
"""We have seen it ourselves, on the day that stands beside it."""

_API = "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_"
_GUIDE = "https://docs.aws.amazon.com/sagemaker/latest/dg/"
_GITHUB = "https://github.com/"
_EXAMPLES = f"{_GITHUB}aws/amazon-sagemaker-examples/issues/"
_SDK = f"{_GITHUB}aws/sagemaker-python-sdk/"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule.

    Attributes:
        name: by which tests and documentation speak of it.
        statement: what AWS does, and so the simulated account.
        source: the page that the rule is known from.
        standing: how well: `DOCUMENTED`, `REPORTED` or `CONFIRMED`.
        confirmed: the day on which we have seen it on AWS, such as 2026-01-31; "" if we have not.

    Raises:
        DeclarationError: no such standing, or one that is confirmed without a day, or the other way round.
    """

    name: str
    statement: str
    source: str
    standing: str
    confirmed: str = ""

    def __post_init__(self) -> None:
        standings = (DOCUMENTED, REPORTED, CONFIRMED)
        if self.standing not in standings:
            raise DeclarationError(
                f"rule {self.name}: expected a standing of {', '.join(standings)}, found {self.standing!r}"
            )
        if (self.standing == CONFIRMED) != bool(self.confirmed):
            raise DeclarationError(
                f"rule {self.name}: expected the day of confirmation with {CONFIRMED!r} and none without, "
                f"found {self.standing!r} and {self.confirmed!r}"
            )


RULES = (
    Rule(
        name="names",
        statement="A name has 1 to 63 letters, digits and hyphens, and begins and ends with no hyphen.",
        source=f"{_API}CreateEndpoint.html",
        standing=DOCUMENTED,
    ),
    Rule(
        name="violations",
        statement="What breaks a constraint is refused with ValidationException, which lists all of it: value, member "
        "and constraint.",
        source=f"{_GITHUB}aws-samples/sagemaker-ml-workflow-with-apache-airflow/issues/3",
        standing=REPORTED,
    ),
    Rule(
        name="role",
        statement="CreateModel refuses an execution role that is not the ARN of a role.",
        source=f"{_API}CreateModel.html",
        standing=DOCUMENTED,
    ),
    Rule(
        name="model-data",
        statement="CreateModel refuses a tarball that is not there.",
        source=f"{_EXAMPLES}2264",
        standing=REPORTED,
    ),
    Rule(
        name="model-once",
        statement="CreateModel refuses a name that is taken.",
        source=f"{_GITHUB}astronomer/astronomer-providers/issues/1055",
        standing=REPORTED,
    ),
    Rule(
        name="config-once",
        statement="CreateEndpointConfig refuses a name that is taken.",
        source=f"{_GITHUB}awslabs/spot-tagging-bot-for-digital-assets/issues/2",
        standing=REPORTED,
    ),
    Rule(
        name="endpoint-once",
        statement="CreateEndpoint refuses a name that is taken, by a failed endpoint too.",
        source=f"{_SDK}issues/101",
        standing=REPORTED,
    ),
    Rule(
        name="name-after-deletion",
        statement="The name of an endpoint is free again when the endpoint is gone, not before.",
        source=f"{_GITHUB}hashicorp/terraform-provider-aws/issues/40080",
        standing=REPORTED,
    ),
    Rule(
        name="regions",
        statement="A name is unique within a region, and known in that region only.",
        source=f"{_API}CreateEndpoint.html",
        standing=DOCUMENTED,
    ),
    Rule(
        name="model-missing",
        statement="A model that is not there is refused, by CreateEndpointConfig and CreateEndpoint too.",
        source=f"{_SDK}issues/2112",
        standing=REPORTED,
    ),
    Rule(
        name="config-missing",
        statement="An endpoint configuration that is not there is refused, by CreateEndpoint too.",
        source=f"{_EXAMPLES}2339",
        standing=REPORTED,
    ),
    Rule(
        name="endpoint-missing",
        statement="An endpoint that is not there is refused.",
        source=f"{_EXAMPLES}2402",
        standing=REPORTED,
    ),
    Rule(
        name="model-in-use",
        statement="DeleteModel deletes the model's entry alone; an endpoint that uses the model goes on.",
        source=f"{_API}DeleteModel.html",
        standing=DOCUMENTED,
    ),
    Rule(
        name="config-in-use",
        statement="DeleteEndpointConfig does not keep anybody from deleting what an endpoint uses; that goes on.",
        source=f"{_API}DeleteEndpointConfig.html",
        standing=DOCUMENTED,
    ),
    Rule(
        name="creating",
        statement="An endpoint is Creating until its container answers, then InService.",
        source=f"{_API}EndpointSummary.html",
        standing=DOCUMENTED,
    ),
    Rule(
        name="failed",
        statement="An endpoint whose container does not come up is Failed, with a reason of at most 1024 characters.",
        source=f"{_API}DescribeEndpoint.html",
        standing=DOCUMENTED,
    ),
    Rule(
        name="failed-words",
        statement="The reason begins: The primary container for production variant NAME did not pass the ping health "
        "check.",
        source=f"{_EXAMPLES}1113",
        standing=REPORTED,
    ),
    Rule(
        name="failed-deletable",
        statement="A failed endpoint can be deleted.",
        source=f"{_API}EndpointSummary.html",
        standing=DOCUMENTED,
    ),
    Rule(
        name="deleting",
        statement="DeleteEndpoint answers at once; the endpoint is Deleting until it is gone.",
        source=f"{_API}EndpointSummary.html",
        standing=DOCUMENTED,
    ),
    Rule(
        name="in-progress",
        statement="An endpoint that is Creating or Deleting can be neither updated nor deleted.",
        source=f"{_GITHUB}aws/amazon-sagemaker-operator-for-k8s",
        standing=REPORTED,
    ),
    Rule(
        name="in-service-only",
        statement="InvokeEndpoint finds endpoints that are InService; any other name is not found.",
        source=f"{_EXAMPLES}293",
        standing=REPORTED,
    ),
    Rule(
        name="model-error",
        statement="An error of the container is a ModelError, status 424, with the container's own status and words.",
        source="https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html",
        standing=DOCUMENTED,
    ),
    Rule(
        name="payload",
        statement="InvokeEndpoint takes at most 6 MB.",
        source="https://repost.aws/questions/QUbzR_PqclRoK5dmfEzR53wg",
        standing=REPORTED,
    ),
    Rule(
        name="pages",
        statement="A listing gives MaxResults entries, 10 unless told, 100 at most, and NextToken if there are more.",
        source=f"{_API}ListEndpoints.html",
        standing=DOCUMENTED,
    ),
    Rule(
        name="order",
        statement="A listing is sorted by CreationTime or Name, endpoints by Status too; the newest first unless told.",
        source=f"{_API}ListModels.html",
        standing=DOCUMENTED,
    ),
    Rule(
        name="filters",
        statement="A listing keeps what NameContains, the times and, of endpoints, StatusEquals say.",
        source=f"{_API}ListEndpoints.html",
        standing=DOCUMENTED,
    ),
    Rule(
        name="eventual",
        statement="A read may not show what was written just before (here: listings, by list_lag_seconds).",
        source=f"{_API}CreateEndpoint.html",
        standing=DOCUMENTED,
    ),
    Rule(
        name="tags",
        statement="Models, endpoint configurations and endpoints have tags, given at their creation or later; one "
        "that is added again is overwritten.",
        source=f"{_API}AddTags.html",
        standing=DOCUMENTED,
    ),
    Rule(
        name="tag-form",
        statement="A key has 1 to 128, a value up to 256 letters, digits, spaces and _.:/=+-@; no key comes twice.",
        source=f"{_API}Tag.html",
        standing=DOCUMENTED,
    ),
    Rule(
        name="tag-limit",
        statement="A resource has at most 50 tags.",
        source="https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html",
        standing=DOCUMENTED,
    ),
    Rule(
        name="tag-prefix",
        statement="Keys that begin with aws: can be neither added nor deleted.",
        source=f"{_SDK}issues/1301",
        standing=REPORTED,
    ),
    Rule(
        name="quota",
        statement="CreateEndpoint refuses instances beyond the quota of their type with ResourceLimitExceeded.",
        source=f"{_EXAMPLES}307",
        standing=REPORTED,
    ),
    Rule(
        name="throttling",
        statement="Too many requests are refused with ThrottlingException, status 400: Rate exceeded.",
        source=f"{_SDK}issues/645",
        standing=REPORTED,
    ),
    Rule(
        name="logs",
        statement="What a container prints is in log group /aws/sagemaker/Endpoints/NAME, stream VARIANT/INSTANCE.",
        source=f"{_GUIDE}logging-cloudwatch.html",
        standing=DOCUMENTED,
    ),
    Rule(
        name="logs-stay",
        statement="Logs are kept until somebody deletes them, after their endpoint is gone too.",
        source=f"{_GUIDE}logging-cloudwatch.html",
        standing=DOCUMENTED,
    ),
)


def markdown(rules: tuple[Rule, ...] = RULES) -> str:
    """The table of `docs/simulator.md`."""
    rows = [f"| {rule.name} | {rule.statement} | {_told(rule)} |" for rule in rules]
    return "\n".join(("| rule | what AWS does, and so the account | known from |", "|---|---|---|", *rows))


def _told(rule: Rule) -> str:
    day = f", {rule.confirmed}" if rule.confirmed else ""
    return f"[{rule.standing}{day}]({rule.source})"


if __name__ == "__main__":
    print(markdown())  # noqa: T201 - what `python -m harness.simulator.rules` is for
