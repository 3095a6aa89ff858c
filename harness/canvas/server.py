"""The page on which a digit is drawn, served to this machine's own browsers and to nobody else.

``GET /`` is the page, ``GET /about`` says what answers, ``POST /answer`` takes a drawing as JSON and gives the picture
that the model was shown, its probabilities and how long it took. Every error is JSON too: ``{"error": "..."}``.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from importlib import resources
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from harness.canvas.drawing import PEN, THICKEST, THINNEST, Drawing, short
from harness.canvas.picture import MAPPINGS
from harness.errors import DataError, HarnessError, ServingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from numpy.typing import NDArray
    from werkzeug.wrappers import Request, Response

    Answerer = Callable[[NDArray[np.float32]], NDArray[np.float64]]
    """Probabilities (classes,) for a picture, float32 (28, 28)."""

DIGITS = tuple("0123456789")

MOST_BYTES = 512 * 1024
"""Of a request: a drawing of as many points as may be, with room."""

SECONDS = 30.0
"""How long a connection may keep quiet."""

_POLL_SECONDS = 0.1
"""How long stopping may take to be noticed."""

_ROUNDING = 1e-3
"""How far beyond 0 and 1 a probability may be."""

_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/pad.js": ("pad.js", "text/javascript; charset=utf-8"),
    "/answer.js": ("answer.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}

_NAMES = ("127.0.0.1", "localhost")
"""What a browser may call this machine. Any other name was pointed here by somebody else (DNS rebinding)."""

_HOST = re.compile(rf"(?:{'|'.join(map(re.escape, _NAMES))})(?::[0-9]+)?", re.ASCII)

_HEADERS = {
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


@dataclass(frozen=True, kw_only=True)
class About:
    """What answers, in words.

    Attributes:
        source: the tarball, or the endpoint and its account.
        price: what it costs while it exists; "" for nothing.
    """

    source: str
    price: str = ""


class _RefusalError(Exception):
    """A request that is not answered, with why."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class Page:
    """The page as a WSGI application.

    Args:
        ask: the model; a `HarnessError` of its own is told on the page.
        about: what it is.
    """

    def __init__(self, ask: Answerer, about: About) -> None:
        self._ask, self._about = ask, about

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        from werkzeug.wrappers import Request

        request = Request(environ)
        try:
            _check_place(request)
            response = self._respond(request)
        except _RefusalError as refusal:
            response = _as_json({"error": str(refusal)}, refusal.status)
        except Exception as error:  # noqa: BLE001 - it is told where somebody looks, and the page goes on
            found = f"{type(error).__name__}: {error}"
            response = _as_json({"error": f"expected an answer, found {found}"}, HTTPStatus.INTERNAL_SERVER_ERROR)
        response.headers.update(_HEADERS)
        return response(environ, start_response)

    def _respond(self, request: Request) -> Response:
        from werkzeug.wrappers import Response

        if request.path == "/answer":
            _check_method(request, "POST")
            return _as_json(self._answer(_content(request)))
        if request.path not in _FILES and request.path != "/about":
            raise _RefusalError(HTTPStatus.NOT_FOUND, f"{request.path}: there is no such page; open /")
        _check_method(request, "GET", "HEAD")
        if request.path == "/about":
            limits = {"default": PEN, "thinnest": THINNEST, "thickest": THICKEST}
            return _as_json({"source": self._about.source, "price": self._about.price, "pen": limits})
        name, content_type = _FILES[request.path]
        held = resources.files("harness.canvas").joinpath("page", name).read_bytes()
        return Response(held, content_type=content_type)

    def _answer(self, content: Any) -> dict[str, Any]:
        """What the model says to a drawing."""
        if not isinstance(content, dict):
            raise _RefusalError(HTTPStatus.BAD_REQUEST, "expected a JSON object with strokes, pen and mapping")
        mapping = content.pop("mapping", "mnist")
        if not isinstance(mapping, str) or mapping not in MAPPINGS:
            known = ", ".join(MAPPINGS)
            raise _RefusalError(HTTPStatus.BAD_REQUEST, f"mapping: expected one of {known}, found {short(mapping)}")
        try:
            picture = MAPPINGS[mapping](Drawing.from_dict(content))
        except DataError as error:
            raise _RefusalError(HTTPStatus.BAD_REQUEST, str(error)) from error
        began = time.perf_counter()
        try:
            probabilities = _checked(self._ask(picture))
        except HarnessError as error:
            raise _RefusalError(HTTPStatus.BAD_GATEWAY, str(error)) from error
        return {
            "probabilities": probabilities.tolist(),
            "picture": np.rint(picture * 255).astype(int).ravel().tolist(),
            "milliseconds": (time.perf_counter() - began) * 1000,
        }


