"""Runs imports of channels' histories in the background, a step at a time, behind live shares and lookups."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.wording.imports import HISTORY_NEEDS_REINDEX
from bot.domain.errors import BackendError, ModelMismatch, RetryLater, UnknownDatabase, UserError
from bot.domain.jobs import HistoryImport, HistoryStatus, PastMessage
from bot.services.channels.history_pace import WINDOW_S, CallPacer, PastWork
from bot.storage.ports.storage import Storage
from handlers.history.past_pictures import NotWatched, PastPictures, ReadPictures
from handlers.history.progress import HistoryProgress
from handlers.history.reading import HistoryReader
from handlers.parsing.payloads import decode_share
from handlers.slack.clients import Clients
from handlers.slack_errors import CursorExpired, HistoryRefused

log = logging.getLogger(__name__)

POLL_S = 1.0
FIRST_DELAY_S = 3.0
"""Time that a process has to connect to Slack before it reads what it missed."""

FIRST_METHOD = "conversations.history"

TURN_S = 5.0
"""How long an import goes on before the others get their turn."""

DUE_AT_ONCE = 20
MESSAGES_A_STEP = 64
PICTURES_AT_ONCE = 8
BATCHES_AHEAD = 3
"""Pictures that are added in one transaction, and how many such batches are in memory: the first one is added while the
others are downloaded, decoded and embedded."""

PICTURES_BESIDE_LOOKUPS = 2
RECENT_S = 3.0
REST_S = 0.15
"""Pictures that are added in one transaction after a lookup, how long after it, and the time between two such batches.
With it, a lookup takes about as long as without an import."""

PAUSE_S = 0.05
MAX_PAUSE_S = 10.0
"""How often a busy process is asked again, and for how long at most. Even then, the import goes on slowly."""

RETRY_DELAYS_S = (10.0, 60.0, 300.0, 600.0)
"""Delays after failures in a row. The last one repeats."""

STALE_AFTER = timedelta(days=25)
"""Age of an import from which on messages are read again before they are added: the inbox forgets deletions later."""

Sleep = Callable[[float], Awaitable[None]]


class HistoryWorker:
    """Works on the imports that are due. A step is durable, and any process may do the next one.

    Args:
        storage: Its imports, and the locks by which one process works on an import.
        clients: Tokens.
        reader: Reads histories.
        pictures: Adds pictures.
        progress: Shows how far an import is.
        calls_per_min: Calls of a method a minute if Slack doesn't limit the app more.
        idle_s: Seconds since the last lookup ended. Imports wait while one runs, and make smaller steps for a while.
        work: Is told while pictures are added.
        clock: Returns the time.
        sleep: Waits.

    """

    def __init__(
        self,
        *,
        storage: Storage,
        clients: Clients,
        reader: HistoryReader,
        pictures: PastPictures,
        progress: HistoryProgress,
        calls_per_min: int,
        idle_s: Callable[[], float],
        work: PastWork,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._imports = storage.history
        self._storage = storage
        self._clients = clients
        self._reader = reader
        self._pictures = pictures
        self._progress = progress
        self._pacer = CallPacer(calls_per_min, clock)
        self._idle_s = idle_s
        self._work = work
        self._clock = clock
        self._sleep = sleep
        self._failures: dict[int, int] = {}

    async def run(self, *, first_delay_s: float = FIRST_DELAY_S, poll_s: float = POLL_S) -> None:
        """Work until cancelled. Raises the first unexpected error; ``supervise`` starts it again."""
        await self._sleep(first_delay_s)
        while True:
            if not await self.run_due():
                await self._sleep(poll_s)

    async def run_due(self) -> bool:
        """Give each import that is due its turn. Return whether any made a step."""
        worked = False
        for given in await self._imports.due(DUE_AT_ONCE):
            async with self._storage.locks.try_hold(f"history:{given.id}") as held:
                if held:
                    worked = await self._turn(given.id) or worked
        return worked

    async def _turn(self, number: int) -> bool:
        """Make steps while the import is due and its turn lasts. Return whether it made any."""
        end, steps = time.monotonic() + TURN_S, 0
        while steps == 0 or time.monotonic() < end:
            given = await self._imports.get(number)
            if given is None or given.status is not HistoryStatus.RUNNING or given.due_at > self._clock():
                break
            client = await self._clients.client(given.workspace, given.enterprise)
            if client is None:
                await self._end(given, HistoryStatus.FAILED, "no_installation")
                break
            if not (given.notice or given.is_catch_up):
                await self._progress.show(number, client)
            if not await self._try_step(given, client):
                break
            steps += 1
            await self._progress.show(number, client)
        return steps > 0

    async def _try_step(self, given: HistoryImport, client: AsyncWebClient) -> bool:
        """Make a step. Return False if the import can't go on now."""
        try:
            went_on = await self._step(given, client)
        except HistoryRefused as error:
            await self._end(given, HistoryStatus.FAILED, error.code)
        except NotWatched:
            await self._end(given, HistoryStatus.FAILED, "not_watched")
        except UnknownDatabase:
            await self._end(given, HistoryStatus.FAILED, "unknown_database")
        except CursorExpired:
            await self._imports.list_again(given.id)
        except (RetryLater, BackendError, UserError) as error:
            await self._wait(given, error)
        else:
            self._failures.pop(given.id, None)
            return went_on
        await self._progress.show(given.id, client)
        return False

    async def _step(self, given: HistoryImport, client: AsyncWebClient) -> bool:
        if not given.is_listed:
            return await self._read_page(given, client)
        if (thread := await self._imports.next_thread(given.id)) is not None:
            return await self._read_thread(given, client, *thread)
        if messages := await self._imports.next_messages(given.id, MESSAGES_A_STEP):
            with self._work.adding():
                await self._add(given, messages, client)
            return True
        await self._end(given, HistoryStatus.DONE, "")
        return True

    async def _read_page(self, given: HistoryImport, client: AsyncWebClient) -> bool:
        if not await self._may_call(given, FIRST_METHOD):
            return False
        page = await self._reader.page(given, client, given.cursor, is_limited=given.is_limited)
        await self._imports.record_page(given.id, page)
        if given.is_catch_up and page.newest:
            await self._imports.record_seen({(given.workspace, given.channel): page.newest})
        return True

    async def _read_thread(self, given: HistoryImport, client: AsyncWebClient, thread: str, cursor: str) -> bool:
        if not await self._may_call(given, "conversations.replies"):
            return False
        page = await self._reader.replies(given, thread, client, cursor, is_limited=given.is_limited)
        await self._imports.record_replies(given.id, thread, page)
        return True

    async def _may_call(self, given: HistoryImport, method: str) -> bool:
        """Return whether a method may be called now, and let the import wait if not."""
        if given.is_limited and method == FIRST_METHOD and (left := WINDOW_S - self._age_s(given)) > 0:
            # The command that began the import has read the first page.
            delay = left
        else:
            delay = self._pacer.delay_s(given.workspace, method, is_limited=given.is_limited)
        if delay:
            await self._imports.postpone(given.id, self._clock() + timedelta(seconds=delay))
        return not delay

    def _age_s(self, given: HistoryImport) -> float:
        return (self._clock() - given.created_at).total_seconds()

    async def _add(self, given: HistoryImport, messages: tuple[PastMessage, ...], client: AsyncWebClient) -> None:
        """Add the pictures of messages in batches. While one is added, the next one is downloaded and decoded."""
        await self._pause()
        crashes, failures = await self._imports.begin_messages(given.id) - 1, self._failures.get(given.id, 0)
        ahead: deque[tuple[tuple[PastMessage, ...], asyncio.Task[ReadPictures]]] = deque()
        # After a failure one by one, to find out which it was.
        left = messages[:1] if crashes or failures else messages
        read = partial(self._read, given, client=client, crashes=crashes, failures=failures)
        try:
            while left or ahead:
                while left and len(ahead) < (1 if self._is_beside_lookups else BATCHES_AHEAD):
                    some = self._batch(left)
                    left = left[len(some) :]
                    ahead.append((some, asyncio.create_task(read(some))))
                some, reading = ahead[0]
                counts = await self._pictures.add(await reading)
                ahead.popleft()
                await self._imports.finish_messages(given.id, [one.message for one in some], counts)
                await self._pause()
                now = await self._imports.get(given.id)
                if now is None or now.status is not HistoryStatus.RUNNING:
                    break
        finally:
            await _cancel(task for _, task in ahead)
            await asyncio.shield(self._imports.return_messages(given.id))

    async def _read(
        self,
        given: HistoryImport,
        messages: tuple[PastMessage, ...],
        *,
        client: AsyncWebClient,
        crashes: int,
        failures: int,
    ) -> ReadPictures:
        standing = await self._still_there(given, messages, client)
        return await self._pictures.read(given, standing, client, crashes=crashes, failures=failures)

    @property
    def _is_beside_lookups(self) -> bool:
        return self._idle_s() < RECENT_S

    def _batch(self, messages: tuple[PastMessage, ...]) -> tuple[PastMessage, ...]:
        """Return the first messages that are added together: one at least."""
        most, count, total = PICTURES_BESIDE_LOOKUPS if self._is_beside_lookups else PICTURES_AT_ONCE, 0, 0
        for one in messages:
            total += len(one.files)
            if count and total > most:
                break
            count += 1
        return messages[:count]

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

    async def _pause(self) -> None:
        """Wait while lookups need the processor, and leave it some time for the next one."""
        if self._is_beside_lookups:
            await self._sleep(REST_S)
        deadline = time.monotonic() + MAX_PAUSE_S
        while not self._idle_s() and time.monotonic() < deadline:
            await self._sleep(PAUSE_S)

    async def _wait(self, given: HistoryImport, error: RetryLater | BackendError | UserError) -> None:
        failures = self._failures[given.id] = self._failures.get(given.id, 0) + 1
        delay = RETRY_DELAYS_S[min(failures, len(RETRY_DELAYS_S)) - 1]
        if isinstance(error, RetryLater) and error.after_s:
            delay = error.after_s
        log.warning("the import %d of a history waits %.0f s: %s", given.id, delay, error)
        reason = error.user_message if isinstance(error, BackendError) else ""
        if isinstance(error, ModelMismatch):
            # Its own sentence names the database, which not everybody in the channel may know.
            reason = HISTORY_NEEDS_REINDEX
        await self._imports.postpone(given.id, self._clock() + timedelta(seconds=delay), reason)

    async def _end(self, given: HistoryImport, status: HistoryStatus, reason: str) -> None:
        over = await self._imports.set_status(given.id, status, reason)
        if over is not None and status is HistoryStatus.DONE:
            log.info("read the history of %s: %d pictures, %d refused", given.channel, over.done, over.refused)
        elif over is not None:
            log.warning("the import %d of a history ended: %s", given.id, reason)


async def _cancel(tasks: Iterable[asyncio.Task[ReadPictures]]) -> None:
    """Cancel tasks, and wait until they have ended."""
    running = list(tasks)
    for task in running:
        task.cancel()
    # Their errors don't matter any more.
    await asyncio.gather(*running, return_exceptions=True)
