"""Tries to make a deployment leak: ``python -m benchmarks.leak_campaign``, half an hour on two cores.

Faults: every request of deploy, validate and delete goes wrong in every way (`tests/cloud/leaks/faults.py`), once and
from then on. Promised is: nothing is left; or, where a deletion never works, what is left is named and a later reap
deletes it. Deaths: live runs are killed by SIGKILL at every request, before it is sent and after its effect
(`tests/cloud/leaks/kills.py`); their watcher, or ``byom reap`` where the watcher was killed as well, deletes all.
Fifty strangers' things that look alike are in the account all the while, and must be as they were.

It prints tables, writes ``benchmarks/results/leak_faults.*`` and ``leak_deaths.*``, and exits 1 where a promise was
broken.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tabulate import tabulate
from tqdm import tqdm

from benchmarks import machine

TESTS = Path(__file__).parent.parent / "tests"
# What tries to make it leak lives with the tests that try a sample of it.
sys.path[:0] = [str(TESTS), *(str(TESTS / room) for room in ("cloud", "simulator", "tarball"))]

from leaks import flow, strangers  # noqa: E402
from leaks.faults import Fault  # noqa: E402
from leaks.hollow_account import hollow_account  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

RESULTS = Path(__file__).parent / "results"
KEPT = frozenset({"ok", "error", "loud"})
LIMIT_SECONDS = 10.0
"""A killed run's things are to be gone so long after its death."""

ATTEMPTS = 5
"""Flows until one gets as far as its fault; a quick one asks after its endpoint less often."""

SIGNS = {"ok": "·", "error": "e", "loud": "L"}


def main() -> None:
    """Try, print, write; exit 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description="Faults and deaths at every call of a deployment.")
    parser.add_argument("what", nargs="*", choices=["faults", "deaths", []], help="one of the two campaigns (both)")
    parser.add_argument("--step", type=int, default=1, help="every so many-th call alone (1)")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once (2)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write into")
    given = parser.parse_args()
    chosen = given.what or ["faults", "deaths"]
    campaigns: dict[str, Callable[[int, int], list[dict[str, Any]]]] = {"faults": faults, "deaths": deaths}
    is_broken = False
    for name in chosen:
        entries = campaigns[name](given.step, given.jobs)
        is_broken |= any(map(_broken, entries))
        print(_told(name, entries))
        write(given.results, name, given.step, entries)
    sys.exit(1 if is_broken else 0)


def write(results: Path, name: str, step: int, entries: list[dict[str, Any]]) -> None:
    """What one campaign has found, for people and for programs."""
    results.mkdir(parents=True, exist_ok=True)
    known = {"machine": machine.describe("cpu"), "step": step, name: entries}
    (results / f"leak_{name}.json").write_text(json.dumps(known) + "\n", encoding="utf-8")
    (results / f"leak_{name}.md").write_text(_told(name, entries) + "\n", encoding="utf-8")


def faults(step: int, jobs: int) -> list[dict[str, Any]]:
    """Every fault at every call: call, fault, persistent, outcome, what was told."""
    commands = [
        [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "benchmarks.leak_campaign_worker",
            "faults",
            str(step),
            str(job),
            str(jobs),
        ]
        for job in range(jobs)
    ]
    return sorted(_all_lines(commands, "faults"), key=lambda entry: (entry["at"], entry["fault"], entry["persistent"]))


def deaths(step: int, jobs: int) -> list[dict[str, Any]]:
    """A death at every call: see `tests/cloud/leaks/kills.py`."""
    commands = [
        [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "benchmarks.leak_campaign_worker",
            "deaths",
            str(step),
            str(job),
            str(jobs),
        ]
        for job in range(jobs)
    ]
    return sorted(_all_lines(commands, "deaths"), key=lambda entry: (entry["at"], entry["moment"], entry["means"]))


def work(what: str, step: int, job: int, jobs: int) -> Iterator[dict[str, Any]]:
    """One job's share, in an account of its own, with strangers in it."""
    with hollow_account() as url, tempfile.TemporaryDirectory(prefix="byom-leaks-") as name:
        folder = Path(name)
        bystander = flow.open_account(url, folder / "bystander", run="11111111")
        strangers.settle_in(bystander)
        before = strangers.census(bystander)
        yield from (
            _faults(url, folder, step, job, jobs) if what == "faults" else _deaths(url, folder, step, job, jobs)
        )
        assert strangers.census(bystander) == before, "a stranger's thing was touched"


