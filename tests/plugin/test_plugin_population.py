"""Which trials the trainer is told of before the first is trained: those of the tests that are going to run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from recorded_session import ALL, FIRST, NO_FIXTURES
from tiny_experiment import EXPERIMENT, SETTING, SWEEP

from harness.plugin import population

if TYPE_CHECKING:
    from collections.abc import Callable

    from recorded_session import Recorder


def test_a_sweep_is_planned_as_a_whole(session: Callable[..., Recorder]) -> None:
    """Before the first of two settings is trained, both seeds of both are known, each once, in the tests' order."""
    ran = session(test_sweep=EXPERIMENT + SWEEP + FIRST + ALL)
    assert ran.plans == [
        ["learning_rate=0.1 0", "learning_rate=0.1 1", "learning_rate=0.2 0", "learning_rate=0.2 1"],
    ]
    assert ran.outcomes == {"passed": 4}
    assert set(ran.trained) == set(ran.planned[0])


def test_who_asks_for_first_seeds_gets_first_seeds(session: Callable[..., Recorder]) -> None:
    """Without a test that uses all replicates, one seed of each setting is planned."""
    ran = session(test_sweep=EXPERIMENT + SWEEP + FIRST + NO_FIXTURES)
    assert ran.plans == [["learning_rate=0.1 0", "learning_rate=0.2 0"]]


@pytest.mark.parametrize(
    ("module", "expected"),
    [(FIRST + ALL, ["learning_rate=0.2 0", "learning_rate=0.2 1"]), (FIRST, ["learning_rate=0.2 0"])],
    ids=["all-later", "first-only"],
)
def test_one_setting_is_planned_with_all_seeds_that_will_be_needed(
    session: Callable[..., Recorder], module: str, expected: list[str]
) -> None:
    """``trained`` comes first and asks for one seed; a later test that uses ``replicates`` makes it all of them."""
    assert session(test_one=EXPERIMENT + SETTING + module).plans == [expected]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("-k", "first"), ["learning_rate=0.1 0", "learning_rate=0.2 0"]),
        (("-k", "0.1"), ["learning_rate=0.1 0", "learning_rate=0.1 1"]),
        (
            ("-k", "(all and 0.2) or (first and 0.1)"),
            ["learning_rate=0.1 0", "learning_rate=0.2 0", "learning_rate=0.2 1"],
        ),
        (("-m", "serving"), ["learning_rate=0.1 0", "learning_rate=0.2 0"]),
        (("--deselect", "test_sweep.py::test_all"), ["learning_rate=0.1 0", "learning_rate=0.2 0"]),
        (("test_sweep.py::test_first[learning_rate=0.2]",), ["learning_rate=0.2 0"]),
    ],
    ids=["keyword", "setting", "both", "marker", "deselect", "node-id"],
)
def test_what_is_not_selected_is_not_planned(
    session: Callable[..., Recorder], arguments: tuple[str, ...], expected: list[str]
) -> None:
    """However tests are deselected, those that are left make the plan."""
    first = FIRST.replace("def ", "@pytest.mark.serving\ndef ")
    ran = session(*arguments, test_sweep=EXPERIMENT + SWEEP + first + ALL)
    assert ran.plans == [expected]
    assert set(ran.trained) == set(ran.planned[0])


def test_what_another_plugin_deselects_is_not_planned(session: Callable[..., Recorder]) -> None:
    """A conftest that leaves tests out after everybody else is heard as well."""
    conftest = """
import pytest

@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if "0.1" not in item.name]
"""
    ran = session(conftest=conftest, test_sweep=EXPERIMENT + SWEEP + ALL)
    assert ran.plans == [["learning_rate=0.2 0", "learning_rate=0.2 1"]]


def test_last_failed_plans_what_it_runs(session: Callable[..., Recorder]) -> None:
    """With ``--lf`` the settings that passed are not trained again."""
    fails = "\n\ndef test_all(replicates):\n    assert replicates[0].trial.hyperparameters['learning_rate'] == 0.1\n"
    module = EXPERIMENT + SWEEP + fails
    assert len(session(test_sweep=module).plans[0]) == 4
    assert session("--lf", test_sweep=module).plans == [["learning_rate=0.2 0", "learning_rate=0.2 1"]]


