"""S3's ``DeleteObjects``: one request, a permission for each object, and an answer that tells of each."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from harness.simulator.access.refusals import xml
from harness.simulator.access.s3_needs import address, on_object
from harness.simulator.aws_request import read_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.simulator.access.policies import Need
    from harness.simulator.access.signed_request import SignedRequest
    from harness.simulator.aws_request import Environ, Refusal, Response

_XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"


@dataclass(frozen=True)
class Deletion:
    """What is left of a ``DeleteObjects`` once the caller's permissions were looked at.

    Attributes:
        environ: the request for those objects that may be deleted, or None if there are none.
        errors: what the answer says of the others, in XML.
    """

    environ: Environ | None
    errors: str

    def answer(self, deleted: Response | None) -> Response:
        """One answer of both: as AWS's, it is a success, also where nothing was deleted."""
        end = "</DeleteResult>"
        if deleted is None:
            return xml(f'<DeleteResult xmlns="{_XMLNS}">{self.errors}{end}')
        head, _, _ = deleted.body.decode().rpartition(end)
        return xml(f"{head.partition('?>')[2]}{self.errors}{end}", deleted.status) if head else deleted


def is_deletion(request: SignedRequest) -> bool:
    """Whether it is a ``DeleteObjects``."""
    return request.service == "s3" and request.method == "POST" and "delete" in request.query


def divide(request: SignedRequest, refusal: Callable[[Need], Refusal | None]) -> Deletion:
    """Look at each object that a ``DeleteObjects`` names.

    Args:
        request: the request.
        refusal: how a permission is refused; None if it is not.
    """
    bucket, _ = address(request)
    tree = ET.fromstring(read_body(request.environ))  # noqa: S314 - of a client on this machine
    prefix = tree.tag.removesuffix("Delete")  # "{the namespace}", if there is one
    errors, objects = [], tree.findall(f"{prefix}Object")
    for entry in objects:
        key, version = entry.findtext(f"{prefix}Key", ""), entry.findtext(f"{prefix}VersionId", "")
        refused = refusal(on_object("DeleteObject", bucket, key, version))
        if refused:
            errors.append(_error(key, version, refused))
            tree.remove(entry)
    body = ET.tostring(tree, default_namespace=prefix.strip("{}") or None)  # moto reads names without prefixes
    left = _with_body(request.environ, body) if len(errors) < len(objects) else None
    return Deletion(left, "".join(errors))


def _error(key: str, version: str, refused: Refusal) -> str:
    of_version = f"<VersionId>{escape(version)}</VersionId>" if version else ""
    said = f"<Code>{refused.kind}</Code><Message>{escape(refused.message)}</Message>"
    return f"<Error><Key>{escape(key)}</Key>{of_version}{said}</Error>"


def _with_body(environ: Environ, body: bytes) -> Environ:
    """Another body; the digests in the headers were the old one's."""
    digests = ("HTTP_CONTENT_MD5", "HTTP_X_AMZ_CHECKSUM", "HTTP_X_AMZ_SDK_CHECKSUM", "HTTP_X_AMZ_CONTENT_SHA256")
    kept = {name: value for name, value in environ.items() if not name.startswith(digests)}
    return {**kept, "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
