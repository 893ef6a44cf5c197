"""The port to rows that can be searched where they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from bot.adapters.embedded.index import Floats
from bot.adapters.embedded.store import VectorRows


class SearchableVectorRows(VectorRows, Protocol):
    """The rows, seen from inside a transaction, and the search for the nearest of them."""

    def is_indexed(self, database_id: int, model_id: str) -> bool:
        """Whether the database has an index of its own; otherwise each of its vectors is compared."""
        ...

    def nearest(
        self, database_id: int, model_id: str, embedding: Floats, count: int, *, by_index: bool
    ) -> Mapping[int, float]:
        """Cosines by row id. With ``by_index`` only for a database that has an index."""
        ...

    def fingerprints(self, database_id: int, model_id: str, after: int) -> Sequence[tuple[int, bytes]]:
        """Those of row ids beyond ``after``, ascending."""
        ...

    def cosines(self, row_ids: Iterable[int], embedding: Floats) -> Mapping[int, float]:
        """By row id."""
        ...
