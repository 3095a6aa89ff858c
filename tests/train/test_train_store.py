"""The store of trained models: bit for bit what was kept, or nothing; bounded, and safe to share."""

from __future__ import annotations

import errno
import functools
import io
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from harness import storage
from harness.result import Checkpoint, Epoch
from harness.train.store import ABANDONED, DamagedEntryError, Store, Stored, _header, _packed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

KEY, OTHER = "a" * 64, "b" * 64

NAMES = st.text(max_size=8) | st.sampled_from(
    ["arr_0", "arr_1", "about", "a/b", "../up", "/", "Gewicht_ß", "名", "a.npy"]
)
"""Of parameters; the store must not take them for names of its own, nor of files."""

TYPES = ("<f4", "<f2", "<f8", "i1", "u1", "<i4", "<i8", ">f4", "?")

ARRAYS = st.sampled_from(TYPES).flatmap(
    lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
)

EPOCH = Epoch(number=1, train_accuracy=1 / 3, train_loss=float("nan"), validation_accuracy=0.1, seconds=1e-300)


def model(
    parameters: Mapping[str, NDArray[Any]] | None = None, auxiliary: Mapping[str, NDArray[Any]] | None = None
) -> Stored:
    """A model of one matrix, or of these arrays."""
    return Stored(
        checkpoint=Checkpoint(
            symbol_json='{"nodes": []}',
            parameters={"weight": np.arange(6, dtype=np.float32).reshape(2, 3)} if parameters is None else parameters,
            auxiliary=auxiliary or {},
            data_shapes=(("data", (50, 1, 4, 4)),),
        ),
        history=(EPOCH,),
        probabilities=np.full((3, 2), 0.5, np.float32),
        engine_probabilities=np.full((3, 2), 0.25, np.float32),
    )


@functools.cache
def entry(key: str = KEY) -> bytes:
    """What the store writes for a model of one matrix."""
    return _packed(key, model())


def bits(array: NDArray[Any]) -> tuple[str, tuple[int, ...], bytes]:
    """All there is to an array; numbers that are none are equal here if their bits are."""
    return array.dtype.str, array.shape, array.tobytes()


def contents(stored: Stored) -> list[object]:
    """All there is to a stored model, in its order."""
    checkpoint = stored.checkpoint
    named = [*checkpoint.parameters.items(), ("", stored.probabilities), *checkpoint.auxiliary.items()]
    return [
        checkpoint.symbol_json,
        checkpoint.data_shapes,
        repr(stored.history),
        [(name, bits(array)) for name, array in [*named, ("", stored.engine_probabilities)]],
    ]


def planted(folder: Path, content: bytes, key: str = KEY) -> Store:
    """A store with a file where the entry of a key belongs."""
    store = Store(folder)
    store._path(key).write_bytes(content)
    return store


