"""Values to words. What somebody typed comes out as text that mrkdwn leaves alone."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

from bot.blocks.limits import escape, sendable, shorten
from bot.domain.catalogue import DatabaseInfo

MAX_NAME_SHOWN = 80
MAX_SENTENCE = 600
"""Escaping and quoting make text up to five times longer, and a section holds 3,000."""

_CODE = re.compile(r"(`[^`]+`)")
_SIGNS = re.compile(r"[^\s“”]*[*_~>][^\s“”]*")
_USER = re.compile(r"[UW][A-Z0-9]{1,30}", re.ASCII)
_CHANNEL = re.compile(r"[CDG][A-Z0-9]{1,30}", re.ASCII)


def one_line(text: str) -> str:
    """Text of somebody's in one line: a file name may hold line breaks."""
    return " ".join(sendable(text).split())


def code(text: str, otherwise: str = "?") -> str:
    """A name as code, which is the only mrkdwn that knows no emphasis, emoji and quotes."""
    name = shorten(one_line(text).replace("`", "'"), MAX_NAME_SHOWN)
    return f"`{escape(name)}`" if name else otherwise


def escape_sentence(sentence: str) -> str:
    """A sentence of ours, with code of ours, that may quote somebody.

    mrkdwn has no escape for emphasis: a word with its signs is shown as code.
    """
    parts = _CODE.split(shorten(one_line(sentence), MAX_SENTENCE))
    parts[::2] = [_SIGNS.sub(_as_code, part.replace("`", "'")) for part in parts[::2]]
    # Two of them with nothing between would open a longer kind of code.
    return escape("".join(parts)).replace("``", "` `")


def _as_code(word: re.Match[str]) -> str:
    return f"`{word[0]}`"


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 image``, ``1,234 images``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def count_images(number: int) -> str:
    """``1 image``, ``1,234 images``."""
    return count(number, "image")


def database_size(info: DatabaseInfo) -> str:
    """A database and how many images it holds."""
    return f"`{info.key.name}` ({count_images(info.images)})"


def score_text(score: float) -> str:
    """``9.8/10``. Cut, not rounded: 8.96 must not pass for the 9 that means a proven copy."""
    return f"{points(score)}/10"


def points(score: float) -> str:
    """``9.8`` or ``9``, cut and not rounded."""
    tenths = math.floor(score * 10 + 1e-6)
    return f"{tenths // 10}" if tenths % 10 == 0 else f"{tenths / 10:.1f}"


def user_mention(user: str) -> str:
    """A mention of somebody by id; empty for what is no id."""
    return f"<@{user}>" if _USER.fullmatch(user) else ""


def channel_link(channel: str) -> str:
    """A link to a channel by id, or words."""
    if channel.startswith("D"):
        # A direct message has no name to link to.
        return "direct messages with me"
    return f"<#{channel}>" if _CHANNEL.fullmatch(channel) else "this channel"


def date_text(moment: datetime) -> str:
    """A date as everybody reads it, wherever they are and whatever shows it."""
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


def time_text(moment: datetime) -> str:
    """A time of today."""
    return f"{moment.astimezone(UTC):%H:%M} UTC"
