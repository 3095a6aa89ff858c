"""The decompressed side of a ``.tar.gz``: read in order, counted against limits, its failures put into words."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

from harness.artifact import Problem
from harness.tarball.gunzip import Gunzip, NotGzipError
from harness.tarball.member import DamageError

CHUNK = 1 << 20
"""Bytes decompressed at a time: large enough for speed, small enough for any machine."""

_AGAIN = "pack the model again, and copy the file in binary mode"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an archive may cost whoever opens it.

    Attributes:
        headers: members and extended headers; a model with a whole virtual environment under ``code/`` has fewer.
        unpacked: bytes. The container holds the parameters twice while it starts, and the notebook's ml.m4.xlarge has
            16 GiB.
        ratio: unpacked to packed. Trained weights give about 1.1, scripts 5; only bombs and blank weights give more.
        ratio_floor: bytes below which the ratio is not looked at: small files of zeros are harmless.
    """

    headers: int = 20_000
    unpacked: int = 4 << 30
    ratio: int = 100
    ratio_floor: int = 64 << 20


LIMITS = Limits()


def fail(code: str, found: str, remedy: str = _AGAIN, *, complete: bool = False) -> NoReturn:
    """Raise a `DamageError` about the archive as a whole."""
    raise DamageError(Problem(code, "", found, remedy), complete=complete)


class Unpacked:
    """The decompressed bytes of a gzip file.

    Attributes:
        complete: set by the reader once the end of the tar inside was seen.
    """

    def __init__(self, raw: BinaryIO, packed: int, limits: Limits) -> None:
        self._stream = io.BufferedReader(Gunzip(raw), CHUNK)
        self._packed = packed
        self._limits = limits
        self._position = 0
        self.complete = False

    def allow(self, size: int) -> None:
        """Raise `DamageError` when `size` more bytes would break a limit."""
        total = self._position + size
        if total > self._limits.unpacked:
            fail(
                "too-large",
                f"expected at most {self._limits.unpacked:,} bytes unpacked, found at least {total:,}",
                "pack only what the model needs",
            )
        if total > max(self._limits.ratio_floor, self._limits.ratio * self._packed):
            fail(
                "suspicious-ratio",
                f"expected at most {self._limits.ratio} bytes unpacked for each one packed, found {total:,} from "
                f"{self._packed:,}",
                "do not open this file unless you made it; if you did, look for weights that were never trained",
            )

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, fewer only where the stream ends; raises `DamageError` for all that can go wrong."""
        self.allow(0)
        try:
            data = self._stream.read(size)
        except EOFError:
            fail("truncated", "expected the gzip stream to end with its checksum, found the end of the file")
        except NotGzipError as error:
            self._refuse(error)
        except zlib.error as error:
            reason = str(error).rpartition(": ")[2]
            fail("damaged", f"expected an intact gzip stream, found: {reason}", complete=self.complete)
        except OSError as error:
            fail("unreadable", f"expected to read the file, found: {error}", "check the disk")
        self._position += len(data)
        return data

    def _refuse(self, error: NotGzipError) -> NoReturn:
        if not self._position:
            fail(
                "not-gzip",
                f"expected a gzip file, found one that begins with {error}",
                "pack it with harness.tarball.export, or with tar -czf",
            )
        fail("trailing-data", "expected nothing after the gzip stream, found more bytes", complete=self.complete)
