"""One mutant put to the proof: what `verify` and `extract` do with it, and whether that is as promised."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import shutil
import subprocess
import tarfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import resident_memory
from harness.errors import ArtifactError
from harness.tarball.extract import extract
from harness.tarball.verify import verify
from mutants.seed_models import SEEDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.artifact import Problem
    from harness.tarball.loading import Loader
    from mutants.classes import Mutant
    from mutants.oracle import Oracle

SECONDS = 5.0
PATIENCE = 10
"""How much longer than on the processor a call may take on the clock."""
MEMORY = 1 << 30
HARMLESS = "harmless"


class HangError(Exception):
    """A call did not return in time."""


def bounded(call: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """What the call gives or raises; it runs in a thread, as one that hangs could not be stopped otherwise.

    The seconds are of the processor: a machine with much else to do is slow, but does not hang. Ten times as many on
    the clock are a hang, too.
    """
    answers: list[tuple[Any, BaseException | None]] = []

    def run() -> None:
        try:
            answers.append((call(), None))
        except BaseException as error:  # noqa: BLE001 - it is raised again, where it is waited for
            answers.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    worked, end = time.process_time() + seconds, time.monotonic() + PATIENCE * seconds
    while thread.is_alive() and time.process_time() < worked and time.monotonic() < end:
        thread.join(seconds / PATIENCE)
    if not answers:
        raise HangError(f"no answer in {seconds:g} s")
    value, error = answers[0]
    if error is not None:
        raise error
    return value


@dataclass
class Outcome:
    """What became of one mutant.

    Attributes:
        mutant: without its bytes in any message.
        problems: what `verify` found, by the text alone or by loading.
        by_text: whether the text was enough.
        seconds: of `verify`'s part that reads the text.
        memory: bytes that this part added to the process at most.
        violations: what was promised and did not hold, in words.
        served: of a mutant refused by its text: whether AWS's handler would have served it; None if nobody asked.
    """

    mutant: Mutant
    problems: list[Problem] = field(default_factory=list)
    by_text: bool = False
    seconds: float = 0.0
    memory: int = 0
    violations: list[str] = field(default_factory=list)
    served: bool | None = None

    @property
    def verdict(self) -> str:
        """``valid``, ``text`` or the code that loading gave."""
        if not self.problems:
            return "valid"
        return "text" if self.by_text else self.problems[0].code

    def without_content(self) -> Outcome:
        """The same, for keeping by the thousand."""
        return dataclasses.replace(self, mutant=dataclasses.replace(self.mutant, content=b""))


@dataclass
class Trial:
    """Tries mutants in a folder of its own, against one loader and one oracle.

    Attributes:
        folder: empty; everything in it, and the root of the file system, is watched while a mutant is unpacked.
        verify, extract: what is tried.
        strictness: whether to ask the oracle about mutants that the text refuses, too.
        hurry: seconds of the processor that a call may take.
    """

    folder: Path
    loader: Loader
    oracle: Oracle
    verify: Callable[..., list[Problem]] = verify
    extract: Callable[[Path, Path], None] = extract
    strictness: bool = False
    hurry: float = SECONDS

    def __post_init__(self) -> None:
        """Wait until both processes have imported MXNet, which is no mutant's fault."""
        for name, content in SEEDS["perceptron"].items():
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_bytes(content)
        assert not self.loader.problems(self.folder)
        assert not self.oracle.ask(self.folder)

    def run(self, mutant: Mutant) -> Outcome:
        """Everything that is promised, of one mutant."""
        outcome = Outcome(mutant)
        place = self.folder / "place" / "deep"
        shutil.rmtree(self.folder / "place", ignore_errors=True)
        place.mkdir(parents=True)
        path = place / "m.tar.gz"
        path.write_bytes(mutant.content)
        self._judge(path, outcome)
        self._unpack(path, place / "model", outcome)
        if outcome.verdict == "valid":
            self._ask_others(path, place / "model", outcome)
        elif mutant.kind == HARMLESS:
            outcome.violations.append("a harmless change was refused")
        elif outcome.by_text and self.strictness:
            outcome.served = self._would_be_served(path, self.folder / "place" / "again")
        return outcome

    def _judge(self, path: Path, outcome: Outcome) -> None:
        try:
            resident_memory.forget_peak()
            before, start = resident_memory.now(), time.perf_counter()
            outcome.problems = bounded(lambda: self.verify(path), self.hurry)
            outcome.seconds = time.perf_counter() - start
            outcome.memory = max(0, resident_memory.peak() - before)
            outcome.by_text = bool(outcome.problems)
            if outcome.memory > MEMORY:
                outcome.violations.append(f"verify took {outcome.memory >> 20:,} MiB")
            if not outcome.problems:
                outcome.problems = bounded(lambda: self.verify(path, loader=self.loader), self.hurry)
        except Exception as error:  # noqa: BLE001 - nothing may be raised at all
            outcome.violations.append(f"verify raised {type(error).__name__}: {error}"[:300])

    def _unpack(self, path: Path, target: Path, outcome: Outcome) -> None:
        before = snapshot(self.folder, target)
        try:
            bounded(lambda: self.extract(path, target), 4 * self.hurry)
            if outcome.verdict == "valid" and not target.is_dir():
                outcome.violations.append("a valid tarball was not unpacked")
        except ArtifactError:
            if target.exists():
                outcome.violations.append("extract failed and left something")
            if outcome.verdict == "valid":
                outcome.violations.append("a valid tarball could not be unpacked")
        except Exception as error:  # noqa: BLE001 - nothing else may be raised
            outcome.violations.append(f"extract raised {type(error).__name__}: {error}"[:300])
        after = snapshot(self.folder, target)
        if changed := sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key)):
            outcome.violations.append(f"extract wrote outside: {changed[:5]}")

    def _ask_others(self, path: Path, target: Path, outcome: Outcome) -> None:
        """Hold a valid one against Python's tarfile, GNU tar and AWS's handler."""
        own = contents(target) if target.is_dir() else {}
        for name, unpack in UNPACKERS.items():
            other = self.folder / "place" / name
            try:
                unpack(path, other)
            except Exception as error:  # noqa: BLE001 - tarfile raises OverflowError, too
                outcome.violations.append(f"called valid, but {name} fails: {type(error).__name__}: {error}"[:300])
                continue
            if contents(other) != own:
                outcome.violations.append(f"called valid, but {name} unpacks something else")
            if name == "tarfile" and (answer := self.oracle.ask(other)):
                outcome.violations.append(f"called valid, but AWS's handler says: {answer.strip()}"[:600])

    def _would_be_served(self, path: Path, target: Path) -> bool:
        with contextlib.suppress(ArtifactError):
            extract(path, target)
            return not self.oracle.ask(target)
        return False


def snapshot(folder: Path, without: Path) -> dict[str, object]:
    """Everything in a folder but one, and the names at the root of the file system: kinds, modes and contents."""
    found: dict[str, object] = {f"/{place.name}": None for place in Path("/").iterdir()}
    for place in folder.rglob("*"):
        if place != without and without not in place.parents:
            known = place.lstat()
            found[str(place)] = (known.st_mode, place.read_bytes() if place.is_file() else None)
    return found


def contents(folder: Path) -> dict[str, bytes]:
    """The files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _tarfile(path: Path, target: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(path.read_bytes()), mode="r:gz") as tar:
        tar.extractall(target, filter="data")


def _tar(path: Path, target: Path) -> None:
    target.mkdir()
    command = ["tar", "-xzf", str(path), "-C", str(target), "--no-same-owner", "--warning=no-unknown-keyword"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise OSError(done.stderr.strip()[:200])


UNPACKERS: Mapping[str, Callable[[Path, Path], None]] = {"tarfile": _tarfile} | (
    {"tar": _tar} if shutil.which("tar") else {}
)
