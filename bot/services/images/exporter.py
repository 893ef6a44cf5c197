"""Export a database as pictures, their origins, and a CSV table of file, entity and note, for a later import."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import zipfile
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TextIO

from bot.domain.catalogue import ImageRecord
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import DatabaseKey
from bot.domain.pages import Order
from bot.services.databases import find_database
from bot.services.images.exported_origins import SUFFIX, encode_origins
from bot.services.images.import_sources import HEADER
from bot.services.images.listing import ListingService
from bot.services.imports.spreadsheet_cells import defuse
from bot.storage.ports.storage import Storage

TABLE = "images.csv"
PICTURES = "pictures"

_NOT_IN_NAMES = re.compile(r"^[^\w]|[^\w.+-]+")
_READABLE = 40


@dataclass(slots=True)
class ExportReport:
    """The progress of an export.

    ``missing`` counts images whose stored picture is gone. ``interrupted``: the export was stopped early.
    """

    total: int
    table: Path
    written: int = 0
    missing: int = 0
    interrupted: bool = False


@dataclass(slots=True)
class ArchiveReport:
    """What an archive has, and how many images exceeded its limits (``left_out``) or have no stored picture."""

    written: int = 0
    left_out: int = 0
    missing: int = 0


OnExportProgress = Callable[[ExportReport], None]


def _no_progress(_report: ExportReport) -> None:
    """Ignore progress."""


class ExportService:
    """Writes all images of a database to a directory."""

    def __init__(self, storage: Storage, listings: ListingService) -> None:
        self._storage = storage
        self._listings = listings

    async def run(
        self,
        key: DatabaseKey,
        directory: Path,
        *,
        on_progress: OnExportProgress = _no_progress,
        stop: asyncio.Event | None = None,
    ) -> ExportReport:
        """Write ``images.csv`` and ``pictures/`` into a directory, oldest image first.

        ``images.csv`` appears once all pictures are written. After ``stop`` is set, the export ends early without it.
        Raises UnknownDatabase, and InvalidInput if the directory isn't writable or already holds an export.
        """
        info = await find_database(self._storage.catalogue, key)
        report = ExportReport(info.images, directory / TABLE)
        partial = directory / (TABLE + ".part")
        stream = await asyncio.to_thread(_open_partial, directory, partial)
        try:
            rows = csv.writer(stream)
            rows.writerow(HEADER)
            async for record in self._listings.all_records(key, Order.OLDEST_FIRST):
                if stop and stop.is_set():
                    report.interrupted = True
                    return report
                await self._write(record, directory, rows, report)
                on_progress(report)
            await asyncio.to_thread(_publish, stream, partial, report.table)
        finally:
            await asyncio.to_thread(_discard, stream, partial)
        return report

    async def _write(self, record: ImageRecord, directory: Path, rows: RowWriter, report: ExportReport) -> None:
        try:
            jpeg = await self._storage.pictures.get(record.digest)
        except KeyError:
            report.missing += 1
            return
        name = _picture_name(record)
        picture = directory / name
        await asyncio.to_thread(picture.write_bytes, jpeg)
        await asyncio.to_thread(picture.with_suffix(SUFFIX).write_text, encode_origins(record), encoding="utf-8")
        rows.writerow(map(defuse, (name, record.entity, record.note)))
        report.written += 1

    async def write_archive(
        self, path: Path, records: AsyncIterator[ImageRecord], *, max_bytes: int, max_images: int
    ) -> ArchiveReport:
        """Write a ZIP of ``images.csv`` and ``pictures/``, without origins. What exceeds a limit is left out."""
        report, table, size = ArchiveReport(), io.StringIO(newline=""), 0
        rows = csv.writer(table)
        rows.writerow(HEADER)
        with await asyncio.to_thread(zipfile.ZipFile, path, "w") as archive:
            async for record in records:
                if size >= max_bytes or report.written >= max_images:
                    report.left_out += 1
                    continue
                try:
                    jpeg = await self._storage.pictures.get(record.digest)
                except KeyError:
                    report.missing += 1
                    continue
                name = _picture_name(record)
                await asyncio.to_thread(archive.writestr, name, jpeg)
                rows.writerow(map(defuse, (name, record.entity, record.note)))
                report.written += 1
                size += len(jpeg)
            await asyncio.to_thread(archive.writestr, TABLE, table.getvalue().encode("utf-8-sig"))
        return report


def _picture_name(record: ImageRecord) -> str:
    # Ids may have slashes and other characters that file systems refuse.
    readable = _NOT_IN_NAMES.sub("_", record.entity)[:_READABLE]
    return f"{PICTURES}/{readable}-{record.digest[:16]}.jpg"


class RowWriter(Protocol):
    """The part of a CSV writer that the export uses."""

    def writerow(self, row: Iterable[str], /) -> object:
        """Write one row."""
        ...


def _open_partial(directory: Path, partial: Path) -> TextIO:
    try:
        if (directory / TABLE).exists():
            raise InvalidInput(f"{directory} already has an export. Name another folder.")
        (directory / PICTURES).mkdir(parents=True, exist_ok=True)
        # Without the byte order mark, Excel shows umlauts as two characters.
        return partial.open("w", encoding="utf-8-sig", newline="")
    except OSError as error:
        raise InvalidInput(f"Can't write to {directory}: {error.strerror}.") from None


def _publish(stream: TextIO, partial: Path, table: Path) -> None:
    stream.close()
    partial.replace(table)


def _discard(stream: TextIO, partial: Path) -> None:
    stream.close()
    partial.unlink(missing_ok=True)
