"""The port of a move: a house that is left for another, whatever both are built on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TransferPlan:
    """What there is to do. ``rows``: to be moved, ``done`` of them earlier; ``pictures``: how many the rows name.

    ``source``: from where, for people. ``vectors``: to be made ready for the search. ``anew``: an unfinished move
    begins again, since its origin has changed. ``finished``: it was finished earlier.
    """

    source: str
    rows: int
    rows_done: int
    pictures: int
    vectors: int
    restarted: bool
    finished: bool


class Transfer(Protocol):
    """One move of rows. What was moved when a call returns is never moved again."""

    async def begin(self) -> TransferPlan:
        """Begin, or go on with what an earlier run began. Raises UserError and BackendError."""
        ...

    async def copy_rows(self) -> int:
        """Bring over some rows; how many, and none in the end."""
        ...

    async def digests(self, after: str, limit: int) -> tuple[Sequence[str], str]:
        """Pictures that are wanted, of the next so many, and the last of those; "": there are no more."""
        ...

    async def derive_vectors(self) -> int:
        """Make some of the vectors ready for the search; how many, and none in the end."""
        ...

    async def finish(self) -> Mapping[str, int]:
        """Compare both sides, and let the house be used; the rows of each table. Raises UserError."""
        ...


class SourcePictures(Protocol):
    """The pictures of the house before."""

    async def jpegs(self, digests: Iterable[str]) -> Mapping[str, bytes]:
        """Those that are there."""
        ...
