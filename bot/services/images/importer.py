"""Import many pictures with bounded memory. An interrupted import can be resumed by running it again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from bot.domain.catalogue import ImageRecord
from bot.domain.errors import AlreadyAdded, FetchFailed, InvalidInput, PictureRefused, UserError
from bot.domain.identifiers import DatabaseKey, EntityId, Note
from bot.domain.pictures import Picture
from bot.images.memory import expect_bytes
from bot.services.databases import find_database
from bot.services.images.addition import AddService, Confirm, always
from bot.services.images.corrections import CorrectionService
from bot.services.images.exported_origins import read_exported
from bot.services.images.file_names import OWN_ID
from bot.services.images.import_comparison import (
    Claims,
    Decision,
    ImportComparison,
    ImportFile,
    SeenImages,
    everything,
)
from bot.services.images.import_sources import ImportSource
from bot.services.images.new_image import NewImage
from bot.services.imports.batches import Batches
from bot.services.imports.file_reader import FileReader, unreadable
from bot.services.imports.report import FileOutcome, ImportReport, Outcome
from bot.storage.ports.catalogue import Catalogue

_WORKERS = 4

_HELD_BYTES = 24_000_000
"""Pixels of a batch from which on it is added at once, so that 64 large pictures don't need hundreds of megabytes."""


