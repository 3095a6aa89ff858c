"""The page over real HTTP: what it answers, whom it refuses, and what no request can do to it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import struct
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marked_processes import LOOPBACK, listening

from harness import Drawing
from harness.canvas import server
from harness.canvas.drawing import PEN, THICKEST, THINNEST
from harness.canvas.picture import MAPPINGS
from harness.canvas.server import MOST_BYTES, About, Page, PageServer
from harness.errors import CloudError, ServingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

THREE = np.eye(10)[3]

STROKES = [[[0.1, 0.2], [0.5, 0.7]], [[0.4, 0.4]]]
DRAWN = json.dumps({"strokes": STROKES}).encode()

FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/pad.js": ("pad.js", "text/javascript; charset=utf-8"),
    "/answer.js": ("answer.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

FOLDER = resources.files("harness.canvas").joinpath("page")


@dataclass
class Model:
    """What the page asks.

    Attributes:
        does: what a test wants of it.
        shown: the pictures that it was asked about.
    """

    does: Callable[[], Any] = THREE.copy
    shown: list[NDArray[np.float32]] = field(default_factory=list)

    def __call__(self, picture: NDArray[np.float32]) -> Any:
        self.shown.append(picture)
        return self.does()

    def fail(self, error: BaseException) -> None:
        """From now on, raise an error."""

        def fail() -> None:
            raise error

        self.does = fail


@dataclass(frozen=True)
class Told:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        """Of JSON, which says that it is."""
        assert self.headers["Content-Type"] == "application/json"
        return json.loads(self.body)

    @property
    def refused(self) -> tuple[int, str]:
        """The status, and the message, which is all there is."""
        assert list(self.content) == ["error"]
        return self.status, self.content["error"]


@dataclass(frozen=True)
class Site:
    """The page at a port."""

    port: int
    model: Model

    def ask(self, method: str = "GET", path: str = "/", body: Any = None, **headers: str) -> Told:
        """One request; ``host=`` and the like are headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, given, encode_chunked="transfer_encoding" in headers)
            answer = connection.getresponse()
            return Told(answer.status, dict(answer.headers), answer.read())
        finally:
            connection.close()

    def post(self, body: Any = DRAWN, content_type: str = "application/json", **headers: str) -> Told:
        """A request for an answer."""
        return self.ask("POST", "/answer", body, content_type=content_type, **headers)

    def send(self, *lines: str, body: bytes = b"") -> bytes:
        """What comes back for lines of HTTP as they are, before the connection ends."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as answer:
                return answer.read()


def port_of(served: PageServer) -> int:
    """Where it listens."""
    return int(served.url.removeprefix("http://127.0.0.1:").removesuffix("/"))


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    """One page for all tests."""
    model = Model()
    with PageServer(Page(model, About(source="a model", price="$1"))) as served:
        yield Site(port_of(served), model)


@pytest.fixture
def site(running: Site) -> Site:
    """That page, with a model that has not been asked yet and always sees a three."""
    running.model.does = THREE.copy
    running.model.shown.clear()
    return running


@pytest.mark.parametrize("path", FILES)
def test_files_are_served_as_what_they_are(site: Site, path: str) -> None:
    """Byte for byte, with the type that a browser insists on; HEAD gives the same without them."""
    name, content_type = FILES[path]
    told, head = site.ask(path=path), site.ask("HEAD", path)
    assert (told.status, told.headers["Content-Type"]) == (200, content_type)
    assert told.body == FOLDER.joinpath(name).read_bytes()
    assert (head.status, head.body) == (200, b"")
    for header in ("Content-Type", "Content-Length"):
        assert head.headers[header] == told.headers[header]


def test_every_file_of_the_page_is_served() -> None:
    """And none is that is not there."""
    assert sorted(name for name, _ in FILES.values()) == sorted(path.name for path in FOLDER.iterdir())
    assert server._FILES == FILES


def test_the_page_says_what_answers(site: Site) -> None:
    """Where answers come from, what that costs, and which pens there are."""
    pen = {"default": PEN, "thinnest": THINNEST, "thickest": THICKEST}
    assert site.ask(path="/about").content == {"source": "a model", "price": "$1", "pen": pen}


@pytest.mark.parametrize("mapping", [None, *MAPPINGS])
def test_a_drawing_is_answered(site: Site, mapping: str | None) -> None:
    """The model is shown the drawing's picture, MNIST's unless said otherwise, and the browser is told of it."""
    content = {"strokes": STROKES, "pen": 0.1, **({"mapping": mapping} if mapping else {})}
    told = site.post(json.dumps(content))
    assert told.status == 200
    assert list(told.content) == ["probabilities", "picture", "milliseconds"]
    [shown] = site.model.shown
    assert np.array_equal(shown, MAPPINGS[mapping or "mnist"](Drawing(STROKES, pen=0.1)))
    assert told.content["probabilities"] == THREE.tolist()
    assert told.content["picture"] == np.rint(shown * 255).ravel().tolist()
    assert told.content["milliseconds"] > 0


def test_every_answer_has_the_headers(site: Site) -> None:
    """Those with an error too."""
    site.model.fail(ServingError("gone"))
    answers = [
        *(site.ask(path=path) for path in (*FILES, "/about", "/nowhere")),
        site.ask("HEAD", "/"),
        site.ask("PUT", "/"),
        site.ask(host="evil.com"),
        site.post(),
        site.post(b"no JSON"),
        site.post(content_type="text/plain"),
        site.post(b" " * (MOST_BYTES + 1)),
    ]
    site.model.fail(ZeroDivisionError())
    answers.append(site.post())
    assert [told.status for told in answers] == [*[200] * 7, 404, 200, 405, 403, 502, 400, 415, 413, 500]
    for told in answers:
        assert told.headers.items() >= HEADERS.items()
        assert "Access-Control-Allow-Origin" not in told.headers


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.1:80", "localhost:65535", "LocalHost:80"])
def test_this_machines_names_are_answered(site: Site, host: str) -> None:
    """With any port, as somebody may have forwarded one."""
    assert site.ask(host=host).status == 200
    assert site.post(host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.com", "evil.com:80", "", ":80", "localhost.evil.com", "127.0.0.1.evil.com", "evil.com.127.0.0.1"),
        *("127.0.0.1:1@evil", "127.0.0.1@evil.com", "evil.com@127.0.0.1", "127.0.0.1:80:80", "127.0.0.1:", "127.1"),
        *("[::]", "127.0.0.2", "[::1]:80", "2130706433", "localhost.", "xlocalhost", "localhost,evil.com"),
        *("127x0x0x1", "127.0.0.1:\u00b2", "127.0.0.1:80 evil.com", "evil.com" * 20),
    ],
)
def test_another_name_is_somebody_elses(site: Site, host: str) -> None:
    """Who has pointed a name at this machine (DNS rebinding) gets no file, and asks no model."""
    found = repr(host) if len(repr(host)) <= 60 else f"{host!r:.57}..."
    message = f"host: expected 127.0.0.1 or localhost, found {found}; open the address told"
    for told in (site.ask(host=host), site.ask(path="/about", host=host), site.post(host=host)):
        assert told.refused == (403, message)
    assert site.model.shown == []


@pytest.mark.parametrize(
    "lines",
    [
        ["GET / HTTP/1.1"],
        ["GET / HTTP/1.0"],
        ["GET / HTTP/1.1", "Host: evil.com", "Host: 127.0.0.1"],
        ["GET / HTTP/1.1", "Host: 127.0.0.1", "Host: evil.com"],
        ["GET http://evil.com/ HTTP/1.1", "Host: 127.0.0.1"],
        ["GET / HTTP/1.1", "Host: evil.com", "X-Forwarded-Host: 127.0.0.1", "Forwarded: host=127.0.0.1"],
    ],
)
def test_no_name_or_two_are_refused(site: Site, lines: list[str]) -> None:
    """Nothing that stands elsewhere in a request takes the place of its one name."""
    assert site.send(*lines).partition(b"\r\n")[0] == b"HTTP/1.1 403 FORBIDDEN"


def test_an_origin_of_its_own_is_answered(site: Site) -> None:
    """A browser names the page that asks."""
    for host in (f"127.0.0.1:{site.port}", f"localhost:{site.port}"):
        assert site.post(host=host, origin=f"http://{host}").status == 200


@pytest.mark.parametrize(
    "origin",
    [
        *("null", "", "http://evil.com", "https://{}", "http://127.0.0.1", "http://127.0.0.1:1", "http://localhost:80"),
        *("http://{}/", "http://{}.evil.com", "http://evil.com http://{}", "{}", "http://{}@evil.com", "file://"),
    ],
)
def test_another_sites_page_is_refused(site: Site, origin: str) -> None:
    """Whatever it asks for, the question before a question (OPTIONS) as well, and the model hears nothing."""
    host = f"127.0.0.1:{site.port}"
    origin = origin.format(host)
    message = f"origin: expected http://{host}, found {origin!r}: another site's page"
    for told in (site.post(origin=origin), site.ask("OPTIONS", "/answer", origin=origin), site.ask(origin=origin)):
        assert told.refused == (403, message)
    assert site.model.shown == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY"])
def test_pages_are_read_only(site: Site, method: str) -> None:
    """The message says which methods there are."""
    for path in ("/", "/about"):
        assert site.ask(method, path).refused == (405, f"{path}: expected GET or HEAD, found {method!r}")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_answers_are_posted(site: Site, method: str) -> None:
    """A link or an image of another site makes no model work."""
    told = site.ask(method, "/answer", content_type="application/json", body=DRAWN)
    assert told.refused == (405, f"/answer: expected POST, found {method!r}")
    assert site.model.shown == []


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/nowhere", "/nowhere"),
        ("/page.js/", "/page.js/"),
        ("/PAGE.JS", "/PAGE.JS"),
        ("/page.js;x", "/page.js;x"),
        ("/../server.py", "/../server.py"),
        ("/page/../../server.py", "/page/../../server.py"),
        ("/%2e%2e/server.py", "/../server.py"),
        ("/..%2fserver.py", "/../server.py"),
        ("/%252e%252e/server.py", "/%2e%2e/server.py"),
        ("/page.js%00", "/page.js\0"),
        ("/%00", "/\0"),
        ("//etc/passwd", "/etc/passwd"),
        ("/\\..\\server.py", "/\\..\\server.py"),
        ("/index.html", "/index.html"),
        ("/drawing.py", "/drawing.py"),
        ("/%ff", "/\N{REPLACEMENT CHARACTER}"),
        ("/answer/", "/answer/"),
        ("*", "/*"),
    ],
)
def test_other_paths_lead_nowhere(site: Site, path: str, shown: str) -> None:
    """Not up, not into another file, and not to a file by its name alone."""
    assert site.ask(path=path).refused == (404, f"{shown}: there is no such page; open /")


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(["/", "..", ".", "%2f", "\\", "\0", "\xff", "page", "page.js", "index.html", "~"])))
def test_no_path_reads_another_file(pieces: list[str]) -> None:
    """What is served is one of the page's own files, or no file; so it is for what no server would hand on."""
    from werkzeug.test import create_environ, run_wsgi_app

    environ = {**create_environ(headers={"Host": "localhost"}), "PATH_INFO": "".join(pieces)}
    body, status, _ = run_wsgi_app(Page(Model(), About(source="")), environ)
    served = {FOLDER.joinpath(name).read_bytes() for name, _ in FILES.values()}
    assert status == "404 NOT FOUND" or (status == "200 OK" and b"".join(body) in served)


