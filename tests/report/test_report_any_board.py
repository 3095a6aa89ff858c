"""Any board at all: every report of it is written, and is what it has to be."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from page_reader import Page

from harness.report import jsonlines, markdown, page
from harness.report.board import Deployed, Evidence, Mistake, Packed, Replicate, Row
from harness.result import Epoch
from harness.verdict import Change, Finding

TEXT = st.text(max_size=20)
FIGURE = st.floats()
COUNT = st.integers(0, 10**6)

EPOCHS = st.fixed_dictionaries({name: FIGURE for name in Epoch.__dataclass_fields__ if name != "number"})
HISTORIES = st.lists(EPOCHS, max_size=4).map(
    lambda epochs: tuple(epoch | {"number": number} for number, epoch in enumerate(epochs, 1))
)
REPLICATES = st.lists(
    st.builds(
        Replicate, seed=COUNT, accuracy=FIGURE, loss=FIGURE, seconds=FIGURE, cached=st.booleans(), history=HISTORIES
    ),
    max_size=3,
).map(lambda found: {str(replicate.seed): replicate for replicate in found})
CHANGES = st.builds(
    *(Change,),
    metric=st.sampled_from(["accuracy", "loss"]) | TEXT,
    **dict.fromkeys(("baseline", "found", "low", "high", "confidence"), FIGURE),
    worse=st.booleans(),
)
FINDINGS = st.builds(
    Finding, rule=TEXT, reason=TEXT, note=TEXT, remedy=TEXT, changes=st.lists(CHANGES, max_size=2).map(tuple)
)
MISTAKES = st.builds(
    *(Mistake,),
    index=COUNT,
    label=COUNT,
    answers=st.dictionaries(TEXT, COUNT, max_size=3),
    probability=FIGURE,
    picture=st.just(""),
)
EVIDENCE = st.builds(
    *(Evidence,),
    confusion=st.integers(1, 4).flatmap(lambda n: st.tuples(*[st.tuples(*[COUNT] * n)] * n)),
    mistakes=st.lists(MISTAKES, max_size=2).map(tuple),
)
ROWS = st.builds(
    *(Row,),
    experiment=TEXT,
    hyperparameters=TEXT,
    settings=st.dictionaries(st.sampled_from("ab"), st.integers() | FIGURE | TEXT | st.booleans()),
    engine=TEXT,
    replicates=REPLICATES,
    findings=st.lists(FINDINGS, max_size=2),
    artifact=st.none()
    | st.builds(Packed, digest=TEXT, sha256=TEXT, size=COUNT, members=st.lists(TEXT, max_size=2).map(tuple)),
    endpoints=st.dictionaries(
        TEXT, st.builds(Deployed, kind=TEXT, name=TEXT, instance_type=TEXT, state=TEXT), max_size=1
    ),
    evidence=st.none() | EVIDENCE,
)


def refuse(literal: str) -> Any:
    """For json.loads: what is no JSON."""
    raise AssertionError(literal)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ROWS, max_size=4), st.integers(0, 3000))
def test_any_board_is_reported(rows: list[Row], limit: int) -> None:
    """The page is well-formed, each line is strict JSON, and the summary keeps to its limit."""
    assert Page(page.render(rows, title="t", facts={})).faults == []
    entries = [json.loads(line, parse_constant=refuse) for line in jsonlines.lines(rows).splitlines()]
    assert len(entries) == sum(len(row.replicates) + 1 for row in rows)
    assert len(markdown.summary(rows, limit=limit).encode("utf-8", "backslashreplace")) <= limit
