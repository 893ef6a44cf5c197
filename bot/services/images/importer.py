"""Import many pictures with bounded memory. An interrupted import can be resumed by running it again."""

from __future__ import annotations

import asyncio
import hashlib
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

from bot.domain.errors import AlreadyAdded, InvalidInput, PictureRefused, UserError
from bot.domain.identifiers import DatabaseKey, EntityId, Note
from bot.domain.pictures import Picture
from bot.services.databases import find_database
from bot.services.images.addition import AddService, NewImage
from bot.services.images.import_sources import ImportSource, printable
from bot.storage.ports.catalogue import Catalogue

_CHUNK = 64
_QUEUED = 2 * _CHUNK
_WORKERS = 4


class ImportDecoder(Protocol):
    """Decodes pictures outside the event loop."""

    async def picture_and_jpeg(self, data: bytes) -> tuple[Picture, bytes]:
        """Return the verified picture and the JPEG to store. Raises PictureRefused."""
        ...


@dataclass(frozen=True, slots=True)
class RejectedFile:
    """A file that was not imported, and the reason for people."""

    path: Path
    reason: str


@dataclass(slots=True)
class ImportReport:
    """The progress of an import. ``total`` is None until the sources are counted."""

    total: int | None = None
    added: int = 0
    skipped: int = 0
    refused: list[RejectedFile] = field(default_factory=list)
    interrupted: bool = False

    @property
    def done(self) -> int:
        """The number of files that were added, skipped or refused."""
        return self.added + self.skipped + len(self.refused)


OnImportProgress = Callable[[ImportReport], None]


def _no_progress(_report: ImportReport) -> None:
    """Ignore progress."""


CONCURRENCY = 32
REMOTE_CONCURRENCY = 4
"""Concurrency for a back end that needs a remote call for each picture."""


