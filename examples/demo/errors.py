"""What can go wrong with the demo, for people."""

from __future__ import annotations


class Failed(Exception):
    """Says in a sentence what went wrong."""
