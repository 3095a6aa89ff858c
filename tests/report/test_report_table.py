"""The table at the end of a session."""

from __future__ import annotations

from typing import Any

import pytest

from harness.report.board import Deployed, Packed, Replicate, Row
from harness.report.table import as_table
from harness.verdict import Finding


def row_with(*accuracies: float, cached: int = 0, rules: str = "", **fields: Any) -> Row:
    """A row whose first ``cached`` replicates came out of the cache; rules are one letter each, upper case failed."""
    replicates = {
        str(seed): Replicate(seed=seed, accuracy=accuracy, loss=0, seconds=1.0, cached=seed < cached, history=())
        for seed, accuracy in enumerate(accuracies)
    }
    findings = [Finding(rule=rule, reason="why" if rule.isupper() else "") for rule in rules]
    return Row("tiny", "x=1", replicates=replicates, findings=findings, **fields)


def cells(row: Row) -> list[str]:
    """The cells of its line, by the columns under the header's rules."""
    _, rule, line = as_table([row]).splitlines()
    found, start = [], 0
    for part in rule.split("  "):
        found.append(line[start : start + len(part)].strip())
        start += len(part) + 2
    return found


def test_table_shows_every_column() -> None:
    """A full row and an empty one: figures to four digits by seed, a dash for what there is not, and FAILED."""
    full = row_with(
        0.97,
        0.98765,
        engine="mxnet",
        rules="A",
        artifact=Packed(digest="0123456789ab", sha256="0" * 64, size=1, members=()),
        endpoints={
            "a": Deployed(kind="simulated", name="a", instance_type="t", state="failed"),
            "b": Deployed(kind="live", name="b", instance_type="t", state="in service after 300.0 s, deleted"),
        },
    )
    head, _, first, second = as_table([full, Row("other", "defaults")]).splitlines()
    for word in ("experiment", "hyperparameters", "engine", "accuracy by seed", "limit", "training s", "artifact"):
        assert word in head
    assert " ".join(first.split()) == (
        "tiny x=1 mxnet 0.9700 0.9877 A FAILED 2.0 0123456789ab "
        "simulated: failed; live: in service after 300.0 s, deleted"
    )
    assert second.split() == ["other", "defaults", "-", "-", "-", "-", "-", "-"]


def test_table_keeps_a_digest_that_looks_like_a_number() -> None:
    """``1234e5678901`` is a digest: a table that reads numbers would print ``inf``."""
    packed = Packed(digest="1234e5678901", sha256="0" * 64, size=1, members=())
    assert "1234e5678901" in as_table([Row("tiny", "x=1", artifact=packed)])


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("", "-"),
        ("ab", "a, b"),
        ("aB", "B FAILED, a"),
        ("abc", "3 rules passed"),
        ("abC", "C FAILED, 2 others passed"),
        ("ABC", "A FAILED, B FAILED, C FAILED"),
        ("aa", "a"),
    ],
)
def test_few_rules_are_named_and_failed_ones_always(rules: str, words: str) -> None:
    """A row stays short, but never by hiding what failed."""
    assert cells(row_with(0.9, rules=rules))[4] == words


@pytest.mark.parametrize(("cached", "words"), [(0, "3.0"), (1, "2.0, 1 cached"), (3, "cached")])
def test_seconds_are_those_of_this_run(cached: int, words: str) -> None:
    """Models of an earlier run cost no training time; the table says that they were not trained now."""
    assert cells(row_with(0.9, 0.9, 0.9, cached=cached))[5] == words


def test_many_replicates_are_summed_up() -> None:
    """The 24 replicates of a baseline do not fit into a row: mean, range and number do."""
    accuracies = [0.9 + seed / 1000 for seed in range(24)]
    assert cells(row_with(*accuracies))[3] == "0.9115, 0.9000 to 0.9230 (24 seeds)"
