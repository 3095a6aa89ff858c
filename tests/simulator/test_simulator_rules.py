"""The table of rules: each is tested, each says how well it is known, and the documentation shows them all."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from harness.errors import DeclarationError
from harness.simulator.rules import CONFIRMED, DOCUMENTED, REPORTED, RULES, Rule, markdown

HERE = Path(__file__).parent
DOCUMENTATION = HERE.parents[1] / "docs" / "simulator.md"


def claimed(source: str) -> dict[str, set[str]]:
    """The rules that each test of a module says it holds."""
    return {
        node.name: {argument.value for argument in mark.args if isinstance(argument, ast.Constant)}
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        for mark in node.decorator_list
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "holds"
    }


def untested(sources: list[str]) -> list[str]:
    """Rules that no test of these modules says it holds."""
    tested = {name for source in sources for names in claimed(source).values() for name in names}
    return [rule.name for rule in RULES if rule.name not in tested]


def test_every_rule_has_a_test() -> None:
    """No rule stands in the table that no test of this folder proves."""
    assert untested([path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py")]) == []


def test_a_rule_without_a_test_is_found() -> None:
    """Control: with one test alone, all rules but its own are missing."""
    missing = untested(['@holds("names", "role")\ndef test_x(): ...\n\n@other("quota")\ndef test_y(): ...\n'])
    assert missing == [rule.name for rule in RULES if rule.name not in {"names", "role"}]


def test_a_test_of_an_unknown_rule_is_refused() -> None:
    """The mark names rules of the table only, so that a rule that is renamed is renamed in its tests."""
    from simulator_rules import holds

    with pytest.raises(AssertionError, match="no such rule: nmaes"):
        holds("names", "nmaes")


def test_names_of_rules_are_unique() -> None:
    """A name means one rule."""
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_sources_are_addresses() -> None:
    """Whoever doubts a rule can look it up."""
    assert [rule.name for rule in RULES if not rule.source.startswith("https://")] == []


def test_what_is_documented_is_a_page_of_aws_and_nothing_else_is() -> None:
    """A page of AWS's documentation is what makes a rule documented."""
    of_aws = {rule.name for rule in RULES if rule.source.startswith("https://docs.aws.amazon.com/")}
    assert of_aws == {rule.name for rule in RULES if rule.standing == DOCUMENTED}


def test_no_rule_is_confirmed_without_a_day() -> None:
    """Nobody says that we have seen something on AWS without saying when."""
    assert all(rule.confirmed for rule in RULES if rule.standing == CONFIRMED)


@pytest.mark.parametrize(
    ("standing", "confirmed", "message"),
    [
        (CONFIRMED, "", "expected the day of confirmation"),
        (DOCUMENTED, "2026-01-31", "expected the day of confirmation"),
        ("hearsay", "", "expected a standing of documented, reported, confirmed on AWS, found 'hearsay'"),
    ],
)
def test_a_rule_with_another_standing_is_refused(standing: str, confirmed: str, message: str) -> None:
    """Control: the declaration itself refuses a claim without a day, a day without a claim, and any other word."""
    with pytest.raises(DeclarationError, match=message):
        Rule(name="x", statement="y", source="https://z", standing=standing, confirmed=confirmed)


def test_a_confirmed_rule_tells_its_day() -> None:
    """What we will have seen on AWS stands in the table with its day."""
    rule = Rule(name="x", statement="y", source="https://z", standing=CONFIRMED, confirmed="2026-01-31")
    assert "| x | y | [confirmed on AWS, 2026-01-31](https://z) |" in markdown((rule,))


def test_the_documentation_has_the_table() -> None:
    """`python -m harness.simulator.rules` prints what belongs there."""
    assert markdown() in DOCUMENTATION.read_text(encoding="utf-8")


def test_the_table_has_a_row_for_each_rule() -> None:
    """Control: it does not stand in the documentation because it is empty."""
    header, ruler, *rows = markdown().splitlines()
    assert header.count("|") == ruler.count("|") == 4
    assert [row.split(" | ")[0] for row in rows] == [f"| {rule.name}" for rule in RULES]
    assert {DOCUMENTED, REPORTED} <= {rule.standing for rule in RULES}
