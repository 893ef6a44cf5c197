"""The answer to a search, from values to blocks. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Protocol

from bot.blocks.ids import BlockId
from bot.blocks.limits import Block, fit, sendable
from bot.blocks.reply import Reply, heading, notice, section, small_print, verbatim
from bot.models import DatabaseInfo, ImageRecord, Match

NOTE_SHOWN = 300
MATCHES_OF_EACH = 3
"""Of each picture, when one message had several: the rest would bury the others."""

_USER = re.compile(r"[UW][A-Z0-9]{1,30}", re.ASCII)
_PERMALINK = re.compile(r"https?://[^\s<>|]{1,500}")


class Ranked(Protocol):
    """One match with its place and what the catalogue knows of it."""

    @property
    def rank(self) -> int: ...  # noqa: D102 - see the class
    @property
    def match(self) -> Match: ...  # noqa: D102
    @property
    def record(self) -> ImageRecord | None: ...  # noqa: D102


class Found(Protocol):
    """What a search found."""

    @property
    def database(self) -> DatabaseInfo: ...  # noqa: D102 - see the class
    @property
    def matches(self) -> Sequence[Ranked]: ...  # noqa: D102
    @property
    def weaker(self) -> int: ...  # noqa: D102


class LookedUp(Protocol):
    """One picture of several: what was found, or why it could not be looked up."""

    @property
    def name(self) -> str: ...  # noqa: D102 - see the class
    @property
    def found(self) -> Found | None: ...  # noqa: D102
    @property
    def problem(self) -> str: ...  # noqa: D102


def search_reply(found: Found) -> Reply:
    """The answer for one picture."""
    groups = [_match(ranked) for ranked in found.matches]

    def closing(left_out: int) -> list[Block]:
        return _left_out(found, left_out)

    summary = section(_summary(found), BlockId.SUMMARY)
    return Reply(_headline(found), fit([[summary], *groups], closing))


def pictures_reply(pictures: Sequence[LookedUp]) -> Reply:
    """The one answer for a message: with a single picture that of a search, else a part for each."""
    if len(pictures) == 1:
        (only,) = pictures
        return notice(only.problem) if only.found is None else search_reply(only.found)
    groups = [_picture(number, picture) for number, picture in enumerate(pictures, start=1)]
    headlines = [
        f"{number}. {'Not looked up.' if picture.found is None else _headline(picture.found)}"
        for number, picture in enumerate(pictures, start=1)
    ]

    def closing(left_out: int) -> list[Block]:
        more = f"The answers for {_count(left_out, 'more picture')} don't fit in one message: share fewer at once."
        return [small_print(more, BlockId.LEFT_OUT)] if left_out else []

    return Reply("\n".join(headlines), fit(groups, closing))


def score_text(score: float) -> str:
    """``9.8/10``. Cut, not rounded: 8.96 must not pass for the 9 that means a proven copy."""
    tenths = math.floor(score * 10 + 1e-6)
    return f"{tenths // 10}/10" if tenths % 10 == 0 else f"{tenths / 10:.1f}/10"


def count_images(number: int) -> str:
    """``1 image``, ``1,234 images``."""
    return _count(number, "image")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _headline(found: Found) -> str:
    name = found.database.key.name
    if not found.matches:
        return f"Nothing close in {name}."
    best = found.matches[0].match
    return f"Best match in {name}: {best.entity}, {score_text(best.score)}, {best.verdict}."


def _summary(found: Found) -> str:
    name, images = found.database.key.name, count_images(found.database.images)
    if found.matches:
        many = "Best match" if len(found.matches) == 1 else f"The {len(found.matches)} best matches"
        return f"*{many}* in `{name}` ({images})"
    if not found.database.images and not found.weaker:
        return f"`{name}` holds no images yet, so there is nothing to compare this with."
    return f"Nothing close in `{name}` ({images})."


def _match(ranked: Ranked) -> list[Block]:
    match = ranked.match
    verdict = str(match.verdict)
    if match.edits:
        verdict += f": {', '.join(match.edits)}"
    lines = [f"*{ranked.rank}.*  `{match.entity}`  ·  *{score_text(match.score)}*  ·  {verdict}"]
    if ranked.record is not None:
        lines.append(_provenance(ranked.record))
    note = sendable(match.note)
    return [section("\n".join(lines)), *([verbatim(note, NOTE_SHOWN)] if note else [])]


def _provenance(record: ImageRecord) -> str:
    day = f"{record.added_at:%Y-%m-%d}"
    # Slack writes the day in the reader's own time zone.
    parts = [f"added <!date^{int(record.added_at.timestamp())}^{{date_short_pretty}}|{day}>"]
    if _USER.fullmatch(record.added_by):
        parts[0] += f" by <@{record.added_by}>"
    if record.origin is not None and _PERMALINK.fullmatch(record.origin.permalink):
        parts.append(f"<{record.origin.permalink}|original message>")
    line = "  ·  ".join(parts)
    return line[0].upper() + line[1:]


def _left_out(found: Found, not_fitting: int) -> list[Block]:
    sentences = []
    if not_fitting:
        sentences.append(f"{_count(not_fitting, 'more match').replace('matchs', 'matches')} did not fit.")
    if found.weaker:
        noun = "weaker match was" if found.weaker == 1 else "weaker matches were"
        sentences.append(f"{found.weaker} {noun} left out; `min:0` in a `/vsearch` shows more.")
    return [small_print(" ".join(sentences), BlockId.LEFT_OUT)] if sentences else []


def _picture(number: int, picture: LookedUp) -> list[Block]:
    name = sendable(picture.name)
    title = heading(f"{number}. {name}" if name else f"Picture {number}")
    if picture.found is None:
        return [title, *({**block, "block_id": f"notice_{number}"} for block in notice(picture.problem).blocks)]
    shown = picture.found.matches[:MATCHES_OF_EACH]
    blocks = [title, section(_summary(picture.found))]
    for ranked in shown:
        blocks += _match(ranked)
    return blocks
