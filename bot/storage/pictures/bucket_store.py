"""Normalised pictures in a bucket, which processes on several machines can share."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from bot.storage.catalogue.used_pictures import unused_digests
from bot.storage.pictures.bucket import DEFAULT_TIMEOUTS, Bucket, BucketObjects, BucketTimeouts, for_each
from bot.storage.removals.pictures import PictureRemovals
from bot.storage.sql.database import Database

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PROBE_OBJECT = "vsearch-is-here"


class BucketPictures:
    """Implements ``storage.ports.pictures.PictureStore``. Adds and discards may run concurrently, as in FilePictures.

    Objects are named like the files of ``FilePictures``. An object is stored before the transaction of its record
    begins, and deleted after that of the last such record, so that no transaction ever waits for the bucket.
    """

    def __init__(
        self,
        bucket: Bucket,
        database: Database,
        timeouts: BucketTimeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._objects = BucketObjects(bucket, timeouts)
        self._root = "/".join(filter(None, (f"s3://{bucket.name}", bucket.prefix.strip("/"))))
        self._database = database
        self._removals = PictureRemovals(database, clock, self._remove, "the bucket")

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
        if objects:
            tokens = await self._removals.before_put(jpegs)
            await self._put_missing(objects)
            await self._removals.keep(jpegs, tokens)

    async def get(self, digest: str) -> bytes:
        """Return the JPEG bytes. Raises KeyError."""
        name = _name(digest)
        try:
            return await self._objects.get(name)
        except KeyError:
            raise KeyError(digest) from None

    async def discard_unused(self, digests: Iterable[str]) -> None:
        """Delete those of the pictures that no image in any database uses; inside a unit, after it has committed.

        If the bucket fails, this raises nothing, and they are deleted later.
        """
        wanted = sorted(set(digests))
        for digest in wanted:
            _name(digest)
        await self._removals.discard_unused(wanted)

    async def remove_due(self, limit: int) -> int:
        """Delete up to ``limit`` pictures whose removal is pending and due. Return how many."""
        return await self._removals.remove_due(limit)

    async def unused(self, before: datetime) -> AsyncIterator[Sequence[str]]:
        """Yield pictures that no image uses and that were stored before a moment, in batches. Raises BackendError."""
        async for names in self._objects.stored_before(before):
            digests = [digest for name in names if (digest := _digest_of(name))]
            if unused := await self._database.read(partial(unused_digests, digests)):
                yield unused

    def location(self, digest: str) -> str:
        """Return the address of a picture's object, which needs the bucket's key."""
        return f"{self._root}/{_name(digest)}"

    async def close(self) -> None:
        """Do nothing; there is nothing to close."""

    async def _put_missing(self, objects: Mapping[str, bytes]) -> None:
        async def put(name: str) -> None:
            if not await self._objects.has(name):
                await self._objects.put(name, objects[name])

        await for_each(put, objects)

    async def _remove(self, digests: Sequence[str]) -> None:
        await for_each(self._objects.delete, map(_name, digests))


def _name(digest: str) -> str:
    """Return the name of a picture's object. Raises KeyError for a string that is not a digest."""
    if not _DIGEST.fullmatch(digest):
        raise KeyError(digest)
    return f"{digest[:2]}/{digest}.jpg"


def _digest_of(name: str) -> str:
    """Return the digest of the picture in an object; empty if the object is not one of this store's pictures."""
    digest = name.rpartition("/")[2].removesuffix(".jpg")
    return digest if _DIGEST.fullmatch(digest) and name == _name(digest) else ""