def test_questions_and_fragments_do_not_matter(site: Site) -> None:
    """A browser or a bookmark may add them."""
    assert site.ask(path="/?x=../server.py#y").body == site.ask(path="/").body


def padded(size: int) -> bytes:
    """A drawing in so many bytes."""
    return DRAWN + b" " * (size - len(DRAWN))


def chunks(body: bytes) -> Iterator[bytes]:
    """In pieces, the length of all of them untold."""
    yield from (body[start : start + 100_000] for start in range(0, len(body), 100_000))


def test_a_body_may_be_as_large_as_it_may_be(site: Site) -> None:
    """Half a megabyte, told beforehand or in chunks."""
    assert site.post(padded(MOST_BYTES)).status == 200
    assert site.post(chunks(padded(MOST_BYTES)), transfer_encoding="chunked").status == 200


def test_a_body_that_is_too_large_is_refused(site: Site) -> None:
    """A byte more, told beforehand or in chunks: a part of it is no drawing either, even if it looks like one."""
    told = site.post(padded(MOST_BYTES + 1))
    assert told.refused == (413, "request: expected at most 524,288 bytes, found 524,289")
    for size in (MOST_BYTES + 1, 3 * MOST_BYTES):
        told = site.post(chunks(padded(size)), transfer_encoding="chunked")
        assert told.refused == (413, "request: expected at most 524,288 bytes, found more")
    assert site.model.shown == []


