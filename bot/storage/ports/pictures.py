"""The ports of stored pictures and of pictures lent to the hosted service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol


class PictureStore(Protocol):
    """Normalised pictures, content-addressed: a picture's name is its ``digest``."""

    async def put(self, digest: str, jpeg: bytes) -> None:
        """Store a picture. It is durable on return, or inside a unit when the unit ends.

        Storing the same picture again changes nothing. Raises PictureBeingRemoved (in a unit, at its end) if the
        picture was removed meanwhile; storing it once more succeeds.
        """
        ...

    async def put_all(self, jpegs: Mapping[str, bytes]) -> None:
        """Store several pictures, by digest."""
        ...

    async def get(self, digest: str) -> bytes:
        """Return the JPEG bytes. Raises KeyError."""
        ...

    async def discard_unused(self, digests: Iterable[str]) -> None:
        """Delete those of the pictures that no image in any database uses; inside a unit, after it has committed.

        What can't be deleted now is deleted later. Nothing raises for that.
        """
        ...

    async def remove_due(self, limit: int) -> int:
        """Delete up to ``limit`` pictures whose removal is pending and due. Return how many; 0 after a failure."""
        ...

    def unused(self, before: datetime) -> AsyncIterator[Sequence[str]]:
        """Yield pictures that no image uses and that were stored before a moment, in batches. Raises BackendError."""
        ...

    async def ping(self) -> None:
        """Return if pictures can be stored and read. Raises BackendError."""
        ...


class RelayedPictures(Protocol):
    """Pictures lent to an outside service for a few minutes. Any process on the same database can serve them."""

    async def put(self, relay_id: str, jpeg: bytes, expires_at: datetime, picture: str | None = None) -> None:
        """Store a picture. It can be fetched on return, even inside a unit.

        ``picture``: the digest of the stored picture that it shows. It is deleted with that.
        """
        ...

    async def get(self, relay_id: str) -> bytes:
        """Return the JPEG bytes. Raises KeyError if there is no such picture or it has expired."""
        ...

    async def purge(self) -> None:
        """Delete expired pictures."""
        ...
