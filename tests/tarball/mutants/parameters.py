"""Mutants of ``model-0000.params``, field by field."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import tarball_parts as parts

from harness.artifact import PARAMETERS
from mutants.parameter_records import NAMES, SIZES, V1, V2, V3, Record, read, written

if TYPE_CHECKING:
    from random import Random

    from mutants.archive_bytes import FileMutator
    from mutants.seed_models import Files

Edit = Callable[["Random", list[Record]], bytes | None]
"""Changes the records in place, or gives the file."""


def _on_records(edit: Edit) -> FileMutator:
    def mutate(draw: Random, files: Files) -> Files:
        records = read(files[PARAMETERS])
        content = edit(draw, records)
        return files | {PARAMETERS: written(records) if content is None else content}

    return mutate


def dtype_flag(draw: Random, records: list[Record]) -> None:
    """Another type for the same bytes, cut or padded to fit or not."""
    record = draw.choice(records)
    record.flag = draw.choice([*SIZES, 8, 9, 13, -1, 255, 1 << 30])
    if draw.random() < 0.7:
        size = math.prod(record.shape) * SIZES.get(record.flag, 4)
        record.data = (record.data * (1 + size // max(1, len(record.data))))[:size]


def other_dtype(draw: Random, records: list[Record]) -> None:
    """The same values in another type, of one array or of all."""
    dtype = draw.choice(list(parts.DTYPES))
    for record in records if draw.random() < 0.4 else [draw.choice(records)]:
        record.hold(record.values.astype(dtype))


def same_count(draw: Random, records: list[Record]) -> None:
    """Another shape for as many values."""
    record = draw.choice(records)
    count = math.prod(record.shape)
    record.shape = draw.choice([(count,), (1, count), (count, 1), record.shape[::-1], (*record.shape, 1), (1,) * 40])


def other_shape(draw: Random, records: list[Record]) -> None:
    """Another shape, with as many values as it needs."""
    record = draw.choice(records)
    place = draw.randrange(len(record.shape))
    shape = list(record.shape)
    shape[place] = draw.choice([1, 2, shape[place] + 1, shape[place] * 2, 100])
    record.shape = tuple(shape)
    size = math.prod(shape) * SIZES[record.flag]
    record.data = (record.data * (1 + size // len(record.data)))[:size]


def wild_shape(draw: Random, records: list[Record]) -> None:
    """Dimensions that are negative, zero, huge, or whose product overflows; values as they were."""
    record = draw.choice(records)
    place = draw.randrange(len(record.shape))
    shape = list(record.shape)
    shape[place] = draw.choice([0, -1, -2, 1 << 31, 1 << 32, (1 << 63) - 1, -(1 << 63), 1 << 40])
    record.shape = draw.choice([tuple(shape), (), (0,), (1 << 32, 1 << 32), (1 << 33, 0), (-1, -1)])
    if draw.random() < 0.3:
        record.data = b""


def dimensions(draw: Random, records: list[Record]) -> None:
    """A number of dimensions that is not that of the shape."""
    draw.choice(records).dimensions = draw.choice([-1, 0, 1, 2, 3, 5, 33, 1000, (1 << 31) - 1])


def magic(draw: Random, records: list[Record]) -> bytes | None:
    """An array, or the file, with another magic number: older and newer formats, junk."""
    if draw.random() < 0.2:
        return written(records, magic=draw.choice([0, 0x111, 0x113, 1 << 40, 0x50]))
    chosen = records if draw.random() < 0.3 else [draw.choice(records)]
    number = draw.choice([V1, V2, V3, V3 + 1, 0, 1, 2, 4, 33, 0xFFFFFFFF])
    for record in chosen:
        record.magic = number
    return None


def legacy(draw: Random, records: list[Record]) -> bytes:
    """An array as MXNet wrote it before 2017: no magic number, dimensions of 32 bits; MXNet still reads it."""
    place = draw.randrange(len(records))
    blobs = [record.bytes() for record in records]
    one = records[place]
    shape = struct.pack(f"<I{len(one.shape)}I", len(one.shape), *one.shape)
    blobs[place] = shape + struct.pack("<iii", *one.context, one.flag) + one.data
    return parts.container(blobs, [record.name.decode() for record in records])


def context(draw: Random, records: list[Record]) -> None:
    """A device that the array was on, which may not exist."""
    choice = [(2, 0), (2, 7), (3, 0), (5, 0), (0, 0), (6, 1), (-1, -1), (1, 1 << 30), (99, 0), (1, -5)]
    for record in records if draw.random() < 0.5 else [draw.choice(records)]:
        record.context = draw.choice(choice)


def storage(draw: Random, records: list[Record]) -> None:
    """A storage type without what belongs to it."""
    draw.choice(records).storage = draw.choice([1, 2, 3, -1, 1 << 30])


def row_sparse(draw: Random, records: list[Record]) -> None:
    """Rows with their indices, in order or wild."""
    record = draw.choice(records)
    rows = record.shape[0]
    kept = draw.choice([rows, rows, max(1, rows - 1), rows + 1, 0])
    indices = [*range(kept)]
    if draw.random() < 0.6:
        indices = [draw.choice([0, rows, -1, 1 << 40, rows - 1, -(1 << 63)]) for _ in indices]
    stored = (kept, *record.shape[1:])
    size = math.prod(stored) * SIZES[record.flag]
    data = (record.data * 2)[:size] + np.array(indices, np.int64).tobytes()
    record.storage, record.data = 1, data
    record.extra = (parts.shape_bytes(stored), struct.pack("<i", 6) + parts.shape_bytes((kept,)))


def compressed_rows(draw: Random, records: list[Record]) -> None:
    """Rows pressed together, with pointers and columns in order or wild."""
    record = draw.choice([record for record in records if len(record.shape) == 2])
    rows, columns = record.shape
    count = rows * columns
    pointers = np.arange(0, count + 1, columns)
    indices = np.tile(np.arange(columns), rows)
    wild = [0, -1, count, count + 1, 1 << 20, 1 << 40, -(1 << 62)]
    match draw.randrange(3):
        case 0:
            pointers[draw.randrange(rows + 1)] = draw.choice(wild)
        case 1:
            indices[draw.randrange(count)] = draw.choice(wild)
    types = struct.pack("<i", 6) + parts.shape_bytes((rows + 1,)) + struct.pack("<i", 6) + parts.shape_bytes((count,))
    record.storage, record.extra = 2, (parts.shape_bytes((count,)), types)
    record.data += pointers.astype(np.int64).tobytes() + indices.astype(np.int64).tobytes()


def names(draw: Random, records: list[Record]) -> None:
    """A name that is another's, has the other prefix, none, or is no text."""
    one, other = draw.sample(records, 2)
    prefix, _, rest = one.name.partition(b":")
    swapped = (b"aux:" if prefix == b"arg" else b"arg:") + rest
    odd = [
        rest,
        b"",
        b"arg:",
        b":" + rest,
        b"arg:" + one.name,
        one.name + b"\0",
        b"\xff",
        one.name.upper(),
        b"a" * 5000,
    ]
    match draw.randrange(4):
        case 0:
            one.name, other.name = other.name, one.name
        case 1:
            one.name = other.name
        case 2:
            one.name = swapped
        case _:
            one.name = draw.choice([*odd, b"arg:softmax_label", b"arg:data", b"aux:data", b"arg:new", one.name + b":x"])


