"""Texts of modals. Titles and submit buttons have at most 24 characters, options and descriptions 75."""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.mrkdwn import channel_link, count, count_images, database_size
from bot.domain.catalogue import DatabaseInfo

CANCEL = "Cancel"
CLOSE = "Close"

SEARCH_TITLE = "Find similar images"
SEARCH_SUBMIT = "Search"
FILES_LABEL = "Images"
URL_LABEL = "Or an image URL"
URL_PLACEHOLDER = "https://example.com/valve.jpg"
TOP_LABEL = "Matches to show"
READERS_LABEL = "Who sees the results"
ONLY_ME = "Only me"
EVERYONE = "Everyone in the channel"
CONVERSATION_LABEL = "Channel for the results"
SEARCH_ANOTHER_TITLE = "Search another database"
SEARCH_A_DATABASE_TITLE = "Search a database"
DATABASE_LABEL = "Database"

ADD_TITLE = "Add to image database"
ADD_SUBMIT = "Add"
ENTITY_LABEL = "Id of what the image shows"
ENTITY_PLACEHOLDER = "VLV-0042/A"
ENTITY_HINT = "Up to 64 characters, as your team writes it. Leave it empty to use the file name."
ADD_PICTURES_TITLE = "Add images"
ADD_ENTITY_HINT = "All these images get it. Leave it empty to use the files' names."
MOVE_TITLE = "Move image"
MOVE = "Move"
MOVE_LABEL = "New id"
MOVE_HINT = "Only this image moves. Its note stays."
JUMP_TITLE = "Jump to an id"
JUMP = "Show"
JUMP_LABEL = "The id, or how it begins"
JUMP_HINT = "Leave it empty to see all images."
EDIT_TITLE = "Edit image"
EDIT_ENTITY_HINT = "Up to 64 characters. An id that other images have puts this image with them."
SCOPE_LABEL = "What to change"
SCOPE_IMAGE = "This image alone"
NOTE_LABEL = "Note"
NOTE_PLACEHOLDER = "Ball valve, DN 25"

CREATE_TITLE = "Create a database"
CREATE_SUBMIT = "Create"
NAME_LABEL = "Name"
NAME_PLACEHOLDER = "product_photos"
NAME_HINT = "2 to 64 characters: a-z, 0-9 and _."

DELETE_TITLE = "Delete a database"
DELETE_SUBMIT = "Delete"

SETTINGS_TITLE = "Database settings"
SAVE = "Save"
LINK_LABEL = "Link for each id"
LINK_HINT = "Each match links there. {id} stands for the id. Leave this empty for no link."

HINTS_LABEL = "For everyone else"
HINTS_OPTION = "Show how many matches are hidden"
HINTS_DESCRIPTION = "Only the number, and nothing about the images."

WATCH_TITLE = "Watch a channel"
CHANNEL_LABEL = "Channel"
CHANNEL_HINT = "Invite me to the channel so I can see its images."
MODE_LABEL = "What to do with its images"
LOOKUP = "Look up"
LOOKUP_DESCRIPTION = "Answer with matches in the image's thread."
COLLECT = "Collect"
COLLECT_DESCRIPTION = "Add every image, and react when it's done."
GUARD = "Guard"
GUARD_DESCRIPTION = "Report copies, and add everything else."
MINIMUM_LABEL = "Minimum score"
MINIMUM_PLACEHOLDER = "9"
MINIMUM_HINT = "0 to 10. Leave it empty for 9 with Guard and 5 with Look up."

RULES_HEADING = "These rules are for Guard alone."
WINDOW_LABEL = "Count images from the last … days"
WINDOW_PLACEHOLDER = "30"
WINDOW_HINT = "Leave it empty to count all."
OWN_LABEL = "When people post their own images again"
OWN_PLACEHOLDER = "report"
OWN_HINT = "report, ignore, or for how long to ignore it, such as 10m."
PEOPLE_LABEL = "People who may post anything again"
PEOPLE_PLACEHOLDER = "Choose people"
EXEMPT_LABEL = "Leave these alone"
REPORT_TO_LABEL = "Send reports to a channel for moderators too"
REPORT_TO_HINT = "Invite me there. Its members must be able to see this channel's images."
QUIET_LABEL = "In the thread"
QUIET_OPTION = "Only react to reposts"
QUIET_DESCRIPTION = "No reply in the thread."

