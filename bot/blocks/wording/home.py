"""Texts of App Home."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.blocks.limits import escape
from bot.blocks.mrkdwn import (
    ago_text,
    capitalised,
    channel_link,
    code,
    count,
    count_images,
    date_text,
    entity_code,
    user_mention,
)
from bot.blocks.wording.databases import database_line
from bot.blocks.wording.images import ORIGINAL_MESSAGE
from bot.domain.catalogue import DatabaseInfo, NewImages
from bot.domain.identifiers import DatabaseName, EntityId

INTRODUCTION = "*Have we seen this image before?*\nShare an image in a channel I'm in, or send me one."
DATABASES = "Databases"
CHANNELS = "Channels"
NO_DATABASES = "No image databases yet. Create one, then add images to it."
NO_DATABASES_FOR_GUEST = (
    "There's no image database for you yet. A member can choose one for your channel with `/vsearch watch`."
)
NO_CHANNELS = "No channels set up yet. I look up images shared in every channel I'm in."

FIRST_PICTURES = "Add your first pictures"
NEW = "New"
NEW_AT_FIRST_VISIT = "In the last 7 days"
ONLY_NEWEST_COUNTED = "only the newest 1,000 are counted"
WORK = "In progress"
NOT_ADDED = "Not added"

_GROUPS_SHOWN = 4


def summary(databases: Sequence[DatabaseInfo], back_end: str) -> str:
    """Return sizes and the name of the search back end."""
    images = count_images(sum(info.images for info in databases))
    return f"{count(len(databases), 'database')}, {images}. Search back end: {code(back_end)}."


def problem(escaped_problem: str) -> str:
    """Return what is wrong with the search back end."""
    return f":warning: {escaped_problem}"


def first_steps(database: str) -> str:
    """Return the three steps of a beginner; ``database`` is empty if there is none."""
    where = f"`{database}`" if database else "it"
    first = f"Create a database: you have `{database}`." if database else "*Create a database*, such as `parts`."
    watch = f"`/vsearch watch collect in:{database}`" if database else "`/vsearch watch collect`"
    return (
        f"1.  {first}\n"
        f"2.  *Add pictures* to {where}: drop them here, or type {watch} in a channel to add all images shared there.\n"
        "3.  *Search*: share an image in a channel I'm in, send me one, or type `/vsearch`."
    )


def new_since(moment: datetime) -> str:
    """Return since when images are new."""
    return f"Since your last visit, {ago_text(moment)}"


def nothing_new(moment: datetime) -> str:
    """Return that no image is new."""
    return f"Nothing new since your last visit, {ago_text(moment)}."


def news_entry(database: DatabaseName | str, images: int, groups: Sequence[NewImages]) -> str:
    """Return the number of new images of a database, by whom they came and from where."""
    shown = sorted(groups, key=lambda group: -group.images)
    parts = [_origin(group) for group in shown[:_GROUPS_SHOWN]]
    if left := sum(group.images for group in shown[_GROUPS_SHOWN:]):
        parts.append(f"{left:,} from elsewhere")
    return f"`{database}`: *{count(images, 'new image')}*\n{capitalised(', '.join(parts))}"


def _origin(group: NewImages) -> str:
    author = user_mention(group.author)
    where = f" in {channel_link(group.channel)}" if group.channel else ""
    return f"{group.images:,} by {author}{where}" if author else f"{group.images:,} imported{where}"


def more_news(number: int) -> str:
    """Return how many further databases have new images."""
    return f"{count(number, 'more database')} with new images."


def waiting(number: int, channel: str) -> str:
    """Return how many messages of a channel wait."""
    return f"{count(number, 'message')} with images waiting in {channel_link(channel)}."


def failed(number: int, channel: str) -> str:
    """Return how many messages of a channel could not be handled lately."""
    return f"{count(number, 'message')} with images failed in {channel_link(channel)}. Share the images again."


def not_added(name: str, channel: str, author: str, shared_at: datetime, link: str) -> str:
    """Return which shared file could not be added, and where it is; the link may be empty."""
    by = f"shared by {mention}, " if (mention := user_mention(author)) else ""
    message = f"  ·  <{escape(link)}|{ORIGINAL_MESSAGE}>" if link else ""
    return f"{code(name, 'An image')} in {channel_link(channel)}  ·  {by}{date_text(shared_at)}{message}"


def more_not_added(number: int) -> str:
    """Return how many further files could not be added lately."""
    return f"{count(number, 'more image')} not added in the last 7 days."


def importing(table: str, channel: str) -> str:
    """Return that a table is being imported."""
    return f"Importing {code(table, 'a table')} from {channel_link(channel)}."


def unread(images: str) -> str:
    """Return how many images have text that can't be searched yet."""
    return f"Reading the text in {images}. `/vsearch find` doesn't know it yet."


def unprepared(images: str) -> str:
    """Return how many images can't be recognised in other photos yet."""
    return f"Preparing {images} to be recognised in other photos."


def failing_removals(number: int) -> str:
    """Return how many deletions failed and are tried again."""
    return f"{count(number, 'deletion')} failed and will be tried again. `vsearch doctor` says why."


def more_lines(number: int) -> str:
    """Return how many lines about what waits or failed are left out."""
    return f"And {number:,} more."


def database_entry(info: DatabaseInfo, newest: str = "") -> str:
    """Return a database with its size, and its newest image or when and by whom it was created."""
    return f"{database_line(info)}\n{newest or created(info)}"


def newest_image(entity: EntityId, provenance: str) -> str:
    """Return the id of a database's newest image, and who posted or added it."""
    return f"Newest: {entity_code(entity)}, {provenance}"


def created(info: DatabaseInfo) -> str:
    """Return when and by whom a database was created."""
    by = f" by {creator}" if (creator := user_mention(info.created_by)) else ""
    return f"Created {date_text(info.created_at)}{by}"


def newest_alt(database: str, entity: str) -> str:
    """Return the alt text of a database's picture."""
    return f"The newest image in {database}: {entity}"


def more_databases(number: int) -> str:
    """Return how many databases are not shown."""
    return f"{count(number, 'more database')}. Type `/vsearch db` to list more."


def more_channels(number: int) -> str:
    """Return how many channels are not shown."""
    return f"{count(number, 'more channel')}. Type `/vsearch status` in a channel to see its mode."
