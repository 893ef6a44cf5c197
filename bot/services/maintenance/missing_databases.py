"""Find databases of the catalogue that the configured search back end doesn't have.

This happens when somebody sets another back end without `vsearch migrate`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.domain.identifiers import DatabaseName, WorkspaceId
from bot.storage.ports.catalogue import Catalogue

NamesAtBackEnd = Callable[[WorkspaceId], Awaitable[tuple[DatabaseName, ...]]]
"""Returns the names of a workspace's databases in a back end, such as ``VisualSearch.list_databases``."""


@dataclass(frozen=True, slots=True)
class MissingDatabases:
    """The databases of one workspace that a back end lacks."""

    workspace: WorkspaceId
    names: tuple[DatabaseName, ...]


async def find_missing_databases(
    catalogue: Catalogue, names_at_back_end: NamesAtBackEnd
) -> tuple[MissingDatabases, ...]:
    """Return the missing databases of each workspace that has some. Raises BackendError."""
    found = []
    for workspace in await catalogue.workspaces():
        existing = frozenset(await names_at_back_end(workspace))
        missing = tuple(info.key.name for info in await catalogue.databases(workspace) if info.key.name not in existing)
        if missing:
            found.append(MissingDatabases(workspace, missing))
    return tuple(found)
