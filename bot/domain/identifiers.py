"""Identifiers of workspaces, databases, entities and images; notes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NewType, Self, TypeVar

from bot.domain.errors import InvalidInput

T = TypeVar("T")

WorkspaceId = NewType("WorkspaceId", str)
"""A Slack team id (``T…``), or ``LOCAL_WORKSPACE`` for data from the command line before a workspace connected."""

LOCAL_WORKSPACE = WorkspaceId("local")

API_WORKSPACE_PREFIX = "api:"
"""Prefix of the workspaces of API clients. They exist only in the back end, not in the catalogue."""

DataId = NewType("DataId", str)
"""Identifier of an image, the same in catalogue and back end. Opaque outside the back end."""

MAX_NOTE = 512

_DATABASE = re.compile(r"[a-z0-9_]{2,64}", re.ASCII)
_ENTITY = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


class DatabaseName(str):
    """The name of a database: 2 to 64 characters, ``a-z 0-9 _``, the same limits as in the hosted API."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Raise InvalidInput if the text is not valid."""
        if not _DATABASE.fullmatch(text):
            raise InvalidInput("A database name must have 2 to 64 characters: `a-z 0-9 _`. Example: `product_photos`.")
        return super().__new__(cls, text)


class EntityId(str):
    """The id of what a picture shows, such as a part number: 1 to 64 characters, ``a-z 0-9 _``.

    An entity may have several images.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Raise InvalidInput if the text is not valid."""
        if not _ENTITY.fullmatch(text):
            raise InvalidInput("An id must have 1 to 64 characters: `a-z 0-9 _`. Example: `valve_0042`.")
        return super().__new__(cls, text)


class Note(str):
    """Free text about an image, up to 512 characters (``ExtraData`` in the API); may be empty."""

    __slots__ = ()

    def __new__(cls, text: str = "") -> Self:
        """Raise InvalidInput if the text is too long or can't be stored."""
        if len(text) > MAX_NOTE:
            raise InvalidInput(f"A note can have up to {MAX_NOTE} characters. This one has {len(text)}.")
        if _UNSTORABLE.search(text):
            raise InvalidInput("The note contains invalid characters. Type it again without them.")
        return super().__new__(cls, text)


@dataclass(frozen=True, slots=True, order=True)
class DatabaseKey:
    """A database of one workspace. Back ends take only this key, which keeps workspaces apart."""

    workspace: WorkspaceId
    name: DatabaseName