def check_discarded(store: Store) -> None:
    """A damaged entry is named, is gone, and the next one in its place is sound."""
    path = store._path(KEY)
    with pytest.raises(DamagedEntryError, match=rf"^{path.name}: "):
        store.get(KEY)
    assert not path.exists()
    assert store.get(KEY) is None
    store.put(KEY, model())
    found = store.get(KEY)
    assert found is not None
    assert contents(found) == contents(model())


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for one of many examples."""
    with tempfile.TemporaryDirectory(prefix="byom-test-store-") as folder:
        yield Path(folder)


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(NAMES, ARRAYS, max_size=4), st.dictionaries(NAMES, ARRAYS, max_size=3), ARRAYS, ARRAYS)
def test_what_is_kept_comes_back_to_the_bit(
    parameters: dict[str, Any], auxiliary: dict[str, Any], scored: Any, engine: Any
) -> None:
    """Names, order, types, shapes and bits of all arrays, and the history, whatever the parameters are called."""
    plain = model(parameters, auxiliary)
    kept = Stored(
        checkpoint=plain.checkpoint, history=(EPOCH, EPOCH), probabilities=scored, engine_probabilities=engine
    )
    with scratch() as folder:
        store = Store(folder / "made" / "when needed")
        assert (store.holds(KEY), store.get(KEY)) == (False, None)
        store.put(KEY, kept)
        found = store.get(KEY)
        assert store.holds(KEY)
    assert found is not None
    assert contents(found) == contents(kept)


def test_a_view_and_fortran_order_come_back_as_the_same_numbers(tmp_path: Path) -> None:
    """How an array lies in memory makes no difference."""
    whole = np.arange(24, dtype=np.float32).reshape(4, 6)
    named = {"view": whole[::2, 1::3], "transposed": whole.T, "fortran": np.asfortranarray(whole)}
    store = Store(tmp_path)
    store.put(KEY, model(named))
    found = store.get(KEY)
    assert found is not None
    assert contents(found) == contents(model(named))


def test_the_same_model_is_the_same_file(tmp_path: Path) -> None:
    """An entry holds nothing of when, where or by whom it was written."""
    store = Store(tmp_path)
    store.put(KEY, model())
    assert store._path(KEY).read_bytes() == entry()


def test_every_truncation_is_found_out(tmp_path: Path) -> None:
    """An entry cut anywhere, the empty file included, is damaged and gone; the whole one is not."""
    store = Store(tmp_path)
    for length in range(len(entry())):
        store._path(KEY).write_bytes(entry()[:length])
        with pytest.raises(DamagedEntryError):
            store.get(KEY)
        assert not store._path(KEY).exists()
    store._path(KEY).write_bytes(entry())
    assert store.get(KEY) is not None


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_every_flipped_bit_is_found_out(data: st.DataObject) -> None:
    """One bit or more, in the line at the head or in the arrays."""
    places = st.integers(0, 200) | st.integers(0, len(entry()) - 1)
    content = bytearray(entry())
    for place, bit in data.draw(st.sets(st.tuples(places, st.integers(0, 7)), min_size=1, max_size=3)):
        content[place] ^= 1 << bit
    with scratch() as folder:
        check_discarded(planted(folder, bytes(content)))


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=300), st.sampled_from([b"", entry()[: entry().index(b"\n") + 1], entry()]))
def test_garbage_is_no_entry(garbage: bytes, before: bytes) -> None:
    """Alone, after the head of an entry, or at the end of a whole one."""
    with scratch() as folder:
        if before + garbage == entry():
            garbage += b"\0"
        check_discarded(planted(folder, before + garbage))


def test_the_entry_of_another_key_is_no_entry(tmp_path: Path) -> None:
    """A file that was renamed, or copied over another, is not taken for the model of its name."""
    check_discarded(planted(tmp_path, entry(OTHER)))
    assert planted(tmp_path, entry(OTHER), OTHER).get(OTHER) is not None  # control


class Bomb:
    """What leaves a file behind when its pickle is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    """An entry with a sound digest may still hold a pickled object; it is damaged, and nothing of it runs."""
    trace = tmp_path / "it ran"
    stream = io.BytesIO()
    np.savez(stream, np.array([Bomb(trace)], object), about=np.array([Bomb(trace)], object))
    payload = stream.getvalue()
    check_discarded(planted(tmp_path, _header(KEY, payload) + b"\n" + payload))
    assert not trace.exists()
    with np.load(io.BytesIO(payload), allow_pickle=True) as members:  # control: it would have run
        assert members["about"].shape == (1,)
    assert trace.exists()


