"""What an account is told to be like: checked when it is made, and plain JSON on its way to the account's process."""

from __future__ import annotations

import json

import pytest

from harness.errors import DeclarationError
from harness.simulator.behaviour import PROMPT, Behaviour


def test_an_account_is_prompt_unless_told() -> None:
    """No seconds, no limits: the default is as fast as this machine."""
    assert Behaviour() == PROMPT
    assert json.loads(PROMPT.to_json()) == {
        "creating_seconds": 0,
        "deleting_seconds": 0,
        "list_lag_seconds": 0,
        "requests_per_second": 0,
        "quotas": {},
    }


def test_a_behaviour_survives_json() -> None:
    """What is read is what was written, in one line."""
    behaviour = Behaviour(
        creating_seconds=1.5,
        deleting_seconds=2,
        list_lag_seconds=0.25,
        requests_per_second=10,
        quotas={"ml.m4.xlarge": 2, "ml.p3.2xlarge": 0},
    )
    assert Behaviour.from_json(behaviour.to_json()) == behaviour
    assert "\n" not in behaviour.to_json()
    assert Behaviour.from_json("{}") == PROMPT


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"creating_seconds": -1}, r"creating_seconds: expected a number, 0 or more, found -1"),
        ({"deleting_seconds": "1"}, r"deleting_seconds: expected a number, 0 or more, found '1'"),
        ({"list_lag_seconds": float("nan")}, r"list_lag_seconds: expected a number, 0 or more, found nan"),
        ({"requests_per_second": float("inf")}, r"requests_per_second: expected a number, 0 or more, found inf"),
        ({"requests_per_second": True}, r"requests_per_second: expected a number, 0 or more, found True"),
        ({"quotas": {"ml.m4.xlarge": 1.5}}, r"quotas\['ml.m4.xlarge'\]: expected a whole number, 0 or more, found 1.5"),
        ({"quotas": {"ml.m4.xlarge": -1}}, r"quotas\['ml.m4.xlarge'\]: expected a whole number, 0 or more, found -1"),
        ({"quotas": ["ml.m4.xlarge"]}, r"quotas: expected instances by instance type, found \['ml.m4.xlarge'\]"),
    ],
)
def test_figures_that_mean_nothing_are_refused(fields: dict[str, object], message: str) -> None:
    """The message names the figure, what is expected and what was found."""
    with pytest.raises(DeclarationError, match=message):
        Behaviour(**fields)  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"behaviour: expected JSON, found '\{'"),
        ("[1]", r"behaviour: expected an object of creating_seconds, .*, quotas, found '\[1\]'"),
        ('{"sleepy": 1}', r"behaviour: expected an object of creating_seconds, .*, quotas, found 'sleepy'"),
    ],
)
def test_other_json_is_refused(text: str, message: str) -> None:
    """What was not written by a behaviour is not read as one."""
    with pytest.raises(DeclarationError, match=message):
        Behaviour.from_json(text)
