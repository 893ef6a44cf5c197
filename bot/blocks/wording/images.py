"""Texts about single images: adding, listing and deleting them, and files that can't be used."""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.mrkdwn import code, count, count_images, entity_code, one_line
from bot.domain.channels import ChannelKind
from bot.domain.identifiers import DatabaseName
from bot.domain.matches import Verdict

NO_IMAGE_YET = "I haven't seen an image in this channel yet. Share one, or `/invite` me if I'm not here."
NO_IMAGE_IN_MESSAGE = "That message has no image that I can use. Try one with an image file."
NOT_AN_IMAGE = "That file isn't an image. Share an image file instead."
FILE_DELETED = "I can't read that file. It was deleted or is past your plan's limit, so share it again."
FILE_NOT_VISIBLE = (
    "I can't find that file. It was deleted, or it's in a channel I'm not in: `/invite` me there and try again."
)
FILE_STILL_PROCESSING = "Slack is still processing that file. Share it again in a minute."
FILE_FORBIDDEN = "Slack doesn't let me open that file here. Upload the image itself and try again."


def no_preview(name: str) -> str:
    """Return that Slack offers no picture of a file that isn't one."""
    return f"“{name or 'That file'}” isn't an image, and Slack has no preview of it. Share an image of it instead."


ADDED_BY_PREVIEW = "Added by its preview, because the file itself can't be read as an image."


def added_by_previews(names: Sequence[str], number: int) -> str:
    """Return which of the author's files were added by their previews; ``names`` are those to name."""
    shown = ", ".join(code(name, "an image") for name in names)
    shown += f" {and_more(number - len(names))}" if number > len(names) else ""
    what = ("its preview", "the file") if number == 1 else ("their previews", "the files")
    return f"Added {shown} by {what[0]}, because {what[1]} can't be read as {'an image' if number == 1 else 'images'}."


def listed_alt(number: int, database: str, entity: str, note: str = "") -> str:
    """Return what a picture of a list shows, for people who don't see it."""
    about = f", {one_line(note)}" if note.strip() else ""
    return f"Image {number} in {database}: {entity}{about}"


def added(database: str, entity: str, name: str = "") -> str:
    """Return that an image was added; ``name`` is its file's."""
    return f"Added {code(name, 'the image')} to {code(database)} as {entity_code(entity)}."


def seen_by(kind: ChannelKind) -> str:
    """Return who sees an image from a conversation of a kind, or an empty string if everybody in the workspace does."""
    if kind is ChannelKind.PUBLIC:
        return ""
    return f"Only people in this {'conversation' if kind is ChannelKind.DIRECT else 'channel'} can see it."


def already_added(database: str, entity: str = "", asked: str = "", name: str = "") -> str:
    """Return that the image is in the database.

    Args:
        database: the database's name.
        entity: the id that the image has; empty if this reader may not know it.
        asked: another id that this reader gave it, if any.
        name: the name of its file, if there are several images.

    """
    known_as = f" as {entity_code(entity)}" if entity else ""
    instead = f", not as {entity_code(asked)}" if entity and asked else ""
    return f"{code(name, 'This image')} is already in {code(database)}{known_as}{instead}."


def already_added_several(database: str, number: int) -> str:
    """Return how many of the author's images are in the database already."""
    return f"{number:,} of your images are already in {code(database)}."


def looks_like(verdict: Verdict, entity: str, database: str) -> str:
    """Return the question before an image is added of which the database has another copy."""
    what = "an edited copy of" if verdict is Verdict.EDITED else "the same image as"
    return f"Looks like {what} {entity_code(entity)} in {code(database)}. Add it anyway?"


def kept_under_file_name(number: int) -> str:
    """Return which id images got in a watched channel in place of one that can't be used."""
    return "I added the image under its file's name." if number == 1 else "I added the images under their files' names."


OTHERS_PICTURE = "Only people who can see the message with this image can add it."


def not_added(number: int) -> str:
    """Return how many of the author's images were not added."""
    return f"Couldn't add {number:,} of your images."


def not_added_reason(name: str, escaped_reason: str) -> str:
    """Return why one image was not added."""
    return f"{code(name, 'An image')}: {escaped_reason}"


def delete_question(database: DatabaseName, entity: str, images: int) -> str:
    """Return the question before an entity's images are deleted."""
    return f"Delete {_which(images)} of {entity_code(entity)} from `{database}`? This can't be undone."


def delete_confirmation(database: DatabaseName, entity: str, images: int) -> tuple[str, str]:
    """Return title and text of the confirmation dialog, which shows plain text."""
    return f"Delete {entity}?", f"This deletes {_which(images)} of {entity} from {database} for everyone."


DELETION_UNDER_WAY = "Deleting. This takes a moment with so many images, and I'll say when it's done."


def deleted(database: str, entity: str, images: int) -> str:
    """Return that an entity's images were deleted."""
    return f"Deleted {count_images(images)} of {entity_code(entity)} from {code(database)}."


