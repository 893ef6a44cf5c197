"""The storage port of the pgvector back end: rows that PostgreSQL can search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from bot.adapters.embedded.retrieval.index import Floats
from bot.adapters.embedded.store import VectorRows


class SearchableVectorRows(VectorRows, Protocol):
    """The rows inside one transaction, with nearest-neighbour search. Embeddings are float32 of norm 1."""

    def is_indexed(self, database_id: int, model_id: str) -> bool:
        """Return whether the database has an index of its own. Without one, a search compares all its vectors."""
        ...

    def nearest(
        self, database_id: int, model_id: str, embedding: Floats, count: int, *, by_index: bool
    ) -> Mapping[int, float]:
        """Return the cosines of the ``count`` nearest rows by row id.

        Pass ``by_index`` only for a database that has an index.
        """
        ...

    def fingerprints(self, database_id: int, model_id: str, after: int) -> Sequence[tuple[int, bytes]]:
        """Return (row id, fingerprint) of all rows with ids greater than ``after``, ascending."""
        ...

    def cosines(self, row_ids: Iterable[int], embedding: Floats) -> Mapping[int, float]:
        """Return the cosines of the given rows by row id. Missing rows are left out."""
        ...
