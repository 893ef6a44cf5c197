"""The pictures of an imported table: in ZIP files beside it, shared with it, or at web addresses."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from bot.blocks.wording import imports as wording
from bot.domain.errors import FetchRefused, PictureRefused, UserError
from bot.services.images.file_names import name_at
from bot.services.images.import_sources import ImportSource
from bot.services.imports.archive import PictureArchive, below
from bot.services.imports.csv_rows import is_address
from handlers.parsing.payloads import SharedFile
from handlers.slack.files import HoldMemory

MAX_ARCHIVE_BYTES = 500_000_000
AT_ONCE = 4
"""Pictures that are fetched or unpacked at the same time; each is in memory meanwhile."""

_NOT_IN_NAMES = re.compile(r"[^\w .()-]")
_MAX_NAME = 100


class SaveFile(Protocol):
    """Downloads a file of Slack to the disk."""

    async def __call__(self, url: str, token: str, path: Path, max_bytes: int) -> None:
        """Raise FetchRefused with a message for the user."""
        ...


class ReadFile(Protocol):
    """Downloads a shared file."""

    async def __call__(self, file: SharedFile) -> bytes:
        """Raise FetchRefused and PictureRefused."""
        ...


@dataclass(frozen=True, slots=True)
class FetchedRow:
    """A row whose picture lies at ``source.path``, and the Slack file that it came from."""

    source: ImportSource
    file_id: str


def file_name_of(file: SharedFile) -> str:
    """Return a file's name as one that every disk takes."""
    return _NOT_IN_NAMES.sub("_", file.name)[-_MAX_NAME:].strip(" .") or "table"


class ImportedPictures:
    """Finds the picture of each row, and puts it on the disk while its batch is imported.

    Args:
        folder: A temporary folder.
        save: Downloads a ZIP.
        read: Downloads a picture that was shared with the table.
        fetch: Downloads from a web address that somebody wrote.
        token: The bot's token.
        max_bytes: Largest picture.
        hold_memory: Returns a context that holds memory for one picture.

    """

    def __init__(
        self,
        folder: Path,
        *,
        save: SaveFile,
        read: ReadFile,
        fetch: Callable[[str], Awaitable[bytes]],
        token: str,
        max_bytes: int,
        hold_memory: HoldMemory,
    ) -> None:
        self._folder = folder
        self._save = save
        self._read = read
        self._fetch = fetch
        self._token = token
        self._max_bytes = max_bytes
        self._archives: list[tuple[str, PictureArchive]] = []
        self._shared: defaultdict[str, list[SharedFile]] = defaultdict(list)
        self._hold_memory = hold_memory
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def open(self, archives: Sequence[SharedFile], shared: Sequence[SharedFile]) -> None:
        """Download the ZIP files, and remember the pictures beside them. Raises FetchRefused and InvalidInput."""
        for file in shared:
            self._shared[file.name.casefold()].append(file)
        for number, file in enumerate(archives):
            path = self._folder / f"{number}.zip"
            await self._save(file.url, self._token, path, MAX_ARCHIVE_BYTES)
            self._archives.append((file.id, await asyncio.to_thread(PictureArchive.open, path, file_name_of(file))))

    def close(self) -> None:
        """Close the ZIP files."""
        for _, archive in self._archives:
            archive.close()

    @property
    def file_ids(self) -> tuple[str, ...]:
        """The Slack files that pictures may come from."""
        return (
            *(file_id for file_id, _ in self._archives),
            *(file.id for alike in self._shared.values() for file in alike),
        )

    @asynccontextmanager
    async def fetched(
        self, rows: Sequence[ImportSource], written: Mapping[Path, str], table_id: str
    ) -> AsyncIterator[list[FetchedRow]]:
        """Yield the rows with their pictures on the disk. A row whose picture can't be had says why."""
        with tempfile.TemporaryDirectory(dir=self._folder) as batch:
            tasks = [
                self._fetched_row(row, written.get(row.path, str(row.path)), Path(batch) / str(number), table_id)
                for number, row in enumerate(rows)
            ]
            yield list(await asyncio.gather(*tasks))

    async def _fetched_row(self, row: ImportSource, written: str, path: Path, table_id: str) -> FetchedRow:
        if row.error or row.same_as:
            return FetchedRow(row, table_id)
        try:
            async with self._turns:
                content, name, file_id = await self._content(written, table_id)
                await asyncio.to_thread(path.write_bytes, content)
        except UserError as error:
            return FetchedRow(replace(row, path=path, error=str(error)), table_id)
        return FetchedRow(replace(row, path=path, name=name), file_id)

    async def _content(self, written: str, table_id: str) -> tuple[bytes, str, str]:
        """Return a picture, its name, and the Slack file that it is from. Raises UserError."""
        if is_address(written):
            async with self._hold_memory():
                return await self._fetch(written), name_at(written), table_id
        name = below(written).name
        if shared := self._shared.get(name.casefold()):
            if len(shared) > 1:
                raise PictureRefused(wording.pictures_alike(name, len(shared)))
            return await self._read(shared[0]), shared[0].name, shared[0].id
        problem: UserError = FetchRefused(wording.no_picture(name))
        for file_id, archive in self._archives:
            try:
                async with self._hold_memory():
                    content = await asyncio.to_thread(archive.read, written, self._max_bytes)
            except PictureRefused as error:
                problem = error
            else:
                return content, name, file_id
        raise problem
