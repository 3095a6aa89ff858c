"""One page of ``ListModels``, ``ListEndpointConfigs`` or ``ListEndpoints``: filtered, sorted and cut."""

from __future__ import annotations

import base64
import json
import operator
from typing import TYPE_CHECKING, Any

from harness.simulator.aws_request import Refusal
from harness.simulator.catalogue import ENDPOINT
from harness.simulator.constraints import choice_violations, range_violations, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.simulator.catalogue import Kind, Listed

PAGE = 10
"""Entries on a page unless a request says otherwise."""

_PAGES = range(1, 101)
_ORDERS = ("Ascending", "Descending")
_SORT_KEYS: dict[str, Callable[[Listed], Any]] = {
    "Name": operator.attrgetter("name"),
    "CreationTime": operator.attrgetter("created"),
    "Status": operator.attrgetter("status"),
}
_FILTERS: dict[str, Callable[[Listed, Any], bool]] = {
    "NameContains": lambda one, text: text in one.name,
    "CreationTimeAfter": lambda one, moment: one.created >= moment,
    "CreationTimeBefore": lambda one, moment: one.created < moment,
    "LastModifiedTimeAfter": lambda one, moment: one.modified > moment,
    "LastModifiedTimeBefore": lambda one, moment: one.modified < moment,
    "StatusEquals": lambda one, status: one.status == status,
}


def page(kind: Kind, listed: list[Listed], body: dict[str, Any]) -> dict[str, Any]:
    """The answer to a listing's request.

    Args:
        kind: of what.
        listed: all there is of it.
        body: the request.

    Raises:
        Refusal: it asks for an order, a size or a page that there is not.
    """
    sort_by, order = body.get("SortBy") or "CreationTime", body.get("SortOrder") or "Descending"
    size = body.get("MaxResults") or PAGE
    refuse(
        [
            *choice_violations(sort_by, "sortBy", tuple(_SORT_KEYS)[: 3 if kind is ENDPOINT else 2]),
            *choice_violations(order, "sortOrder", _ORDERS),
            *range_violations(size, "maxResults", _PAGES),
        ]
    )
    found = [one for one in listed if all(keeps(one, body[name]) for name, keeps in _FILTERS.items() if body.get(name))]
    rank = _ranked(sort_by)
    found.sort(key=rank, reverse=order == "Descending")
    if token := body.get("NextToken"):
        last = _last_of(token, kind, sort_by, order)
        found = [one for one in found if (rank(one) < last if order == "Descending" else rank(one) > last)]
    answer: dict[str, Any] = {f"{kind.noun}s": [_summary(kind, one) for one in found[:size]]}
    if len(found) > size:
        answer["NextToken"] = _token(kind, sort_by, order, rank(found[size - 1]))
    return answer


def _ranked(sort_by: str) -> Callable[[Listed], tuple[Any, str]]:
    """What entries are sorted by: never alike, so that a page begins where the one before has ended."""
    return lambda one: (_SORT_KEYS[sort_by](one), one.name)


def _token(kind: Kind, sort_by: str, order: str, last: tuple[Any, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps([kind.noun, sort_by, order, *last]).encode()).decode()


def _last_of(token: str, kind: Kind, sort_by: str, order: str) -> tuple[Any, str]:
    """The last entry of the page before."""
    try:
        *question, value, name = json.loads(base64.urlsafe_b64decode(token))
    except (TypeError, ValueError):
        question, value, name = [], "", ""
    kinds = (float if sort_by == "CreationTime" else str, str)
    if question != [kind.noun, sort_by, order] or (type(value), type(name)) != kinds:
        raise Refusal("ValidationException", f"NextToken is not one of a List{kind.noun}s in this order: {token}")
    return value, name


def _summary(kind: Kind, one: Listed) -> dict[str, Any]:
    summary = {kind.parameter: one.name, f"{kind.noun}Arn": one.arn, "CreationTime": one.created}
    if kind is not ENDPOINT:
        return summary
    return {**summary, "LastModifiedTime": one.modified, "EndpointStatus": one.status}
