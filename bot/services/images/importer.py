"""Import many pictures with bounded memory. An interrupted import can be resumed by running it again."""

from __future__ import annotations

import asyncio
import hashlib
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

from bot.domain.catalogue import Origin
from bot.domain.errors import AlreadyAdded, FetchFailed, InvalidInput, PictureRefused, UserError
from bot.domain.identifiers import DatabaseKey, EntityId, Note
from bot.domain.pictures import Picture
from bot.images.memory import expect_bytes
from bot.services.databases import find_database
from bot.services.images.addition import AddOutcome, AddService, DeletedInSlack, NewImage
from bot.services.images.exported_origins import read_exported
from bot.services.images.file_names import OWN_ID
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


HoldMemory = Callable[[], AbstractAsyncContextManager[object]]
"""Returns a context that holds memory for one file. Raises FetchFailed if too many wait."""

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
        hold_memory: HoldMemory = nullcontext,
    ) -> None:
        self._catalogue = catalogue
        self._additions = additions
        self._reader = reader
        self._workers = min(_WORKERS, concurrency)
        self._batch_size = concurrency // self._workers
        self._max_bytes = max_bytes
        self._hold_memory = hold_memory

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
        # Only their digests: the files of a batch may have hundreds of megabytes.
        files = await asyncio.to_thread(lambda: [self._identify(source, key) for source in sources])
        digests = [file.digest for file in files if isinstance(file, _File)]
        # Look up known files before decoding, so that a second run is fast.
        known = await self._catalogue.imported_sources(key, digests)
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
        return [_outcome_of(next(added)) if new is True else new for new in outcomes]

    async def _decode(self, file: _File) -> NewImage | UserError:
        try:
            async with self._hold_memory():
                data = await asyncio.to_thread(self._read, file.path)
                picture, jpeg = await self._reader.picture_and_jpeg(data)
        except (PictureRefused, FetchFailed) as error:
            return error
        return NewImage(
            picture,
            jpeg,
            file.entity,
            file.note,
            source_name=file.name,
            imported=True,
            exported=file.origins,
            named_automatically=file.named_automatically,
        )

    def _identify(self, source: ImportSource, key: DatabaseKey) -> _File | UserError:
        try:
            note = Note(source.note)
            if source.entity:
                EntityId(source.entity)
            status = source.path.stat()
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                # Opening a named pipe would block until another process writes to it.
                return PictureRefused("The file can't be read: it is no ordinary file.")
            if stat.S_ISREG(status.st_mode) and status.st_size > self._max_bytes:
                return self._too_large()
            with source.path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            entity = source.entity_with(digest[:OWN_ID])
            origins, named_before = read_exported(source.path, key.workspace)
        except InvalidInput as error:
            return error
        except OSError as error:
            return _unreadable(error)
        name = printable(source.path.name)
        return _File(
            source.path,
            digest,
            entity,
            note,
            name,
            origins,
            named_automatically=not source.entity or named_before == entity,
        )

    def _read(self, path: Path) -> bytes:
        """Return the content of a file. Raises PictureRefused."""
        try:
            with path.open("rb") as stream:
                data = stream.read(self._max_bytes + 1)
        except OSError as error:
            raise _unreadable(error) from None
        if len(data) > self._max_bytes:
            raise self._too_large()
        expect_bytes(len(data))
        return data

    def _too_large(self) -> PictureRefused:
        return PictureRefused(f"The file is larger than {self._max_bytes // 1_000_000} MB.")


def _unreadable(error: OSError) -> PictureRefused:
    return PictureRefused(f"The file can't be read: {error.strerror or error}.")


def _outcome_of(added: AddOutcome) -> ImportOutcome:
    return added if isinstance(added, DeletedInSlack) else not isinstance(added, AlreadyAdded)


ImportOutcome = bool | UserError
"""True if the picture was added, False if the database had it, or the reason why it was refused."""


@dataclass(frozen=True, slots=True)
class _File:
    """A file that is not decoded yet."""

    path: Path
    digest: str
    entity: EntityId
    note: Note
    name: str
    origins: tuple[Origin, ...] = ()
    named_automatically: bool = False


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
