"""The end of an endpoint's log, as CloudWatch has it: what a user needs to see when an endpoint has failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.cloud.claim import LOGS
from harness.cloud.refusal import is_gone, told

if TYPE_CHECKING:
    from harness.cloud.session import Cloud

_LINES = 30
_PAGES = 20
"""Of up to 10,000 lines each; only the last are told."""


def last_lines(cloud: Cloud, name: str) -> str:
    """The last lines of an endpoint's log, indented below a heading; why there are none, if they cannot be read.

    It is told beside an error, so nothing that goes wrong here is one.
    """
    import botocore.exceptions

    pages = cloud.client("logs").get_paginator("filter_log_events")
    lines: list[str] = []
    try:
        for page in pages.paginate(logGroupName=f"{LOGS}{name}", PaginationConfig={"MaxItems": 10_000 * _PAGES}):
            lines = [*lines, *(event["message"].rstrip() for event in page["events"])][-_LINES:]
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        if is_gone(error):
            return ""
        return f"\nits log cannot be read: {told(error)}"
    indented = "\n".join(f"  {line}" for line in lines)
    return f"\nthe end of its log:\n{indented}" if lines else ""