class ImportDecoder(Protocol):
    """Decodes pictures outside the event loop."""

    async def picture_and_jpeg(self, data: bytes) -> tuple[Picture, bytes]:
        """Return the verified picture and the JPEG to store. Raises PictureRefused."""
        ...


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How to import.

    ``update``: change images that the database has with another id or note than the table. ``dry_run``: only say what
    an import would do. ``is_new_database``: the database of a dry run doesn't exist yet. ``keep_outcomes``: keep what
    became of each file. ``confirm`` runs last in the transaction of each batch; what it raises undoes the batch.
    Tables from Slack are compared with what is ``seen``.
    """

    update: bool = False
    dry_run: bool = False
    is_new_database: bool = False
    keep_outcomes: bool = False
    confirm: Confirm = always
    seen: SeenImages = everything


_PLAIN = ImportOptions()

OnImportProgress = Callable[[ImportReport], None]


def _no_progress(_report: ImportReport) -> None:
    """Ignore progress."""


HoldMemory = Callable[[], AbstractAsyncContextManager[object]]
"""Returns a context that holds memory for one file. Raises FetchFailed if too many wait."""

CONCURRENCY = 64
REMOTE_CONCURRENCY = 4
"""Concurrency for a back end that needs a remote call for each picture."""


class ImportService:
    """Imports the pictures of a folder or a table.

    Up to ``concurrency`` files are processed at the same time by a few workers, so that reading, decoding, embedding
    and writing overlap. Each worker adds the files of a batch in one transaction, or in several if they are large.
    Files of more than ``max_bytes`` are refused.
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
        corrections: CorrectionService | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._comparison = ImportComparison(catalogue, corrections)
        self._additions = additions
        self._reader = reader
        self._workers = min(_WORKERS, concurrency)
        self._batch_size = concurrency // self._workers
        self._files = FileReader(max_bytes)
        self._hold_memory = hold_memory

    async def run(
        self,
        key: DatabaseKey,
        sources: Iterable[ImportSource],
        *,
        on_progress: OnImportProgress = _no_progress,
        stop: asyncio.Event | None = None,
        options: ImportOptions = _PLAIN,
    ) -> ImportReport:
        """Import the pictures that the database doesn't have yet.

        Iterates over ``sources`` twice: once to count them and once to read them. After ``stop`` is set, the import
        finishes the files in flight and starts no more. The report lists refused files; any other error ends the
        import. Raises UnknownDatabase, ModelMismatch, BackendError, and InvalidInput if the sources aren't readable.
        """
        if not options.is_new_database:
            await find_database(self._catalogue, key)
        report, claims = ImportReport(), Claims()

        async def process(batch: Sequence[tuple[int, ImportSource]]) -> None:
            sources = [source for _, source in batch]
            decisions = await self.import_files(key, sources, options, claims)
            for (place, source), decision in zip(batch, decisions, strict=True):
                report.record(outcome_of(place, source, decision), keep=options.keep_outcomes)
            on_progress(report)

        def counted(total: int) -> None:
            report.total = total
            on_progress(report)

        report.interrupted = await Batches(self._workers, self._batch_size, process, counted).run(sources, stop)
        return report

    async def import_files(
        self, key: DatabaseKey, sources: Sequence[ImportSource], options: ImportOptions, claims: Claims
    ) -> list[Decision]:
        """Import a batch of pictures in one transaction, or in several if they are large. Return each one's outcome."""
        # Of larger files only the digests: those of a batch may have hundreds of megabytes.
        read = await asyncio.to_thread(lambda: [self._identify(source, key) for source in sources])
        files = [file for file, _ in read]
        identified = [file for file in files if isinstance(file, ImportFile)]
        known: Mapping[str, ImageRecord | None] = {}
        if not options.is_new_database:
            # Look up known files before decoding, so that a second run is fast.
            known = await self._comparison.known(key, identified, in_full=options.keep_outcomes)
        decisions: list[Decision] = []
        prepared: list[Decision | tuple[ImportFile, NewImage]] = []
        for file, content in read:
            if sum(one[1].picture.pixels.nbytes for one in prepared if not isinstance(one, Decision)) >= _HELD_BYTES:
                decisions += await self._add(key, prepared, options, claims)
                prepared = []
            if isinstance(file, Decision):
                prepared.append(file)
            elif file.digest in known:
                prepared.append(await self._decide(known[file.digest], file, options, claims))
            else:
                prepared.append(await self._decode(file, content, claims))
        return decisions + await self._add(key, prepared, options, claims)

    async def _add(
        self,
        key: DatabaseKey,
        prepared: Sequence[Decision | tuple[ImportFile, NewImage]],
        options: ImportOptions,
        claims: Claims,
    ) -> list[Decision]:
        """Add the new images of a batch, or look for what a dry run would find, and return all decisions."""
        images = [one[1] for one in prepared if not isinstance(one, Decision)]
        added = iter(
            await self._additions.add_all(key, images, options.confirm) if images and not options.dry_run else []
        )
        decisions: list[Decision] = []
        for one in prepared:
            if isinstance(one, Decision):
                decisions.append(one)
                continue
            decision = None if options.dry_run else _decision_of(next(added))
            if decision is not None and decision.outcome is Outcome.NEW:
                claims.plan(one[1].picture.digest, one[0])
            decisions.append(decision or await self._decide_stored(key, *one, options, claims))
        return decisions

    async def _decide_stored(
        self, key: DatabaseKey, file: ImportFile, image: NewImage, options: ImportOptions, claims: Claims
    ) -> Decision:
        """Decide about a picture whose file is new, but which the database may have from another file."""
        record = None
        if not options.is_new_database and (options.dry_run or options.keep_outcomes or file.is_named or file.note):
            record = await self._catalogue.with_digest(key, image.picture.digest)
        if record is None and options.dry_run:
            return claims.plan(image.picture.digest, file)
        return await self._decide(record, file, options, claims)

    async def _decide(
        self, record: ImageRecord | None, file: ImportFile, options: ImportOptions, claims: Claims
    ) -> Decision:
        refused = claims.refuse(record.digest, file) if record is not None else ""
        if refused:
            return Decision(Outcome.REFUSED, refused)
        update = options.update and not options.dry_run
        decision = await self._comparison.decide(record, file, update=update, seen=options.seen)
        if record is not None and decision.outcome is Outcome.SAME and file.slack and file.is_from(record.first):
            # An earlier attempt, before a crash, added it from the same message.
            return claims.plan(record.digest, file)
        return decision

    async def _decode(self, file: ImportFile, content: bytes, claims: Claims) -> tuple[ImportFile, NewImage] | Decision:
        try:
            async with self._hold_memory():
                data = content or await asyncio.to_thread(self._files.read, file.path)
                expect_bytes(len(data))
                picture, jpeg = await self._reader.picture_and_jpeg(data)
        except (PictureRefused, FetchFailed) as error:
            return Decision(Outcome.REFUSED, str(error))
        refused = claims.refuse(picture.digest, file)
        if refused:
            return Decision(Outcome.REFUSED, refused)
        return file, NewImage(
            picture,
            jpeg,
            file.entity,
            file.note,
            added_by=file.author,
            origin=file.slack,
            source_name=file.name,
            imported=file.slack is None,
            exported=file.origins,
            named_automatically=file.named_automatically,
        )

    def _identify(self, source: ImportSource, key: DatabaseKey) -> tuple[ImportFile | Decision, bytes]:
        """Return what a source is, and the content of a small file."""
        try:
            return self._file_or_decision(source, key)
        except UserError as error:
            return Decision(Outcome.REFUSED, str(error)), b""
        except OSError as error:
            return Decision(Outcome.REFUSED, str(unreadable(error))), b""
        except ValueError:
            return Decision(Outcome.REFUSED, "No file can have this name."), b""

    def _file_or_decision(self, source: ImportSource, key: DatabaseKey) -> tuple[ImportFile | Decision, bytes]:
        if source.same_as:
            return Decision(Outcome.SAME, f"Line {source.same_as:,} says the same.", source.entity), b""
        if source.error:
            raise InvalidInput(source.error)
        return self._identified(source, key)

    def _identified(self, source: ImportSource, key: DatabaseKey) -> tuple[ImportFile, bytes]:
        note = Note(source.note)
        if source.entity:
            EntityId(source.entity)
        digest, content = self._files.identify(source.path)
        entity = source.entity_with(digest[:OWN_ID])
        origins, named_before = read_exported(source.path, key.workspace)
        file = ImportFile(
            source.path,
            digest,
            entity,
            note,
            source.file_name,
            origins,
            named_automatically=not source.entity or named_before == entity,
            is_named=bool(source.entity),
            line=source.line,
            author=source.author,
            slack=source.slack,
        )
        return file, content


def _decision_of(added: ImageRecord | UserError) -> Decision | None:
    """Return what became of a picture; None if the database has it already."""
    if isinstance(added, ImageRecord):
        return Decision(Outcome.NEW, entity=added.entity)
    return None if isinstance(added, AlreadyAdded) else Decision(Outcome.REFUSED, str(added))


def outcome_of(place: int, source: ImportSource, decision: Decision) -> FileOutcome:
    """Return what became of a source, for a report."""
    entity = decision.entity or source.entity
    return FileOutcome(source.path, decision.outcome, decision.reason, source.line, entity, source.note, place)
