"""Web servers as sources of data files: HTTPS only, bounded in size, each wait bounded in time."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from harness.data.sources import SIZE_LIMIT, gunzip
from harness.errors import DataError, DeclarationError

if TYPE_CHECKING:
    from email.message import Message

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Mirror:
    """A web server that holds ``FILE.gz`` under a base URL.

    Args:
        url: the base, ``https://`` only; redirects are held to the same rule.
        timeout: seconds to wait for a connection, and for each read.
        size_limit: bytes, packed and unpacked.
        allow_loopback_http: also take ``http://`` on this machine's loopback address, as tests do.

    Raises:
        DeclarationError: the URL is not allowed.
    """

    url: str
    timeout: float = 20
    size_limit: int = SIZE_LIMIT
    allow_loopback_http: bool = False

    def __post_init__(self) -> None:
        if not self.allows(self.url):
            raise DeclarationError(
                f"mirror: expected an https:// URL, found {self.url!r}; data is not taken in the clear"
            )

    @property
    def name(self) -> str:
        """How messages call this source."""
        return f"mirror {self.url}"

    def allows(self, url: str) -> bool:
        """Whether a URL, this mirror's own or one that it redirects to, may be asked."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        loopback = self.allow_loopback_http and parts.scheme == "http" and parts.hostname in _LOOPBACK
        return bool(parts.hostname) and (parts.scheme == "https" or loopback)

    def fetch(self, file: str) -> bytes:
        """See `Source.fetch`."""
        handlers: list[urllib.request.BaseHandler] = [_Redirects(self)]
        if self.allow_loopback_http:
            handlers.append(urllib.request.ProxyHandler({}))  # a proxy cannot reach this machine's loopback
        opener = urllib.request.build_opener(*handlers)
        try:
            with opener.open(f"{self.url.rstrip('/')}/{file}.gz", timeout=self.timeout) as response:
                packed: bytes = response.read(self.size_limit + 1)
        except urllib.error.HTTPError as error:
            error.close()
            raise DataError(f"answered {error.code} {error.reason} for {file}.gz") from error
        except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: a redirect to no real URL
            raise DataError(f"cannot be reached: {getattr(error, 'reason', None) or repr(error)}") from error
        if len(packed) > self.size_limit:
            raise DataError(f"{file}.gz: expected at most {self.size_limit} bytes, found more")
        return gunzip(packed, self.size_limit)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only where the mirror itself would be allowed."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    def redirect_request(  # noqa: PLR0917 - the signature is the standard library's
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        if not self._mirror.allows(newurl):
            fp.close()
            raise DataError(f"expected an https:// URL, was redirected to {newurl!r}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
