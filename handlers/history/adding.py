"""Adds the pictures that were listed: while some are added, the next ones are downloaded, decoded and embedded."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.jobs import HistoryImport, HistoryStatus, PastMessage
from bot.services.channels.history_pace import PastWork
from bot.storage.ports.history import HistoryImports
from handlers.history.lookup_yield import LookupYield
from handlers.history.past_pictures import PastPictures, ReadPictures
from handlers.history.reading import HistoryReader
from handlers.parsing.payloads import decode_share

MESSAGES_AT_ONCE = 64
"""Messages that are taken from the storage by one query."""

PICTURES_AT_ONCE = 16
BATCHES_AHEAD = 3
"""Pictures that are added in one transaction, and how many such batches are in memory, with the one that is added."""

PICTURES_BESIDE_LOOKUPS = 8
"""The same after a lookup, so that the next one waits for a shorter transaction."""

LARGE_BATCH_BYTES = 24_000_000
"""Pixels of a batch after which the next ones are half as large. A picture has up to 3 MB."""

STALE_AFTER = timedelta(days=25)
"""Age of an import from which on messages are read again before they are added: the inbox forgets deletions later."""

Show = Callable[[], Coroutine[Any, Any, None]]
GoesOn = Callable[[], Awaitable[bool]]
Read = Callable[[tuple[PastMessage, ...]], Coroutine[Any, Any, ReadPictures]]


class PictureAdder:
    """Adds the pictures of an import's messages, oldest first, in batches of which each is durable.

    Args:
        imports: The messages.
        reader: Reads old messages again.
        pictures: Reads and adds pictures.
        lookups: Tells when lookups need the processor.
        work: Is told while pictures are added.
        clock: Returns the time.
    """

    def __init__(
        self,
        *,
        imports: HistoryImports,
        reader: HistoryReader,
        pictures: PastPictures,
        lookups: LookupYield,
        work: PastWork,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.imports = imports
        self.lookups = lookups
        self._reader = reader
        self._pictures = pictures
        self._work = work
        self._clock = clock

    async def add(
        self, given: HistoryImport, client: AsyncWebClient, failures: int, show: Show, goes_on: GoesOn
    ) -> bool:
        """Add pictures until none is left or ``goes_on`` returns False. Return whether there were any.

        Args:
            given: The import.
            client: Downloads files.
            failures: How often the next messages failed.
            show: Shows the progress. It is called after batches, and runs beside them.
            goes_on: Is asked after each batch.

        Raises NotWatched, UnknownDatabase, RetryLater and BackendError.
        """
        if not await self.imports.next_messages(given.id, 1):
            return False
        with self._work.adding():
            await self.lookups.wait()
            crashes = await self.imports.begin_messages(given.id) - 1

            async def read(messages: tuple[PastMessage, ...]) -> ReadPictures:
                standing = await self._still_there(given, messages, client)
                return await self._pictures.read(given, standing, client, crashes=crashes, failures=failures)

            # After a failure one by one, to find out which it was.
            pipeline = _Pipeline(self, given.id, read, self._pictures, most=1 if crashes or failures else None)
            try:
                await pipeline.run(show, goes_on)
            finally:
                await pipeline.cancel()
                await asyncio.shield(self.imports.return_messages(given.id))
        return True

    async def _still_there(
        self, given: HistoryImport, messages: tuple[PastMessage, ...], client: AsyncWebClient
    ) -> tuple[PastMessage, ...]:
        """Return the messages without those that were deleted long after they were found."""
        if self._clock() - given.created_at < STALE_AFTER:
            return messages
        found = []
        for one in messages:
            share = decode_share(one.payload)
            if share is not None and (now := await self._reader.again(given, share, client)):
                found.append(now)
        return tuple(found)


class _Pipeline:
    """The messages of an import that are in memory: those that wait, and the batches whose pictures are being read."""

    def __init__(
        self,
        adder: PictureAdder,
        number: int,
        read: Read,
        pictures: PastPictures,
        *,
        most: int | None,
    ) -> None:
        self._imports = adder.imports
        self._lookups = adder.lookups
        self._number = number
        self._read = read
        self._pictures = pictures
        self._most = most
        self._waiting: tuple[PastMessage, ...] = ()
        self._last = ""
        self._takes_more = True
        self._reads_large = False
        self._ahead: deque[tuple[tuple[PastMessage, ...], asyncio.Task[ReadPictures]]] = deque()
        self._showing: asyncio.Task[None] | None = None

    async def run(self, show: Show, goes_on: GoesOn) -> None:
        """Add batch by batch. What is in memory when ``goes_on`` returns False is added too."""
        while await self._begin_batches():
            await self._add_first()
            now = await self._imports.get(self._number)
            if now is None or now.status is not HistoryStatus.RUNNING:
                return
            if self._showing is None or self._showing.done():
                await self._shown()
                self._showing = asyncio.create_task(show())
            if not await goes_on():
                self._takes_more, self._waiting = False, ()
        await self._shown()

    async def cancel(self) -> None:
        """Stop what runs, and wait until it has ended."""
        await _cancel(task for _, task in self._ahead)
        await _cancel([self._showing] if self._showing else [])

    async def _shown(self) -> None:
        if self._showing is not None:
            await self._showing

    async def _begin_batches(self) -> bool:
        """Begin to read the next batches. Return whether there is one to add."""
        while len(self._ahead) < BATCHES_AHEAD:
            if not self._waiting and self._takes_more:
                limit = self._most or MESSAGES_AT_ONCE
                self._waiting = await self._imports.next_messages(self._number, limit, self._last)
                self._takes_more = bool(self._waiting) and self._most is None
            if not self._waiting:
                break
            batch = self._next_batch()
            self._waiting = self._waiting[len(batch) :]
            self._last = batch[-1].message
            self._ahead.append((batch, asyncio.create_task(self._read(batch))))
        return bool(self._ahead)

    async def _add_first(self) -> None:
        messages, reading = self._ahead[0]
        read = await reading
        self._reads_large = read.size >= LARGE_BATCH_BYTES
        await self._lookups.wait()
        counts = await self._pictures.add(read)
        self._ahead.popleft()
        await self._imports.finish_messages(self._number, [one.message for one in messages], counts)

    def _next_batch(self) -> tuple[PastMessage, ...]:
        """Return the first messages that are added together: one at least."""
        alone = PICTURES_AT_ONCE // 2 if self._reads_large else PICTURES_AT_ONCE
        most = PICTURES_BESIDE_LOOKUPS if self._lookups.is_beside_lookups else alone
        count = total = 0
        for one in self._waiting:
            total += len(one.files)
            if count and total > most:
                break
            count += 1
        return self._waiting[:count]


async def _cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and wait until they have ended."""
    running = list(tasks)
    for task in running:
        task.cancel()
    # Their errors don't matter any more.
    await asyncio.gather(*running, return_exceptions=True)
