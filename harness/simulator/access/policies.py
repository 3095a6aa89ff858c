"""Identity policies as IAM evaluates them (IAM user guide, "Policy evaluation logic").

moto has an evaluation too, but it lets conditions that it does not know pass, denies where an unmet condition stands in
any statement for the action, minds the case of actions, and does not read ``NotResource``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from harness.simulator.access.conditions import arn_like, hold, like, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Document = dict[str, Any]
"""A policy, as its JSON has it."""


class Decision(Enum):
    """What policies say, in the words of ``SimulatePrincipalPolicy``."""

    ALLOWED = "allowed"
    IMPLICIT_DENY = "implicitDeny"
    EXPLICIT_DENY = "explicitDeny"


@dataclass(frozen=True)
class Need:
    """One permission that a request needs.

    Attributes:
        action: such as ``sagemaker:CreateModel``.
        resource: an ARN, or ``*`` for an action that has none.
        context: values by condition key; the keys are in lower case.
    """

    action: str
    resource: str
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def decide(documents: Iterable[Document], need: Need) -> Decision:
    """What policies together say: a statement that denies wins, and nothing is allowed unless a statement says so.

    Raises:
        Refusal: a statement that counts has something in it that is not evaluated here.
    """
    statements = [statement for document in documents for statement in listed(document.get("Statement", []))]
    effects = {statement["Effect"] for statement in statements if _applies(statement, need)}
    if "Deny" in effects:
        return Decision.EXPLICIT_DENY
    return Decision.ALLOWED if "Allow" in effects else Decision.IMPLICIT_DENY


def _applies(statement: Document, need: Need) -> bool:
    return (
        _names(statement, "Action", lambda pattern: like(pattern.lower(), need.action.lower()))
        and _names(statement, "Resource", lambda pattern: arn_like(pattern, need.resource))
        and hold(statement.get("Condition", {}), need.context)
    )


def _names(statement: Document, element: str, matches: Callable[[str], bool]) -> bool:
    if element in statement:
        return any(map(matches, listed(statement[element])))
    return not any(map(matches, listed(statement[f"Not{element}"])))
