"""Mutants of ``model-shapes.json`` and of scripts, and changes of any file that leave a model valid."""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import tarball_parts as parts

from harness.artifact import PARAMETERS, SHAPES, SYMBOL
from mutants.archive_bytes import Mutator, packed
from mutants.parameter_records import read, written
from mutants.seed_models import FORMS, SCRIPT, Files, entries, joined, tarred

if TYPE_CHECKING:
    from random import Random

    from mutants.archive_bytes import FileMutator

Entry = dict[str, Any]
Edit = Callable[["Random", list[Entry]], Any]
"""Changes the list of inputs in place, or returns another document."""

SIZES = [0, -1, 1, 2, 7, 100, 10_000, 2**31 - 1, 2**31, 2**40, 2**64, 1.0, 5.5, "5", None, True, [5], 10**400]


def _on_entries(edit: Edit) -> FileMutator:
    def mutate(draw: Random, files: Files) -> Files:
        document = json.loads(files[SHAPES])
        changed = edit(draw, document)
        return files | {SHAPES: json.dumps(document if changed is None else changed).encode()}

    return mutate


def batch_size(draw: Random, document: list[Entry]) -> None:
    """Another first dimension; the container puts 1 in its place."""
    document[0]["shape"][0] = draw.choice(SIZES)


def dimension(draw: Random, document: list[Entry]) -> None:
    """Another dimension than the first."""
    shape = document[0]["shape"]
    shape[draw.randrange(1, len(shape))] = draw.choice(SIZES)


def dimensions(draw: Random, document: list[Entry]) -> None:
    """More or fewer dimensions, or in another order, or flat."""
    shape = document[0]["shape"]
    document[0]["shape"] = draw.choice(
        [[], shape[:1], shape[1:], [*shape, 1], [*shape, 2], shape[::-1], [1] * 40, [1, 36], [1, 1, 1, 5], [5]]
    )


def shape_type(draw: Random, document: list[Entry]) -> None:
    """A shape that is no list."""
    shape = document[0]["shape"]
    document[0]["shape"] = draw.choice([str(shape), "15", None, {}, {"0": 1}, 5, True, [shape], {"1": 1, "5": 5}])


def input_name(draw: Random, document: list[Entry]) -> None:
    """Another name: of a parameter, of the label, of nothing, no text."""
    variables = ["fc1_weight", "bn_moving_mean", "softmax_label", "images", "", "Data", "data ", "d\0", "relu"]
    document[0]["name"] = draw.choice([*variables, None, 5, ["data"], {}])


def several(draw: Random, document: list[Entry]) -> None:
    """An entry more: the same, the label, a parameter, an unknown one."""
    shape = document[0]["shape"]
    more: list[Any] = [document[0], {"name": "softmax_label", "shape": [1]}, {"name": "fc1_bias", "shape": [4]}]
    more += [
        {"name": "softmax_label", "shape": shape},
        {"name": "other", "shape": shape},
        {"shape": shape},
        None,
        "data",
    ]
    document.insert(draw.randrange(2), draw.choice(more))


def keys(draw: Random, document: list[Entry]) -> None:
    """A key more or fewer, or in another case."""
    match draw.randrange(3):
        case 0:
            del document[0][draw.choice(["name", "shape"])]
        case 1:
            document[0][draw.choice(["dtype", "layout", "more"])] = draw.choice(["float16", "NCHW", None, [[]]])
        case _:
            document[0] = {key.upper(): value for key, value in document[0].items()}


def form(draw: Random, document: list[Entry]) -> Any:
    """Another document altogether."""
    one = document[0]
    others: list[Any] = [
        one,
        [],
        {},
        None,
        "data",
        0,
        [[]],
        {one["name"]: one["shape"]},
        [one["name"], one["shape"]],
        [document],
    ]
    return draw.choice([[], *others])


SHAPE_EDITS: dict[str, FileMutator] = {
    edit.__name__: _on_entries(edit)
    for edit in (batch_size, dimension, dimensions, shape_type, input_name, several, keys, form)
}


def broken_script(draw: Random, files: Files) -> Files:
    """What keeps Python from reading a script, and some that does not."""
    scripts = [
        b"def f(:\n",
        b"x = 1\0",
        b"\xff\xfe",
        b"# coding: nonsense\n",
        b"# coding: utf-16\nx = 1\n",
        b"\xef\xbb\xbfx = 1\n",
        b"x = '\xe9'\n",
        b"return = 1",
        b"print 'a'\n",
        b"\tx = 1\n  y = 2\n",
        b"'\\N{nope}'\n",
        b"f'{'\n",
        b"",
        draw.randbytes(draw.randint(1, 300)),
    ]
    return files | {SCRIPT: draw.choice(scripts)}


