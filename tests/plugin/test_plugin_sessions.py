"""Whole sessions, in a process of their own, judged by what a user sees: exit status, messages, the table, files."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from tiny_experiment import EXPERIMENT, LEAVES_NOTHING, PASSES, SERVES, SETTING, SWEEP, Ran, run, write

if TYPE_CHECKING:
    from pathlib import Path

RECORDS_ACCURACIES = """

def test_records(replicates):
    import json

    found = [[model.trial.seed, model.accuracy] for model in replicates]
    Path("accuracies.json").write_text(json.dumps(found), encoding="utf-8")
"""

PACKS = """

def test_packs(artifact):
    assert artifact.members == ("model-symbol.json", "model-0000.params", "model-shapes.json", "code/tiny.py")
"""

DEPLOYS = """

def test_deploys(endpoint):
    pass
"""

FAILS = """

def test_learns(replicates, gate):
    gate.check(replicates, AccuracyFloor(1))
"""

FIRST = """

def test_first(trained):
    assert trained.trial.seed == 0
"""

LOST_PARAMETER = """

@pytest.fixture(scope="module")
def trained(trained):
    from dataclasses import replace

    kept = {name: value for name, value in trained.checkpoint.parameters.items() if name != "scores_bias"}
    return replace(trained, checkpoint=replace(trained.checkpoint, parameters=kept))
"""

LOST_MEMBER = """

@pytest.fixture(scope="module")
def artifact(artifact):
    import io, tarfile

    packed = artifact.path.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(packed)) as old, tarfile.open(artifact.path, "w:gz") as new:
        for member in old.getmembers():
            if member.name != "model-shapes.json":
                new.addfile(member, old.extractfile(member))
    return artifact
"""

TRUNCATED = """

