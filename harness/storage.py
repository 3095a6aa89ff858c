"""Where files are kept for this user between runs, and how they are written so that nothing is ever half there.

``BYOM_CACHE_DIR`` names another place than the operating system's per-user cache folder, ``BYOM_STATE_DIR`` another
than its folder for what must outlive a cache.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def cache_directory() -> Path:
    """The harness's cache: ``BYOM_CACHE_DIR``, else ``byom-harness`` in the per-user cache folder. It may not exist."""
    chosen = os.environ.get("BYOM_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("byom-harness"))


def state_directory() -> Path:
    """Where the ledger lies: ``BYOM_STATE_DIR``, else ``byom-harness`` in the user's state folder. It may not exist."""
    chosen = os.environ.get("BYOM_STATE_DIR")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_state_dir("byom-harness"))


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that every reader, at any moment, sees the old file or the whole new one.

    The bytes go to a temporary file of their own in the same directory (made if missing), reach the disk, and are then
    renamed over ``path``.

    Raises:
        OSError: the directory or the file cannot be written; the temporary file is removed and ``path`` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    # Not tempfile's: its files are for their owner alone, and these may be pages that others are to read.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - the call whose atomicity this function is about
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