POST = ("POST /answer HTTP/1.1", "Host: localhost", "Content-Type: application/json")

NO_JSON = "request: expected JSON, found something else: "
EMPTY = f"{NO_JSON}Expecting value: line 1 column 1 (char 0)"


@pytest.mark.parametrize(
    ("header", "body", "status", "message"),
    [
        ("Content-Length: 99999999999", b"{}", 413, "request: expected at most 524,288 bytes, found 99,999,999,999"),
        ("X-Length: 2", b"{}", 400, EMPTY),
        ("Content-Length: -2", b"{}", 400, EMPTY),
        ("Content-Length: two", b"{}", 400, EMPTY),
        ("Content-Length: 50", b"{}", 400, "request: expected all of it, found that it ends early"),
        ("Transfer-Encoding: chunked", b"z\r\n{}", 400, "request: expected all of it, found that it ends early"),
        ("Transfer-Encoding: chunked", b"-2\r\n{}", 400, "request: expected all of it, found that it ends early"),
        ("Transfer-Encoding: chunked", b"2\r\n{}", 400, "request: expected all of it, found that it ends early"),
        ("Transfer-Encoding: chunked", b"0\r\n\r\n", 400, EMPTY),
    ],
)
def test_a_body_must_be_all_there(site: Site, header: str, body: bytes, status: int, message: str) -> None:
    """A length that is none, too long or untold, and chunks that are none."""
    head, _, content = site.send(*POST, header, body=body).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert json.loads(content) == {"error": message}


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", " application/json"])
def test_json_by_other_spellings(site: Site, content_type: str) -> None:
    """Parameters, capitals and spaces change nothing."""
    assert site.post(content_type=content_type).status == 200


