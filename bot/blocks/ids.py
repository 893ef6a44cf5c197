"""Every identifier that Slack sends back to us, in one place."""

from __future__ import annotations

from enum import StrEnum


class BlockId(StrEnum):
    """Blocks that tests and later actions look for; a message has each at most once."""

    SUMMARY = "summary"
    LEFT_OUT = "left_out"
    NOTICE = "notice"