def _npy(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _npz(**named: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **named)
    return stream.getvalue()


def _scrambled() -> bytes:
    """A compressed archive whose member is no compressed data."""
    stream = io.BytesIO()
    np.savez_compressed(stream, about=np.zeros(9999, np.uint8))
    content = bytearray(stream.getvalue())
    start = content.index(b"about.npy") + len(b"about.npy") + 20  # after the extra field of 64-bit sizes
    content[start : start + 8] = b"\xff" * 8
    return bytes(content)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"text",
        _npy(np.zeros(3)),
        _npz(),
        _npz(about=np.zeros(3, np.uint8)),
        _npz(about=np.frombuffer(b"[1, 2]", np.uint8)),
        _npz(about=np.frombuffer(b'{"parameters": ["a"], "auxiliary": []}', np.uint8)),
        _npz(about=np.frombuffer(b'{"parameters": 1, "auxiliary": null}', np.uint8)),
        _scrambled(),
    ],
    ids=["nothing", "text", "one array", "no members", "no JSON", "a list", "missing arrays", "wrong types", "no zlib"],
)
def test_what_has_the_right_digest_and_the_wrong_content_is_damaged(tmp_path: Path, payload: bytes) -> None:
    """Such as another version of the harness may have written."""
    check_discarded(planted(tmp_path, _header(KEY, payload) + b"\n" + payload))


def test_a_folder_in_the_place_of_an_entry_is_none(tmp_path: Path) -> None:
    """Nothing is found there, nothing can be kept there, and nothing is left of the attempt."""
    store = Store(tmp_path)
    store._path(KEY).mkdir()
    assert (store.holds(KEY), store.get(KEY)) == (False, None)
    with pytest.raises(OSError, match="directory"):
        store.put(KEY, model())
    assert [path.name for path in tmp_path.iterdir()] == [store._path(KEY).name]


@pytest.mark.parametrize("folder", ["file/below", "x" * 300])
def test_a_place_that_cannot_be_a_folder_holds_nothing(tmp_path: Path, folder: str) -> None:
    """Looking is no error, wherever one looks; keeping is."""
    (tmp_path / "file").touch()
    store = Store(tmp_path / folder)
    assert (store.holds(KEY), store.get(KEY)) == (False, None)
    with pytest.raises(OSError, match=r"Not a directory|File exists|File name too long"):
        store.put(KEY, model())


def test_a_folder_nobody_may_look_into_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the right to look there is no entry, and no error."""

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    store = planted(tmp_path, entry())
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", refused)
        patch.setattr(Path, "read_bytes", refused)
        assert (store.holds(KEY), store.get(KEY)) == (False, None)
    assert store.get(KEY) is not None


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow beyond 100 bytes."""
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    """What cannot be written in full is not there at all, and what was there before still is."""
    store = Store(tmp_path)
    store.put(KEY, model())
    for key in (KEY, OTHER):
        with pytest.raises(OSError, match="File too large"), full_disk():
            store.put(key, model({"weight": np.zeros(1000, np.float32)}))
    assert [path.name for path in tmp_path.iterdir()] == [store._path(KEY).name]
    found = store.get(KEY)
    assert found is not None
    assert contents(found) == contents(model())


def filled(folder: Path, keys: str, room: int) -> Store:
    """A store with room for so many entries, and one for each letter, the first one used longest ago."""
    store = Store(folder, limit=room * len(entry()))
    for age, key in enumerate(reversed(keys), 1):
        store._path(key * 64).write_bytes(_packed(key * 64, model()))
        os.utime(store._path(key * 64), (0, 10**9 - age))
    return store


def held(store: Store) -> str:
    """The letters of the entries that are there."""
    return "".join(sorted(path.name[0] for path in store.folder.glob("*.model")))


def test_the_entry_used_longest_ago_goes_first(tmp_path: Path) -> None:
    """Whatever its name; and no more go than have to."""
    store = filled(tmp_path, "cab", room=3)
    store.put("d" * 64, model())
    assert held(store) == "abd"
    store.put("e" * 64, model())
    assert held(store) == "bde"


def test_what_fits_stays(tmp_path: Path) -> None:
    """Control: at the limit to the byte nothing has to go."""
    store = filled(tmp_path, "cab", room=4)
    store.put("d" * 64, model())
    assert held(store) == "abcd"


def test_finding_counts_as_use(tmp_path: Path) -> None:
    """A model that was asked for is the last to go; that one looked whether it is there does not count."""
    store = filled(tmp_path, "abc", room=3)
    assert store.holds("b" * 64)
    assert store.get("a" * 64) is not None
    store.put("d" * 64, model())
    assert held(store) == "acd"


