"""Pictures lent to an outside service for a few minutes, in SQL, so that any process can serve them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, select

from bot.storage.sql.database import Database
from bot.storage.sql.schema.tables import relayed_pictures

_columns = relayed_pictures.c


class SqlRelayedPictures:
    """Implements ``storage.ports.pictures.RelayedPictures``."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    async def put(self, relay_id: str, jpeg: bytes, expires_at: datetime, picture: str | None = None) -> None:
        """Store a picture. It can be fetched on return, even inside a unit.

        ``picture``: the digest of the stored picture that it shows. It is deleted with that.
        Raises RuntimeError if the unit's transaction has begun.
        """

        def work(connection: Connection) -> None:
            self._purge_now(connection)
            connection.execute(
                insert(relayed_pictures).values(id=relay_id, jpeg=jpeg, expires_at=expires_at, picture=picture)
            )

        await self._database.write_separately(work)

    async def get(self, relay_id: str) -> bytes:
        """Return the JPEG bytes. Raises KeyError if there is no such picture or it has expired."""
        query = select(_columns.jpeg).where(_columns.id == relay_id, _columns.expires_at > self._clock())
        jpeg: bytes | None = await self._database.snapshot(lambda connection: connection.execute(query).scalar())
        if jpeg is None:
            raise KeyError(relay_id)
        return jpeg

    async def purge(self) -> None:
        """Delete expired pictures. ``put`` does so too; call this when ``put`` is no longer called."""
        await self._database.write_separately(self._purge_now)

    def _purge_now(self, connection: Connection) -> None:
        connection.execute(delete(relayed_pictures).where(_columns.expires_at <= self._clock()))
