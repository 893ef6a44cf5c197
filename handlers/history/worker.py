"""Runs imports of channels' histories in the background, a step at a time, behind live shares and lookups."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.wording.imports import HISTORY_NEEDS_REINDEX
from bot.domain.errors import BackendError, ModelMismatch, RetryLater, UnknownDatabase, UserError
from bot.domain.jobs import HistoryImport, HistoryStatus
from bot.services.channels.history_pace import WINDOW_S, CallPacer
from bot.storage.ports.storage import Storage
from handlers.history.adding import PictureAdder
from handlers.history.past_pictures import NotWatched
from handlers.history.progress import HistoryProgress
from handlers.history.reading import HistoryReader
from handlers.slack.clients import Clients
from handlers.slack_errors import CursorExpired, HistoryRefused

log = logging.getLogger(__name__)

POLL_S = 0.5
FIRST_DELAY_S = 3.0
"""Time that a process has to connect to Slack before it reads what it missed."""

FIRST_METHOD = "conversations.history"

TURN_S = 5.0
"""How long an import goes on before the others get their turn."""

DUE_AT_ONCE = 20

RETRY_DELAYS_S = (10.0, 60.0, 300.0, 600.0)
"""Delays after failures in a row. The last one repeats."""

Sleep = Callable[[float], Awaitable[None]]


class HistoryWorker:
    """Works on the imports that are due. A step is durable, and any process may do the next one.

    Args:
        storage: Its imports, and the locks by which one process works on an import.
        clients: Tokens.
        reader: Reads histories.
        adder: Adds pictures.
        progress: Shows how far an import is.
        calls_per_min: Calls of a method a minute if Slack doesn't limit the app more.
        clock: Returns the time.
        sleep: Waits.

    """

    def __init__(
        self,
        *,
        storage: Storage,
        clients: Clients,
        reader: HistoryReader,
        adder: PictureAdder,
        progress: HistoryProgress,
        calls_per_min: int,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._imports = storage.history
        self._storage = storage
        self._clients = clients
        self._reader = reader
        self._adder = adder
        self._progress = progress
        self._pacer = CallPacer(calls_per_min, clock)
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
            if not await self._try_step(given, client, end):
                break
            steps += 1
            await self._progress.show(number, client)
        return steps > 0

    async def _try_step(self, given: HistoryImport, client: AsyncWebClient, turn_end: float) -> bool:
        """Make a step. Return False if the import can't go on now."""
        try:
            went_on = await self._step(given, client, turn_end)
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

    async def _step(self, given: HistoryImport, client: AsyncWebClient, turn_end: float) -> bool:
        if not given.is_listed:
            return await self._read_page(given, client)
        if (thread := await self._imports.next_thread(given.id)) is not None:
            return await self._read_thread(given, client, *thread)
        if not await self._add(given, client, turn_end):
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

    async def _add(self, given: HistoryImport, client: AsyncWebClient, turn_end: float) -> bool:
        async def may_go_on() -> bool:
            # Beginning anew takes some time, so the import stops only if another one waits for its turn.
            return time.monotonic() < turn_end or not await self._others_wait(given)

        show = partial(self._progress.show, given.id, client)
        return await self._adder.add(given, client, self._failures.get(given.id, 0), show, may_go_on)

    async def _others_wait(self, given: HistoryImport) -> bool:
        return any(one.id != given.id for one in await self._imports.due(2))

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
