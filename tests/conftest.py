"""What every test shares: a cache of this run's own, and a profile for long runs of the properties."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

settings.register_profile("long", deadline=None)
"""``pytest FILE --hypothesis-profile=long``: files that compare with MXNet try many more examples then."""


@pytest.fixture(scope="session", autouse=True)
def own_cache() -> Iterator[None]:
    """Models of an earlier run must not decide what a test sees, nor models of tests fill the user's cache."""
    with tempfile.TemporaryDirectory(prefix="byom-tests-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("BYOM_CACHE_DIR", folder)
        yield
