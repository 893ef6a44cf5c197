"""Texts of App Home."""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.mrkdwn import code, count, count_images, date_text, user_mention
from bot.blocks.wording.databases import database_line
from bot.domain.catalogue import DatabaseInfo

INTRODUCTION = "*Have we seen this image before?*\nShare an image in a channel I'm in, or send me one."
DATABASES = "Databases"
CHANNELS = "Channels"
NO_DATABASES = "No image databases yet. Create one, then add images to it."
NO_CHANNELS = "No channels set up yet. I look up images shared in every channel I'm in."


def summary(databases: Sequence[DatabaseInfo], back_end: str) -> str:
    """Return sizes and the name of the search back end."""
    images = count_images(sum(info.images for info in databases))
    return f"{count(len(databases), 'database')}, {images}. Search back end: {code(back_end)}."


def problem(escaped_problem: str) -> str:
    """Return what is wrong with the search back end."""
    return f":warning: {escaped_problem}"


def database_entry(info: DatabaseInfo) -> str:
    """Return a database with its size, and when and by whom it was created."""
    created = f"Created {date_text(info.created_at)}"
    if creator := user_mention(info.created_by):
        created += f" by {creator}"
    return f"{database_line(info)}\n{created}"


def more_databases(number: int) -> str:
    """Return how many databases are not shown."""
    return f"{count(number, 'more database')}. Type `/vsearch db` to list more."


def more_channels(number: int) -> str:
    """Return how many channels are not shown."""
    return f"{count(number, 'more channel')}. Type `/vsearch status` in a channel to see its mode."