@pytest.fixture(scope="module")
def artifact(artifact):
    packed = artifact.path.read_bytes()
    artifact.path.write_bytes(packed[: len(packed) // 2])
    return artifact
"""

REFUSES_CONTAINER = """
import os

import mxnet as mx

if "SAGEMAKER_BASE_DIR" in os.environ:
    raise LookupError("the colour of the weights is unknown")


def build_graph():
    data = mx.sym.flatten(data=mx.sym.var("data"))
    return mx.sym.SoftmaxOutput(data=mx.sym.FullyConnected(data=data, num_hidden=2), name="softmax")
"""


def failure_of(ran: Ran, test: str) -> str:
    """What the session printed about one test that failed or could not be set up."""
    found = re.search(
        rf"^_+ (?:ERROR at setup of )?{re.escape(test)} _+$(.*?)(?=^[_=]{{3,}})", ran.output, re.MULTILINE | re.DOTALL
    )
    assert found, ran.output
    return found[1]


@pytest.fixture(scope="module")
def passing(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Train, gate, pack, deploy, predict, and look afterwards at what is left in the account."""
    whole = EXPERIMENT + SETTING + PASSES + RECORDS_ACCURACIES + PACKS + SERVES
    folder = write(tmp_path_factory.mktemp("passing"), test_whole=whole, test_zz_after=LEAVES_NOTHING)
    return run(folder, "-v", "--artifacts", "kept")


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Four ways for a deployment to fail, and a look at what is left in the account."""
    head = EXPERIMENT + SETTING
    folder = write(
        tmp_path_factory.mktemp("failing"),
        mute=REFUSES_CONTAINER,
        test_refused=head + LOST_PARAMETER + DEPLOYS.replace("test_deploys", "test_refused"),
        test_slipped_through=head + LOST_MEMBER + DEPLOYS.replace("test_deploys", "test_slipped_through"),
        test_truncated=head + TRUNCATED + DEPLOYS.replace("test_deploys", "test_truncated"),
        test_unstartable=head.replace("tiny.py", "mute.py") + DEPLOYS.replace("test_deploys", "test_unstartable"),
        test_zz_after=LEAVES_NOTHING,
    )
    return run(folder, "-v")


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A gate that no model of the unlearnable example can pass."""
    return run(write(tmp_path_factory.mktemp("refused"), test_refused=EXPERIMENT + SETTING + FAILS))


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two learning rates times two seeds."""
    return write(tmp_path_factory.mktemp("sweep"), test_sweep=EXPERIMENT + SWEEP + PASSES + FIRST)


def test_a_sound_experiment_passes(passing: Ran) -> None:
    """Gate, tarball and the answers to JSON, CSV and NPY hold, and the exit status says so."""
    assert passing.code == 0, passing.output
    for test in (
        "test_learns",
        "test_packs",
        *(f"test_serves?simulated-{kind}?" for kind in ("*json", "*csv", "*npy")),
    ):
        passing.matches(f"test_whole.py::{test} PASSED*")


def test_the_table_tells_the_whole_story(passing: Ran) -> None:
    """One row holds experiment, setting, engine, each replicate's accuracy, limit, seconds, digest and endpoint."""
    experiment, hyperparameters, engine, accuracies, limit, seconds, digest, endpoint = passing.row("whole")
    found = json.loads((passing.folder / "accuracies.json").read_text(encoding="utf-8"))
    assert [seed for seed, _ in found] == [0, 1]
    assert accuracies == " ".join(f"{accuracy:.4f}" for _, accuracy in found)
    assert (experiment, hyperparameters, engine) == ("whole", "learning_rate=0.2", "mxnet")
    assert limit == "accuracy >= 0.9"
    assert re.fullmatch(r"\d+\.\d", seconds)
    assert re.fullmatch(r"[0-9a-f]{12}", digest)
    assert re.fullmatch(r"simulated: in service after \d+\.\d s, deleted", endpoint)


def test_the_table_stands_under_its_title(passing: Ran) -> None:
    """Nothing, not even an empty line, comes between the section's title and the table."""
    title = next(number for number, line in enumerate(passing.lines) if re.fullmatch("=+ experiments =+", line))
    assert passing.lines[title + 1].startswith("experiment  ")


def test_the_account_is_empty_afterwards(passing: Ran) -> None:
    """No endpoint, config, model or object outlives the module that deployed it."""
    passing.matches("test_zz_after.py::test_leaves_nothing?simulated? PASSED*")


def test_local_files_are_gone_afterwards(passing: Ran) -> None:
    """Checkpoints, tarballs, the account's and the server's folders: the temporary folder is as empty as before."""
    assert list(passing.scratch.iterdir()) == []


def test_artifacts_option_keeps_the_tarball(passing: Ran) -> None:
    """``--artifacts DIR`` holds the tarball under the digest that the table shows, and SageMaker could serve it."""
    from harness.tarball.verify import verify

    [kept] = (passing.folder / "kept").iterdir()
    assert kept.name == f"whole-{passing.row('whole')[6]}.tar.gz"
    assert verify(kept) == []


def test_live_tests_stay_out_of_a_bare_run(passing: Ran) -> None:
    """The same tests exist for the live account, and none of them ran."""
    assert "[live" not in passing.output
    passing.matches("*4 deselected*")


def test_failed_gate_says_everything(refused: Ran) -> None:
    """The message holds the limit, what was found, and each failing seed with its curve; the exit status is 1."""
    assert refused.code == 1
    refused.matches(
        "E   GateError: refused?learning_rate=0.2? does not pass its gate (accuracy >= 1):",
        "E     - expected accuracy of at least 1 from each of 2 replicates, found 0.* (seed 0), 0.* (seed 1)",
        "E     seed 0: accuracy by epoch 0.* 0.* 0.*",
        "E     seed 1: accuracy by epoch 0.* 0.* 0.*",
    )
    assert refused.row("refused")[4] == "accuracy >= 1 FAILED"


def test_failed_gate_points_at_the_users_line(refused: Ran) -> None:
    """No traceback through the harness: the file and line shown are those of the ``check`` in the experiment."""
    source = (refused.folder / "test_refused.py").read_text(encoding="utf-8").splitlines()
    line = 1 + next(number for number, text in enumerate(source) if "gate.check" in text)
    assert f"test_refused.py:{line}: GateError" in failure_of(refused, "test_learns")
    assert "harness/" not in refused.output
    refused.matches("(--full-trace shows where it was raised)")


def test_full_trace_shows_the_way_through_the_harness(refused: Ran) -> None:
    """Whoever mends the harness itself gets the traceback, and it has a line of the harness in it."""
    full = run(refused.folder, "--full-trace")
    assert full.code == 1
    assert "harness/plugin/fixtures.py" in full.output
    assert "does not pass its gate" in full.output


def test_broken_tarball_is_refused_before_it_is_uploaded(failing: Ran) -> None:
    """A checkpoint without a parameter: the error names the rule's code and the member, and nothing was deployed."""
    assert failing.code == 1
    message = failure_of(failing, "test_refused[simulated]")
    assert "E   ArtifactError: " in message
    assert "[missing-parameter] model-0000.params: " in message
    assert "harness/" not in message
    assert failing.row("refused")[6:] == ["-", "-"]


def test_tarball_that_was_changed_is_not_deployed(failing: Ran) -> None:
    """Changed after it was packed, a tarball is refused before anything is uploaded: whoever deploys verifies."""
    message = failure_of(failing, "test_slipped_through[simulated]")
    assert "expected a tarball that SageMaker's MXNet container can serve, found 1 problem:" in message
    assert "[missing-member] model-shapes.json" in message
    assert failing.row("slipped-through")[7] == "simulated: failed"


def test_container_that_cannot_start_tells_its_own_exception(failing: Ran) -> None:
    """A script that fails inside the container only: the error is a CloudError with the script's exception."""
    message = failure_of(failing, "test_unstartable[simulated]")
    assert re.search(r"E   CloudError: endpoint byom-unstartable-\S+: expected InService, found Failed: ", message)
    assert "LookupError: the colour of the weights is unknown" in message
    assert failing.row("unstartable")[7] == "simulated: failed"


def test_tarball_that_was_cut_is_not_deployed(failing: Ran) -> None:
    """Cut in half after it was packed, a tarball is called so: the test errs and the table says failed."""
    assert "[truncated] expected the gzip stream to end" in failure_of(failing, "test_truncated[simulated]")
    assert failing.row("truncated")[7] == "simulated: failed"


def test_failed_deployments_leave_nothing(failing: Ran) -> None:
    """After every kind of failure the account is empty, and so is the temporary folder."""
    failing.matches("test_zz_after.py::test_leaves_nothing?simulated? PASSED*")
    assert list(failing.scratch.iterdir()) == []


def test_sweep_trains_each_trial_once(sweep: Path) -> None:
    """Two learning rates times two seeds: two rows of two accuracies, and each trial's last epoch appears once."""
    ran = run(sweep)
    assert ran.code == 0, ran.output
    rows = ran.rows("sweep")
    assert [row[1] for row in rows] == ["learning_rate=0.1", "learning_rate=0.2"]
    assert [len(row[3].split()) for row in rows] == [2, 2]
    trials = re.findall(r"^(sweep\[.*\]) epoch 3/3", ran.output, re.MULTILINE)
    assert sorted(trials) == [f"sweep[learning_rate={rate},seed={seed}]" for rate in (0.1, 0.2) for seed in (0, 1)]


def test_what_is_not_selected_is_not_trained(sweep: Path) -> None:
    """With ``-k`` choosing one test of one setting that needs one replicate, one trial is trained."""
    ran = run(sweep, "-k", "first and 0.1", "--retrain")
    assert ran.code == 0, ran.output
    assert re.findall(r"^(sweep\[.*\]) epoch 3/3", ran.output, re.MULTILINE) == ["sweep[learning_rate=0.1,seed=0]"]
    [row] = ran.rows("sweep")
    assert (row[1], len(row[3].split())) == ("learning_rate=0.1", 1)


def test_two_workers_give_one_table(sweep: Path) -> None:
    """Under pytest-xdist the controller shows the rows of all workers, each setting once."""
    ran = run(sweep, "-n", "2", "--retrain")
    assert ran.code == 0, ran.output
    assert len(re.findall("^=+ experiments =+$", ran.output, re.MULTILINE)) == 1
    rows = {row[1]: row for row in ran.rows("sweep")}
    assert sorted(rows) == ["learning_rate=0.1", "learning_rate=0.2"]
    assert all(len(row[3].split()) == 2 and row[4] == "accuracy >= 0.9" for row in rows.values())


def test_declarations_are_refused_with_what_to_write(tmp_path: Path) -> None:
    """No ``experiment`` fixture, or a hyperparameter that nobody knows: the message says what to type, and is short."""
    unknown = EXPERIMENT + SETTING.replace("learning_rate=0.2", "learning_rat=0.2") + FIRST
    ran = run(write(tmp_path, test_none=FIRST, test_unknown=unknown))
    assert ran.code == 1
    ran.matches(
        "E   DeclarationError: experiment: expected a fixture of that name in this module *found none; such as",
        'E   @pytest.fixture(scope="module")',
        "E   def experiment():",
        "E       return Experiment(name=*",
    )
    ran.matches("E   DeclarationError: experiment unknown: unknown hyperparameter learning_rat; *learning_rate, *")
    assert "harness/" not in ran.output


def test_unknown_engine_is_a_usage_error(tmp_path: Path) -> None:
    """``--engine nosuch`` ends with pytest's status for a wrong command line, before anything is collected."""
    ran = run(write(tmp_path, test_none=FIRST), "--engine", "nosuch")
    assert ran.code == pytest.ExitCode.USAGE_ERROR
    ran.matches("ERROR: --engine: expected one of *mxnet*, found 'nosuch'")
    assert "Traceback" not in ran.output
