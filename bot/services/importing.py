"""Import many pictures: resumable, in step with the machine, in memory that does not grow with the folder."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

from bot.errors import AlreadyAdded, InvalidInput, PictureRefused
from bot.models import DatabaseKey, EntityId, Note, Picture
from bot.services.add import AddService
from bot.services.databases import find_database
from bot.services.sources import Source, printable
from bot.storage.base import Catalogue

_CHUNK = 64
_QUEUED = 2 * _CHUNK


class PictureReader(Protocol):
    """Bytes to pictures and back, off the event loop."""

    async def picture(self, data: bytes) -> Picture:
        """Verify and prepare a picture. Raises PictureRefused."""
        ...

    async def jpeg(self, picture: Picture) -> bytes:
        """The JPEG that is kept."""
        ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that was left out, and the sentence that says why."""

    path: Path
    reason: str


@dataclass(slots=True)
class ImportReport:
    """How far an import is. ``total`` is None until the sources are counted."""

    total: int | None = None
    added: int = 0
    skipped: int = 0
    refused: list[Refusal] = field(default_factory=list)
    interrupted: bool = False

    @property
    def done(self) -> int:
        """Files that were dealt with, in whatever way."""
        return self.added + self.skipped + len(self.refused)


OnProgress = Callable[[ImportReport], None]


def _ignore(_report: ImportReport) -> None:
    """For callers that do not watch."""


class ImportService:
    """One use case: bring a folder's or a table's pictures in.

    ``at_once`` files are under way at the same time, so that reading, decoding, embedding and writing overlap;
    what they need is all the memory that an import takes.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        adding: AddService,
        reader: PictureReader,
        *,
        at_once: int = 8,
        max_bytes: int = 25_000_000,
    ) -> None:
        self._catalogue = catalogue
        self._adding = adding
        self._reader = reader
        self._at_once = at_once
        self._max_bytes = max_bytes

    async def run(
        self,
        key: DatabaseKey,
        sources: Iterable[Source],
        *,
        on_progress: OnProgress = _ignore,
        stop: asyncio.Event | None = None,
    ) -> ImportReport:
        """Import what is not in yet. ``sources`` is walked twice: once to be counted, once to be read.

        Once ``stop`` is set, what is in flight is finished and nothing more begun. A file that is refused is in the
        report; whatever else goes wrong ends the import. Raises UnknownDatabase, ModelMismatch, BackendError, and
        InvalidInput for sources that can't be read.
        """
        await find_database(self._catalogue, key)
        report = ImportReport()
        run = _Run(self, key, report, on_progress, stop or asyncio.Event())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(run.count(sources))
                group.create_task(run.feed(sources, self._at_once))
                for _ in range(self._at_once):
                    group.create_task(run.work())
        except BaseExceptionGroup as failures:
            # One failed and the others were cancelled with it: the first tells why.
            raise failures.exceptions[0] from None
        return report

    async def take(self, key: DatabaseKey, source: Source) -> bool:
        """Import one picture; whether it was new. Raises PictureRefused and InvalidInput for one that is refused."""
        entity, note = EntityId(source.entity), Note(source.note)
        data, digest = await asyncio.to_thread(self._read, source.path)
        # Before decoding: this is what makes a second run quick.
        if await self._catalogue.find_source(key, digest):
            return False
        picture = await self._reader.picture(data)
        jpeg = await self._reader.jpeg(picture)
        try:
            await self._adding.add(key, picture, jpeg, entity, note, source_name=printable(source.path.name))
        except AlreadyAdded:
            return False
        return True

    def _read(self, path: Path) -> tuple[bytes, str]:
        try:
            with path.open("rb") as stream:
                data = stream.read(self._max_bytes + 1)
        except OSError as error:
            raise PictureRefused(f"The file can't be read: {error.strerror or error}.") from None
        if len(data) > self._max_bytes:
            raise PictureRefused(f"The file is larger than {self._max_bytes // 1_000_000} MB.")
        return data, hashlib.sha256(data).hexdigest()


class _Run:
    """One import under way."""

    def __init__(
        self, service: ImportService, key: DatabaseKey, report: ImportReport, watch: OnProgress, stop: asyncio.Event
    ) -> None:
        self._service = service
        self._key = key
        self._report = report
        self._watch = watch
        self._stop = stop
        self._queue: asyncio.Queue[Source | None] = asyncio.Queue(_QUEUED)

    async def count(self, sources: Iterable[Source]) -> None:
        """Find out how many there are, beside the work itself."""
        counted = 0
        walk = iter(sources)
        while not self._stop.is_set():
            chunk = await asyncio.to_thread(_next_chunk, walk)
            counted += len(chunk)
            if not chunk:
                self._report.total = counted
                self._watch(self._report)
                return

    async def feed(self, sources: Iterable[Source], workers: int) -> None:
        """Keep the queue filled, then tell each worker that it is over."""
        walk = iter(sources)
        while chunk := await asyncio.to_thread(_next_chunk, walk):
            if self._stop.is_set():
                self._report.interrupted = True
                break
            for source in chunk:
                await self._queue.put(source)
        for _ in range(workers):
            await self._queue.put(None)

    async def work(self) -> None:
        """Import one source after another. After a stop the queue is only emptied, so that its feeder can end."""
        while source := await self._queue.get():
            if self._stop.is_set():
                self._report.interrupted = True
                continue
            try:
                if await self._service.take(self._key, source):
                    self._report.added += 1
                else:
                    self._report.skipped += 1
            except (PictureRefused, InvalidInput) as error:
                self._report.refused.append(Refusal(source.path, str(error)))
            self._watch(self._report)


def _next_chunk(walk: Iterator[Source]) -> list[Source]:
    try:
        return list(islice(walk, _CHUNK))
    except OSError as error:
        raise InvalidInput(f"{error.filename} can't be read: {error.strerror}.") from None
