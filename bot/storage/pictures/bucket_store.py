"""Normalised pictures in a bucket, which processes on several machines can share."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Coroutine, Iterable, Mapping
from functools import partial

from sqlalchemy import Connection, select

from bot.domain.errors import BackendError, BackendTimeout
from bot.storage.pictures.bucket import DEFAULT_TIMEOUTS, Bucket, BucketObjects, BucketTimeouts, for_each
from bot.storage.sql.advisory_locks import take_advisory_locks
from bot.storage.sql.database import Database
from bot.storage.sql.schema.tables import images

log = logging.getLogger(__name__)

DISCARD_BATCH = 100
"""Pictures that one transaction deletes. Few, so that it is short."""

MAX_UNDISCARDED = 10_000
"""Maximum number of failed deletions to remember for the next time."""

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PROBE_OBJECT = "vsearch-is-here"


class BucketPictures:
    """Implements ``storage.ports.pictures.PictureStore``. Adds and discards may run concurrently, as in FilePictures.

    Objects are named like the files of ``FilePictures``. An object is stored before the record that refers to it is
    committed, and deleted after the last such record. If the process ends in between, an unused object stays.
    """

    def __init__(self, bucket: Bucket, database: Database, timeouts: BucketTimeouts = DEFAULT_TIMEOUTS) -> None:
        self._objects = BucketObjects(bucket, timeouts)
        self._timeouts = timeouts
        self._database = database
        self._undiscarded: set[str] = set()

    async def open(self) -> None:
        """Check bucket, endpoint and key. Raises BackendError."""
        await self.ping()

    async def ping(self) -> None:
        """Return if the bucket can be read. Raises BackendError."""
        try:
            await self._objects.get(_PROBE_OBJECT)
        except KeyError:
            return

    async def put(self, digest: str, jpeg: bytes) -> None:
        """Store a picture. It is durable on return, or inside a unit when the unit ends.

        Storing the same picture again changes nothing.
        """
        await self.put_all({digest: jpeg})

    async def put_all(self, jpegs: Mapping[str, bytes]) -> None:
        """Store several pictures, by digest."""
        objects = {_name(digest): jpeg for digest, jpeg in jpegs.items()}
        digests = list(jpegs)
        if not objects:
            return
        if not self._database.in_unit:
            await self._put_missing(objects)
            return

        def work(connection: Connection) -> None:
            take_advisory_locks(connection, "pictures", digests)
            self._run_in_transaction(self._put_missing(objects))

        await self._database.defer(work)

    async def get(self, digest: str) -> bytes:
        """Return the JPEG bytes. Raises KeyError."""
        name = _name(digest)
        try:
            return await self._objects.get(name)
        except KeyError:
            raise KeyError(digest) from None

    async def discard_unused(self, digests: Iterable[str]) -> None:
        """Delete those of the pictures that no image in any database uses; inside a unit, after it has committed.

        If the bucket fails, this raises nothing, and the next call deletes them.
        """
        wanted = sorted(set(digests))
        for digest in wanted:
            _name(digest)
        if wanted:
            await self._database.after_commit(partial(self._discard, wanted))

    async def close(self) -> None:
        """Do nothing; there is nothing to close."""

    async def _put_missing(self, objects: Mapping[str, bytes]) -> None:
        async def put(name: str) -> None:
            if not await self._objects.has(name):
                await self._objects.put(name, objects[name])

        await for_each(put, objects)

    async def _discard(self, wanted: Iterable[str]) -> None:
        digests = sorted({*wanted, *self._undiscarded})
        for start in range(0, len(digests), DISCARD_BATCH):
            batch = digests[start : start + DISCARD_BATCH]
            error = await self._database.write(partial(self._discard_now, batch))
            if error is not None:
                rest = digests[start:]
                self._undiscarded.update(rest[: MAX_UNDISCARDED - len(self._undiscarded)])
                log.warning("%d pictures will be deleted from the bucket later: %s", len(rest), error)
                return
            self._undiscarded.difference_update(batch)

    def _discard_now(self, digests: list[str], connection: Connection) -> BackendError | None:
        take_advisory_locks(connection, "pictures", digests)
        used = set(connection.execute(select(images.c.digest).where(images.c.digest.in_(digests))).scalars())
        names = [_name(digest) for digest in digests if digest not in used]
        try:
            # Inside the transaction, so that nobody adds the same picture between the check and the deletion.
            self._run_in_transaction(for_each(self._objects.delete, names))
        except BackendError as error:
            return error
        return None

    def _run_in_transaction(self, work: Coroutine[None, None, None]) -> None:
        """Run ``work`` in this writer thread, while a transaction is open. Blocks. Raises BackendError."""
        limit_s = self._timeouts.transaction_s

        async def bounded() -> None:
            try:
                async with asyncio.timeout(limit_s):
                    await work
            except TimeoutError:
                raise BackendTimeout(f"The bucket took over {limit_s:g} s while a transaction was open.") from None

        asyncio.run(bounded())


def _name(digest: str) -> str:
    """Return the name of a picture's object. Raises KeyError for a string that is not a digest."""
    if not _DIGEST.fullmatch(digest):
        raise KeyError(digest)
    return f"{digest[:2]}/{digest}.jpg"
