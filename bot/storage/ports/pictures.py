"""The ports of stored pictures and of pictures lent to the hosted service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol


class PictureStore(Protocol):
    """Normalised pictures, content-addressed: the name is the picture's ``digest``."""

    async def put(self, digest: str, jpeg: bytes) -> None:
        """Keep a picture; when this returns (in a unit: when that ends), it survives a crash.

        Keeping it again changes nothing.
        """
        ...

    async def put_all(self, jpegs: Mapping[str, bytes]) -> None:
        """Keep several, by digest."""
        ...

    async def get(self, digest: str) -> bytes:
        """The JPEG bytes. Raises KeyError."""
        ...

    async def discard_unused(self, digests: Iterable[str]) -> None:
        """Delete those that no record in any database names any more."""
        ...

    async def ping(self) -> None:
        """Return if pictures can be kept and read. Raises BackendError."""
        ...


class RelayedPictures(Protocol):
    """Pictures for somebody outside to fetch, for minutes; any process on the same database serves them."""

    async def put(self, relay_id: str, jpeg: bytes, expires_at: datetime) -> None:
        """Keep a picture; when this returns, it can be fetched, even inside a unit."""
        ...

    async def get(self, relay_id: str) -> bytes:
        """The JPEG bytes. Raises KeyError for one that is not there, or has expired."""
        ...

    async def purge(self) -> None:
        """Drop what has expired."""
        ...