@pytest.mark.parametrize(
    ("mark", "arguments", "planned"),
    [
        ("skip", (), False),
        ("skipif(True, reason='no')", (), False),
        ("skipif(False, reason='no')", (), True),
        ("skipif('nonsense')", (), False),
        ("xfail(run=False)", (), False),
        ("xfail(run=False)", ("--runxfail",), True),
        ("xfail", (), True),
    ],
)
def test_a_setting_that_is_marked_not_to_run_is_not_planned(
    session: Callable[..., Recorder], mark: str, arguments: tuple[str, ...], *, planned: bool
) -> None:
    """Whoever skips a setting, for it takes too long or crashes, does not get it trained by the way."""
    marked = f"[*grid(learning_rate=[0.1]), pytest.param(Hyperparameters(learning_rate=3), marks=pytest.mark.{mark})]"
    sweep = SWEEP.replace("grid(learning_rate=[0.1, 0.2])", marked)
    ran = session(*arguments, test_sweep=EXPERIMENT + sweep + FIRST)
    assert ran.plans == [["learning_rate=0.1 0", *(["learning_rate=3 0"] if planned else [])]]
    assert len(ran.trained) == len(ran.planned[0])


def test_two_modules_are_two_populations(session: Callable[..., Recorder]) -> None:
    """Each module plans its own when its first test runs."""
    ran = session(test_a=EXPERIMENT + SWEEP + FIRST, test_b=EXPERIMENT + SWEEP + FIRST)
    assert [[trial.experiment.name for trial in plan] for plan in ran.planned] == [["a", "a"], ["b", "b"]]


def test_modules_that_share_an_experiment_are_two_populations_as_well(session: Callable[..., Recorder]) -> None:
    """Fixtures of a conftest are made anew for each module, so each module plans for itself."""
    shared = EXPERIMENT.replace('__name__.removeprefix("test_")', '"shared"') + SWEEP
    ran = session(conftest=shared, test_a=FIRST, test_b=FIRST.replace("trained", "replicates"))
    assert [len(plan) for plan in ran.planned] == [2, 4]


def test_a_setting_that_is_refused_fails_alone(session: Callable[..., Recorder]) -> None:
    """A hyperparameter that nobody knows is told by its own test; the others are planned and pass."""
    sweep = SWEEP.replace("params=grid(", "params=grid(learning_rat=[1]) + grid(")
    ran = session(test_sweep=EXPERIMENT + sweep + FIRST)
    assert ran.plans == [["learning_rate=0.1 0", "learning_rate=0.2 0"]]
    assert ran.outcomes == {"passed": 2, "errors": 1}
    ran.result.stdout.fnmatch_lines(["E   DeclarationError: *unknown hyperparameter learning_rat;*"])


OVERRIDING_EXPERIMENT = """

@pytest.fixture(scope="module")
def experiment(experiment, {argument}):
    from dataclasses import replace

    return replace(experiment, epochs=2)
"""
"""In a module; it overrides the one of a conftest."""


@pytest.mark.parametrize(
    ("overridden", "argument", "expected"),
    [
        ("", "hyperparameters", [["learning_rate=0.1 0"], ["learning_rate=0.2 0"]]),
        ("", "taste", [["learning_rate=0.1 0"], ["learning_rate=0.2 0"]]),
        ("hyperparameters", "request", [["learning_rate=0.1 0"], ["learning_rate=0.2 0"]]),
        ("", "request", [["learning_rate=0.1 0", "learning_rate=0.2 0"]]),
    ],
    ids=["directly", "by-way-of-another", "by-what-it-overrides", "control"],
)
def test_an_experiment_that_depends_on_the_setting_is_planned_setting_by_setting(
    session: Callable[..., Recorder], overridden: str, argument: str, expected: list[list[str]]
) -> None:
    """What it is for another setting cannot be told beforehand; an experiment of its own is the same for all."""
    taste = '\n\n@pytest.fixture(scope="module")\ndef taste(hyperparameters): ...\n'
    conftest = EXPERIMENT.replace('__name__.removeprefix("test_")', '"shared"')
    ran = session(
        conftest=conftest.replace("def experiment():", f"def experiment({overridden}):"),
        test_sweep="import pytest\nfrom harness import *\n"
        + SWEEP
        + taste
        + OVERRIDING_EXPERIMENT.format(argument=argument)
        + FIRST,
    )
    assert ran.plans == expected
    assert {trial.experiment.epochs for trial in ran.trained} == {2}


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        ("Hyperparameters(request.param, momentum=0.9)", ["learning_rate=0.1,momentum=0.9 0"]),
        ("request.param", ["learning_rate=0.1 0", "learning_rate=0.2 0"]),
    ],
    ids=["changed", "control"],
)
def test_a_setting_that_is_not_its_parameter_is_planned_alone(
    session: Callable[..., Recorder], returned: str, expected: list[str]
) -> None:
    """If the fixture makes something else of its parameter, what it makes of the others is not guessed."""
    ran = session(test_sweep=EXPERIMENT + SWEEP.replace("return request.param", f"return {returned}") + FIRST)
    assert ran.plans[0] == expected
    assert ran.outcomes == {"passed": 2}


