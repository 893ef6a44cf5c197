"""Word of what other processes put into the inbox, so that nobody has to ask all the time."""

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
    """Rung by whoever puts something into the inbox, heard by all that wait for it."""

    def notify(self, connection: Connection) -> None:
        """Others hear of it once the transaction is committed."""
        ...

    def listen(self) -> AsyncIterator[None]:
        """Goes on for ever; several rings may come as one. Raises nothing: at worst there is silence."""
        ...


class NullJobNotifier:
    """For a database of one machine: its processes ask often enough."""

    def notify(self, connection: Connection) -> None:
        """Nobody hears it."""

    async def listen(self) -> AsyncIterator[None]:
        """Silence."""
        await asyncio.Event().wait()
        yield


class PostgresJobNotifier:
    """LISTEN and NOTIFY, the former on a connection of its own. ``arguments`` are psycopg's."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self._arguments = arguments

    def notify(self, connection: Connection) -> None:
        """Others hear of it once the transaction is committed."""
        connection.execute(_NOTIFY)

    async def listen(self) -> AsyncIterator[None]:
        """Goes on for ever; with each new connection it rings once, for what may have been missed."""
        import psycopg  # noqa: PLC0415 - only PostgreSQL needs it

        heard = True
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(**self._arguments, autocommit=True) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    heard = True
                    yield
                    async for _ in connection.notifies():
                        yield
            except psycopg.Error as error:
                if heard:
                    log.warning("PostgreSQL can't be listened to; the inbox is asked instead: %s", error)
                heard = False
            await asyncio.sleep(RECONNECT_DELAY_S)
