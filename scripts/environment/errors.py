"""Errors of the set-up, with messages for people."""

from __future__ import annotations


class SetupError(Exception):
    """Raised when the set-up fails. The message says why."""
