"""Images in tables and lists for people: their ids, files, sizes, dates and stored pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from bot.cli.terminal.output import clean, is_terminal, print_text, when
from bot.domain.catalogue import ImageRecord
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import DataId

if TYPE_CHECKING:
    from bot.storage.sql_storage import SqlStorage

SHORT = 8
"""Last characters of a data id that tell images apart. A data id begins with the time."""

MIN_SHORT = 4


def title(record: ImageRecord) -> Text:
    """Return the id of an image, and whether it was named automatically."""
    text = Text(clean(record.entity))
    return text.append("  (named automatically)", "dim") if record.named_automatically else text


def size(record: ImageRecord) -> str:
    """Return width and height in pixels."""
    return f"{record.width} × {record.height}"


def details(record: ImageRecord, location: str = "") -> Text:
    """Return file name, size, date and short data id of an image. The file name links to the stored picture."""
    link = Path(location).as_uri() if location.startswith("/") else ""
    text = Text(clean(record.source_name), style=f"link {link}" if link else "")
    rest = ", ".join((size(record), when(record.added_at), f"image {record.data_id[-SHORT:]}"))
    return Text(", " if record.source_name else "").join((text, Text(rest, "dim")))


def show_indented(lines: Sequence[Text | str], spaces: int) -> None:
    """Print lines of an entry in a list, indented, without those that are empty."""
    for line in lines:
        if line:
            text = line if isinstance(line, Text) else Text(clean(line))
            print_text(text, spaces)


def location_of(storage: SqlStorage, record: ImageRecord | None) -> str:
    """Return the path or address of the stored picture; empty if it has none."""
    return storage.pictures.location(record.digest) if record else ""


def shown_location(location: str) -> Text:
    """Return a path or address for people: relative if that is shorter, and as a link where the terminal has them."""
    if not location.startswith("/"):
        return Text(location, "dim")
    relative = os.path.relpath(location)
    shown = relative if is_terminal() and len(relative) < len(location) else location
    return Text(clean(shown), f"dim link {Path(location).as_uri()}")


def image_of(records: Sequence[ImageRecord], text: str) -> DataId:
    """Return the data id of the record that ``text`` names: the whole data id, or its last characters.

    Returns the text itself if there is none. Raises InvalidInput if it fits several.
    """
    if any(record.data_id == text for record in records):
        return DataId(text)
    ending = text.lower()
    found = [record.data_id for record in records if len(text) >= MIN_SHORT and record.data_id.endswith(ending)]
    if len(found) > 1:
        raise InvalidInput(f"Several images end with “{text}”: {', '.join(found)}.")
    return found[0] if found else DataId(text)
