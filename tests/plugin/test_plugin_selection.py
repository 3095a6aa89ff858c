"""Which tests are selected: a real account is reached by ``-m aws`` only, and never by the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from harness.plugin import selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODULE = """
import pytest

{pytestmark}


def test_plain():
    pass


def test_trains(trained):
    pass


def test_deploys(endpoint):
    pass


@pytest.mark.serving
def test_asks(predictor):
    pass
"""

UNMARKED = MODULE.format(pytestmark="")
MARKED_LOCAL = MODULE.format(pytestmark="pytestmark = pytest.mark.local")
MARKED_AWS = """
import pytest


@pytest.mark.aws
def test_mine():
    pass
"""
INDIRECT = """
import pytest


@pytest.mark.parametrize("cloud", ["live"], indirect=True)
def test_indirect(cloud):
    pass
"""

ALL_LOCAL = {"trains", "deploys[simulated]", "asks[simulated]"}
ALL_LIVE = {"deploys[live]", "asks[live]"}


@pytest.fixture
def collect(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """``pytest --collect-only ARGUMENTS`` on inner modules, in this process."""

    def run_inner(*arguments: str, **modules: str) -> pytest.RunResult:
        pytester.makeini("[pytest]\nmarkers =\n    serving: starts the model server\naddopts = --strict-markers")
        pytester.makepyfile(**modules)
        # Both would be imported anew each time, for a second: pytester forgets what an inner session imports.
        quick = ("-p", "no:hypothesispytest", "-p", "no:anyio", "-p", "no:cacheprovider")
        return pytester.runpytest_inprocess("--collect-only", "-q", *quick, *arguments)

    return run_inner


@pytest.fixture
def selected(collect: Callable[..., pytest.RunResult]) -> Callable[..., set[str]]:
    """Names of the tests of a module, without ``test_``, that are selected with these arguments."""

    def names(module: str, *arguments: str) -> set[str]:
        lines = collect(*arguments, test_inner=module).outlines
        return {line.partition("::test_")[2] for line in lines if "::test_" in line}

    return names


@dataclass
class Item:
    """As much of a pytest item as the selection looks at."""

    names: tuple[str, ...]
    cloud: str | None = None

    @property
    def callspec(self) -> Callspec | None:
        """Parameters, if there are any."""
        return Callspec({"cloud": self.cloud}) if self.cloud else None

    def iter_markers(self) -> Iterator[pytest.Mark]:
        """The markers by name."""
        return (pytest.Mark(name, (), {}, _ispytest=True) for name in self.names)


@dataclass
class Callspec:
    """Parameters of an item."""

    params: dict[str, str | None]


@pytest.mark.parametrize("module", [UNMARKED, MARKED_LOCAL], ids=["unmarked", "marked-local"])
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (None, {"plain"} | ALL_LOCAL),
        ("aws", ALL_LIVE),
        ("aws and serving", {"asks[live]"}),
        ("aws and not serving", {"deploys[live]"}),
        ("not serving", {"plain", "trains", "deploys[simulated]"}),
        ("serving", {"asks[simulated]"}),
        ("not aws", {"plain"} | ALL_LOCAL),
        ("not (aws or serving)", {"plain", "trains", "deploys[simulated]"}),
        ("not gpu", {"plain"} | ALL_LOCAL),
    ],
)
def test_an_expression_selects_live_tests_only_by_asking_for_them(
    selected: Callable[..., set[str]], module: str, expression: str | None, expected: set[str]
) -> None:
    """Bare, negated and unrelated expressions never select ``[live]``; ``aws`` does, alone or narrowed."""
    assert selected(module, *(("-m", expression) if expression else ())) == expected


@pytest.mark.parametrize(
    ("module", "expression", "expected"),
    [
        (UNMARKED, "local", ALL_LOCAL),
        (MARKED_LOCAL, "local", {"plain"} | ALL_LOCAL),
        (UNMARKED, "local or aws", ALL_LOCAL | ALL_LIVE),
        (MARKED_LOCAL, "local or aws", {"plain"} | ALL_LOCAL | ALL_LIVE),
        (UNMARKED, "not local", {"plain"}),
        (MARKED_LOCAL, "not local", set()),
        (MARKED_LOCAL, "local and not aws", {"plain"} | ALL_LOCAL),
    ],
)
def test_local_never_means_live(
    selected: Callable[..., set[str]], module: str, expression: str, expected: set[str]
) -> None:
    """A module marked local as a whole holds both kinds of test: ``-m local`` takes the simulated ones."""
    assert selected(module, "-m", expression) == expected


@pytest.mark.parametrize("arguments", [(), ("-k", "live"), ("-k", "not simulated"), ("-m", "not local", "-k", "live")])
def test_no_other_option_selects_live_tests(selected: Callable[..., set[str]], arguments: tuple[str, ...]) -> None:
    """Asking for ``live`` by keyword is not asking for AWS."""
    assert not {name for name in selected(UNMARKED, *arguments) if "live" in name}


def test_a_node_id_alone_does_not_select_a_live_test(collect: Callable[..., pytest.RunResult]) -> None:
    """The full name of a live test on the command line selects nothing, which pytest reports as such."""
    result = collect("test_inner.py::test_deploys[live]", test_inner=UNMARKED)
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(["*1 deselected*"])


@pytest.mark.parametrize(("module", "name"), [(MARKED_AWS, "mine"), (INDIRECT, "indirect[live]")])
def test_a_users_own_live_tests_follow_the_same_rule(selected: Callable[..., set[str]], module: str, name: str) -> None:
    """Marked aws by hand, or given the live cloud as a parameter: out of a bare run, in under ``-m aws``."""
    assert selected(module) == set()
    assert selected(module, "-m", "not serving") == set()
    assert selected(module, "-m", "aws") == {name}


def test_markers_follow_from_fixtures(selected: Callable[..., set[str]]) -> None:
    """What uses no fixture of the pipeline is neither local nor aws."""
    assert selected(UNMARKED, "-m", "not local and not aws") == {"plain"}


@pytest.mark.parametrize(
    ("names", "account", "expression", "expected"),
    [
        (("aws",), "live", "", False),
        (("aws",), "live", "aws", True),
        (("aws",), "live", "local or aws", True),
        (("aws",), "live", "not local", False),
        (("aws", "local"), "live", "local", False),
        (("aws", "local"), "live", "local or aws", True),
        (("aws", "serving"), "live", "serving", False),
        (("aws", "serving"), "live", "serving and aws", True),
        (("aws",), "live", "not aws", False),
        (("aws",), None, "aws", True),
        (("aws",), None, "", False),
        (("local",), "simulated", "aws", False),
        ((), None, "aws", False),
    ],
)
def test_opted_in(names: tuple[str, ...], account: str | None, expression: str, *, expected: bool) -> None:
    """An expression opts in only if it would not select the test without the marker aws."""
    assert selection.opted_in(Item(names, account), expression) is expected  # type: ignore[arg-type]


@pytest.mark.parametrize("expression", ["not local", "serving", "local or serving"])
def test_without_the_rule_pytest_would_select_a_live_test(expression: str) -> None:
    """Control: these expressions select a live test by pytest's own reading, and are refused all the same."""
    names = {"aws", "serving"}
    assert selection._selects(expression, names)
    assert not selection.opted_in(Item(tuple(names), "live"), expression)  # type: ignore[arg-type]


def test_without_the_rule_local_would_select_a_live_test() -> None:
    """Control: in a module marked local, pytest's own reading of ``-m local`` selects the live test as well."""
    assert selection._selects("local", {"aws", "local"})
    assert not selection.opted_in(Item(("aws", "local"), "live"), "local")  # type: ignore[arg-type]