@pytest.mark.parametrize(
    ("content_type", "found"),
    [
        ("", "none"),
        ("text/plain", "'text/plain'"),
        ("application/x-www-form-urlencoded", "'application/x-www-form-urlencoded'"),
        ("text/plain; application/json", "'text/plain'"),
        ("application/jsonp", "'application/jsonp'"),
        ("x" * 100, f"'{56 * 'x'}..."),
    ],
)
def test_what_a_form_sends_is_refused(site: Site, content_type: str, found: str) -> None:
    """A page of another site may send these without asking; JSON it may not."""
    assert site.post(content_type=content_type).refused == (
        415,
        f"content type: expected application/json, found {found}",
    )
    assert site.model.shown == []


NO_PEN = "pen: expected a width of 0.005 to 0.3 sides of the canvas, found "


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", EMPTY),
        ("{'strokes': []}", f"{NO_JSON}Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b"\xff", f"{NO_JSON}'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        ("[]", "expected a JSON object with strokes, pen and mapping"),
        ("null", "expected a JSON object with strokes, pen and mapping"),
        ("{}", "drawing: expected an object of strokes and pen, found {}"),
        ('{"strokes": [], "x": 1}', "drawing: expected an object of strokes and pen, found {'strokes': [], 'x': 1}"),
        ('{"strokes": []}', "drawing: expected at least one stroke, found none; draw something"),
        ('{"strokes": 3}', "strokes: expected a list of strokes, found 3"),
        (
            '{"strokes": [[[0, 0]]], "strokes": [[[NaN, 0]]]}',
            "stroke 1: expected points on the canvas, 0 to 1, or near it, found (nan, 0)",
        ),
        (
            '{"strokes": [[[1e400, 0]]]}',
            "stroke 1: expected points on the canvas, 0 to 1, or near it, found (inf, 0)",
        ),
        ('{"strokes": [[[0, 0]]], "pen": Infinity}', f"{NO_PEN}inf"),
        ('{"strokes": [[[0, 0]]], "pen": 1%s}' % ("0" * 400), f"{NO_PEN}1{56 * '0'}..."),
        ('{"strokes": [[[0, 0]]], "pen": null}', f"{NO_PEN}None"),
        ('{"strokes": [[[0, 0]]], "mapping": "cubist"}', "mapping: expected one of mnist, notebook, found 'cubist'"),
        ('{"strokes": [[[0, 0]]], "mapping": ["mnist"]}', "mapping: expected one of mnist, notebook, found ['mnist']"),
        ('{"strokes": [[[0, 0]]], "mapping": null}', "mapping: expected one of mnist, notebook, found None"),
        (
            '{"strokes": [[[0, 0]]], "mapping": "\\ud800%s"}' % ("x" * 99),
            f"mapping: expected one of mnist, notebook, found '\\ud800{50 * 'x'}...",
        ),
    ],
)
def test_what_is_no_drawing_is_told(site: Site, body: str | bytes, message: str) -> None:
    """What was expected, and what was found; the model hears nothing."""
    assert site.post(body).refused == (400, message)
    assert site.model.shown == []


