"""Under pytest-xdist the tests of a module that train stay on one worker, and all others are spread as ever."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded_session import ALL, FIRST, NO_FIXTURES
from tiny_experiment import EXPERIMENT, SETTING, SWEEP, Ran, run, write

from harness.plugin import plugin
from harness.plugin.distribution import INPUT, LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from recorded_session import Recorder

COUNTING_ENTRY_POINT = """
import os

import mxnet as mx


def build_graph(tag=0):
    with open("built.txt", "a", encoding="utf-8") as record:
        record.write(f"{os.path.basename(__file__)} {tag} {os.getpid()}\\n")
    data = mx.sym.flatten(data=mx.sym.var("data"))
    return mx.sym.SoftmaxOutput(data=mx.sym.FullyConnected(data=data, num_hidden=2), name="softmax")
"""
"""Engine ``mxnet`` builds a graph once for every trial that it trains."""

TAGS = SWEEP.replace("learning_rate=[0.1, 0.2]", "tag=[1, 2, 3]")

FOUR_TESTS = """

@pytest.mark.parametrize("number", range(4))
def test_one_of_four(replicates, number):
    pass
"""

PLAIN_SCHEDULER = """
from xdist.scheduler import LoadScheduling


def pytest_xdist_make_scheduler(config, log):
    return LoadScheduling(config, log)
"""


@dataclass
class Node:
    """A worker as the scheduler sees it, and as pytest-xdist's behaves: it runs a test once it knows the next one.

    Attributes:
        name: its name.
        sent: the tests of each message.
        waiting: tests that it has not run.
        done: tests that it has run.
        shutting_down: whether no test will be sent any more.
    """

    name: str
    sent: list[list[int]] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    shutting_down: bool = False

    __hash__ = object.__hash__

    @property
    def gateway(self) -> SimpleNamespace:
        """What messages about differing collections name it by."""
        return SimpleNamespace(id=self.name)

    @property
    def can_run(self) -> bool:
        """Whether it knows what comes after its next test."""
        return len(self.waiting) > 1 or (self.shutting_down and bool(self.waiting))

    def send_runtest_some(self, indices: Sequence[int]) -> None:
        """Take tests."""
        self.sent.append(list(indices))
        self.waiting += indices

    def shutdown(self) -> None:
        """Take no more tests."""
        self.shutting_down = True


class Config:
    """As much of pytest's configuration as schedulers look at."""

    def __init__(self, workers: int, chunk: int | None = None, mode: str = "load") -> None:
        self._values = {"tx": [f"{workers}*popen"], "maxschedchunk": chunk, "dist": mode}

    def getvalue(self, name: str) -> Any:
        """An option."""
        return self._values[name]

    getoption = getvalue


@pytest.fixture(scope="module")
def kinds() -> tuple[type, type]:
    """Our scheduler and the one that it is made of."""
    from xdist.scheduler import LoadScheduling

    from harness.plugin.scheduler import PopulationScheduling

    return PopulationScheduling, LoadScheduling


def distribute(
    kind: type, tests: Sequence[str], *, workers: int, chunk: int | None = None, seed: int = 0
) -> list[Node]:
    """Let workers run all tests, in an order that a seed decides; fails if they wait for each other for ever."""
    scheduler, nodes = kind(Config(workers, chunk)), [Node(f"gw{number}") for number in range(workers)]
    draw = random.Random(seed)  # noqa: S311 - no secret
    for node in nodes:
        scheduler.add_node(node)
    for node in nodes:
        scheduler.add_node_collection(node, tests)
    scheduler.schedule()
    while able := [node for node in nodes if node.can_run]:
        node = draw.choice(able)
        test = node.waiting.pop(0)
        node.done.append(test)
        scheduler.mark_test_complete(node, test, duration=draw.choice((0, 1)))
        if scheduler.tests_finished:
            for each in nodes:
                each.shutdown()
    assert sorted(test for node in nodes for test in node.done) == list(range(len(tests)))
    return nodes


def suite(modules: Sequence[int | None]) -> list[str]:
    """Ids of tests; a number stands for a test that trains, in the module of that number."""
    return [
        f"test_plain.py::test_{index}" if module is None else f"test_{module}.py::test_{index}{LABEL}test_{module}.py"
        for index, module in enumerate(modules)
    ]


@given(
    modules=st.lists(st.sampled_from([None, None, 1, 2, 3]), max_size=60),
    workers=st.integers(1, 4),
    chunk=st.sampled_from([None, 1, 3]),
    seed=st.integers(0, 99),
)
def test_each_module_goes_to_one_worker(
    kinds: tuple[type, type], modules: list[int | None], workers: int, chunk: int | None, seed: int
) -> None:
    """However tests and workers are mixed: every test runs once, a module's training tests all in one place."""
    nodes = distribute(kinds[0], suite(modules), workers=workers, chunk=chunk, seed=seed)
    for module in {1, 2, 3}.intersection(modules):
        assert len([node for node in nodes if any(modules[test] == module for test in node.done)]) == 1


