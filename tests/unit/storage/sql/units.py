"""Helpers for tests of units of work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.storage.sql_storage import SqlStorage

TEAM = WorkspaceId("T1")


class GaveUpError(Exception):
    """Raised by tests to roll a unit back."""


def key(name: str) -> DatabaseKey:
    return DatabaseKey(TEAM, DatabaseName(name))


async def names(storage: SqlStorage) -> list[str]:
    """Return the names of the databases in the catalogue."""
    return [info.key.name for info in await storage.catalogue.databases(TEAM)]


async def in_a_unit(storage: SqlStorage, work: Callable[[], Awaitable[object]]) -> None:
    """Run work in a unit."""
    async with storage.unit():
        await work()
