"""Derive entity ids from file names."""

from __future__ import annotations

import re

from bot.domain.identifiers import EntityId
from bot.services.images.import_sources import entity_from_name

_GENERIC = re.compile(
    r"image|img|photo|picture|pic|screenshot|screen_shot|untitled|file|download|scan|unnamed|clipboard"
    r"|(?:img|dsc|dscn|pxl|image|photo|screenshot|screen_shot|scan|whatsapp_image|signal)_?[0-9].*"
)
"""Names that cameras and programs generate. Two files with such a name may show different things."""


def entity_of_file(name: str, file_id: str) -> EntityId:
    """Return an entity id for a file: its name, made unique with the file id if the name is generic."""
    entity = entity_from_name(name)
    if _GENERIC.fullmatch(entity):
        entity = f"{entity[:40]}_{file_id.lower()}"[:64]
    return EntityId(re.sub(r"[^a-z0-9_]", "_", entity))
