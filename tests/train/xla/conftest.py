"""A long run of the comparisons with MXNet: ``pytest tests/train/xla --hypothesis-profile=long``."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("long", deadline=None)
