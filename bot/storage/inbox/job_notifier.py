"""Notifies workers of new jobs, so that they need not poll all the time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any, Protocol

from sqlalchemy import Connection, text

log = logging.getLogger(__name__)

CHANNEL = "vsearch_inbox"
RECONNECT_DELAY_S = 5.0

_NOTIFY = text(f"NOTIFY {CHANNEL}")


class JobNotifier(Protocol):
    """Publish and subscribe for new jobs."""

    def notify(self, connection: Connection) -> None:
        """Notify all listeners when the transaction commits."""
        ...

    def listen(self) -> AsyncIterator[None]:
        """Yield, without end, for each notification; several may be merged into one.

        Raises nothing. If notifications can't be received, it yields nothing.
        """
        ...


class NullJobNotifier:
    """Sends no notifications, for SQLite. All processes run on one machine and can poll often."""

    def notify(self, connection: Connection) -> None:
        """Do nothing."""

    async def listen(self) -> AsyncIterator[None]:
        """Wait for ever and yield nothing."""
        await asyncio.Event().wait()
        yield


class PostgresJobNotifier:
    """Uses PostgreSQL's LISTEN and NOTIFY. It listens on its own connection, opened with psycopg's ``arguments``."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self._arguments = arguments

    def notify(self, connection: Connection) -> None:
        """Notify all listeners when the transaction commits."""
        connection.execute(_NOTIFY)

    async def listen(self) -> AsyncIterator[None]:
        """Yield for each notification, and once after each connect for those that may have been missed."""
        import psycopg  # noqa: PLC0415 - takes 60 ms, and SQLite doesn't need it

        was_connected = True
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(**self._arguments, autocommit=True) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    was_connected = True
                    yield
                    async for _ in connection.notifies():
                        yield
            except psycopg.Error as error:
                if was_connected:
                    log.warning("no notifications from PostgreSQL; the inbox is polled instead: %s", error)
                was_connected = False
            await asyncio.sleep(RECONNECT_DELAY_S)
