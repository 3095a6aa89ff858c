"""Mutants of valid tarballs: no crash, no hang, nothing written outside, "valid" only where AWS's handler predicts.

``python -m benchmarks.tarball_mutants`` does the same with thousands, and writes down what became of them.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import sys
import tarfile
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mutants.archive_bytes import packed
from mutants.archive_members import OUTSIDE
from mutants.classes import CLASSES, Mutant, mutant
from mutants.oracle import Oracle
from mutants.parameter_records import read, written
from mutants.seed_models import SEEDS, Files, entries, joined, tarred
from mutants.trial import HangError, Outcome, Trial, bounded

from harness.artifact import PARAMETERS, SHAPES, SYMBOL, Problem
from harness.errors import ArtifactError
from harness.tarball.loading import Loader
from harness.tarball.reader import members

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOME = 5
"""Mutants of each class, besides its first; bombs cost more than others, and are fewer."""


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """A place to try mutants in, with one loader and one oracle for all."""
    with Loader(seconds=30, memory=2 << 30) as loader, Oracle() as oracle:
        yield Trial(tmp_path_factory.mktemp("mutants"), loader, oracle)


def plain(files: Files, kind: str = "controls") -> Mutant:
    """A tarball of these files, as if it were a mutant."""
    return Mutant(kind, 0, "plain", "perceptron", packed(tarred(files)))


@pytest.mark.parametrize("model", SEEDS)
def test_the_seed_models_are_valid(trial: Trial, model: str) -> None:
    """What mutants are made of passes, unpacks alike everywhere, and predicts finite values in AWS's handler."""
    outcome = trial.run(plain(SEEDS[model]))
    assert (outcome.verdict, outcome.violations) == ("valid", [])


@pytest.mark.parametrize("kind", CLASSES)
def test_no_mutant_breaks_a_promise(trial: Trial, kind: str) -> None:
    """Of every class: an answer in time, nothing raised, nothing outside the target, and none valid that is not."""

    @settings(deadline=None, max_examples=2 if "bombs" in kind else SOME, derandomize=True, database=None)
    @given(st.integers(0, 1 << 16))
    @example(0)
    def holds(number: int) -> None:
        outcome = trial.run(mutant(kind, number))
        assert not outcome.violations, f"{outcome.mutant}: {outcome.violations}"

    holds()


@pytest.mark.parametrize("kind", CLASSES)
def test_mutants_can_be_made_again(kind: str) -> None:
    """A class and a number give the same bytes, and most numbers give different ones."""
    made = [mutant(kind, number).content for number in range(12)]
    assert made == [mutant(kind, number).content for number in range(12)]
    assert len(set(made)) > 1


def nan(files: Files) -> Files:
    """The model with a weight that is not a number."""
    records = read(files[PARAMETERS])
    values = records[-1].values
    values.flat[0] = np.nan  # the last bias: a ReLU would make zero of it
    records[-1].hold(values)
    return files | {PARAMETERS: written(records)}


def two_inputs(files: Files) -> Files:
    """The model with its label as a second input, which AWS's handler binds but has no data for."""
    more = [{"name": "softmax_label", "shape": [1]}]
    return files | {SHAPES: json.dumps(json.loads(files[SHAPES]) + more).encode()}


def content_with_all(path: Path, **more: Any) -> list[Problem]:
    """A verifier that finds nothing."""
    return []


def content_with_none(path: Path, **more: Any) -> list[Problem]:
    """A verifier that refuses everything."""
    return [Problem("damaged", "", "x", "y")]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (nan, "not finite"),
        (lambda files: files | {SYMBOL: b"{}"}, "Error"),
        (two_inputs, "too many values to unpack"),
    ],
    ids=["nan", "no graph", "two inputs"],
)
def test_a_verifier_that_is_always_content_is_caught(trial: Trial, change: Any, words: str) -> None:
    """The oracle disagrees where a broken model is called valid."""
    content = Trial(trial.folder, trial.loader, trial.oracle, verify=content_with_all)
    outcome = content.run(plain(change(SEEDS["perceptron"])))
    assert [words in violation for violation in outcome.violations] == [True]


def test_a_verifier_that_reads_another_archive_is_caught(trial: Trial) -> None:
    """Python's tarfile and tar see the last of two files with one name; whoever calls that valid is told."""
    files = SEEDS["perceptron"]
    twice = joined([*entries(files), *entries({SHAPES: b"[]"})])

    def first_only(path: Path, target: Path) -> None:
        target.mkdir()
        for member in members(path):
            if not (target / member.path).exists():
                (target / member.path).parent.mkdir(exist_ok=True)
                (target / member.path).write_bytes(member.body.read(member.size))

    content = Trial(trial.folder, trial.loader, trial.oracle, verify=content_with_all, extract=first_only)
    outcome = content.run(Mutant("controls", 0, "twice", "perceptron", packed(twice)))
    assert any("unpacks something else" in violation for violation in outcome.violations)


def test_a_verifier_that_is_never_content_is_caught(trial: Trial) -> None:
    """A harmless change has to be accepted, or refusing everything would be perfect."""
    strict = Trial(trial.folder, trial.loader, trial.oracle, verify=content_with_none)
    assert strict.run(mutant("harmless", 0)).violations == ["a harmless change was refused"]


