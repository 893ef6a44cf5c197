"""The ports of a data transfer from one storage to another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TransferPlan:
    """The amount of work of a transfer.

    ``source``: the name of the source, for people.
    ``rows``: the number of rows, of which ``rows_done`` were copied earlier.
    ``pictures``: the number of pictures that the rows refer to.
    ``vectors``: the number of vectors to derive for pgvector.
    ``restarted``: an unfinished transfer starts again because its source has changed.
    ``finished``: an earlier run has finished the transfer.
    """

    source: str
    rows: int
    rows_done: int
    pictures: int
    vectors: int
    restarted: bool
    finished: bool


class Transfer(Protocol):
    """A transfer of rows. Rows that were copied when a call returns are never copied again."""

    async def begin(self) -> TransferPlan:
        """Begin a transfer, or continue an unfinished one. Raises UserError and BackendError."""
        ...

    async def copy_rows(self) -> int:
        """Copy one batch of rows. Return its size; 0 means that all rows are copied."""
        ...

    async def digests(self, after: str, limit: int) -> tuple[Sequence[str], str]:
        """Look at the next ``limit`` pictures of the source after the digest ``after``.

        Return those that images here use, and the last digest looked at, which is "" if there are no more.
        """
        ...

    async def derive_vectors(self) -> int:
        """Derive one batch of pgvector's rows. Return its size; 0 means that all are derived."""
        ...

    async def finish(self) -> Mapping[str, int]:
        """Compare both sides and mark the transfer as finished. Return the rows of each table. Raises UserError."""
        ...


class SourcePictures(Protocol):
    """The pictures of the source."""

    async def jpegs(self, digests: Iterable[str]) -> Mapping[str, bytes]:
        """Return those of the pictures that exist, by digest."""
        ...