def test_a_parameter_that_is_no_setting_is_not_taken_for_one(session: Callable[..., Recorder]) -> None:
    """One parameter is returned as it stands, the other stands for something else: it is planned when it is known."""
    sweep = SWEEP.replace("grid(learning_rate=[0.1, 0.2])", "[Hyperparameters(learning_rate=0.1), 0]").replace(
        "return request.param", "return request.param or Hyperparameters()"
    )
    ran = session(test_sweep=EXPERIMENT + sweep + FIRST)
    assert ran.plans == [["learning_rate=0.1 0"], ["defaults 0"]]
    assert ran.outcomes == {"passed": 2}


def test_a_changed_setting_is_planned_with_its_seeds(session: Callable[..., Recorder]) -> None:
    """Tests with the same parameter get the same setting, whatever the fixture makes of it."""
    sweep = SWEEP.replace("grid(learning_rate=[0.1, 0.2])", "[0.1, 0.2]").replace(
        "return request.param", "return Hyperparameters(learning_rate=request.param)"
    )
    ran = session(test_sweep=EXPERIMENT + sweep + FIRST + ALL)
    assert ran.plans == [
        ["learning_rate=0.1 0", "learning_rate=0.1 1"],
        ["learning_rate=0.2 0", "learning_rate=0.2 1"],
    ]


def test_a_swept_experiment_is_planned_experiment_by_experiment(session: Callable[..., Recorder]) -> None:
    """Of two batch sizes times two settings, each batch size is a population of two."""
    swept = (
        EXPERIMENT.replace(
            '(scope="module")\ndef experiment():', '(scope="module", params=[10, 20])\ndef experiment(request):'
        )
        .replace("batch_size=20", "batch_size=request.param")
        .replace("name=__name__", 'name=f"by-{request.param}-" + __name__')
    )
    ran = session(test_sweep=swept + SWEEP + FIRST)
    assert [[trial.experiment.batch_size for trial in plan] for plan in ran.planned] == [[10, 10], [20, 20]]
    assert [sorted(plan) for plan in ran.plans] == [["learning_rate=0.1 0", "learning_rate=0.2 0"]] * 2
    assert ran.outcomes == {"passed": 4}


def test_an_experiment_on_a_parameter_of_another_fixture_is_planned_by_that(session: Callable[..., Recorder]) -> None:
    """The parameter may stand behind the experiment: a data set with two sizes makes two populations."""
    sizes = '\n\n@pytest.fixture(scope="module", params=[10, 20])\ndef size(request):\n    return request.param\n'
    swept = (
        EXPERIMENT.replace("def experiment():", "def experiment(size):")
        .replace("batch_size=20", "batch_size=size")
        .replace("name=__name__", 'name=f"by-{size}-" + __name__')
    )
    ran = session(test_sweep=swept + sizes + SWEEP + FIRST)
    assert [{trial.experiment.batch_size for trial in plan} for plan in ran.planned] == [{10}, {20}]


def test_other_parameters_do_not_matter(session: Callable[..., Recorder]) -> None:
    """A test's own parameters, and those of a ``cloud``, are no settings: nothing is planned twice or left out."""
    module = """

@pytest.fixture(scope="session", params=["here", "there"])
def cloud(request):
    return request.param


@pytest.mark.parametrize("number", [1, 2])
def test_many(trained, cloud, number):
    pass
"""
    ran = session(test_sweep=EXPERIMENT + SWEEP + module)
    assert [sorted(plan) for plan in ran.plans] == [["learning_rate=0.1 0", "learning_rate=0.2 0"]]
    assert ran.outcomes == {"passed": 8}


@pytest.mark.parametrize("how", ["indirect=True", 'scope="module"'])
def test_settings_may_stand_on_the_test(session: Callable[..., Recorder], how: str) -> None:
    """``parametrize`` on a test says the same as parameters of the fixture."""
    fixture = '\n\n@pytest.fixture(scope="module")\ndef hyperparameters(request):\n    return request.param\n'
    module = f"""

@pytest.mark.parametrize("hyperparameters", grid(learning_rate=[0.1, 0.2]), {how})
def test_one(replicates):
    pass


@pytest.mark.parametrize("hyperparameters", grid(learning_rate=[0.2, 0.3]), {how})
def test_two(trained):
    pass
"""
    ran = session(test_sweep=EXPERIMENT + (fixture if "indirect" in how else "") + module)
    assert sorted(ran.plans[0]) == [f"learning_rate={each}" for each in ("0.1 0", "0.1 1", "0.2 0", "0.2 1", "0.3 0")]
    assert len(ran.plans) == 1