def _faults(url: str, folder: Path, step: int, job: int, jobs: int) -> Iterator[dict[str, Any]]:
    import botocore.endpoint
    from simulator_models import Perceptron

    from harness.tarball.verify import load_artifact

    botocore.endpoint.time = SimpleNamespace(sleep=lambda _: None)  # its own pauses prove nothing
    script = folder / "inference.py"
    script.write_text("def build_graph(): pass\n", encoding="ascii")
    rig = flow.Rig(url, folder, load_artifact(Perceptron().tarball(folder / "model.tar.gz")), script)
    calls = rig.record()
    # Each job takes its share of the faults to all calls: two jobs may record calls that differ in number.
    ways = list(itertools.product(Fault, (False, True)))[job::jobs]
    for at, (fault, again) in itertools.product(range(0, len(calls), step), ways):
        operation, occurrence = calls[at], calls[:at].count(calls[at])
        for _ in range(ATTEMPTS):
            trial = rig.attempt(fault, operation, occurrence, persistent=again)
            rig.clear()
            if rig.has_struck:
                known = {"at": at, "operation": operation, "occurrence": occurrence}
                tried = {"fault": fault.value, "persistent": again}
                yield {**known, **tried, "outcome": trial.outcome, "told": trial.error}
                break


def _deaths(url: str, folder: Path, step: int, job: int, jobs: int) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-W", "ignore", str(TESTS / "cloud" / "leaks" / "kills.py"), url, str(folder / "deaths")]
    shared = ["--step", str(step), "--share", str(job), str(jobs)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent)}
    with subprocess.Popen([*command, *shared], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        yield from map(json.loads, process.stdout)
    assert process.returncode == 0, "the campaign of deaths broke off"


def _all_lines(commands: Sequence[Sequence[str]], title: str) -> list[dict[str, Any]]:
    bar = tqdm(desc=title, unit=" tried")

    def run(command: Sequence[str]) -> list[dict[str, Any]]:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            entries = []
            for line in process.stdout:
                entries.append(json.loads(line))
                bar.update()
        assert process.returncode == 0, f"{title}: a job broke off"
        return entries

    with ThreadPoolExecutor(len(commands)) as pool, bar:
        return [entry for entries in pool.map(run, commands) for entry in entries]


def _broken(entry: dict[str, Any]) -> bool:
    if "outcome" in entry:
        return entry["outcome"] not in KEPT or (entry["outcome"] == "loud" and not entry["persistent"])
    return bool(entry["left"]) or entry["seconds"] > LIMIT_SECONDS


def _told(name: str, entries: list[dict[str, Any]]) -> str:
    return _told_faults(entries) if name == "faults" else _told_deaths(entries)


def _told_faults(entries: list[dict[str, Any]]) -> str:
    counts = collections.Counter(entry["outcome"] if entry["outcome"] in KEPT else "BROKEN" for entry in entries)
    names = [fault.value for fault in Fault]
    signs: dict[tuple[str, int], dict[str, str]] = collections.defaultdict(dict)
    for entry in entries:
        sign = "X" if _broken(entry) else SIGNS.get(entry["outcome"], "X")
        row = signs[entry["operation"], entry["occurrence"]]
        row[entry["fault"]] = row.get(entry["fault"], "") + sign
    rows = [
        [f"{operation} {occurrence + 1}", *(row.get(name, "") for name in names)]
        for (operation, occurrence), row in signs.items()
    ]
    broken = [entry for entry in entries if _broken(entry)]
    return (
        f"Faults: {len(entries)} flows, {counts['ok']} not noticed, {counts['error']} one error and all gone, "
        f"{counts['loud']} loud and reaped later, {len(broken)} broken promises. Each cell: once, persistently; "
        f"· not noticed, e error, L loud and reaped, X leaked.\n\n"
        f"{tabulate(rows, headers=['call', *names], tablefmt='github')}"
        + "".join(f"\n{json.dumps(entry)}" for entry in broken)
    )


def _told_deaths(entries: list[dict[str, Any]]) -> str:
    if not entries:
        return "Deaths: none"
    rows = []
    for means in ("watcher", "reap"):
        seconds = [entry["seconds"] for entry in entries if entry["means"] == means]
        if seconds:
            left = sum(bool(entry["left"]) for entry in entries if entry["means"] == means)
            rows.append([means, len(seconds), left, statistics.median(seconds), max(seconds)])
    broken = [entry for entry in entries if _broken(entry)]
    return (
        f"Deaths: {len(entries)} killed runs, {len(broken)} broken promises.\n\n"
        + tabulate(rows, headers=["cleaned by", "runs", "leaked", "median s", "longest s"], tablefmt="github")
        + "".join(f"\n{json.dumps(entry)}" for entry in broken)
    )


if __name__ == "__main__":
    main()
