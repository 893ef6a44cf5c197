"""Databases of the catalogue that the search back end in use doesn't have: another may have been set without a move."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.domain.identifiers import DatabaseName, WorkspaceId
from bot.storage.ports.catalogue import Catalogue

NamesAtBackEnd = Callable[[WorkspaceId], Awaitable[tuple[DatabaseName, ...]]]
"""The databases that a back end has of a workspace, such as ``VisualSearch.list_databases``."""


@dataclass(frozen=True, slots=True)
class MissingDatabases:
    """What a back end lacks of a workspace's databases."""

    workspace: WorkspaceId
    names: tuple[DatabaseName, ...]


async def find_missing_databases(
    catalogue: Catalogue, names_at_back_end: NamesAtBackEnd
) -> tuple[MissingDatabases, ...]:
    """Of each workspace that has any. Raises BackendError."""
    found = []
    for workspace in await catalogue.workspaces():
        there = frozenset(await names_at_back_end(workspace))
        lacking = tuple(info.key.name for info in await catalogue.databases(workspace) if info.key.name not in there)
        if lacking:
            found.append(MissingDatabases(workspace, lacking))
    return tuple(found)
