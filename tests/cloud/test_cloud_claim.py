"""The claim: tags say whose a thing is, and nobody else's tags are taken for one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cloud.claim import PREFIX, Claim, as_owner
from harness.cloud.ledger import Run

RUN = Run(
    run="aaaa1111",
    session="5e551011",
    owner="arn:aws:iam::123456789012:user/me",
    account="123456789012",
    region="us-east-1",
    expires=1_800_000_000.9,
)
TAGS = {"byom:run": "aaaa1111", "byom:owner": "arn:aws:iam::123456789012:user/me", "byom:expires": "1800000001"}


def test_a_run_claims_by_three_tags() -> None:
    """Run, owner and the end of its time in whole seconds, never too early; all values are text."""
    claim = Claim.of(RUN)
    assert claim == Claim(run="aaaa1111", owner=RUN.owner, expires=1_800_000_001)
    assert claim.tags == TAGS


def test_names_begin_alike() -> None:
    """The prefix is part of the policy that users have installed: it does not change."""
    assert PREFIX == "byom-"


@given(run=st.text(), owner=st.text(), expires=st.integers(0, 10**12))
def test_what_is_claimed_is_read(run: str, owner: str, expires: int) -> None:
    """A claim is read back from its own tags, whatever other tags there are."""
    claim = Claim(run, owner, expires)
    assert Claim.read(claim.tags) == claim
    assert Claim.read({"team": "vision", **claim.tags}) == claim


@pytest.mark.parametrize("missing", TAGS)
def test_half_a_claim_is_none(missing: str) -> None:
    """Where one of the tags is missing, the thing is not the harness's own."""
    assert Claim.read({key: value for key, value in TAGS.items() if key != missing}) is None


@pytest.mark.parametrize("expires", ["", "soon", "1.5", "1" * 5000])
def test_a_time_that_is_no_number_is_no_claim(expires: str) -> None:
    """Tags that only look like a claim are somebody else's."""
    assert Claim.read({**TAGS, "byom:expires": expires}) is None


def test_no_tags_are_no_claim() -> None:
    """What carries nothing belongs to nobody that we know."""
    assert Claim.read({}) is None


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("arn:aws:iam::123456789012:user/a/path/me", "arn:aws:iam::123456789012:user/a/path/me"),
        ("arn:aws:sts::1:assumed-role/r/me+you=us@example.com", "arn:aws:sts::1:assumed-role/r/me+you=us@example.com"),
        ("CI of team_1", "CI of team_1"),
        ("me, myself & I", "me_ myself _ I"),
        ("tab\tline\n", "tab_line_"),
        ("Zoë*", "Zo__"),
        ("x" * 300, "x" * 256),
        ("", ""),
    ],
)
def test_an_owner_is_made_fit_for_a_tag(text: str, owner: str) -> None:
    """What a tag's value cannot have becomes an underscore, and what is too long is cut."""
    assert as_owner(text) == owner


@given(text=st.text(max_size=300))
def test_any_owner_is_fit_for_a_tag(text: str) -> None:
    """Whatever it is called, the result is what SageMaker and S3 take, and is the same the next time."""
    owner = as_owner(text)
    assert re.fullmatch(r"[A-Za-z0-9_ .:/=+@-]{0,256}", owner)
    assert len(owner) == min(len(text), 256)
    assert as_owner(owner) == owner
