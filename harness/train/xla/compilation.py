"""Compiled programs are kept between runs: the second run of a sweep compiles nothing."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import jax

from harness.storage import cache_directory
from harness.train.processor import instruction_set

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOG = logging.getLogger(__name__)

_KEPT = {
    "jax_persistent_cache_min_compile_time_secs": 0.0,  # all of them: each costs a second or so
    "jax_persistent_cache_min_entry_size_bytes": -1,
    "jax_compilation_cache_max_size": 2**30,
}


@contextmanager
def kept_programs() -> Iterator[None]:
    """While it lasts, what is compiled is kept in the harness's cache, unless the user has named a place of their own.

    A cache that cannot be read or written costs time and nothing else.
    """
    before = {name: getattr(jax.config, name) for name in (*_KEPT, "jax_compilation_cache_dir")}
    if before["jax_compilation_cache_dir"] is not None:
        yield
        return
    folder = cache_directory() / "xla" / instruction_set()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*persistent compilation cache")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _configure({**_KEPT, "jax_compilation_cache_dir": str(folder)})
        except OSError as error:
            _LOG.info("compiled programs are not kept in %s: %s", folder, error)
        try:
            yield
        finally:
            _configure(before)


def _configure(values: dict[str, object]) -> None:
    from jax.experimental.compilation_cache import compilation_cache

    for name, value in values.items():
        jax.config.update(name, value)  # type: ignore[no-untyped-call]
    compilation_cache.reset_cache()  # it looks at its folder once, and never again
