"""The benchmark runs, compares like with like, and says what it leaves out. No test looks at how long anything took."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import options, summary
from benchmarks.summary import DisagreementError, Row, Sample

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).resolve().parents[1]

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="torch is not installed; make bench installs it"
)

SAMPLE = Sample(
    contender="xla",
    trials=4,
    repeat=0,
    wall_seconds=13.0,
    epochs_done_at=(4.0, 6.0, 7.0, 12.0),
    history=[[(0.5, 2.0, 0.4), (0.7, 1.5, 0.6), (0.8, 1.0, 0.7), (0.9, 0.5, 0.8)]] * 4,
)


def bench(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmark on its tiny data, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.engine_speed", "--quick", "--results", str(folder), *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str, Path]:
    """What a run of all that need no torch has written and printed, and where; torch is there, but is broken."""
    folder = tmp_path_factory.mktemp("bench")
    broken = folder / "broken"
    broken.mkdir()
    (broken / "torch.py").write_text("raise ImportError('hidden by a test')\n")
    ended = bench(folder, "--only", "notebook,mxnet,xla,jax-scan,torch-eager", PYTHONPATH=str(broken))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return json.loads((folder / "engine_speed.json").read_text()), ended.stdout, folder


def test_record_holds_samples_medians_ratios_and_the_machine(quick: tuple[dict[str, Any], str, Path]) -> None:
    """A run leaves everything that its figures can be judged by."""
    record, _, _ = quick
    assert set(record) == {
        *("device", "machine", "versions", "options", "contenders", "left_out", "failed"),
        *("workloads", "learnt", "memory", "samples"),
    }
    assert record["device"] == "cpu"
    assert {"processor", "cores", "memory_bytes", "python"} <= set(record["machine"])
    assert set(record["versions"]) == {"mxnet", "jax", "jaxlib", "numpy"}
    assert record["options"]["data"] == "tiny"
    assert record["failed"] == {}
    assert {row["contender"] for row in record["workloads"]} == {"notebook", "mxnet", "xla", "jax-scan"}
    for row in record["workloads"]:
        assert set(row["ratios"]) == {"notebook", "jax-scan", "single"}
        assert row["epoch"] > 0
    for sample in record["samples"]:
        assert len(sample["epoch_seconds"]) == 2  # of three: the first carries the set-up


def test_sweeps_are_trained_by_those_that_train_at_once(quick: tuple[dict[str, Any], str, Path]) -> None:
    """Who trains one by one is given its figure for one trial, and marked; nobody measures it as a sweep."""
    record, printed, _ = quick
    swept = {sample["contender"] for sample in record["samples"] if sample["trials"] == 2}
    assert swept == {"xla", "jax-scan"}
    rows = {(row["contender"], row["trials"]): row for row in record["workloads"]}
    assert rows["mxnet", 2]["epoch"] == rows["mxnet", 1]["epoch"]
    assert not rows["mxnet", 2]["together"]
    assert rows["xla", 2]["together"]
    assert "one by one*" in printed


def test_contenders_do_the_same_work(quick: tuple[dict[str, Any], str, Path]) -> None:
    """From the same start and the same batches, engines and yardstick learn the same."""
    record, _, _ = quick
    learnt = record["learnt"]
    assert learnt["xla"]["train_loss"] == pytest.approx(learnt["mxnet"]["train_loss"], rel=1e-3)
    assert learnt["jax-scan"]["train_loss"] == pytest.approx(learnt["mxnet"]["train_loss"], rel=1e-3)
    assert learnt["notebook"]["train_loss"] is None
    assert learnt["notebook"]["test_accuracy"] >= 0


def test_each_contender_is_alone_in_its_process(quick: tuple[dict[str, Any], str, Path]) -> None:
    """No process holds two libraries, whose threads would disturb each other."""
    record, _, _ = quick
    libraries = {name: known["libraries"] for name, known in record["contenders"].items()}
    assert libraries == {"notebook": ["mxnet"], "mxnet": ["mxnet"], "xla": ["jax"], "jax-scan": ["jax"]}


def test_set_up_is_told_cold_and_warm(quick: tuple[dict[str, Any], str, Path]) -> None:
    """Who keeps compiled programs is started twice, the others once."""
    record, _, _ = quick
    assert set(record["contenders"]["xla"]["starts"]) == {"cold", "warm"}
    assert set(record["contenders"]["jax-scan"]["starts"]) == {"cold"}


def test_memory_is_announced_and_measured(quick: tuple[dict[str, Any], str, Path]) -> None:
    """The engine's share and what it says it takes stand beside what the kernel saw."""
    record, printed, _ = quick
    memory = record["memory"]
    assert memory["trials"] == 2
    assert 0 < memory["announced_bytes"] < memory["share_bytes"]
    assert memory["measured_bytes"] > 0
    assert "announced" in printed


