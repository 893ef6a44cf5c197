"""One image in a message: its picture, who added it, when and from where."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.blocks.limits import ALT_TEXT, IMAGE_URL, Block, escape, length, shorten
from bot.blocks.mrkdwn import date_text, plain_phrase, user_mention
from bot.blocks.wording import images as wording
from bot.domain.catalogue import ImageRecord

# Printable ASCII without quotes, backslashes and the characters that end a link.
_PERMALINK = re.compile(r"https?://[!#-;=?-\[\]-{}~]{1,500}")
_ADDRESS = re.compile(r"https?://[!#-;=?-\[\]-{}~]+")
_LINK = re.compile(r"https://[!#-;=?-\[\]-{}~]{1,1000}")
_FILE = re.compile(r"F[A-Z0-9]{1,30}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PictureRef:
    """Where Slack gets a picture from: a URL or a Slack file. With neither, the picture can't be shown."""

    url: str = ""
    slack_file: str = ""


NO_PICTURE = PictureRef()

MAX_HEADLINE = 120
"""Characters of a note that is the headline of its image. A longer one stands below."""

SEPARATOR = "  ·  "


def headline(note: str, max_length: int = MAX_HEADLINE) -> str:
    """Return a note for mrkdwn if it can be the headline of its image: one short line without markup; else nothing."""
    return plain_phrase(note, min(max_length, MAX_HEADLINE))


def with_picture(block: Block, picture: PictureRef, alt_text: str) -> Block:
    """Return the section with the picture next to it, if it can be shown."""
    image = image_of(picture, alt_text)
    return block if image is None else block | {"accessory": image}


def image_of(picture: PictureRef, alt_text: str) -> Block | None:
    """Return the picture as a block or an element of one; None if it can't be shown."""
    image: Block = {"type": "image", "alt_text": shorten(alt_text, ALT_TEXT)}
    if _FILE.fullmatch(picture.slack_file):
        return image | {"slack_file": {"id": picture.slack_file}}
    if _ADDRESS.fullmatch(picture.url) and length(picture.url) <= IMAGE_URL:
        return image | {"image_url": picture.url}
    return None


def address(link: str) -> str:
    """Return a link if it can stand in mrkdwn, or an empty string."""
    return link if _PERMALINK.fullmatch(link) else ""


def provenance(record: ImageRecord) -> str:
    """Return ``posted by @ada, Nov 23, 2025 · original message``, or by whom it was added if that was by hand."""
    mention, posted_at = user_mention(record.added_by), record.posted_at
    added = (
        wording.provenance(date_text(record.added_at), mention)
        if posted_at is None
        else wording.posted(date_text(posted_at), mention)
    )
    if record.origin is not None and _PERMALINK.fullmatch(record.origin.permalink):
        return f"{added}  ·  <{escape(record.origin.permalink)}|{wording.ORIGINAL_MESSAGE}>"
    return added


def whereabouts(link: str, database: str = "") -> list[str]:
    """Return in which database an image is, and the link of its id; nothing for what is empty."""
    parts = [wording.in_database(database)] if database else []
    return [*parts, f"<{escape(link)}|{wording.OPEN_LINK}>"] if _LINK.fullmatch(link) else parts