NO_DATABASE_TITLE = "No image database yet"
NO_DATABASE = "Create a database first, then add images to it."

DONE = "Done"
TRY_AGAIN_TITLE = "Please try again"
CHOOSE_DATABASE = "Choose a database."
CHOOSE_CHANNEL = "Choose a channel."
CHOOSE_RESULTS_CHANNEL = "Choose the channel that gets the results."
CHOOSE_PICTURES = "Choose images"
PICTURES_LABEL = "Images to add"
CHOOSE_IMAGE = "Choose an image, or enter an image URL."
URL_INVALID = "Enter a URL that starts with https:// or http://."
TOO_MUCH = "That's too much for one form. Try fewer images or a shorter URL."

_NAME_SHOWN = 100
_FILES_NAMED = 10


def files_hint(most: int) -> str:
    """Return how many files the form takes."""
    return f"Up to {most} at once."


def top_option(top: str) -> str:
    """Return the option for a number of matches."""
    return "Best match" if top == "1" else f"Top {top}"


def scope_entity(images: int) -> str:
    """Return the option that changes all images of an entity."""
    return f"All {count_images(images)} with this id"


def delete_image_confirmation(entity: str, database: str) -> tuple[str, str]:
    """Return title and text of the confirmation dialog, which shows plain text."""
    return "Delete this image?", f"This deletes the image from {database} for everyone. Other images of {entity} stay."


def shared_fields(images: int) -> str:
    """Return that several images get the same id and note."""
    return f"All {count_images(images)} get the same id and note."


def kept_files(names: Sequence[str]) -> str:
    """Return which files a form still has, though its field is empty."""
    shown = ", ".join(names[:_FILES_NAMED]) + (", …" if len(names) > _FILES_NAMED else "")
    return f"Your images are still here: {shown}. Add others below if you like."


def delete_database_confirmation(info: DatabaseInfo) -> tuple[str, str]:
    """Return title and text of the confirmation dialog, which shows plain text."""
    name, images = info.key.name, count_images(info.images)
    return "Delete this database?", f"This leads to a form that deletes {name} with {images} for everyone."


def delete_warning(info: DatabaseInfo) -> str:
    """Return the warning before a database is deleted."""
    return f"This deletes {database_size(info)} for everyone. It can't be undone."


def deletion_under_way(info: DatabaseInfo) -> str:
    """Return that a large database is being deleted."""
    return f"Deleting {database_size(info)}. Nobody sees them any more."


def type_name(name: str) -> str:
    """Return the request to type a database's name before it is deleted."""
    return f"Type {name} to delete it"


def name_differs(name: str) -> str:
    """Return that the typed text isn't the database's name."""
    return f"That's not its name. Type {name} to delete it."


def settings_text(info: DatabaseInfo) -> str:
    """Return what the settings of a database are about."""
    return (
        f"{database_size(info)}\nImages from private conversations are shown only to people who can see"
        " those conversations."
    )


def images_shared_in(channel: str) -> str:
    """Return which channel a form is about."""
    return f"Images shared in {channel_link(channel)}"


def databases_not_listed(number: int) -> str:
    """Return how to reach the databases that don't fit into a menu."""
    return f"{count(number, 'more database')} not listed here. Use in: in a command to reach them."


def not_an_image(name: str) -> str:
    """Return that a chosen file is not an image."""
    return f"{name[:_NAME_SHOWN] or 'A file'} isn't an image. Remove it to continue."


def score_invalid(example: float) -> str:
    """Return the right form of a score."""
    return f"Enter a number from 0 to 10, such as {example:g}."
