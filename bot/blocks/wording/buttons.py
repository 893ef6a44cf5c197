"""Labels of buttons: verbs, at most 75 characters."""

from __future__ import annotations

import re

_DATABASE = re.compile(r"\bin:(\w+)")
_VERBS = {"search": "Search", "find": "Search", "last": "Search", "list": "List", "export": "Export"}
"""Commands that change nothing, by their first word. The label of any other button shows the whole command."""

SHOW_MORE = "Show more"
SHOW_WEAKER = "Show weaker matches"
SHOW_PREVIOUS = "Show previous"
SHARE_TO_CHANNEL = "Share to channel"
SEARCH_ANOTHER_DATABASE = "Search another database"
ADD_IMAGE = "Add image"
ADD_IMAGES = "Add images"
CHOOSE_PICTURE = "Look at one picture"
SEARCH_PART = "Search part of it"
COMPARE = "Compare"

SEARCH_BY_IMAGE = "Search by image"
CREATE_DATABASE = "Create a database"
CHOOSE_DATABASE = "Choose a database"
WATCH_CHANNEL = "Watch a channel"

EDIT = "Edit"
REPORT = "Report"
SETTINGS = "Settings"
ADD = "Add"
BROWSE = "Browse"
FIND_SIMILAR = "Find similar"
MOVE = "Move to another id"
DELETE_THIS = "Delete this image …"
JUMP = "Jump to an id"
SHOW_ALL = "Show all"
SORT = "Sort"
SORT_NEWEST = "Newest first"
SORT_OLDEST = "Oldest first"
SORT_BY_ID = "By id"
STOP_WATCHING = "Stop watching"
DELETE = "Delete"
DELETE_IMAGE = "Delete this image"
DELETE_DATABASE = "Delete this database"
MERGE = "Merge"
ADD_ANYWAY = "Add anyway"
CANCEL = "Cancel"
ADD_PAST = "Add past pictures"
PAUSE = "Pause"
RESUME = "Resume"
STOP = "Stop"
TRY_AGAIN = "Try again"
KEEP = "Keep"


def numbered_part(number: int, name: str) -> str:
    """Return the label of the button that searches a numbered part of a picture."""
    return f"{number}. {name}"


def add_as(entity: str) -> str:
    """Return the label of the button that adds an image with a suggested id."""
    return f"Add as {entity}"


def use_id(entity: str) -> str:
    """Return the label of the button that gives an added image a suggested id."""
    return f"Use {entity}"


def add_to(entity: str) -> str:
    """Return the label of the button that adds an image to the id of its original."""
    return f"Add to {entity}"


def match_of(rank: int, entity: str) -> str:
    """Return which match a button is about, for screen readers."""
    return f"match {rank}, {entity}"


def match_of_picture(number: int, entity: str) -> str:
    """Return the match of which picture a button is about, for screen readers."""
    return f"picture {number}, {entity}"


def image_in_list(number: int, entity: str) -> str:
    """Return which image of a list a button is about, for screen readers."""
    return f"image {number}, {entity}"


def channel_in_list(number: int, mode: str) -> str:
    """Return which channel of App Home a button is about, for screen readers, which have just read its name."""
    return f"channel {number}, {mode}"


def part_of_message(number: int) -> str:
    """Return about which of several answers in one message a button is, for screen readers."""
    return f"answer {number}"


def report_of(number: int) -> str:
    """Return which report of a message a button is about, for screen readers. Four reports just fit into a message."""
    return f"report {number}"


def all_photos(number: int) -> str:
    """Return the label of the button that shows all pictures of an entity."""
    return f"All {number:,} photos"


def picture(number: int, name: str) -> str:
    """Return the option for one picture of several; its file name may be unknown."""
    return f"{number}. {name}" if name else f"Picture {number}"


def compare_picture(number: int) -> str:
    """Return the option that compares one picture of several with its best match."""
    return f"Compare picture {number}"


def search_in(database: str) -> str:
    """Return the label of the button that searches a suggested database."""
    return f"Search “{database}”"


def run_command(command: str) -> str:
    """Return the label of the button that runs a suggested command: what it does, or the command itself."""
    first = (command.split() or [""])[0]
    database = _DATABASE.search(command)
    if database and first in _VERBS:
        return f"{_VERBS[first]} “{database[1]}”"
    return f"/vsearch {command}"