@pytest.mark.parametrize("body", ['{"strokes": %s}', '{"strokes": [[[0, 0]]], "mapping": %s}', '{"pen": %s}', "%s"])
def test_no_depth_is_too_much(site: Site, body: str) -> None:
    """Lists in lists, to where Python reads them but cannot write them down, and far beyond."""
    for depth in (*range(960, 1000), 100_000):
        assert site.post(body % ("[" * depth + "]" * depth)).refused[0] == 400


@pytest.mark.parametrize("error", [ServingError("the model is gone"), CloudError("endpoint x: Throttled: slow down")])
def test_what_the_model_says_is_told(site: Site, error: Exception) -> None:
    """In its own words: whoever draws sees why there is no answer."""
    site.model.fail(error)
    assert site.post().refused == (502, str(error))


def with_one(number: float) -> list[float]:
    """An answer of ten numbers, of which one is not 0."""
    return [number if digit == 4 else 0.0 for digit in range(10)]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (np.ones(9) / 9, "an answer of shape (9,)"),
        (np.ones((1, 10)) / 10, "an answer of shape (1, 10)"),
        (0.5, "an answer of shape ()"),
        ([], "an answer of shape (0,)"),
        (with_one(float("nan")), "numbers from nan to nan"),
        (with_one(float("inf")), "numbers from 0 to inf"),
        (with_one(-3.25), "numbers from -3.25 to 0"),
        (with_one(7), "numbers from 0 to 7"),
    ],
)
def test_what_is_no_probability_of_ten_digits_is_told(site: Site, answer: Any, found: str) -> None:
    """Ten numbers from 0 to 1, of which rounding may take or give a little."""
    site.model.does = lambda: answer
    message = f"expected 10 probabilities, one for each digit, found {found}: is this a model of digits?"
    assert site.post().refused == (502, message)
    site.model.does = lambda: with_one(1.00000012)
    assert site.post().content["probabilities"] == with_one(1.00000012)


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("division by zero"), KeyError("x"), OSError(5, "no"), MemoryError()]
)
def test_any_other_error_is_told_without_a_traceback(site: Site, error: Exception) -> None:
    """A fault of ours is one line on the page, and the page goes on."""
    site.model.fail(error)
    assert site.post().refused == (500, f"expected an answer, found {type(error).__name__}: {error}")
    site.model.does = lambda: "no numbers"
    assert site.post().refused == (
        500,
        "expected an answer, found ValueError: could not convert string to float: 'no numbers'",
    )
    site.model.does = THREE.copy
    assert site.post().status == 200