def test_missing_torch_leaves_a_contender_out(quick: tuple[dict[str, Any], str, Path]) -> None:
    """A package that is not there costs its contender one line, not the run."""
    record, printed, _ = quick
    assert "needs torch" in record["left_out"]["torch-eager"]
    assert "hidden by a test" in record["left_out"]["torch-eager"]
    [line] = [line for line in printed.splitlines() if line.startswith("torch-eager")]
    assert "left out" in line


@pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed; make bench installs it"
)
def test_picture_names_contenders_and_ratios(quick: tuple[dict[str, Any], str, Path]) -> None:
    """The picture says what was measured against what."""
    _, _, folder = quick
    drawn = (folder / "engine_speed.svg").read_text()
    for words in ("xla", "jax-scan", "2 trials", "ratio to notebook", "one by one"):
        assert words in drawn


@needs_torch
def test_torch_learns_the_same(tmp_path: Path) -> None:
    """PyTorch, too, does the same work: the run itself refuses to write otherwise."""
    ended = bench(tmp_path, "--only", "jax-scan,torch-eager", "--trials", "1")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    learnt = json.loads((tmp_path / "engine_speed.json").read_text())["learnt"]
    assert learnt["torch-eager"]["train_loss"] == pytest.approx(learnt["jax-scan"]["train_loss"], rel=1e-3)


@needs_torch
def test_missing_compiler_leaves_torch_compiled_out(tmp_path: Path) -> None:
    """Without a C++ compiler the compiled step is left out; a run of nothing says so."""
    ended = bench(tmp_path, "--only", "torch-compiled", "--trials", "1", CXX="no-such-compiler")
    assert "torch-compiled: left out: needs the C++ compiler no-such-compiler" in ended.stdout
    assert ended.returncode != 0
    assert "Nothing was measured" in ended.stderr


@needs_torch
def test_compiled_step_is_torchs_eager_step() -> None:
    """What is compiled trains as PyTorch's own optimizer does, here run without compiling it."""
    program = """
import torch
torch.compile = lambda function, **_: function
from benchmarks.contenders import Course, contender
from benchmarks.workload import Clock, Workload, tiny
course = Course(tiny(), "cpu", "")
eager, compiled = (contender(name, course).train(Workload(1, 3), Clock()) for name in ("torch-eager", "torch-compiled"))
for one, other in zip(eager[0], compiled[0], strict=True):
    assert all(abs(a - b) <= 1e-3 * abs(a) for a, b in zip(one, other, strict=True)), (one, other)
print("same")
"""
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env={**os.environ, "CXX": sys.executable},  # it asks for a compiler, and will not need it here
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert ended.stdout.splitlines()[-1:] == ["same"], ended.stderr


def test_stored_graph_is_the_entry_points() -> None:
    """What xla trains here is what the notebook trains."""
    from benchmarks.workload import ENTRY_POINT, SHAPES, SYMBOL
    from harness.train import compat

    mx = compat.mxnet()
    script: dict[str, Any] = {"__name__": "_entry_point"}
    exec(compile(ENTRY_POINT.read_bytes(), str(ENTRY_POINT), "exec"), script)  # noqa: S102 - our own script
    with mx.name.NameManager():
        symbol = script["build_graph"]()
    assert json.loads(SYMBOL.read_text()) == json.loads(symbol.tojson()), f"write symbol.tojson() to {SYMBOL}"
    names = symbol.list_arguments()
    shapes = dict(zip(names, symbol.infer_shape(data=(100, 1, 28, 28))[0], strict=True))
    assert list(SHAPES.items()) == [(name, shapes[name]) for name in names if name not in ("data", "softmax_label")]


