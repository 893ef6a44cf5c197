"""Normalised pictures in the database, which processes on several machines can share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, delete, insert, select

from bot.storage.catalogue.rows import in_batches
from bot.storage.sql.advisory_locks import take_advisory_locks
from bot.storage.sql.database import Database
from bot.storage.sql.schema.tables import images, pictures

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_columns = pictures.c


class SqlPictures:
    """Implements ``storage.ports.pictures.PictureStore``. Adds and discards may be concurrent, as in FilePictures."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
            take_advisory_locks(connection, "pictures", wanted)
            for some in in_batches(list(wanted)):
                known = set(connection.execute(select(_columns.digest).where(_columns.digest.in_(some))).scalars())
                new = [{"digest": digest, "jpeg": wanted[digest]} for digest in some if digest not in known]
                if new:
                    connection.execute(insert(pictures), new)

        if wanted:
            await self._database.defer(work)

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
        used = select(images.c.id).where(images.c.digest == _columns.digest).exists()

        def work(connection: Connection) -> None:
            take_advisory_locks(connection, "pictures", wanted)
            for some in in_batches(wanted):
                connection.execute(delete(pictures).where(_columns.digest.in_(some), ~used))

        if wanted:
            await self._database.after_commit(lambda: self._database.write(work))

    async def ping(self) -> None:
        """Do nothing, because ``SqlStorage.ping`` checks the database itself."""

    async def close(self) -> None:
        """Do nothing; there is nothing to close."""


def _check(digest: str) -> None:
    if not _DIGEST.fullmatch(digest):
        raise KeyError(digest)
