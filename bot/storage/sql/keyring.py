"""Random secrets that all processes on one database share."""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, insert, select

from bot.storage.sql.advisory_locks import take_advisory_locks
from bot.storage.sql.database import Database
from bot.storage.sql.schema.tables import keys

KEY_BYTES = 32


class SqlKeyring:
    """Satisfies ``storage.ports.storage.Keyring``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def key(self, name: str) -> bytes:
        """32 random bytes, made when first asked for."""
        query = select(keys.c.secret).where(keys.c.name == name)

        def look(connection: Connection) -> bytes | None:
            return connection.execute(query).scalar()

        def make(connection: Connection) -> bytes:
            take_advisory_locks(connection, "keys", [name])
            # Looked for again: another process may have made it before it was our turn.
            secret = look(connection)
            if secret is None:
                secret = secrets.token_bytes(KEY_BYTES)
                connection.execute(insert(keys).values(name=name, secret=secret))
            return secret

        found = await self._database.read(look)
        return await self._database.write(make) if found is None else found
