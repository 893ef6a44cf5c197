"""Ids in the API, which takes fewer characters than the bot: 1 to 64 of ``a-z 0-9 _``."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from bot.domain.identifiers import EntityId

_PORTABLE = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)
_READABLE, _DIGEST = 40, 20
_MAPPED = re.compile(rf"[a-z0-9_]*_[0-9a-f]{{{_DIGEST}}}", re.ASCII)


def is_portable(text: str) -> bool:
    """Return whether the API takes this id, or beginning of an id."""
    return _PORTABLE.fullmatch(text) is not None


def is_mapped(text: str) -> bool:
    """Return whether ``portable`` may have made this name."""
    return _MAPPED.fullmatch(text) is not None


def portable(entity: EntityId) -> str:
    """Return the name of an id in the API. Each id has one of its own, which stays the same."""
    if is_portable(entity):
        return entity
    letters = unicodedata.normalize("NFKD", entity.key).encode("ascii", "ignore").decode()
    readable = re.sub(r"[^a-z0-9]+", "_", letters).strip("_")[:_READABLE]
    return f"{readable}_{hashlib.sha256(entity.key.encode()).hexdigest()[:_DIGEST]}"
