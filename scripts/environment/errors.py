"""Errors of the set-up, for people."""

from __future__ import annotations


class SetupError(Exception):
    """Says what stands in the way."""
