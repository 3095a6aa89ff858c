"""The ``byom`` command: thin, every verb calls one room."""

from __future__ import annotations

from harness.cli.commands import app, main

__all__ = ["app", "main"]
