"""Tags of SageMaker's things: which AWS takes, and how many (API reference, ``Tag``; AWS's tagging rules)."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from harness.simulator.aws_request import Refusal
from harness.simulator.constraints import Violation, length_violations, refuse

if TYPE_CHECKING:
    from collections.abc import Iterable

TAG_LIMIT = 50
_KEY_LENGTH, _VALUE_LENGTH = 128, 256
_PATTERN = r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$"
_CATEGORIES, _SIGNS = "LZN", "_.:/=+-@"

Tag = dict[str, str]


def check_tags(tags: list[Tag], existing: Iterable[str] = ()) -> None:
    """Refuse tags that AWS would not put on a resource.

    Args:
        tags: what is to be put on it, at its creation or later.
        existing: keys that it has; one that comes again is overwritten.

    Raises:
        Refusal: too many, too long, of other characters, reserved for AWS, or one key twice.
    """
    problems = [problem for number, tag in enumerate(tags, 1) for problem in _violations(tag, number)]
    refuse(problems + _too_many(tags))
    keys = [tag["Key"] for tag in tags]
    check_not_reserved(keys)
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise Refusal("ValidationException", f"Tag keys must be unique per resource; found more than once: {twice[0]}")
    if len({*existing, *keys}) > TAG_LIMIT:
        raise Refusal("ValidationException", f"A resource can have at most {TAG_LIMIT} tags.")


def check_not_reserved(keys: Iterable[str]) -> None:
    """Refuse keys that AWS keeps for itself.

    Raises:
        Refusal: one begins with ``aws:``, in capitals or not.
    """
    for key in keys:
        if key.casefold().startswith("aws:"):
            raise Refusal("ValidationException", f"System prefix 'aws:' reserved for AWS usage in tag key: {key}")


def _too_many(tags: list[Tag]) -> list[Violation]:
    constraint = f"have length less than or equal to {TAG_LIMIT}"
    return [Violation(f"{len(tags)} tags", "tags", constraint)] if len(tags) > TAG_LIMIT else []


def _violations(tag: Tag, number: int) -> list[Violation]:
    found = []
    for part, most, least in (("Key", _KEY_LENGTH, 1), ("Value", _VALUE_LENGTH, 0)):
        text, member = tag.get(part, ""), f"tags.{number}.member.{part.lower()}"
        found += length_violations(text, member, most, least=least)
        if not all(character in _SIGNS or unicodedata.category(character)[0] in _CATEGORIES for character in text):
            found.append(Violation(text, member, f"satisfy regular expression pattern: {_PATTERN}"))
    return found
