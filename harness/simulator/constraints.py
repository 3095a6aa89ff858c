"""What a request must look like before AWS reads it further: names, roles, and how AWS says what is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.simulator.aws_request import Refusal

NAME_LENGTH = 63
_NAME = "^[a-zA-Z0-9](-*[a-zA-Z0-9])*"
_ROLE = r"^arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+$"
_ROLE_LENGTHS = range(20, 2049)


@dataclass(frozen=True)
class Violation:
    """One thing that is wrong with one member of a request.

    Attributes:
        value: what was sent.
        member: where, as AWS writes it: ``productionVariants.1.member.modelName``.
        constraint: what it must do.
    """

    value: object
    member: str
    constraint: str

    def __str__(self) -> str:
        return f"Value '{self.value}' at '{self.member}' failed to satisfy constraint: Member must {self.constraint}"


def refuse(violations: list[Violation]) -> None:
    """Refuse a request if there are any.

    Raises:
        Refusal: ``ValidationException`` with all of them.
    """
    if violations:
        errors = "1 validation error" if len(violations) == 1 else f"{len(violations)} validation errors"
        raise Refusal("ValidationException", f"{errors} detected: {'; '.join(map(str, violations))}")


def name_violations(value: str, member: str) -> list[Violation]:
    """What is wrong with the name of a model, an endpoint configuration or an endpoint."""
    return [
        *length_violations(value, member, NAME_LENGTH),
        *pattern_violations(value, member, _NAME),
    ]


def role_violations(value: str, member: str) -> list[Violation]:
    """What is wrong with the ARN of a role."""
    return [
        *length_violations(value, member, _ROLE_LENGTHS.stop - 1, least=_ROLE_LENGTHS.start),
        *pattern_violations(value, member, _ROLE),
    ]


def length_violations(value: str, member: str, most: int, *, least: int = 0) -> list[Violation]:
    """Whether a text is too long or too short."""
    if len(value) > most:
        return [Violation(value, member, f"have length less than or equal to {most}")]
    if len(value) < least:
        return [Violation(value, member, f"have length greater than or equal to {least}")]
    return []


def pattern_violations(value: str, member: str, pattern: str) -> list[Violation]:
    """Whether a text is, from its beginning to its end, not as a pattern has it."""
    matches = re.fullmatch(pattern.removeprefix("^").removesuffix("$"), value)
    return [] if matches else [Violation(value, member, f"satisfy regular expression pattern: {pattern}")]


def range_violations(value: int, member: str, allowed: range) -> list[Violation]:
    """Whether a whole number is too large or too small."""
    if value >= allowed.stop:
        return [Violation(value, member, f"have value less than or equal to {allowed.stop - 1}")]
    if value < allowed.start:
        return [Violation(value, member, f"have value greater than or equal to {allowed.start}")]
    return []


def choice_violations(value: str, member: str, allowed: tuple[str, ...]) -> list[Violation]:
    """Whether a text is none of those allowed."""
    return [] if value in allowed else [Violation(value, member, f"satisfy enum value set: [{', '.join(allowed)}]")]
