"""Mirrors, against a web server on this machine: good answers, wrong ones, and URLs that are never asked."""

from __future__ import annotations

import gzip
import hashlib
import socket
from typing import TYPE_CHECKING

import pytest

from harness.data.cache import Cache
from harness.data.mirror import Mirror
from harness.data.mnist import MIRRORS
from harness.data.sources import fetch_verified
from harness.errors import DataError, DeclarationError

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import LoopbackServer

GOOD = b"the right bytes" * 1000
SHA256 = hashlib.sha256(GOOD).hexdigest()
PATH = "/mnist/file.gz"


def test_a_good_mirror(loopback: LoopbackServer, tmp_path: Path) -> None:
    """The packed file is fetched under the base URL, unpacked, verified and kept: the second time nothing is asked."""
    loopback.serve(PATH, gzip.compress(GOOD))
    for _ in range(2):
        data = fetch_verified("file", SHA256, [loopback.mirror()], cache=Cache(tmp_path), advice="")
        assert data == GOOD
    assert loopback.asked == [PATH]


def test_a_mirror_with_another_file(loopback: LoopbackServer) -> None:
    """A mirror's file with the wrong digest is refused, and the message names the mirror and both digests."""
    loopback.serve(PATH, gzip.compress(b"other"))
    with pytest.raises(DataError) as caught:
        fetch_verified("file", SHA256, [loopback.mirror()], cache=None, advice="")
    found = hashlib.sha256(b"other").hexdigest()
    assert f"mirror {loopback.url}: has another file under this name" in str(caught.value)
    assert f"expected SHA-256 {SHA256}, found {found} (5 bytes)" in str(caught.value)


def test_a_mirror_without_the_file(loopback: LoopbackServer) -> None:
    """A 404 is told with its status and the name asked for."""
    with pytest.raises(DataError, match=r"^answered 404 Not Found for file\.gz$"):
        loopback.mirror().fetch("file")


@pytest.mark.parametrize("announced", [None, 10**6], ids=["by the server's own figure", "against it"])
def test_a_truncated_answer(loopback: LoopbackServer, announced: int | None) -> None:
    """An answer that ends early is refused, whether or not its Content-Length gives it away."""
    packed = gzip.compress(GOOD)[:-10]
    loopback.serve(PATH, packed, announced=announced)
    with pytest.raises(DataError, match=f"^gzip data is truncated: {len(packed)} bytes do not reach its end$"):
        loopback.mirror().fetch("file")


def test_an_answer_that_is_no_gzip(loopback: LoopbackServer) -> None:
    """A captive portal's friendly page is refused."""
    loopback.serve(PATH, b"<html>Please log in</html>")
    with pytest.raises(DataError, match=r"^expected gzip data, found 26 bytes that zlib refuses"):
        loopback.mirror().fetch("file")


def test_an_answer_over_the_limit(loopback: LoopbackServer) -> None:
    """The size limit holds for the bytes on the wire and for what they unpack to."""
    loopback.serve(PATH, bytes(2001))
    with pytest.raises(DataError, match=r"^file\.gz: expected at most 2000 bytes, found more$"):
        loopback.mirror(size_limit=2000).fetch("file")
    loopback.serve(PATH, gzip.compress(bytes(2001)))
    with pytest.raises(DataError, match=r"^expected at most 2000 bytes of unpacked data, found more$"):
        loopback.mirror(size_limit=2000).fetch("file")


def test_a_server_that_says_nothing() -> None:
    """A server that accepts and never answers costs no more than the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(DataError, match=r"^cannot be reached: .*timed out"):
            Mirror(url, timeout=0.05, allow_loopback_http=True).fetch("file")


def test_no_server_at_all() -> None:
    """A refused connection is a DataError with the system's reason."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(DataError, match=r"^cannot be reached: .*Connection refused"):
        Mirror(f"http://127.0.0.1:{port}/", allow_loopback_http=True).fetch("file")


def test_a_redirect_within_the_rule_is_followed(loopback: LoopbackServer) -> None:
    """A mirror may move its files, which shows that the next test's refusal is about the address."""
    loopback.serve(PATH, status=302, location="/elsewhere")
    loopback.serve("/elsewhere", gzip.compress(GOOD))
    assert loopback.mirror().fetch("file") == GOOD


@pytest.mark.parametrize("target", ["http://192.0.2.1/file.gz", "ftp://127.0.0.1/file.gz", "http://[bad/"])
def test_a_redirect_out_of_the_rule_is_refused(loopback: LoopbackServer, target: str) -> None:
    """A redirect to anything but HTTPS or the loopback is refused before it is asked."""
    loopback.serve(PATH, status=302, location=target)
    with pytest.raises(DataError):
        loopback.mirror().fetch("file")
    assert loopback.asked == [PATH]


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/", "http://example.org/", "ftp://example.org/", "file:///etc/", "https://", "", "https://[bad/"],
)
def test_only_https_is_declared(url: str) -> None:
    """A mirror in the clear is refused when it is made, this machine's loopback too unless it was allowed."""
    with pytest.raises(DeclarationError, match=r"^mirror: expected an https:// URL, found "):
        Mirror(url)


@pytest.mark.parametrize(
    "url", ["http://example.org/", "http://127.0.0.1.example.org/", "http://localhost@example.org/"]
)
def test_allowing_the_loopback_allows_nothing_else(url: str) -> None:
    """Hosts that only look like the loopback stay refused."""
    with pytest.raises(DeclarationError):
        Mirror(url, allow_loopback_http=True)


def test_the_public_mirrors_are_declared_well() -> None:
    """The addresses in the constant pass the rule that all mirrors are held to."""
    assert [Mirror(url).url for url in MIRRORS] == list(MIRRORS)
    assert len(MIRRORS) == 2