class PageServer:
    """The page on loopback; stopped with the context.

    Args:
        page: what answers.
        where: a port of 127.0.0.1, 0 for a free one, or what `listen` gave.

    Raises:
        ServingError: the port cannot be had.
    """

    def __init__(self, page: Page, where: int | socket.socket = 0) -> None:
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            """A request is nothing to tell a user about."""

            timeout = SECONDS

            def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
                pass

            def handle(self) -> None:
                with suppress(Exception):  # what is no HTTP: socketserver would print a traceback
                    super().handle()

        with where if isinstance(where, socket.socket) else listen(where) as listener:
            host, port = listener.getsockname()
            self._server = make_server(host, port, page, threaded=True, request_handler=Quiet, fd=listener.fileno())
        serve, every = self._server.serve_forever, (_POLL_SECONDS,)
        self._thread = threading.Thread(target=serve, args=every, name="page to draw on", daemon=True)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self._server.port}/"

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def listen(port: int) -> socket.socket:
    """A port of 127.0.0.1, 0 for a free one; werkzeug would end the process with a message of its own.

    Raises:
        ServingError: the port cannot be had.
    """
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise ServingError(f"port {port} on 127.0.0.1 cannot be had: {error}; choose another one") from error
    return listener


def _check_place(request: Request) -> None:
    """A page of another site must neither read nor ask anything here, under whatever name it reaches this machine."""
    host = request.headers.get("Host", "").lower()
    if not _HOST.fullmatch(host):
        names = " or ".join(_NAMES)
        raise _RefusalError(HTTPStatus.FORBIDDEN, f"host: expected {names}, found {short(host)}; open the address told")
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"http://{host}":
        raise _RefusalError(
            HTTPStatus.FORBIDDEN, f"origin: expected http://{host}, found {short(origin)}: another site's page"
        )


def _check_method(request: Request, *allowed: str) -> None:
    if request.method not in allowed:
        expected = " or ".join(allowed)
        raise _RefusalError(
            HTTPStatus.METHOD_NOT_ALLOWED, f"{request.path}: expected {expected}, found {short(request.method)}"
        )


def _content(request: Request) -> Any:
    """The JSON that was sent."""
    if request.mimetype != "application/json":
        found = short(request.mimetype) if request.mimetype else "none"
        raise _RefusalError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"content type: expected application/json, found {found}"
        )
    try:
        return json.loads(_body(request))
    except (ValueError, RecursionError) as error:
        raise _RefusalError(HTTPStatus.BAD_REQUEST, f"request: expected JSON, found something else: {error}") from error


def _body(request: Request) -> bytes:
    """What was sent, all of it."""
    from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

    request.max_content_length = MOST_BYTES + 1  # of what comes in chunks, werkzeug cuts the rest off and says nothing
    try:
        body = request.get_data()
        is_too_large = len(body) > MOST_BYTES
    except RequestEntityTooLarge:
        is_too_large = True
    except ClientDisconnected as error:
        raise _RefusalError(HTTPStatus.BAD_REQUEST, "request: expected all of it, found that it ends early") from error
    if is_too_large:
        found = f"{request.content_length:,}" if request.content_length else "more"
        raise _RefusalError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"request: expected at most {MOST_BYTES:,} bytes, found {found}"
        )
    return body


def _checked(answer: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.asarray(answer, dtype=np.float64)
    if values.shape != (len(DIGITS),):
        found = f"an answer of shape {values.shape}"
    elif not ((values >= -_ROUNDING) & (values <= 1 + _ROUNDING)).all():  # nor is what is no number
        found = f"numbers from {values.min():g} to {values.max():g}"
    else:
        return values
    raise ServingError(
        f"expected {len(DIGITS)} probabilities, one for each digit, found {found}: is this a model of digits?"
    )


def _as_json(content: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Response:
    from werkzeug.wrappers import Response

    return Response(json.dumps(content), status=status, content_type="application/json")