def test_a_verifier_that_raises_is_caught(trial: Trial) -> None:
    """An error of any type is a violation."""

    def broken(path: Path, **more: Any) -> list[Problem]:
        raise ArtifactError("boom")

    outcome = Trial(trial.folder, trial.loader, trial.oracle, verify=broken).run(plain(SEEDS["perceptron"]))
    assert outcome.violations[0] == "verify raised ArtifactError: boom"


def test_a_verifier_that_takes_memory_is_caught(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """The peak of the text's part is measured."""
    monkeypatch.setattr("mutants.trial.MEMORY", 32 << 20)

    def greedy(path: Path, **more: Any) -> list[Problem]:
        return [Problem("damaged", "", str(len(np.ones(8 << 20))), "y")]

    outcome = Trial(trial.folder, trial.loader, trial.oracle, verify=greedy).run(plain(SEEDS["perceptron"]))
    assert [re.match(r"verify took 6\d MiB", violation) is not None for violation in outcome.violations] == [True]


def test_a_call_that_hangs_is_given_up() -> None:
    """Whoever does not return in time is left behind; an answer or an error comes through."""
    ended = threading.Event()
    with pytest.raises(HangError, match=r"no answer in 0\.01 s"):
        bounded(ended.wait, 0.01)
    ended.set()
    assert bounded(lambda: 5) == 5
    with pytest.raises(ZeroDivisionError):
        bounded(lambda: 1 / 0)


def careless(path: Path, target: Path) -> None:
    """An unpacker that believes every name."""
    for member in members(path):
        place = target / member.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(member.body.read(member.size))


@pytest.mark.parametrize("name", [f"../{OUTSIDE}", f"../../{OUTSIDE}", "../m.tar.gz"])
def test_an_unpacker_that_writes_outside_is_caught(trial: Trial, name: str) -> None:
    """A file beside the target, above it, or changed there, is seen."""
    content = packed(joined(entries({name: b"abc"})))
    careful = trial.run(Mutant("controls", 0, "outside", "perceptron", content))
    assert careful.violations == []
    wild = Trial(trial.folder, trial.loader, trial.oracle, extract=careless)
    outcome = wild.run(Mutant("controls", 0, "outside", "perceptron", content))
    assert ["extract wrote outside" in violation for violation in outcome.violations] == [True]


def test_an_unpacker_that_leaves_half_a_model_is_caught(trial: Trial) -> None:
    """All of it or nothing: what stays behind a failure is seen."""

    def half(path: Path, target: Path) -> None:
        careless(path, target)
        raise ArtifactError("no more")

    outcome = Trial(trial.folder, trial.loader, trial.oracle, extract=half).run(plain({"x": b"y"}))
    assert outcome.violations == ["extract failed and left something"]


def test_the_campaign_tells_what_broke_a_promise() -> None:
    """A violation is counted in its class and listed with what makes it anew; so are reasons that only loading gave."""
    from benchmarks import tarball_mutants as campaign

    fine, crashed, broken = (Outcome(mutant("scripts", number)) for number in range(3))
    crashed.problems = [Problem("load-crash", "", "found that MXNet crashed at 0x7f: 'fc9' SIGSEGV", "x")]
    broken.violations = ["verify raised KeyError: 'x'"]
    record = campaign.figures([fine, crashed, broken])
    assert (record["all"]["load-crash"], record["all"]["valid"], record["all"]["violations"]) == (1, 2, 1)
    [reason] = record["refused_only_by_loading"]
    assert (reason["code"], reason["examples"]) == ("load-crash", [["scripts", 1]])
    table = campaign.text(record | {"resident_growth_bytes": 0})
    assert f"- scripts 2 ({broken.mutant.mutator}): verify raised KeyError: 'x'" in table
    assert "'fc9'" not in table


def test_the_fuzzer_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without atheris it ends with 2, and says so."""
    from benchmarks import tarball_fuzzing

    monkeypatch.setitem(sys.modules, "atheris", None)
    monkeypatch.setattr(sys, "argv", ["tarball_fuzzing", "params"])
    with pytest.raises(SystemExit, match="2"):
        tarball_fuzzing.main()
    assert "expected atheris for" in capsys.readouterr().err


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 200_000])
def test_the_fuzzers_gzip_is_gzip(size: int) -> None:
    """Stored blocks hold what was put in."""
    from benchmarks.tarball_fuzzing import stored

    content = random.Random(size).randbytes(size)  # noqa: S311 - any bytes will do
    assert gzip.decompress(stored(content)) == content


def test_the_fuzzer_mends_checksums() -> None:
    """A valid tar stays as it is, and one with a changed header can be read again."""
    from benchmarks.tarball_fuzzing import mend

    tar = tarred(SEEDS["perceptron"])
    assert mend(tar) == tar
    changed = tar.replace(b"0000644", b"0000755", 1)
    with pytest.raises(tarfile.ReadError), tarfile.open(fileobj=io.BytesIO(changed)):
        pass
    with tarfile.open(fileobj=io.BytesIO(mend(changed))) as archive:
        assert archive.getmembers()[0].mode == 0o755