def listing_title(
    database: DatabaseName, prefix: str, total: int, order: str, page: tuple[int, int], *, ids: int = 0
) -> str:
    """Return the first line of a listing.

    Args:
        database: the listed database.
        prefix: what the ids start with; empty for all.
        total: number of images on all pages.
        order: ``oldest first`` or ``newest first``.
        page: this page and the number of pages.
        ids: number of ids of these images, or 0 if the reader may not know it.

    """
    if not total and not prefix:
        return f"No images in `{database}` yet."
    if not total:
        return f"No images in `{database}` have an id that starts with {entity_code(prefix)}."
    which = f" with an id that starts with {entity_code(prefix)}" if prefix else ""
    number, pages = page
    where = f", page {number:,} of {pages:,}" if pages > 1 else ""
    of_ids = f" of {count(ids, 'id')}" if ids and ids != total else ""
    return f"*{count_images(total)}*{of_ids} in `{database}`{which}, {order}{where}"


def photos_title(database: str, entity: str, start: int, shown: int, total: int) -> str:
    """Return the first line above pictures of an entity: all of them, or those after ``start``.

    None are left there if images were deleted since the button was shown.
    """
    if not shown:
        return f"No more photos of {entity_code(entity)} in {code(database)}."
    which = count(total, "photo")
    if shown < total:
        which = f"Photos {start + 1} to {start + shown} of {total}" if shown > 1 else f"Photo {start + 1} of {total}"
    return f"*{which}* of {entity_code(entity)} in {code(database)}"


OLDEST_FIRST = "oldest first"
NEWEST_FIRST = "newest first"
BY_ID = "by id"


def photos_of_entity(number: int) -> str:
    """Return how many images of an id there are."""
    return f"one of {count(number, 'photo')}"


def similar_to(database: str, entity: str) -> str:
    """Return what the matches below are similar to."""
    return f"Similar to {entity_code(entity)} in {code(database)}:"


def nothing_similar(database: str, entity: str) -> str:
    """Return that nothing is similar to an image."""
    return f"Nothing in {code(database)} is similar to {entity_code(entity)}."


def delete_image_question(database: str, entity: str) -> str:
    """Return the question before one image is deleted."""
    return f"Delete this image of {entity_code(entity)} from {code(database)}? This can't be undone."


def private_on_page(number: int) -> str:
    """Return how many images of a page come from conversations that the reader can't see."""
    images = count(number, "image on this page is", "images on this page are")
    return f"{images} from {'a conversation' if number == 1 else 'conversations'} that you can't see."


def provenance(date: str, mention: str) -> str:
    """Return by whom an image was added, if that is known, and when."""
    return f"added by {mention}, {date}" if mention else f"added {date}"


def posted(date: str, mention: str) -> str:
    """Return by whom a picture was posted in Slack, if that is known, and when."""
    return f"posted by {mention}, {date}" if mention else f"posted {date}"


def photos_in(number: int, database: str) -> str:
    """Return how many photos of an id a database has."""
    return f"{count(number, 'photo')} in {code(database)}"


OPEN_LINK = "open link"
"""Leads to the page of an id, such as in an ERP system."""

OPEN_PAGE = "open page"
"""Leads to the bot's page of an id, for people who can't ask the bot."""

ORIGINAL_MESSAGE = "original message"
"""The text of the link to the Slack message that an image came from."""


NAMED_AUTOMATICALLY = "named automatically"
"""Beside an id that was made from a file name."""


def entity_title(entity: str, *, automatic: bool) -> str:
    """Return an id, and whether it was made from a file name."""
    return f"{entity_code(entity)}  ·  {NAMED_AUTOMATICALLY}" if automatic else entity_code(entity)


def written_as(database: str, typed: str, entity: str) -> str:
    """Return that a database has an id already, in another spelling."""
    return f"{code(database)} writes {entity_code(typed)} as {entity_code(entity)}."


def merge_question(database: str, entity: str, new: str, images: int, others: int) -> str:
    """Return the question before an entity becomes one with another."""
    return (
        f"{entity_code(new)} has {count_images(others)} in {code(database)} already."
        f" Merge {_which(images)} of {entity_code(entity)} into it? Nothing tells them apart afterwards."
    )


def renamed(database: str, entity: str, new: str, images: int) -> str:
    """Return that images got another id."""
    return f"Renamed {entity_code(entity)} to {entity_code(new)} in {code(database)}: {count_images(images)}."


def note_saved(database: str, entity: str, images: int, *, empty: bool) -> str:
    """Return that images got another note, or none."""
    what = "Removed the note" if empty else "Saved the note"
    return f"{what} of {count_images(images)} of {entity_code(entity)} in {code(database)}."


def image_deleted(database: str, entity: str) -> str:
    """Return that one image of an entity was deleted."""
    return f"Deleted one image of {entity_code(entity)} from {code(database)}."


IMAGE_GONE = "That image isn't there any more. List the images again to see which are."
NOTHING_CHANGED = "Nothing to change: the id and the note are as they were."


def and_more(number: int) -> str:
    """Return how many lines were left out."""
    return f"and {number:,} more"


def _which(images: int) -> str:
    return "the image" if images == 1 else f"all {count_images(images)}"


def in_database(name: str) -> str:
    """Return in which database an image is."""
    return f"in `{name}`"