def test_epoch_seconds_leave_the_first_out() -> None:
    """Seconds per epoch lie between the ends of epochs; what remains of the wall is set-up."""
    assert SAMPLE.epoch_seconds == [2.0, 1.0, 5.0]
    assert SAMPLE.setup_seconds == 13.0 - 8.0 - 2.0


def test_row_is_per_trial_and_leaves_out_what_had_not_run_before() -> None:
    """Medians are per trial; a first training's set-up does not count where there is a second."""
    later = replace(SAMPLE, repeat=1, wall_seconds=12.5)
    told = summary.row([SAMPLE, later], 4)
    assert told.epoch == 2.0 / 4
    assert told.setup == pytest.approx(2.5)
    assert told.whole == pytest.approx(12.5 / 4 / 4)
    assert summary.row([SAMPLE], 4).setup == pytest.approx(3.0)


def test_ratios_compare_the_same_workload_and_the_single_trial() -> None:
    """A ratio is a contender's figure over the reference's on as many trials, and over its own for one."""
    made = [
        Row(name, trials, together=True, epoch=epoch, whole=1, setup=0, samples=1)
        for name, trials, epoch in (("notebook", 1, 1.2), ("xla", 1, 0.3), ("notebook", 8, 1.2), ("xla", 8, 0.2))
    ]
    found = summary.ratios(made[3], made)
    assert found == {"notebook": pytest.approx(0.2 / 1.2), "single": pytest.approx(0.2 / 0.3)}


@pytest.mark.parametrize("spoil", [lambda loss: loss * 1.1, lambda _: float("nan")], ids=["another loss", "no number"])
def test_contenders_that_learn_something_else_are_refused(spoil: Callable[[float], float]) -> None:
    """Control: a contender that learns less, or nothing at all, is no comparison."""
    other = replace(SAMPLE, contender="jax-scan")
    summary.check_same_work([SAMPLE, other])
    spoilt = [[*trial[:-1], (trial[-1][0], spoil(trial[-1][1]), trial[-1][2])] for trial in other.history]
    with pytest.raises(DisagreementError, match="do not do the same work"):
        summary.check_same_work([SAMPLE, replace(other, history=spoilt)])


def test_notebook_is_not_held_to_a_loss_it_does_not_count() -> None:
    """The notebook's own loop draws its own weights; its accuracies have to be numbers all the same."""
    history = [[(0.5, float("nan"), 0.4)] * 3] * 4
    notebook = replace(SAMPLE, contender="notebook", history=history)
    summary.check_same_work([SAMPLE, notebook])
    broken = replace(notebook, history=[[(float("nan"), float("nan"), 0.4)] * 3] * 4)
    with pytest.raises(DisagreementError, match="notebook: accuracies"):
        summary.check_same_work([SAMPLE, broken])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--epochs", "1"], "the first epoch carries the set-up"),
        (["--only", "xla,keras"], "found keras"),
        (["--trials", "0"], "expected at least 1"),
        (["--quick"], "--results"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be measured, or would overwrite real figures with toy ones, is refused in words."""
    with pytest.raises(SystemExit):
        options.parse(arguments)
    assert words in capsys.readouterr().err


def test_larger_sweeps_are_repeated_less() -> None:
    """One trial is always measured, for the others are compared with it."""
    asked = options.parse(["--trials", "128,8"])
    assert asked.trials == (1, 8, 128)
    assert [asked.repeats_of(trials) for trials in (1, 8, 32, 128)] == [7, 7, 4, 2]
    assert [asked.workload(trials).epochs for trials in (1, 32, 128)] == [3, 3, 2]
    assert options.parse(["--repeats", "1"]).repeats_of(128) == 1
