"""Which trials the tests of a module are about to ask for: an engine that can train many at once is told beforehand.

Nobody declares this. What a test will ask for follows from the fixtures it uses (`replicates` asks for all seeds of a
setting, `trained` and what stands on it for the first) and from its parameters. The first test that asks for a trial of
an experiment makes the harness look at all tests of its module that were selected and are going to run.

Looked at are arguments and parameters, as pytest knows them before a test runs. What a test or a fixture gets through
``request.getfixturevalue`` is not seen, and is trained when it is asked for. Under ``-x`` the trials of tests that are
never reached are trained all the same: they cost little beside the first one, that is why they are trained with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from harness.experiment import Experiment, Hyperparameters, Trial

OURS = "harness.plugin.fixtures"


def gather(current: pytest.Item, asked: Trial, runs: Callable[[pytest.Item], bool]) -> list[Trial]:
    """The trials that tests of a module will ask for, of one experiment, in the order of these tests.

    Trials of another setting are found if the setting is the parameter of the fixture ``hyperparameters`` as it stands,
    and the experiment does not depend on it. A setting that the experiment refuses is left out: its test will say so.

    Args:
        current: the test that is being set up.
        asked: a trial that it asks for.
        runs: whether a selected test is going to run.

    Returns:
        Each trial once; nothing, if ``current`` asks for its trial in a way that cannot be seen beforehand.
    """
    mine = _Need.of(current)
    found: dict[Trial, None] = {}
    if mine is None:
        return []
    for item in current.session.items:
        need = _Need.of(item) if item.path == current.path else None
        if need is None or not need.experiment.gives_the_same_as(mine.experiment):
            continue
        setting = _setting(need.hyperparameters, mine.hyperparameters, asked.hyperparameters)
        if setting is not None and (item is current or runs(item)):
            found |= dict.fromkeys(_trials(asked.experiment, setting, all_seeds=need.all_seeds))
    return list(found)


def marked_to_run(item: pytest.Item) -> bool:
    """Whether no marker (``skip``, ``skipif``, ``xfail`` with ``run=False``) keeps a test from running."""
    from _pytest.skipping import evaluate_skip_marks, evaluate_xfail_marks

    try:
        skip, xfail = evaluate_skip_marks(item), evaluate_xfail_marks(item)
    except (pytest.fail.Exception, TypeError, ValueError):
        return False  # a condition that cannot be evaluated: the test's own set-up will say so
    return skip is None and (xfail is None or xfail.run or item.config.getoption("runxfail"))


def uses(item: pytest.Item, name: str) -> bool:
    """Whether a test uses the harness's fixture of that name, by an argument of its own or of a fixture's."""
    used = _definitions(item, getattr(getattr(item, "_fixtureinfo", None), "initialnames", ()))
    return any(each.argname == name and getattr(each.func, "__module__", "") == OURS for each in used)


@dataclass(frozen=True)
class _Source:
    """A fixture as one test gets it: its definition, and the parameters that it and what it stands on are given."""

    definition: pytest.FixtureDef[Any]
    parameters: Mapping[str, object]

    @classmethod
    def of(cls, item: pytest.Item, name: str) -> _Source | None:
        definitions = _definitions(item, [name])
        if not definitions:
            return None
        names = {definition.argname for definition in definitions}
        callspec = getattr(item, "callspec", None)
        given = callspec.params.items() if callspec else ()
        return cls(definitions[0], {name: value for name, value in given if name in names})

    def gives_the_same_as(self, other: _Source) -> bool:
        """Whether pytest would hand out the same value for both."""
        mine, theirs = self.parameters, other.parameters
        return (
            self.definition is other.definition
            and mine.keys() == theirs.keys()
            and all(_equal(value, theirs[name]) for name, value in mine.items())
        )


@dataclass(frozen=True)
class _Need:
    """What the trials that a test asks for follow from."""

    experiment: _Source
    hyperparameters: _Source
    all_seeds: bool

    @classmethod
    def of(cls, item: pytest.Item) -> _Need | None:
        """None for a test that asks for none."""
        used = _definitions(item, getattr(getattr(item, "_fixtureinfo", None), "initialnames", ()))
        ours = {definition.argname for definition in used if getattr(definition.func, "__module__", "") == OURS}
        if ours.isdisjoint({"trained", "replicates"}):
            return None
        experiment, hyperparameters = _Source.of(item, "experiment"), _Source.of(item, "hyperparameters")
        if experiment is None or hyperparameters is None:
            return None
        return cls(experiment, hyperparameters, "replicates" in ours)


def _definitions(item: pytest.Item, names: Iterable[str]) -> list[pytest.FixtureDef[Any]]:
    """The fixtures that a test gets under these names, each followed by those it stands on, overridden ones included.

    Resolved as pytest does: a fixture that asks for its own name gets the one it overrides.
    """
    known: Mapping[str, Sequence[pytest.FixtureDef[Any]]]
    known = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    found: dict[pytest.FixtureDef[Any], None] = {}

    def visit(name: str, chain: tuple[str, ...]) -> None:
        candidates, level = known.get(name, ()), 1 + chain.count(name)
        if level > len(candidates) or candidates[-level] in found:
            return
        found[candidates[-level]] = None
        for argument in candidates[-level].argnames:
            visit(argument, (*chain, name))

    for name in names:
        visit(name, ())
    return list(found)


def _equal(one: object, other: object) -> bool:
    """As pytest compares parameters when it decides whether a fixture is made anew."""
    try:
        return bool(one == other)
    except (ValueError, RuntimeError):  # arrays of numpy, for one
        return one is other


def _setting(theirs: _Source, mine: _Source, value: Hyperparameters) -> Hyperparameters | None:
    """What another test's ``hyperparameters`` will be, where this test's are ``value``; None if that cannot be told."""
    from harness.experiment import Hyperparameters

    if theirs.gives_the_same_as(mine):
        return value
    parameter = theirs.parameters.get("hyperparameters")
    unchanged = mine.parameters.get("hyperparameters") is value
    if theirs.definition is mine.definition and unchanged and isinstance(parameter, Hyperparameters):
        return parameter
    return None


def _trials(experiment: Experiment, setting: Hyperparameters, *, all_seeds: bool) -> tuple[Trial, ...]:
    from harness.errors import DeclarationError

    try:
        return experiment.trials(setting)[: None if all_seeds else 1]
    except DeclarationError:
        return ()
