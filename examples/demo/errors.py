"""Errors of the demo, with messages for people."""

from __future__ import annotations


class DemoError(Exception):
    """Raised when the demo fails. The message says why."""
