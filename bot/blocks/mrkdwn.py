"""Format values as Slack's mrkdwn, and escape what people typed."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

from bot.blocks.limits import escape, length, sendable, shorten
from bot.domain.catalogue import DatabaseInfo
from bot.domain.identifiers import ALL_DATABASES, MAX_ENTITY

MAX_NAME_SHOWN = 80
MAX_ENTITY_SHOWN = 2 * MAX_ENTITY
"""As Slack counts: an id may consist of emoji."""

MAX_SENTENCE = 600
"""Escaping and quoting make text up to five times longer, and a section holds 3,000 characters."""

_CODE = re.compile(r"(`[^`]+`)")
_EMPHASIS = re.compile(r"[^\s“”]*[*_~>][^\s“”]*")
_MARKUP = re.compile(r"[*_~`]|:[\w+-]+:|^>|://|\w@\w|[^\S ]")
_USER = re.compile(r"[UW][A-Z0-9]{1,30}", re.ASCII)
_CHANNEL = re.compile(r"[CDG][A-Z0-9]{1,30}", re.ASCII)


def one_line(text: str) -> str:
    """Return the text on one line; file names may hold line breaks."""
    return " ".join(sendable(text).split())


def code(text: str, fallback: str = "?") -> str:
    """Return a name as inline code, where mrkdwn reads no emphasis, emoji or quotes; ``fallback`` if it is empty."""
    name = shorten(one_line(text).replace("`", "'"), MAX_NAME_SHOWN)
    return f"`{escape(name)}`" if name else fallback


def entity_code(entity: str) -> str:
    """Return a whole id as inline code. A backtick can't be escaped there, so it becomes an apostrophe."""
    shown = sendable(entity).replace("`", "'")
    return f"`{escape(shorten(shown, MAX_ENTITY_SHOWN))}`" if shown else "?"


def escape_sentence(sentence: str) -> str:
    """Escape a sentence of the bot that may quote a person, and keep its inline code.

    mrkdwn has no escape for emphasis, so a word with ``*``, ``_``, ``~`` or ``>`` is shown as code.
    """
    parts = _CODE.split(shorten(one_line(sentence), MAX_SENTENCE))
    parts[::2] = [_EMPHASIS.sub(_as_code, part.replace("`", "'")) for part in parts[::2]]
    # Two adjacent backticks would open a longer kind of code.
    return escape("".join(parts)).replace("``", "` `")


def _as_code(word: re.Match[str]) -> str:
    return f"`{word[0]}`"


def capitalised(text: str) -> str:
    """Return the text with its first letter as a capital; the others stay as they are."""
    return text[:1].upper() + text[1:]


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 image``, ``1,234 images``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def count_images(number: int) -> str:
    """Return ``1 image`` or ``1,234 images``."""
    return count(number, "image")


def database_code(name: str) -> str:
    """Return a database's name as inline code, or words for all databases."""
    return database_words(name) if name == ALL_DATABASES else f"`{name}`"


def database_words(name: str) -> str:
    """Return a database's name, or words for all databases, for notifications."""
    return "all databases" if name == ALL_DATABASES else name


def database_size(info: DatabaseInfo) -> str:
    """Return a database's name and its number of images."""
    return f"{database_code(info.key.name)} ({count_images(info.images)})"


def score_text(score: float) -> str:
    """Return ``9.8/10`` or ``9/10``."""
    return f"{points(score)}/10"


def cut_score(score: float) -> float:
    """Return a score as it is shown, with one decimal. It is cut, not rounded: 8.96 must not pass for a 9, a copy."""
    return math.floor(score * 10 + 1e-6) / 10


def points(score: float) -> str:
    """Return ``9.8`` or ``9``."""
    shown = cut_score(score)
    return f"{shown:.0f}" if shown.is_integer() else f"{shown:.1f}"


def user_mention(user: str) -> str:
    """Return a mention of a user; empty if ``user`` is not a user id."""
    return f"<@{user}>" if _USER.fullmatch(user) else ""


def channel_link(channel: str) -> str:
    """Return a link to a channel, or words where there is none."""
    if channel.startswith("D"):
        # Slack can't link to a direct message: it has no name.
        return "direct messages with me"
    return f"<#{channel}>" if _CHANNEL.fullmatch(channel) else "this channel"


def date_text(moment: datetime) -> str:
    """Return the date, which Slack writes in the reader's language and time zone: ``Nov 3, 2026`` or ``yesterday``."""
    utc = moment.astimezone(UTC)
    return _date(utc, "{date_short_pretty}", f"{utc.day} {utc:%b %Y}")


def day_text(moment: datetime) -> str:
    """Return the date for use after “on”, which Slack writes in the reader's language: ``Nov 3, 2026``."""
    utc = moment.astimezone(UTC)
    return _date(utc, "{date_short}", f"{utc.day} {utc:%b %Y}")


def ago_text(moment: datetime) -> str:
    """Return how long ago something was, which Slack keeps up to date: ``3 minutes ago``."""
    utc = moment.astimezone(UTC)
    return _date(utc, "{ago}", f"{utc:%H:%M} UTC")


def _date(utc: datetime, form: str, fallback: str) -> str:
    """Return a date for Slack to format; clients that can't do it show the fallback."""
    return f"<!date^{int(utc.timestamp())}^{form}|{fallback}>"


def plain_phrase(text: str, max_length: int) -> str:
    """Return a person's text escaped for mrkdwn, if it is one short line on which mrkdwn has no effect; else nothing.

    mrkdwn has no escape for emphasis, quotes, code and emoji codes.
    """
    phrase = sendable(text)
    if not phrase or "\n" in phrase or length(phrase) > max_length or _MARKUP.search(phrase):
        return ""
    return escape(phrase)
