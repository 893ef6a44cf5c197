"""Normalised pictures in a bucket, where every process of every machine reaches them."""

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
"""Pictures of one transaction: it is over in a moment."""

MAX_UNDISCARDED = 10_000

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PROBE_OBJECT = "vsearch-is-here"


class BucketPictures:
    """Implements ``storage.ports.pictures.PictureStore``, with what ``FilePictures`` says of adds and discards.

    Objects are named as ``FilePictures`` names its files. One is kept before the record that names it is committed,
    and deleted after the last such record went: if a process ends in between, an object stays that nothing names.
    """

    def __init__(self, bucket: Bucket, database: Database, timeouts: BucketTimeouts = DEFAULT_TIMEOUTS) -> None:
        self._objects = BucketObjects(bucket, timeouts)
        self._timeouts = timeouts
        self._database = database
        self._left: set[str] = set()

    async def open(self) -> None:
        """Find out whether bucket, address and key fit. Raises BackendError."""
        await self.ping()

    async def ping(self) -> None:
        """Return if the bucket lets itself be read. Raises BackendError."""
        try:
            await self._objects.get(_PROBE_OBJECT)
        except KeyError:
            return

    async def put(self, digest: str, jpeg: bytes) -> None:
        """Keep a picture; when this returns (in a unit: when that ends), it survives a crash.

        Keeping it again changes nothing.
        """
        await self.put_all({digest: jpeg})

    async def put_all(self, jpegs: Mapping[str, bytes]) -> None:
        """Keep several, by digest."""
        named = {_name(digest): jpeg for digest, jpeg in jpegs.items()}
        digests = list(jpegs)
        if not named:
            return
        if not self._database.in_unit:
            await self._save(named)
            return

        def restore(connection: Connection) -> None:
            take_advisory_locks(connection, "pictures", digests)
            self._in_transaction(self._save(named))

        await self._database.defer(restore)

    async def get(self, digest: str) -> bytes:
        """The JPEG bytes. Raises KeyError."""
        name = _name(digest)
        try:
            return await self._objects.get(name)
        except KeyError:
            raise KeyError(digest) from None

    async def discard_unused(self, digests: Iterable[str]) -> None:
        """Delete those that no record in any database names any more; inside a unit, once it is committed.

        Where the bucket fails, they are left for the next time: what was to be done is done but for that.
        """
        wanted = sorted(set(digests))
        for digest in wanted:
            _name(digest)
        if wanted:
            await self._database.after_commit(partial(self._discard, wanted))

    async def close(self) -> None:
        """There is nothing to let go of."""

    async def _save(self, named: Mapping[str, bytes]) -> None:
        async def keep(name: str) -> None:
            if not await self._objects.has(name):
                await self._objects.put(name, named[name])

        await for_each(keep, named)

    async def _discard(self, wanted: Iterable[str]) -> None:
        waiting = sorted({*wanted, *self._left})
        for start in range(0, len(waiting), DISCARD_BATCH):
            some = waiting[start : start + DISCARD_BATCH]
            trouble = await self._database.write(partial(self._discard_now, some))
            if trouble is not None:
                rest = waiting[start:]
                self._left.update(rest[: MAX_UNDISCARDED - len(self._left)])
                log.warning("%d pictures are to be deleted from the bucket later: %s", len(rest), trouble)
                return
            self._left.difference_update(some)

    def _discard_now(self, digests: list[str], connection: Connection) -> BackendError | None:
        take_advisory_locks(connection, "pictures", digests)
        used = set(connection.execute(select(images.c.digest).where(images.c.digest.in_(digests))).scalars())
        names = [_name(digest) for digest in digests if digest not in used]
        try:
            # With the turn taken, so that nobody adds the same picture between the look and the deletion.
            self._in_transaction(for_each(self._objects.delete, names))
        except BackendError as error:
            return error
        return None

    def _in_transaction(self, work: Coroutine[None, None, None]) -> None:
        """For a writer's thread: it waits, and the event loop does not. Raises BackendError."""
        limit_s = self._timeouts.transaction_s

        async def bounded() -> None:
            try:
                async with asyncio.timeout(limit_s):
                    await work
            except TimeoutError:
                raise BackendTimeout(f"The bucket took over {limit_s:g} s while a transaction was open.") from None

        asyncio.run(bounded())


def _name(digest: str) -> str:
    """Of the object. Raises KeyError."""
    if not _DIGEST.fullmatch(digest):
        raise KeyError(digest)
    return f"{digest[:2]}/{digest}.jpg"