def test_without_our_scheduler_a_module_is_taken_apart(kinds: tuple[type, type]) -> None:
    """Control: pytest-xdist's own hands the same tests to two workers."""
    nodes = distribute(kinds[1], suite([1] * 4), workers=2)
    assert [len(node.done) for node in nodes] == [2, 2]


@given(
    count=st.integers(0, 60), workers=st.integers(1, 4), chunk=st.sampled_from([None, 1, 3]), seed=st.integers(0, 99)
)
def test_without_experiments_nothing_changes(
    kinds: tuple[type, type], count: int, workers: int, chunk: int | None, seed: int
) -> None:
    """Tests that do not train are sent in the same messages to the same workers as by pytest-xdist's own scheduler."""
    ours, theirs = (distribute(kind, suite([None] * count), workers=workers, chunk=chunk, seed=seed) for kind in kinds)
    assert [node.sent for node in ours] == [node.sent for node in theirs]


def test_modules_are_spread_over_workers(kinds: tuple[type, type]) -> None:
    """Two populations do not end up on one worker as long as another one has nothing to do."""
    nodes = distribute(kinds[0], suite([1] * 3 + [2] * 3 + [None] * 42), workers=2)
    # Of 48 tests each worker is sent six at first; the first one stops short of the second module.
    assert [node.sent[0] for node in nodes] == [[0, 1, 2], [3, 4, 5, 6, 7, 8]]


def test_small_modules_do_not_starve_a_worker(kinds: tuple[type, type]) -> None:
    """A worker needs two tests to begin with: of modules with one test each it gets two."""
    nodes = distribute(kinds[0], suite([1, 2, 3, 4, 5, 6]), workers=2)
    assert [node.sent[0] for node in nodes] == [[0, 1], [2, 3]]


def test_tests_of_a_module_are_run_in_their_order(kinds: tuple[type, type]) -> None:
    """Tests that are brought forward keep pytest's order, which spares fixtures from being made twice."""
    nodes = distribute(kinds[0], suite([None, 1, None, 1, None, 1, None, None]), workers=2)
    assert all(node.sent[0] == sorted(node.sent[0]) for node in nodes)
    assert [1, 3, 5] in [[test for test in node.done if test in (1, 3, 5)] for node in nodes]


def test_what_a_killed_worker_leaves_goes_to_one_other(kinds: tuple[type, type]) -> None:
    """The rest of its module stays together, and the test it died in is named without a label."""
    scheduler, nodes = kinds[0](Config(2)), [Node("gw0"), Node("gw1")]
    for node in nodes:
        scheduler.add_node(node)
    for node in nodes:
        scheduler.add_node_collection(node, suite([1] * 4 + [None] * 2))
    scheduler.schedule()
    assert nodes[0].waiting == [0, 1, 2, 3]
    assert scheduler.remove_node(nodes[0]) == "test_1.py::test_0"
    replacement = Node("gw2")
    scheduler.add_node(replacement)
    scheduler.add_node_collection(replacement, suite([1] * 4 + [None] * 2))
    scheduler.schedule()
    assert replacement.waiting == [1, 2, 3]