def test_writing_again_counts_as_use(tmp_path: Path) -> None:
    """The same key takes its place once, and goes last."""
    store = filled(tmp_path, "abc", room=3)
    store.put("a" * 64, model())
    assert held(store) == "abc"
    store.put("d" * 64, model())
    assert held(store) == "acd"


def test_the_entry_just_written_stays(tmp_path: Path) -> None:
    """Be it alone above the limit: all others go, and it goes with the next one."""
    store = filled(tmp_path, "abc", room=3)
    store.put("d" * 64, model({"weight": np.zeros(10_000, np.float32)}))
    assert held(store) == "d"
    assert store.get("d" * 64) is not None
    store.put("e" * 64, model())
    assert held(store) == "e"


def test_what_cannot_be_removed_does_not_save_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that stays in spite of all still takes its room; a folder in the place of one takes none."""
    store = filled(tmp_path, "abc", room=3)
    (tmp_path / "0.model").mkdir()
    real = Path.unlink

    def unlink(path: Path, *, missing_ok: bool = False) -> None:
        if path == store._path("a" * 64):
            raise PermissionError(errno.EPERM, "Operation not permitted")
        real(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    store.put("d" * 64, model())
    assert held(store) == "0acd"


def test_what_a_killed_writer_left_behind_goes(tmp_path: Path) -> None:
    """After an hour it is nobody's: the folder does not fill with halves of models; what is younger stays."""
    store = Store(tmp_path)
    old, young, foreign = (tmp_path / name for name in (".a.model.x1.tmp", ".a.model.x2.tmp", "notes.tmp"))
    for path in (old, young, foreign):
        path.write_bytes(b"half")
    for path in (old, foreign):
        os.utime(path, (0, time.time() - ABANDONED - 60))
    store.put(KEY, model())
    assert (old.exists(), young.exists(), foreign.exists()) == (False, True, True)


def test_the_sweep_knows_the_names_that_writers_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: a real writer's temporary file, stopped before it has its name, is one that will go."""
    store, real, found = Store(tmp_path), os.replace, []

    def replace(source: str, target: Path) -> None:
        os.utime(source, (0, time.time() - ABANDONED - 60))
        Store(tmp_path)._sweep()
        found.append(Path(source).exists())
        Path(source).write_bytes(entry())
        real(source, target)

    monkeypatch.setattr(storage.os, "replace", replace)
    store.put(KEY, model())
    assert found == [False]


WORKER = """
import random, sys
from pathlib import Path
import numpy as np
from harness.result import Checkpoint
from harness.train.store import Store, Stored

folder, seed, limit, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
store, draw, found = Store(folder, limit), random.Random(seed), 0
for _ in range(rounds):
    number = draw.randrange(6)
    key, values = format(number, "064x"), np.full(2000, number, np.float32)
    if draw.random() < 0.5:
        stored = store.get(key)
        if stored is not None:
            found += 1
            assert np.array_equal(stored.checkpoint.parameters["w"], values), key
    else:
        made = Checkpoint(symbol_json="{}", parameters={"w": values}, auxiliary={}, data_shapes=())
        store.put(key, Stored(checkpoint=made, history=(), probabilities=values, engine_probabilities=values))
print(found, "jax" in sys.modules or "mxnet" in sys.modules)
"""


def test_processes_share_a_store(tmp_path: Path) -> None:
    """Four that write, read and make room at once see whole entries of the right key, or none."""
    limit, rounds = 80_000, 80  # room for three entries of 24 kB
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path), str(seed), str(limit), str(rounds)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(4)
    ]
    said = [worker.communicate(timeout=60) for worker in workers]
    assert [(worker.returncode, error) for worker, (_, error) in zip(workers, said, strict=True)] == [(0, "")] * 4
    assert all(int(output.split()[0]) > 0 and output.split()[1] == "False" for output, _ in said)
    assert not list(tmp_path.glob("*.tmp"))
    last = Store(tmp_path, limit)
    last.put(KEY, model())
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= limit
