"""A campaign against `harness.tarball`: ``python -m benchmarks.tarball_mutants --mutants 10000``.

Mutants of three valid tarballs, class by class (tests/tarball/mutants/classes.py), each verified, loaded and unpacked
(tests/tarball/mutants/trial.py). Promised is: no exception, no answer that takes the processor longer than 5 s, no file
outside of the target, at most 1 GiB of memory, and "valid" only where Python's tarfile and GNU tar unpack the same
files and AWS's handler predicts finite values from them. What breaks a promise is a violation, listed with class and
number; ``--again CLASS NUMBER`` tries that one alone. A mutant that only loading refuses breaks none; the reasons are
listed, as every one of them is something that the text could have told.

It prints a table, and writes its figures to ``benchmarks/results/tarball_mutants.json``.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import importlib.metadata
import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate
from tqdm import tqdm

from benchmarks import machine, resident_memory
from harness.tarball.loading import Loader

TESTS = Path(__file__).parent.parent / "tests" / "tarball"
sys.path.insert(0, str(TESTS))  # the mutators live with the tests that use them

from mutants import classes  # noqa: E402
from mutants.oracle import Oracle  # noqa: E402
from mutants.trial import Trial  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mutants.classes import Mutant
    from mutants.trial import Outcome

RESULTS = Path(__file__).parent / "results"
LOADING = ("load-error", "load-crash", "load-timeout", "load-memory", "not-finite-output")
LOADING_SECONDS = 20.0
LOADING_MEMORY = 2 << 30
EXAMPLES = 3


def main() -> None:
    """Try, print, write; exit 1 where a promise was broken."""
    parser = argparse.ArgumentParser(description="Mutants of valid tarballs against verify and extract.")
    parser.add_argument("--mutants", type=int, default=10_000, help="in all (10000)")
    parser.add_argument("--first", type=int, default=0, help="number of the first of each class (0)")
    parser.add_argument("--classes", nargs="*", default=list(classes.CLASSES), metavar="CLASS")
    parser.add_argument("--again", nargs=2, metavar=("CLASS", "NUMBER"), help="try one, and tell all about it")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write into")
    options = parser.parse_args()
    faulthandler.enable()
    if options.again:
        chosen = [classes.mutant(options.again[0], int(options.again[1]))]
        outcomes, _ = campaign(iter(chosen), 1)
        print(
            *[f"{outcomes[0].verdict} {outcomes[0].served}", *outcomes[0].problems, *outcomes[0].violations], sep="\n"
        )
        return
    each = -(-options.mutants // len(options.classes))
    mutants = (
        classes.mutant(kind, number)
        for kind in options.classes
        for number in range(options.first, options.first + each)
    )
    outcomes, growth = campaign(mutants, each * len(options.classes))
    record = figures(outcomes) | {"resident_growth_bytes": growth}
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "tarball_mutants.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(text(record))
    sys.exit(bool(record["violations"]))


def campaign(mutants: Iterator[Mutant], count: int) -> tuple[list[Outcome], int]:
    """Their outcomes, without the bytes; and by how much this process grew."""
    outcomes = []
    before = resident_memory.now()
    with (
        tempfile.TemporaryDirectory(prefix="byom-mutants-") as folder,
        Loader(seconds=LOADING_SECONDS, memory=LOADING_MEMORY) as loader,
        Oracle() as oracle,
        tqdm(total=count, unit="mutant", smoothing=0.05) as bar,
    ):
        trial = Trial(Path(folder), loader, oracle, strictness=True)
        for mutant in mutants:
            bar.set_postfix_str(f"{mutant.kind} {mutant.number}")
            outcomes.append(trial.run(mutant).without_content())
            bar.update()
            for violation in outcomes[-1].violations:
                bar.write(f"VIOLATION {mutant}: {violation}", file=sys.stderr)
    return outcomes, resident_memory.now() - before


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All that is reported."""
    kinds: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        kinds.setdefault(outcome.mutant.kind, []).append(outcome)
    return {
        "classes": {kind: _row(some) for kind, some in kinds.items()},
        "all": _row(outcomes),
        "violations": [
            {
                "class": each.mutant.kind,
                "number": each.mutant.number,
                "mutator": each.mutant.mutator,
                "violation": words,
            }
            for each in outcomes
            for words in each.violations
        ],
        "refused_only_by_loading": _grouped([each for each in outcomes if each.verdict in LOADING]),
        "refused_but_served": _grouped([each for each in outcomes if each.served]),
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine.describe("cpu"),
        "versions": {
            name: importlib.metadata.version(name) for name in ("mxnet", "numpy", "sagemaker-mxnet-inference")
        },
    }


def _row(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    verdicts = collections.Counter(outcome.verdict for outcome in outcomes)
    return {
        "mutants": len(outcomes),
        "text": verdicts["text"],
        **{code: verdicts[code] for code in LOADING},
        "valid": verdicts["valid"],
        "violations": sum(bool(outcome.violations) for outcome in outcomes),
        "slowest_seconds": round(max(outcome.seconds for outcome in outcomes), 3),
        "most_memory_bytes": max(outcome.memory for outcome in outcomes),
    }


def _grouped(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Distinct reasons, the most frequent first, with a few mutants of each."""
    reasons: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        for problem in outcome.problems:
            reasons.setdefault((problem.code, _alike(problem.found)), []).append(outcome)
    return [
        {
            "code": code,
            "reason": reason,
            "mutants": len(some),
            "mutators": sorted({f"{each.mutant.kind}/{each.mutant.mutator}" for each in some}),
            "examples": [[each.mutant.kind, each.mutant.number] for each in some[:EXAMPLES]],
        }
        for (code, reason), some in sorted(reasons.items(), key=lambda item: -len(item[1]))
    ]


def _alike(found: str) -> str:
    """The reason without numbers, names and places, so that equal reasons are equal texts."""
    words = re.sub(r"\[[\d:]+\] ?|[^ ]*/([^ /]+\.(?:cc|h))", r"\1", found)
    words = re.sub(r"(?<!\w)'[^']*'|\"[^\"]*\"", "'...'", words)
    return re.sub(r"-?\d[\d,.e+]*", "N", words)[:200]


def text(record: dict[str, Any]) -> str:
    """The table in Markdown, the reasons, the violations."""
    head = ["class", "mutants", "by its text", *LOADING, "valid", "violations", "slowest, s", "memory, MiB"]
    lines = []
    for kind, row in [*record["classes"].items(), ("all", record["all"])]:
        counts = [f"{row[key]:,}" for key in ("mutants", "text", *LOADING, "valid", "violations")]
        lines.append([kind, *counts, f"{row['slowest_seconds']:.2f}", f"{row['most_memory_bytes'] / (1 << 20):.0f}"])
    table = tabulate(
        lines, head, tablefmt="github", disable_numparse=True, colalign=("left", *["right"] * (len(head) - 1))
    )
    parts = [table, f"This process grew by {record['resident_growth_bytes'] >> 20} MiB."]
    for title, key in (
        ("Refused only by loading", "refused_only_by_loading"),
        ("Refused, but served", "refused_but_served"),
    ):
        parts.append(f"{title}:")
        for each in record[key]:
            where = f"{', '.join(each['mutators'][:4])}; {each['examples']}"
            parts.append(f"- {each['mutants']}x [{each['code']}] {each['reason']} ({where})")
    parts.append(f"Violations: {len(record['violations'])}")
    parts += [
        f"- {each['class']} {each['number']} ({each['mutator']}): {each['violation']}" for each in record["violations"]
    ]
    return "\n".join(parts)


if __name__ == "__main__":
    main()