def deep_script(draw: Random, files: Files) -> Files:
    """Brackets, signs, calls or blocks inside each other."""
    count = draw.choice([50, 150, 1_000, 100_000])
    nests = [
        b"(" * count + b"1" + b")" * count,
        b"-" * count + b"1",
        b"f" + b"()" * count,
        b"[" * count,
        b"x = 1 + " * 9,
    ]
    nests += [b"".join(b" " * depth + b"if x:\n" for depth in range(min(count, 1000))), b"1" + b"+1" * count]
    return files | {SCRIPT: draw.choice(nests)}


def huge_script(draw: Random, files: Files) -> Files:
    """A script of megabytes: statements, a list, a string, a number, a comment, spaces."""
    size = draw.choice([10_000, 300_000, 3_000_000, 16_000_000])
    ways = [b"a\n" * (size // 2), b"x = [" + b"0," * (size // 2) + b"]", b"'" + b"x" * size + b"'", b"9" * size]
    ways += [
        b"#" * size,
        b" " * size,
        b"\n" * size,
        b"\\\n" * (size // 2),
        b"a;" * (size // 2),
        b"f(" * 50 + b"x," * (size // 2),
    ]
    return files | {SCRIPT: draw.choice(ways)}


def more_scripts(draw: Random, files: Files) -> Files:
    """Other files under ``code/``, with odd names or hundreds of them."""
    names = [
        "code/requirements.txt",
        "code/__init__.py",
        "code/.py",
        "code/a b.py",
        "code/lib/x.py",
        "code/x.PY",
        "x.py",
    ]
    many = {f"code/m{number}.py": b"import os\n" for number in range(draw.choice([0, 0, 300]))}
    return files | many | {draw.choice(names): draw.choice([b"x", b"(", b"", b"numpy==1"])}


SCRIPTS: dict[str, FileMutator] = {
    edit.__name__: edit for edit in (broken_script, deep_script, huge_script, more_scripts)
}


def rewritten(draw: Random, files: Files) -> bytes:
    """The same JSON with keys in another order, indented or not, with escapes for letters."""
    indent, separators = draw.choice([None, 1, 8]), draw.choice([(",", ":"), (" , ", " : "), (",\n", ":\t")])
    for name in (SYMBOL, SHAPES):
        document = _shuffled(draw, json.loads(files[name]))
        files = files | {name: json.dumps(document, indent=indent, separators=separators).encode()}
    return packed(tarred(files))


def _shuffled(draw: Random, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shuffled(draw, value[key]) for key in draw.sample(list(value), len(value))}
    return [_shuffled(draw, item) for item in value] if isinstance(value, list) else value


def repacked(draw: Random, files: Files) -> bytes:
    """Members in another order, in another tar format, with other owners, times and modes, at another level."""
    members = draw.sample(entries(files), len(files))
    for info, _ in members:
        info.mtime, info.uid, info.mode = (
            draw.choice([0, 1e9, 1.5e9]),
            draw.choice([0, 1000]),
            draw.choice([0o600, 0o777]),
        )
        info.uname = draw.choice(["", "root"])
        info.name = draw.choice([info.name, f"./{info.name}"])
    folders = [
        (parts.entry(name, type=tarfile.DIRTYPE, mode=0o755), b"") for name in draw.choice([[], ["./"], ["code"]])
    ]
    form = draw.choice(FORMS)
    tar = joined(folders + members, form) + bytes(draw.choice([0, 512, 8192]))
    return gzip.compress(tar, compresslevel=draw.randrange(10), mtime=draw.getrandbits(32))


def other_weights(draw: Random, files: Files) -> bytes:
    """Weights of another training: of the same size, as large as weights are."""
    records = read(files[PARAMETERS])
    numbers = np.random.default_rng(draw.getrandbits(32))
    for record in records:
        record.hold(numbers.uniform(0.01, 2, record.shape).astype(record.values.dtype))
    draw.shuffle(records)
    return packed(tarred(files | {PARAMETERS: written(records)}))


def other_batch(draw: Random, files: Files) -> bytes:
    """Another batch size in the shapes; the container chooses its own."""
    document = json.loads(files[SHAPES])
    document[0]["shape"][0] = draw.choice([1, 2, 64, 100, 1000])
    return packed(tarred(files | {SHAPES: json.dumps(document).encode()}))


def without_script(draw: Random, files: Files) -> bytes:
    """No entry point, or another one."""
    del draw
    return packed(tarred({name: content for name, content in files.items() if name != SCRIPT}))


HARMLESS: dict[str, Mutator] = {
    edit.__name__: edit for edit in (rewritten, repacked, other_weights, other_batch, without_script)
}
