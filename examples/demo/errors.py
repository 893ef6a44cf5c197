"""What can go wrong with the demo, for people."""

from __future__ import annotations


class DemoError(Exception):
    """Says in a sentence what went wrong."""
