"""Nearest-neighbour search in a service outside SQL, which must not be waited for inside a transaction."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol, runtime_checkable

from bot.adapters.embedded.retrieval.neighbours import NeighbourQuery
from bot.adapters.embedded.store import VectorStore
from bot.domain.identifiers import DatabaseKey, DataId


@runtime_checkable
class RemoteNeighbourSearch(Protocol):
    """A ``NeighbourSearch`` that asks a service before the transaction of a search begins."""

    async def fetch(
        self, store: VectorStore, key: DatabaseKey, query: NeighbourQuery, exclude: Collection[DataId]
    ) -> NeighbourQuery:
        """Return the query with the service's answer, for ``search``. Raises BackendError.

        Raises UnknownDatabase and ModelMismatch as well.
        """
        ...
