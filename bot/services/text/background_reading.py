"""Reads the text of stored pictures in the background: those of today, and those that were stored before."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from bot.domain.errors import BackendError, PictureRefused
from bot.domain.pictures import Picture
from bot.domain.texts import TextCounts
from bot.images.text.reader import TextReader, TextUnreadable
from bot.storage.ports.storage import Storage
from bot.storage.ports.texts import ClaimedText
from bot.telemetry.metrics import Metrics, NullMetrics

log = logging.getLogger(__name__)

FIRST_DELAY_S = 10.0
"""Time that a process has to start before it reads texts."""

INTERVAL_S = 30.0
"""How often new pictures are looked for once all are read."""

PAUSE_S = 0.2
MAX_PAUSE_S = 30.0
"""How often a busy process is asked again, and for how long at most. Even then, reading goes on slowly."""

_NULL_METRICS = NullMetrics()

DecodeStored = Callable[[bytes], Picture]
"""Decodes a stored picture. Blocks. Raises PictureRefused."""


def _never() -> bool:
    return False


class BackgroundReading:
    """Reads one picture at a time. Several processes may do so; each picture is read by one of them.

    Args:
        storage: Its pictures and their texts.
        reader: Reads texts at low priority.
        decode: Decodes a stored picture.
        is_busy: Whether searches wait, for which the reading pauses.
        metrics: Counts pictures by outcome.
    """

    def __init__(
        self,
        storage: Storage,
        reader: TextReader,
        decode: DecodeStored,
        is_busy: Callable[[], bool] = _never,
        metrics: Metrics = _NULL_METRICS,
    ) -> None:
        self._storage = storage
        self._reader = reader
        self._decode = decode
        self._is_busy = is_busy
        self._metrics = metrics
        # Images with lower ids have been looked at, so that a large catalogue isn't searched from its beginning.
        self._after = 0

    async def run(self, first_delay_s: float = FIRST_DELAY_S, interval_s: float = INTERVAL_S) -> None:
        """Read until cancelled. Raises the first error; ``supervise`` starts it again."""
        if not self._reader.is_available:
            await asyncio.Event().wait()
        await asyncio.sleep(first_delay_s)
        while True:
            while await self.read_next():
                await self._pause()
            await asyncio.sleep(interval_s)

    async def read_next(self) -> bool:
        """Read one picture. Return False if none is left. Raises BackendError."""
        claim = await self._storage.texts.claim(self._after)
        if claim is None and self._after:
            # Some may have been skipped, such as those that another process gave back.
            self._after = 0
            claim = await self._storage.texts.claim()
        if claim is None:
            return False
        self._after = max(self._after, claim.image_id)
        began, outcome = time.perf_counter(), "failed"
        try:
            outcome = await self._read(claim)
        except (BackendError, asyncio.CancelledError):
            # Neither is the picture's fault, so the attempt doesn't count.
            await asyncio.shield(self._storage.texts.release(claim))
            raise
        finally:
            self._metrics.text_read(outcome, time.perf_counter() - began)
        return True

    async def counts(self) -> TextCounts:
        """Return how far the reading is. Raises BackendError."""
        return await self._storage.texts.counts()

    async def progress(self) -> tuple[str, ...]:
        """Return a sentence if stored pictures are still to be read. Raises BackendError."""
        if not self._reader.is_available:
            return ()
        counts = await self.counts()
        if not counts.waiting:
            return ()
        return (f"text in pictures: {counts.read + counts.unreadable:,} of {counts.images:,} read",)

    async def _read(self, claim: ClaimedText) -> str:
        try:
            jpeg = await self._storage.pictures.get(claim.digest)
            picture = await asyncio.to_thread(self._decode, jpeg)
            text = await self._reader.read(picture)
        except (KeyError, PictureRefused, TextUnreadable) as error:
            log.warning("the text of a stored picture can't be read: %s", type(error).__name__)
            await self._storage.texts.give_up(claim)
            return "unreadable"
        await self._storage.texts.finish(claim, text)
        return "text" if text.lines else "none"

    async def _pause(self) -> None:
        """Wait while searches need the processor."""
        deadline = time.monotonic() + MAX_PAUSE_S
        while self._is_busy() and time.monotonic() < deadline:  # noqa: ASYNC110 - several services say so
            await asyncio.sleep(PAUSE_S)
