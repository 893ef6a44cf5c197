"""The texts of query pictures: read after the answer, a few at a time, and remembered for ten minutes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cachetools import TTLCache

from bot.domain.pictures import Picture
from bot.domain.texts import PictureText
from bot.images.text.reader import TextReader, TextUnreadable

log = logging.getLogger(__name__)

MAX_WAITING = 8
"""Pictures that wait to be read, 3 MB each. Further ones are not read: their answers stay as they are."""

REMEMBERED, REMEMBERED_S = 500, 600.0
"""Texts that are remembered, and for how long: as long as results are cached, by default."""

_NO_TEXT = PictureText()


@dataclass(frozen=True, slots=True, eq=False)
class PendingText:
    """A query picture whose text is being read."""

    picture: Picture
    wait: Callable[[], Awaitable[PictureText]]
    """Returns the text, or an empty one if it can't be read."""


class QueryTexts:
    """Reads and remembers the texts of query pictures."""

    def __init__(self, reader: TextReader) -> None:
        self._reader = reader
        self._known: TTLCache[str, PictureText] = TTLCache(REMEMBERED, REMEMBERED_S)
        self._pending: dict[str, PendingText] = {}
        self._tasks: set[asyncio.Task[PictureText]] = set()

    @property
    def is_busy(self) -> bool:
        """Whether pictures wait to be read."""
        return bool(self._tasks)

    def known(self, digest: str) -> PictureText | None:
        """Return the text of a picture that was read lately; None if it was not."""
        return self._known.get(digest)

    def request(self, picture: Picture) -> PendingText | None:
        """Begin to read a picture. Return None if nothing is to be waited for: it is known, or too many wait."""
        if not self._reader.is_available or picture.digest in self._known:
            return None
        if known := self._pending.get(picture.digest):
            return known
        if len(self._tasks) >= MAX_WAITING:
            log.info("the text of a picture is not read, because %d others wait", MAX_WAITING)
            return None
        return self._begin(picture)

    async def read(self, picture: Picture) -> PictureText:
        """Return the text of a picture, and wait for it. It is empty if it can't be read."""
        if (known := self.known(picture.digest)) is not None or not self._reader.is_available:
            return known or _NO_TEXT
        return await (self._pending.get(picture.digest) or self._begin(picture)).wait()

    async def close(self) -> None:
        """Stop reading. Waiting pictures get no text."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, picture: Picture) -> PendingText:
        task = asyncio.create_task(self._read(picture))
        self._tasks.add(task)

        async def wait() -> PictureText:
            # A waiter that is cancelled leaves the task to the others.
            await asyncio.wait([task])
            return _NO_TEXT if task.cancelled() else task.result()

        def finish(_: asyncio.Task[PictureText]) -> None:
            self._tasks.discard(task)
            self._pending.pop(picture.digest, None)

        task.add_done_callback(finish)
        pending = self._pending[picture.digest] = PendingText(picture, wait)
        return pending

    async def _read(self, picture: Picture) -> PictureText:
        try:
            text = await self._reader.read(picture)
        except TextUnreadable as error:
            log.warning("the text of a query could not be read: %s", error)
            text = _NO_TEXT
        self._known[picture.digest] = text
        return text
