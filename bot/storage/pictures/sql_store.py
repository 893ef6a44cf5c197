"""Normalised pictures in the database, which processes on several machines can share."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select

from bot.storage.removals.pictures import PictureRemovals
from bot.storage.removals.rows import PICTURE_LOCKS
from bot.storage.sql.database import Database
from bot.storage.sql.dialect import MAX_VARIABLES, in_batches
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.tables import images, pictures

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_columns = pictures.c


class SqlPictures:
    """Implements ``storage.ports.pictures.PictureStore``. Adds and discards may be concurrent, as in FilePictures."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._removals = PictureRemovals(database, clock, self._remove)

    async def open(self) -> None:
        """Do nothing; there is nothing to prepare."""

    async def put(self, digest: str, jpeg: bytes) -> None:
        """Store a picture. It is durable on return, or inside a unit when the unit ends.

        Storing the same picture again changes nothing.
        """
        await self.put_all({digest: jpeg})

    async def put_all(self, jpegs: Mapping[str, bytes]) -> None:
        """Store several pictures, by digest."""
        wanted = dict(jpegs)
        for digest in wanted:
            _check(digest)

        def work(connection: Connection) -> None:
            take_advisory_locks(connection, PICTURE_LOCKS, wanted)
            for some in in_batches(list(wanted)):
                known = set(connection.execute(select(_columns.digest).where(_columns.digest.in_(some))).scalars())
                new = [{"digest": digest, "jpeg": wanted[digest]} for digest in some if digest not in known]
                if new:
                    connection.execute(insert(pictures), new)

        if wanted:
            tokens = await self._removals.before_put(wanted)
            await self._database.defer(work)
            await self._removals.keep(wanted, tokens)

    async def get(self, digest: str) -> bytes:
        """Return the JPEG bytes. Raises KeyError."""
        _check(digest)
        query = select(_columns.jpeg).where(_columns.digest == digest)
        jpeg = await self._database.read(lambda connection: connection.execute(query).scalar())
        if jpeg is None:
            raise KeyError(digest)
        return bytes(jpeg)

    async def discard_unused(self, digests: Iterable[str]) -> None:
        """Delete those of the pictures that no image in any database uses; inside a unit, after it has committed."""
        wanted = sorted(set(digests))
        for digest in wanted:
            _check(digest)
        await self._removals.discard_unused(wanted)

    async def remove_due(self, limit: int) -> int:
        """Delete up to ``limit`` pictures whose removal is pending and due. Return how many."""
        return await self._removals.remove_due(limit)

    async def unused(self, before: datetime) -> AsyncIterator[Sequence[str]]:  # noqa: ARG002 - see below
        """Yield pictures that no image uses, in batches.

        Their age doesn't matter: an add stores its picture and its image in one transaction.
        """
        used = select(images.c.id).where(images.c.digest == _columns.digest).exists()
        last = ""
        while True:
            query = select(_columns.digest).where(~used, _columns.digest > last).order_by(_columns.digest)
            some = await self._database.read(partial(_digests, query.limit(MAX_VARIABLES)))
            if not some:
                return
            yield some
            last = some[-1]

    async def _remove(self, digests: Sequence[str]) -> None:
        def work(connection: Connection) -> None:
            for some in in_batches(digests):
                connection.execute(delete(pictures).where(_columns.digest.in_(some)))

        await self._database.write(work)

    def location(self, digest: str) -> str:  # noqa: ARG002 - as the other stores
        """Return an empty text: the picture has no file and no address."""
        return ""

    async def ping(self) -> None:
        """Do nothing, because ``SqlStorage.ping`` checks the database itself."""

    async def close(self) -> None:
        """Do nothing; there is nothing to close."""


def _digests(query: Select[Any], connection: Connection) -> Sequence[str]:
    return connection.execute(query).scalars().all()


def _check(digest: str) -> None:
    if not _DIGEST.fullmatch(digest):
        raise KeyError(digest)
