"""Import many pictures: resumable, in step with the machine, in memory that does not grow with the folder."""

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
    """Bytes to pictures, off the event loop."""

    async def picture_and_jpeg(self, data: bytes) -> tuple[Picture, bytes]:
        """The verified picture, and the JPEG that is kept. Raises PictureRefused."""
        ...


@dataclass(frozen=True, slots=True)
class RejectedFile:
    """A file that was left out, and the sentence that says why."""

    path: Path
    reason: str


@dataclass(slots=True)
class ImportReport:
    """How far an import is. ``total`` is None until the sources are counted."""

    total: int | None = None
    added: int = 0
    skipped: int = 0
    refused: list[RejectedFile] = field(default_factory=list)
    interrupted: bool = False

    @property
    def done(self) -> int:
        """Files that were dealt with, in whatever way."""
        return self.added + self.skipped + len(self.refused)


OnImportProgress = Callable[[ImportReport], None]


def _no_progress(_report: ImportReport) -> None:
    """For callers that do not watch."""


CONCURRENCY = 32
REMOTE_CONCURRENCY = 4
"""For a back end that is called for each picture."""


class ImportService:
    """One use case: bring a folder's or a table's pictures in.

    ``concurrency`` files are under way at the same time, a few in each transaction, so that reading, decoding,
    embedding and writing overlap; what they need is all the memory that an import takes.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        adding: AddService,
        reader: ImportDecoder,
        *,
        concurrency: int = CONCURRENCY,
        max_bytes: int = 25_000_000,
    ) -> None:
        self._catalogue = catalogue
        self._adding = adding
        self._reader = reader
        self._workers = min(_WORKERS, concurrency)
        self._together = concurrency // self._workers
        self._max_bytes = max_bytes

    async def run(
        self,
        key: DatabaseKey,
        sources: Iterable[ImportSource],
        *,
        on_progress: OnImportProgress = _no_progress,
        stop: asyncio.Event | None = None,
    ) -> ImportReport:
        """Import what is not in yet. ``sources`` is walked twice: once to be counted, once to be read.

        Once ``stop`` is set, what is in flight is finished and nothing more begun. A file that is refused is in the
        report; whatever else goes wrong ends the import. Raises UnknownDatabase, ModelMismatch, BackendError, and
        InvalidInput for sources that can't be read.
        """
        await find_database(self._catalogue, key)
        report = ImportReport()
        run = _ImportRun(self, key, report, on_progress, stop or asyncio.Event())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(run.count(sources))
                group.create_task(run.enqueue(sources, self._workers))
                for _ in range(self._workers):
                    group.create_task(run.work(self._together))
        except BaseExceptionGroup as failures:
            # One failed and the others were cancelled with it: the first tells why.
            raise failures.exceptions[0] from None
        return report

    async def import_files(self, key: DatabaseKey, sources: Sequence[ImportSource]) -> list[ImportOutcome]:
        """Import some pictures together; what became of each."""
        files = await asyncio.to_thread(lambda: [self._read(source) for source in sources])
        digests = [file.digest for file in files if isinstance(file, _File)]
        # Before decoding: this is what makes a second run quick.
        known = await self._catalogue.known_sources(key, digests)
        taken: list[ImportOutcome] = []
        images: list[NewImage] = []
        for file in files:
            if isinstance(file, _File) and file.digest in known:
                taken.append(False)
                continue
            image = await self._image(file) if isinstance(file, _File) else file
            taken.append(True if isinstance(image, NewImage) else image)
            if isinstance(image, NewImage):
                images.append(image)
        outcomes = iter(await self._adding.add_all(key, images) if images else [])
        return [not isinstance(next(outcomes), AlreadyAdded) if new is True else new for new in taken]

    async def _image(self, file: _File) -> NewImage | UserError:
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
                # Whoever opens a pipe waits for its writer.
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
"""Whether a picture was new; or why it was refused."""


@dataclass(frozen=True, slots=True)
class _File:
    """A source's bytes, read and not yet decoded."""

    data: bytes
    digest: str
    entity: EntityId
    note: Note
    name: str


class _ImportRun:
    """One import under way."""

    def __init__(
        self,
        service: ImportService,
        key: DatabaseKey,
        report: ImportReport,
        watch: OnImportProgress,
        stop: asyncio.Event,
    ) -> None:
        self._service = service
        self._key = key
        self._report = report
        self._watch = watch
        self._stop = stop
        self._queue: asyncio.Queue[ImportSource | None] = asyncio.Queue(_QUEUED)

    async def count(self, sources: Iterable[ImportSource]) -> None:
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

    async def enqueue(self, sources: Iterable[ImportSource], workers: int) -> None:
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

    async def work(self, together: int) -> None:
        """Import a few sources after another. After a stop the queue is only emptied, so that its feeder can end."""
        more = True
        while more:
            sources = [await self._queue.get()]
            while sources[-1] and len(sources) < together and not self._queue.empty():
                sources.append(self._queue.get_nowait())
            more = sources[-1] is not None
            wanted = [source for source in sources if source]
            if self._stop.is_set():
                self._report.interrupted = self._report.interrupted or bool(wanted)
            elif wanted:
                self._note(wanted, await self._service.import_files(self._key, wanted))

    def _note(self, sources: Sequence[ImportSource], taken: Sequence[ImportOutcome]) -> None:
        for source, outcome in zip(sources, taken, strict=True):
            if isinstance(outcome, UserError):
                self._report.refused.append(RejectedFile(source.path, str(outcome)))
            elif outcome:
                self._report.added += 1
            else:
                self._report.skipped += 1
        self._watch(self._report)


def _next_chunk(walk: Iterator[ImportSource]) -> list[ImportSource]:
    try:
        return list(islice(walk, _CHUNK))
    except OSError as error:
        raise InvalidInput(f"{error.filename} can't be read: {error.strerror}.") from None
