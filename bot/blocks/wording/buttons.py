"""Labels of buttons: verbs, at most 75 characters."""

from __future__ import annotations

SHOW_MORE = "Show more"
SHOW_PREVIOUS = "Show previous"
SHARE_TO_CHANNEL = "Share to channel"
SEARCH_ANOTHER_DATABASE = "Search another database"
ADD_IMAGE = "Add image"
SEARCH_PART = "Search part of it"

SEARCH_BY_IMAGE = "Search by image"
CREATE_DATABASE = "Create a database"
CHOOSE_DATABASE = "Choose a database"
WATCH_CHANNEL = "Watch a channel"

EDIT = "Edit"
EDIT_SETTINGS = "Edit settings"
STOP_WATCHING = "Stop watching"
DELETE = "Delete"
DELETE_IMAGE = "Delete this image"
MERGE = "Merge"
ADD_ANYWAY = "Add anyway"
CANCEL = "Cancel"
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


def search_in(database: str) -> str:
    """Return the label of the button that searches a suggested database."""
    return f"Search {database}"


def run_command(command: str) -> str:
    """Return the label of the button that runs a suggested command."""
    return f"/vsearch {command}"
