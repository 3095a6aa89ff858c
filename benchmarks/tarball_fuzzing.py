"""Fuzzing of `harness.tarball` guided by coverage: ``python -m benchmarks.tarball_fuzzing params --seconds 600``.

Targets: ``params``, the reader of parameters; ``archive``, the reader of archives with every rule behind it. Neither
may raise anything, take more than 1 GiB, or need 5 s for one input; whatever does is written to the working folder as
``crash-...``, ``oom-...`` or ``timeout-...`` and ends the run with an error. ``--again FILE`` tries one such input.

It needs atheris, which is not among the project's packages, and does not need MXNet or AWS's: ``python -m venv fuzz``,
``fuzz/bin/pip install atheris 'numpy<2' packaging platformdirs``, and then
``fuzz/bin/python -m benchmarks.tarball_fuzzing``. Where it cannot be imported this exits with 2.

The archive's inputs are uncompressed tars, put into gzip's stored blocks for the reader: libFuzzer's changes then reach
the tar, whose checksums are mended as often as not. The gzip layer itself is for ``benchmarks.tarball_mutants``.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import random
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

TESTS = Path(__file__).parent.parent / "tests" / "tarball"
MEMORY_MIB = 1024
SECONDS = 5
ROUND = 30
"""Seconds that one process fuzzes: atheris 3.0 keeps 90 bytes of every execution, which are not the readers' own."""
BLOCK = 512
STORED = 0xFFFF
"""Bytes in a stored block of deflate, RFC 1951 3.2.4."""

HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


def main() -> None:
    """Fuzz until time is over, or until something breaks."""
    parser = argparse.ArgumentParser(description="Fuzz the readers of tarballs with atheris.")
    parser.add_argument("target", choices=list(TARGETS))
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--corpus", type=Path, help="folder of inputs to begin with and add to (one that is removed)")
    parser.add_argument("--round", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--again", type=Path, help="one input to try, without fuzzing")
    options = parser.parse_args()
    atheris = _atheris()
    sys.path.insert(0, str(TESTS))
    with atheris.instrument_imports(include=["harness.tarball", "tarfile"]):
        target, seeds = TARGETS[options.target]()
    if options.again:
        target(options.again.read_bytes())
        print("nothing was raised")
        return
    if options.round:
        _fuzz(atheris, options.target, target, options.corpus, options.seconds)
    with _folder(options.corpus) as folder:
        for number, seed in enumerate(seeds):
            (folder / f"seed-{number}").write_bytes(seed)
        for start in range(0, options.seconds, ROUND):
            _round(options.target, folder, min(ROUND, options.seconds - start))


def _round(name: str, folder: Path, seconds: int) -> None:
    """Fuzz in a fresh process, which goes on with the corpus as the last one left it; end where it found something."""
    module = [sys.executable, "-m", "benchmarks.tarball_fuzzing", name, "--round"]
    done = subprocess.run([*module, "--corpus", str(folder), "--seconds", str(seconds)], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def _atheris() -> ModuleType:
    try:
        atheris = importlib.import_module("atheris")  # untyped, and absent from .venv
    except ImportError as error:
        print(
            f"expected atheris for {sys.executable}, found: {error}; install it, as this file's first lines say, where "
            f"CPython is 3.11 to 3.13 on Linux",
            file=sys.stderr,
        )
        sys.exit(2)
    return atheris


@contextlib.contextmanager
def _folder(chosen: Path | None) -> Iterator[Path]:
    if chosen is None:
        with tempfile.TemporaryDirectory(prefix="byom-fuzz-") as folder:
            yield Path(folder)
    else:
        chosen.mkdir(parents=True, exist_ok=True)
        yield chosen


def _fuzz(atheris: ModuleType, name: str, target: Callable[[bytes], None], folder: Path, seconds: int) -> None:
    """Hand over to libFuzzer, which prints executions, ``cov`` (edges), ``ft`` (features) and executions a second."""
    arguments = [
        sys.argv[0],
        str(folder),
        f"-max_total_time={seconds}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-malloc_limit_mb={MEMORY_MIB}",
        f"-timeout={SECONDS}",
        "-max_len=65536",
        "-print_final_stats=1",
    ]
    settings = {"custom_mutator": _mended(atheris)} if name == "archive" else {}
    atheris.Setup(arguments, target, **settings)
    atheris.Fuzz()


def _params() -> tuple[Callable[[bytes], None], list[bytes]]:
    from harness.artifact import PARAMETERS
    from harness.tarball.params import read_parameters

    def target(content: bytes) -> None:
        read_parameters(io.BytesIO(content), len(content))

    return target, list(_seed_files(PARAMETERS))


def _archive() -> tuple[Callable[[bytes], None], list[bytes]]:
    from mutants.seed_models import SEEDS, tarred

    from harness.tarball.verify import verify

    path = Path(f"/proc/self/fd/{os.memfd_create('model.tar.gz')}")  # a path in memory, which ends with the process

    def target(content: bytes) -> None:
        path.write_bytes(stored(content))
        for problem in verify(path):
            assert str(problem).isprintable(), repr(problem)

    return target, [tarred(files) for files in SEEDS.values()]


TARGETS = {"params": _params, "archive": _archive}


def _seed_files(name: str) -> Iterator[bytes]:
    from mutants.classes import FILES
    from mutants.parameter_records import read, written
    from mutants.seed_models import SEEDS

    for files in SEEDS.values():
        yield files[name]
        yield written(read(files[name])[:1])
        for mutator in FILES["parameters: fields"].values():  # sparse and old formats among them
            yield mutator(random.Random(0), files)[name]  # noqa: S311 - the same each time


def stored(content: bytes) -> bytes:
    """A gzip file of it without compression."""
    chunks = [content[at : at + STORED] for at in range(0, len(content), STORED)] or [b""]
    blocks = [
        struct.pack("<BHH", place == len(chunks) - 1, len(chunk), len(chunk) ^ STORED) + chunk
        for place, chunk in enumerate(chunks)
    ]
    return HEAD + b"".join(blocks) + struct.pack("<II", zlib.crc32(content), len(content))


def _mended(atheris: ModuleType) -> Callable[[bytes, int, int], bytes]:
    """LibFuzzer's own change, after which most headers have the right checksum and the tar its end."""

    def mutate(content: bytes, most: int, seed: int) -> bytes:
        changed = atheris.Mutate(content, len(content) if seed % 3 else most)
        return bytes(mend(changed)[:most]) if seed % 4 else bytes(changed)

    return mutate


def mend(tar: bytes) -> bytes:
    """The tar with a right checksum in each block that looks like a header: it says ``ustar`` where one does."""
    blocks = [bytes(tar[at : at + BLOCK]) for at in range(0, len(tar), BLOCK)]
    for place, block in enumerate(blocks):
        if block[257:262] == b"ustar" and len(block) == BLOCK:
            total = sum(block[:148]) + sum(block[156:]) + 8 * ord(" ")
            blocks[place] = block[:148] + f"{total:06o}\0 ".encode() + block[156:]
    return b"".join(blocks)


if __name__ == "__main__":
    main()