@pytest.mark.parametrize(
    ("mode", "ours"),
    [
        ("load", True),
        ("loadgroup", False),
        ("loadfile", False),
        ("loadscope", False),
        ("each", False),
        ("worksteal", False),
    ],
)
def test_only_the_mode_of_a_plain_n_is_changed(kinds: tuple[type, type], mode: str, *, ours: bool) -> None:
    """Whoever names a mode gets pytest-xdist's scheduler for it."""
    made = plugin.pytest_xdist_make_scheduler(Config(2, mode=mode), None)  # type: ignore[arg-type]
    assert isinstance(made, kinds[0]) is ours
    assert ours or made is None


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two modules that train, one setting with four tests and three settings with two each, and tests that do not."""
    one = (EXPERIMENT + SETTING + FOUR_TESTS + NO_FIXTURES).replace("tiny.py", "tiny_one.py")
    return write(
        tmp_path_factory.mktemp("counted"),
        tiny_one=COUNTING_ENTRY_POINT,
        tiny_sweep=COUNTING_ENTRY_POINT,
        test_one=one,
        test_sweep=(EXPERIMENT + TAGS + FIRST + ALL).replace("tiny.py", "tiny_sweep.py"),
        test_plain="import pytest\n\n@pytest.mark.parametrize('number', range(6))\ndef test_plain(number): ...\n",
    )


def run_counted(folder: Path, *arguments: str) -> tuple[Ran, Counter[str], dict[str, set[str]]]:
    """``pytest ARGUMENTS``; how often each graph was built, and by which processes those of each script."""
    record = folder / "built.txt"
    record.unlink(missing_ok=True)
    ran = run(folder, *arguments)
    lines = record.read_text(encoding="utf-8").splitlines()
    processes: dict[str, set[str]] = {}
    for line in lines:
        script, _, process = line.split()
        processes.setdefault(script, set()).add(process)
    return ran, Counter(line.rpartition(" ")[0] for line in lines), processes


ONCE = {"tiny_one.py 0": 2, "tiny_sweep.py 1": 2, "tiny_sweep.py 2": 2, "tiny_sweep.py 3": 2}
"""Each of the settings with its two seeds."""


def test_two_workers_train_each_trial_once(counted: Path) -> None:
    """With ``-n 2`` no trial is trained twice, and each module has one process; results bear no trace of it."""
    ran, built, processes = run_counted(counted, "-v", "-n", "2")
    assert ran.code == 0, ran.output
    assert built == ONCE
    assert [len(found) for found in processes.values()] == [1, 1]
    assert len(re.findall("PASSED", ran.output)) == 17
    assert LABEL not in ran.output


def test_groups_of_xdist_keep_a_module_together(counted: Path) -> None:
    """``--dist loadgroup`` does as much for tests whose author named no group."""
    ran, built, processes = run_counted(counted, "-n", "2", "--dist", "loadgroup", "test_one.py", "test_plain.py")
    assert ran.code == 0, ran.output
    assert built == {"tiny_one.py 0": 2}
    assert [len(found) for found in processes.values()] == [1]


def test_without_the_scheduler_two_workers_train_trials_twice(counted: Path) -> None:
    """Control: where a project's own scheduler hands tests out one by one, both workers train the one setting."""
    (counted / "conftest.py").write_text(PLAIN_SCHEDULER, encoding="utf-8")
    try:
        ran, built, processes = run_counted(counted, "-n", "2", "test_one.py::test_one_of_four")
    finally:
        (counted / "conftest.py").unlink()
    assert ran.code == 0, ran.output
    assert built == {"tiny_one.py 0": 4}
    assert [len(found) for found in processes.values()] == [2]


SHOWS_IDS = """
def pytest_configure(config):
    config.workerinput = {{{input!r}: {mode!r}}}


def pytest_collection_finish(session):
    for item in session.items:
        print("told", item.nodeid)


def pytest_runtest_logstart(nodeid):
    print("ran", nodeid)
"""

GROUPED = """

@pytest.mark.xdist_group("mine")
def test_grouped(trained):
    pass
"""


@pytest.mark.parametrize(
    ("mode", "labelled"),
    [
        ("load", {"test_first", "test_grouped"}),
        ("loadgroup", {"test_first"}),
        ("loadfile", set()),
        ("worksteal", set()),
        ("no", set()),
    ],
)
def test_labels_are_for_the_controller_alone(session: Callable[..., Recorder], mode: str, labelled: set[str]) -> None:
    """Ids of tests that train bear the label while the controller is told, where it can read it, and never again."""
    ran = session(
        "-s",
        conftest=SHOWS_IDS.format(input=INPUT, mode=mode),
        test_x=EXPERIMENT + SETTING + FIRST + GROUPED + NO_FIXTURES,
    )
    names = ("test_first", "test_grouped", "test_plain")
    told = {line.removeprefix("told ") for line in ran.result.outlines if line.startswith("told ")}
    assert told == {f"test_x.py::{name}" + (f"{LABEL}test_x.py" if name in labelled else "") for name in names}
    assert {line.partition("ran ")[2] for line in ran.result.outlines if "ran " in line} == {
        f"test_x.py::{name}" for name in names
    }


def test_a_label_is_one_group_whatever_the_folder_is_called(
    session: Callable[..., Recorder], pytester: pytest.Pytester
) -> None:
    """``--dist loadgroup`` looks for a group behind the last "@" and the last "]": a path may hold both."""
    from xdist.scheduler import LoadGroupScheduling

    folder = pytester.path / "a@b[1]"
    folder.mkdir()
    (folder / "test_x.py").write_text(EXPERIMENT + SWEEP + FIRST, encoding="utf-8")
    ran = session("-s", "--collect-only", conftest=SHOWS_IDS.format(input=INPUT, mode="loadgroup"))
    told = [line.removeprefix("told ") for line in ran.result.outlines if line.startswith("told ")]
    assert len(told) == 2
    assert {LoadGroupScheduling._split_scope(None, name) for name in told} == {"byom-population:a-b[1-/test_x.py"}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("worksteal", [["0"], ["0", "1"]] * 2),
        ("load", [["0", "1", "0", "1"]]),
        ("loadfile", [["0", "1", "0", "1"]]),
        ("each", [["0", "1", "0", "1"]]),
    ],
)
def test_what_other_workers_may_run_is_not_planned(
    session: Callable[..., Recorder], mode: str, expected: list[list[str]]
) -> None:
    """Where the tests of a module may be anywhere, a worker plans what its own test asks for and no more."""
    ran = session(conftest=SHOWS_IDS.format(input=INPUT, mode=mode), test_x=EXPERIMENT + SWEEP + FIRST + ALL)
    assert [[trial.split()[1] for trial in plan] for plan in ran.plans] == expected
