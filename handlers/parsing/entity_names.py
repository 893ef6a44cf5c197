"""Entity names from file names. Pure."""

from __future__ import annotations

import re

from bot.domain.identifiers import EntityId
from bot.services.images.import_sources import entity_from_name

_GENERIC = re.compile(
    r"image|img|photo|picture|pic|screenshot|screen_shot|untitled|file|download|scan|unnamed|clipboard"
    r"|(?:img|dsc|dscn|pxl|image|photo|screenshot|screen_shot|scan|whatsapp_image|signal)_?[0-9].*"
)
"""Names that cameras and programs give: two pictures with one of these need not show the same thing."""


def entity_of_file(name: str, file_id: str) -> EntityId:
    """An entity for a picture that was given none: its file's name, if that says anything."""
    entity = entity_from_name(name)
    if _GENERIC.fullmatch(entity):
        entity = f"{entity[:40]}_{file_id.lower()}"[:64]
    return EntityId(re.sub(r"[^a-z0-9_]", "_", entity))
