"""Identifiers: workspaces, databases, entities, notes and back ends' ids."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NewType, Self, TypeVar

from bot.domain.errors import InvalidInput

T = TypeVar("T")

WorkspaceId = NewType("WorkspaceId", str)
"""A Slack team id (``T…``), or ``LOCAL_WORKSPACE`` for what the command line made before Slack was connected."""

LOCAL_WORKSPACE = WorkspaceId("local")

API_WORKSPACE_PREFIX = "api:"
"""So begin the workspaces of those who use `vsearch serve-api`; they are in the back end alone, in no catalogue."""

DataId = NewType("DataId", str)
"""One image in one back end; opaque to everyone else."""

MAX_NOTE = 512

_DATABASE = re.compile(r"[a-z0-9_]{2,64}", re.ASCII)
_ENTITY = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


class DatabaseName(str):
    """2 to 64 of ``a-z 0-9 _``, as the hosted API has it."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the form. Raises InvalidInput."""
        if not _DATABASE.fullmatch(text):
            raise InvalidInput("A database name has 2 to 64 of `a-z 0-9 _`, such as `product_photos`.")
        return super().__new__(cls, text)


class EntityId(str):
    """1 to 64 of ``a-z 0-9 _``: what a picture shows, such as a part number; groups its images."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the form. Raises InvalidInput."""
        if not _ENTITY.fullmatch(text):
            raise InvalidInput("An entity id has 1 to 64 of `a-z 0-9 _`, such as `valve_0042`.")
        return super().__new__(cls, text)


class Note(str):
    """Free text of up to 512 characters (the API's ``ExtraData``); may be empty."""

    __slots__ = ()

    def __new__(cls, text: str = "") -> Self:
        """Check the length. Raises InvalidInput."""
        if len(text) > MAX_NOTE:
            raise InvalidInput(f"A note has up to {MAX_NOTE} characters; this one has {len(text)}.")
        if _UNSTORABLE.search(text):
            raise InvalidInput("The note has characters that can't be stored.")
        return super().__new__(cls, text)


@dataclass(frozen=True, slots=True, order=True)
class DatabaseKey:
    """A database of one workspace. Back ends take nothing less, so tenants are apart by construction."""

    workspace: WorkspaceId
    name: DatabaseName