class ImportService:
    """Imports the pictures of a folder or a CSV file.

    Up to ``concurrency`` files are processed at the same time by a few workers, so that reading, decoding, embedding
    and writing overlap. Each worker adds its files in one transaction. Files of more than ``max_bytes`` are refused.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        additions: AddService,
        reader: ImportDecoder,
        *,
        concurrency: int = CONCURRENCY,
        max_bytes: int = 25_000_000,
    ) -> None:
        self._catalogue = catalogue
        self._additions = additions
        self._reader = reader
        self._workers = min(_WORKERS, concurrency)
        self._batch_size = concurrency // self._workers
        self._max_bytes = max_bytes

    async def run(
        self,
        key: DatabaseKey,
        sources: Iterable[ImportSource],
        *,
        on_progress: OnImportProgress = _no_progress,
        stop: asyncio.Event | None = None,
    ) -> ImportReport:
        """Import the pictures that the database doesn't have yet.

        Iterates over ``sources`` twice: once to count them and once to read them. After ``stop`` is set, the import
        finishes the files in flight and starts no more. The report lists refused files; any other error ends the
        import. Raises UnknownDatabase, ModelMismatch, BackendError, and InvalidInput if the sources aren't readable.
        """
        await find_database(self._catalogue, key)
        report = ImportReport()
        run = _ImportRun(self, key, report, on_progress, stop or asyncio.Event())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(run.count(sources))
                group.create_task(run.enqueue(sources, self._workers))
                for _ in range(self._workers):
                    group.create_task(run.work(self._batch_size))
        except BaseExceptionGroup as failures:
            # The first exception is the cause. The group cancelled the other tasks because of it.
            raise failures.exceptions[0] from None
        return report

    async def import_files(self, key: DatabaseKey, sources: Sequence[ImportSource]) -> list[ImportOutcome]:
        """Import a batch of pictures in one transaction, and return an outcome for each."""
        files = await asyncio.to_thread(lambda: [self._read(source) for source in sources])
        digests = [file.digest for file in files if isinstance(file, _File)]
        # Look up known files before decoding, so that a second run is fast.
        known = await self._catalogue.known_sources(key, digests)
        outcomes: list[ImportOutcome] = []
        images: list[NewImage] = []
        for file in files:
            if isinstance(file, _File) and file.digest in known:
                outcomes.append(False)
                continue
            image = await self._decode(file) if isinstance(file, _File) else file
            outcomes.append(True if isinstance(image, NewImage) else image)
            if isinstance(image, NewImage):
                images.append(image)
        added = iter(await self._additions.add_all(key, images) if images else [])
        return [not isinstance(next(added), AlreadyAdded) if new is True else new for new in outcomes]

    async def _decode(self, file: _File) -> NewImage | UserError:
        try:
            picture, jpeg = await self._reader.picture_and_jpeg(file.data)
        except PictureRefused as error:
            return error
        return NewImage(picture, jpeg, file.entity, file.note, source_name=file.name)

    def _read(self, source: ImportSource) -> _File | UserError:
        try:
            entity, note = EntityId(source.entity), Note(source.note)
            mode = source.path.stat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                # Opening a named pipe would block until another process writes to it.
                return PictureRefused("The file can't be read: it is no ordinary file.")
            with source.path.open("rb") as stream:
                data = stream.read(self._max_bytes + 1)
        except InvalidInput as error:
            return error
        except OSError as error:
            return PictureRefused(f"The file can't be read: {error.strerror or error}.")
        if len(data) > self._max_bytes:
            return PictureRefused(f"The file is larger than {self._max_bytes // 1_000_000} MB.")
        return _File(data, hashlib.sha256(data).hexdigest(), entity, note, printable(source.path.name))


ImportOutcome = bool | UserError
"""True if the picture was added, False if the database had it, or the reason why it was refused."""


@dataclass(frozen=True, slots=True)
class _File:
    """A file that was read but not decoded yet."""

    data: bytes
    digest: str
    entity: EntityId
    note: Note
    name: str


class _ImportRun:
    """The tasks of one import: a counter, a producer, and the workers."""

    def __init__(
        self,
        service: ImportService,
        key: DatabaseKey,
        report: ImportReport,
        on_progress: OnImportProgress,
        stop: asyncio.Event,
    ) -> None:
        self._service = service
        self._key = key
        self._report = report
        self._on_progress = on_progress
        self._stop = stop
        self._queue: asyncio.Queue[ImportSource | None] = asyncio.Queue(_QUEUED)

    async def count(self, sources: Iterable[ImportSource]) -> None:
        """Count the sources for the progress report while the workers run."""
        counted = 0
        walk = iter(sources)
        while not self._stop.is_set():
            chunk = await asyncio.to_thread(_next_chunk, walk)
            counted += len(chunk)
            if not chunk:
                self._report.total = counted
                self._on_progress(self._report)
                return

    async def enqueue(self, sources: Iterable[ImportSource], workers: int) -> None:
        """Put all sources into the queue, then one None for each worker to end it."""
        walk = iter(sources)
        while chunk := await asyncio.to_thread(_next_chunk, walk):
            if self._stop.is_set():
                self._report.interrupted = True
                break
            for source in chunk:
                await self._queue.put(source)
        for _ in range(workers):
            await self._queue.put(None)

    async def work(self, batch_size: int) -> None:
        """Import queued sources in batches until None arrives.

        After a stop, only drain the queue, so that ``enqueue`` doesn't block on a full queue.
        """
        more = True
        while more:
            sources = [await self._queue.get()]
            while sources[-1] and len(sources) < batch_size and not self._queue.empty():
                sources.append(self._queue.get_nowait())
            more = sources[-1] is not None
            wanted = [source for source in sources if source]
            if self._stop.is_set():
                self._report.interrupted = self._report.interrupted or bool(wanted)
            elif wanted:
                self._record_outcomes(wanted, await self._service.import_files(self._key, wanted))

    def _record_outcomes(self, sources: Sequence[ImportSource], outcomes: Sequence[ImportOutcome]) -> None:
        for source, outcome in zip(sources, outcomes, strict=True):
            if isinstance(outcome, UserError):
                self._report.refused.append(RejectedFile(source.path, str(outcome)))
            elif outcome:
                self._report.added += 1
            else:
                self._report.skipped += 1
        self._on_progress(self._report)


def _next_chunk(walk: Iterator[ImportSource]) -> list[ImportSource]:
    try:
        return list(islice(walk, _CHUNK))
    except OSError as error:
        raise InvalidInput(f"Can't read {error.filename}: {error.strerror}.") from None
