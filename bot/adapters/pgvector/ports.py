"""The port to rows that can be searched where they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from bot.adapters.embedded.index import Floats
from bot.adapters.embedded.store import Rows


class NearestRows(Rows, Protocol):
    """The rows, seen from inside a transaction, and the search for the nearest of them."""

    def is_indexed(self, database_id: int, model_id: str) -> bool:
        """Whether the database has indexes of its own; otherwise each of its vectors is compared."""
        ...

    def search_by_index(self, count: int) -> None:
        """Be thorough enough for so many results, in this transaction."""
        ...

    def nearest(
        self, database_id: int, model_id: str, embedding: Floats, count: int, *, by_index: bool
    ) -> Mapping[int, float]:
        """Cosines by row id."""
        ...

    def resembling(
        self, database_id: int, model_id: str, fingerprints: Sequence[bytes], reach: int, count: int, *, by_index: bool
    ) -> Mapping[int, tuple[int, int]]:
        """By row id, nearest first: the distance of the nearest of these fingerprints, and which of them that is."""
        ...

    def cosines(self, row_ids: Iterable[int], embedding: Floats) -> Mapping[int, float]:
        """By row id."""
        ...
