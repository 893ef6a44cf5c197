"""Random secrets shared by all processes that use the same database."""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, insert, select

from bot.storage.sql.database import Database
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.tables import keys

KEY_BYTES = 32


class SqlKeyring:
    """Implements ``storage.ports.storage.Keyring``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def key(self, name: str) -> bytes:
        """Return the secret with this name: KEY_BYTES random bytes, created on first use."""
        query = select(keys.c.secret).where(keys.c.name == name)

        def find(connection: Connection) -> bytes | None:
            return connection.execute(query).scalar()

        def create(connection: Connection) -> bytes:
            take_advisory_locks(connection, "keys", [name])
            # Another process may have created it while this one waited for the lock.
            secret = find(connection)
            if secret is None:
                secret = secrets.token_bytes(KEY_BYTES)
                connection.execute(insert(keys).values(name=name, secret=secret))
            return secret

        found = await self._database.read(find)
        return await self._database.write(create) if found is None else found