def hang_up(site: Site, *lines: str, body: bytes = b"", is_rude: bool = False) -> None:
    """Send a part of a request and go; rudely, so that the server's writing fails."""
    with socket.create_connection(("127.0.0.1", site.port), timeout=30) as connection:
        connection.sendall("\r\n".join(lines).encode() + body)
        if is_rude:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_nothing_is_told_on_the_terminal(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    """Not of answers, errors, nonsense, nor of clients that go; and the page goes on."""
    assert [site.ask().status, site.ask(path="/nowhere").status, site.post().status] == [200, 404, 200]
    site.model.fail(RuntimeError("a fault"))
    assert site.post().status == 500
    for line in (
        "GET http://[ HTTP/1.1",
        "\x16\x03\x01 TLS",
        "GET / HTTP/9.9",
        "GET /",
        f"GET /{'x' * 70_000} HTTP/1.1",
    ):
        site.send(line, "Host: localhost")
    for is_rude in (False, True):
        hang_up(site, "GET / HT", is_rude=is_rude)
        hang_up(site, *POST, "Content-Length: 500", "", "", body=b'{"strokes"', is_rude=is_rude)
        hang_up(site, *POST, f"Content-Length: {len(DRAWN)}", "", "", body=DRAWN, is_rude=is_rude)
        hang_up(site, "GET /page.js HTTP/1.1", "Host: localhost", "", "", is_rude=is_rude)
    assert site.ask().status == 200
    assert capfd.readouterr() == ("", "")


def test_the_terminal_would_show_what_werkzeug_tells(capfd: pytest.CaptureFixture[str]) -> None:
    """Control: the same request to its own server is told."""
    from werkzeug.serving import make_server

    told = make_server("127.0.0.1", 0, lambda *_: [], threaded=False)
    thread = threading.Thread(target=told.handle_request)
    thread.start()
    Site(told.port, Model()).send("GET http://[ HTTP/1.1")
    thread.join()
    told.server_close()
    assert "Invalid IPv6 URL" in capfd.readouterr().err


def test_a_quiet_client_is_left_and_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that sends half a request is told so once its time is over; meanwhile others are answered."""
    monkeypatch.setattr(server, "SECONDS", 0.4)
    with PageServer(Page(Model(), About(source=""))) as served:
        site = Site(port_of(served), Model())
        with socket.create_connection(("127.0.0.1", site.port), timeout=30) as slow, slow.makefile("rb") as answer:
            slow.sendall("\r\n".join([*POST, "Content-Length: 500", "", '{"strokes"']).encode())
            assert site.ask().status == 200
            assert b"found that it ends early" in answer.read()


def test_fifty_are_answered_at_once(site: Site) -> None:
    """None waits for another: the model is asked by all of them before it answers any."""
    together = threading.Barrier(50)

    def does() -> Any:
        together.wait(timeout=30)
        return THREE

    site.model.does = does
    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(lambda _: site.post().status, range(50)))
    assert statuses == [200] * 50


def leave_last(site: Site) -> None:
    """Have the server close a connection first: for a minute the system keeps its port then."""
    with socket.create_connection(("127.0.0.1", site.port), timeout=30) as connection:
        connection.sendall(b"GET /about HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with connection.makefile("rb") as answer:
            assert answer.read()


def test_stopping_does_not_wait_for_an_answer() -> None:
    """Nobody new is answered then; who has asked before still is, and the port is free again."""
    asked, go = threading.Event(), threading.Event()

    def does() -> Any:
        asked.set()
        assert go.wait(30)
        return THREE

    model = Model(does)
    page = Page(model, About(source=""))
    with ThreadPoolExecutor(1) as pool:
        with PageServer(page) as served:
            site = Site(port_of(served), model)
            waiting = pool.submit(site.post)
            assert asked.wait(30)
            leave_last(site)
        with pytest.raises(ConnectionRefusedError):
            site.ask()
        go.set()
        assert waiting.result(30).status == 200
    with PageServer(page, site.port) as again:
        assert again.url == f"http://127.0.0.1:{site.port}/"
        assert site.ask().status == 200


def test_it_listens_on_loopback_alone() -> None:
    """At 127.0.0.1 and at no other address, of this machine's own ones either."""
    before = Counter(listening(os.getpid()))
    with PageServer(Page(Model(), About(source=""))) as served:
        [address] = Counter(listening(os.getpid())) - before
        assert address in LOOPBACK
        port = port_of(served)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), timeout=30)
    assert Counter(listening(os.getpid())) == before


@pytest.mark.parametrize("port", ["taken", -1, 65536])
def test_a_port_that_cannot_be_had_is_told(site: Site, port: int | str, capfd: pytest.CaptureFixture[str]) -> None:
    """By an error of ours that says what to do; werkzeug would print and end the process."""
    number = site.port if port == "taken" else int(port)
    reason = r"\[Errno 98\] Address already in use" if port == "taken" else r"bind\(\): port must be 0-65535\."
    expected = rf"port {number} on 127\.0\.0\.1 cannot be had: {reason}; choose another one"
    with pytest.raises(ServingError, match=f"^{expected}$"):
        PageServer(Page(Model(), About(source="")), number)
    assert capfd.readouterr() == ("", "")
