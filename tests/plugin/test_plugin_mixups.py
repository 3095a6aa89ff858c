"""Sessions in which one model could be taken for another, or a user's own project could trip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tiny_experiment import EXPERIMENT, PASSES, SETTING, run, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from recorded_session import Recorder

CLASSES = """

class TestA:
    def test_learns(self, replicates, gate):
        gate.check(replicates, AccuracyFloor(0.9))


class TestB:
    @pytest.fixture(scope="module")
    @classmethod
    def hyperparameters(cls):
        return Hyperparameters(learning_rate=0.0)

    def test_learns(self, replicates, gate):
        gate.check(replicates, AccuracyFloor(0.9))
"""


def test_a_class_is_not_gated_on_another_classs_model(tmp_path: Path) -> None:
    """Pytest keeps one `replicates` per module: a class with a setting of its own is told, not passed on another's."""
    ran = run(write(tmp_path, test_classes=EXPERIMENT + SETTING + CLASSES), "-m", "local")
    ran.matches("*DeclarationError: *TestB::test_learns: expected one experiment per module, found another*")
    assert "1 passed, 1 error" in ran.output


def test_two_experiments_of_one_name_are_refused(tmp_path: Path) -> None:
    """Their rows would be one row; the second is told to rename."""
    same = (EXPERIMENT + SETTING + PASSES).replace(
        'name=__name__.removeprefix("test_").replace("_", "-")', 'name="same"'
    )
    ran = run(write(tmp_path, test_one=same, test_two=same.replace("epochs=3", "epochs=2")), "-m", "local")
    ran.matches("*DeclarationError: experiment same: expected a name of its own, found two different experiments*")
    assert "1 passed, 1 error" in ran.output


@pytest.mark.parametrize(
    ("change", "outcomes"),
    [
        ("epochs=2", {"passed": 1, "errors": 1}),
        ('epochs=3, optimizer="adam"', {"passed": 1, "errors": 1}),
        ("epochs=3, num_gpus=1", {"passed": 1, "errors": 1}),
        ("epochs=3", {"passed": 2}),
    ],
)
def test_experiments_of_one_name_may_differ_in_nothing(
    session: Callable[..., Recorder], change: str, outcomes: dict[str, int]
) -> None:
    """Whichever field differs, the second is refused; the same experiment, made twice, is one."""
    same = (EXPERIMENT + SETTING).replace('name=__name__.removeprefix("test_").replace("_", "-")', 'name="same"')
    module = same + "\n\ndef test_first(trained): ...\n"
    ran = session(test_one=module, test_two=module.replace("epochs=3", change))
    assert ran.outcomes == outcomes


def test_every_marker_of_ours_is_known_to_a_strict_project(tmp_path: Path) -> None:
    """A project with strict markers and none of its own can copy our experiment."""
    folder = write(
        tmp_path,
        test_marks="import pytest\n"
        + "".join(f"@pytest.mark.{name}\ndef test_{name}(): pass\n" for name in ("local", "gpu", "serving", "browser")),
    )
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    assert run(folder).code == 0


@pytest.mark.parametrize(("account", "seconds"), [("live", 0), ("simulated", None)])
def test_a_live_deployment_is_not_timed_by_pytest_timeout(tmp_path: Path, account: str, seconds: int | None) -> None:
    """A real endpoint takes longer than a test may: live tests have no such limit, simulated ones keep theirs."""
    shows = """
def test_shows(request, cloud): ...

def pytest_collection_finish(session):
    for item in session.items:
        marker = item.get_closest_marker("timeout")
        print("limit", item.name, marker and marker.args[0])
"""
    folder = write(tmp_path, test_limit="def test_shows(cloud): ...", conftest=shows)
    ran = run(folder, "--collect-only", "-s", "-q", "-m", "local or aws")
    assert f"limit test_shows[{account}] {seconds}" in ran.lines