def counts(draw: Random, records: list[Record]) -> bytes:
    """A number of arrays or names that is not theirs."""
    wrong = draw.choice([0, len(records) - 1, len(records) + 1, 1 << 20, 1 << 40, (1 << 64) - 1])
    return written(records, **{draw.choice(["arrays", "names"]): wrong})


def members(draw: Random, records: list[Record]) -> None:
    """Arrays left out, doubled, or in another order."""
    place = draw.randrange(len(records))
    match draw.randrange(3):
        case 0:
            del records[place]
        case 1:
            records.append(records[place])
        case _:
            draw.shuffle(records)


def one_value(draw: Random, records: list[Record]) -> None:
    """One value NaN, infinite, or as large as its type allows."""
    record = draw.choice(records)
    values = record.values
    most = float(np.finfo(values.dtype).max)
    choice = [np.nan, np.inf, -np.inf, most, -most, most / 2, 1e30, 1e4, 1e-45, -0.0]
    with np.errstate(over="ignore"):
        values.flat[draw.randrange(values.size)] = draw.choice(choice)
    record.hold(values)


def all_values(draw: Random, records: list[Record]) -> None:
    """All values of one array, or of all, huge, tiny, zero or negative: another model, perhaps one that overflows."""
    chosen = records if draw.random() < 0.4 else [draw.choice(records)]
    factor = draw.choice([0, -1, -100, 1e3, 1e8, 1e18, 1e30, 1e37, 1e-30, 1e-44])
    for record in chosen:
        with np.errstate(over="ignore", under="ignore"):
            record.hold((record.values.astype("float64") * factor).astype(NAMES[record.flag]))


def beyond_float32(draw: Random, records: list[Record]) -> None:
    """Values in float64 or int64 that are finite there and have no place in float32 or float16."""
    record = draw.choice(records)
    dtype = draw.choice(["float64", "int64", "int32", "float32"])
    value = draw.choice([1e300, -1e300, 1e39, 70_000, 1e5]) if dtype == "float64" else 2**31 - 1
    record.hold(np.full(record.shape, value, dtype))


def negative_variance(draw: Random, records: list[Record]) -> None:
    """A moving variance, or another value, below zero: its root is NaN."""
    chosen = [record for record in records if record.name.endswith(b"_var")] or records
    record = draw.choice(chosen)
    record.hold(np.full(record.shape, draw.choice([-1, -1e-4, -0.001, -1e30, 0]), "float32"))


RECORDS: dict[str, FileMutator] = {
    edit.__name__: _on_records(edit)
    for edit in (
        dtype_flag,
        other_dtype,
        same_count,
        other_shape,
        wild_shape,
        dimensions,
        magic,
        legacy,
        context,
        storage,
        row_sparse,
        compressed_rows,
        names,
        counts,
        members,
    )
}
VALUES: dict[str, FileMutator] = {
    edit.__name__: _on_records(edit) for edit in (one_value, all_values, beyond_float32, negative_variance)
}