@pytest.mark.parametrize(
    "module",
    [
        "\n\n@pytest.fixture(scope='module')\ndef mine(replicates): ...\n\n\ndef test_mine(mine): ...\n",
        "\n\n@pytest.mark.usefixtures('replicates')\ndef test_marked(): ...\n",
        "\n\n@pytest.fixture(scope='module')\ndef trained(replicates):\n    return replicates[1]\n" + FIRST,
        "\n\n@pytest.fixture(autouse=True)\ndef always(replicates): ...\n" + NO_FIXTURES,
    ],
    ids=["fixture", "marker", "overridden", "autouse"],
)
def test_replicates_may_stand_behind_something_else(session: Callable[..., Recorder], module: str) -> None:
    """A test that asks for all seeds by way of a fixture of its author's counts like one that names them."""
    assert len(session(test_sweep=EXPERIMENT + SWEEP + module).plans[0]) == 4


def test_a_model_from_elsewhere_is_not_trained_along(session: Callable[..., Recorder]) -> None:
    """An author's own ``trained`` that trains nothing does not count; that of another class does not either."""
    module = """

class TestRestored:
    @pytest.fixture
    def trained(self, experiment, hyperparameters):
        return "a model from a file"

    def test_restored(self, trained):
        assert trained == "a model from a file"


class TestTrained:
    def test_trained(self, trained):
        pass
"""
    ran = session("-k", "restored or (trained and 0.2)", test_sweep=EXPERIMENT + SWEEP + module)
    assert ran.plans == [["learning_rate=0.2 0"]]
    assert ran.outcomes == {"passed": 3, "deselected": 1}


def test_a_class_with_settings_of_its_own_is_not_guessed(session: Callable[..., Recorder]) -> None:
    """What an overriding fixture returns is not known from the fixture that it overrides."""
    module = """

class TestOwn:
    @pytest.fixture(scope="module", params=grid(learning_rate=[0.3]))
    @classmethod
    def hyperparameters(cls, request):
        return Hyperparameters(request.param, momentum=0.5)

    def test_own(self, trained):
        pass
"""
    ran = session(test_sweep=EXPERIMENT + SWEEP + FIRST + module)
    assert ran.plans[0] == ["learning_rate=0.1 0", "learning_rate=0.2 0"]


def test_what_a_test_asks_for_while_it_runs_is_trained_then(session: Callable[..., Recorder]) -> None:
    """``request.getfixturevalue`` cannot be foreseen; all seeds of the setting are planned together all the same."""
    module = "\n\ndef test_late(request):\n    assert len(request.getfixturevalue('replicates')) == 2\n"
    ran = session(test_late=EXPERIMENT + SETTING + module)
    assert ran.outcomes == {"passed": 1}
    assert ran.plans == [["learning_rate=0.2 0", "learning_rate=0.2 1"]]


def test_parameters_that_cannot_be_compared_are_told_apart(session: Callable[..., Recorder]) -> None:
    """Arrays as parameters of the experiment do not stop the session; each is a population of its own."""
    swept = EXPERIMENT.replace(
        '(scope="module")\ndef experiment():',
        '(scope="module", params=[np.array([1, 2]), np.array([1, 3])], ids=str)\ndef experiment(request):',
    ).replace("name=__name__", 'name=f"by-{request.param[1]}-" + __name__')
    ran = session(test_sweep=swept + SWEEP + FIRST)
    assert [{trial.experiment.name for trial in plan} for plan in ran.planned] == [{"by-2-sweep"}, {"by-3-sweep"}]
    assert ran.outcomes == {"passed": 4}


def test_planning_looks_at_each_module_once(session: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep of many settings is gathered when its first is trained, not once more for each of the others."""
    calls: list[Any] = []
    real = population.gather
    monkeypatch.setattr(population, "gather", lambda *arguments: calls.append(arguments) or real(*arguments))
    ran = session(test_sweep=EXPERIMENT + SWEEP.replace("[0.1, 0.2]", "[0.1, 0.2, 0.3, 0.4]") + FIRST + ALL)
    assert ran.outcomes == {"passed": 8}
    assert len(calls) == 1
