"""Sources of an import: a folder of pictures, or a CSV file with columns file, entity and note.

These functions block. Call them in a thread.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from bot.domain.errors import InvalidInput
from bot.domain.identifiers import EntityId
from bot.services.images.file_names import FolderNames, folder_names
from bot.services.images.spreadsheet_cells import restore

HEADER = ("file", "entity", "note")

PICTURE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".pjpeg", ".pjp", ".mpo", ".jps"),
        *(".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".btf", ".tf8"),
        *(".heic", ".heif", ".hif", ".heics", ".heifs", ".avif", ".avifs", ".avci", ".avcs"),
    }
)
"""Suffixes of the files that a folder import reads. The content decides whether a file is a picture."""

_NO_FOLDERS, _NOWHERE = FolderNames("", {}), PurePath()


@dataclass(frozen=True, slots=True)
class ImportSource:
    """One picture to import. ``entity`` and ``note`` are not validated yet.

    ``entity`` is empty if the id is to be made from the file's name, with the folder that ``names`` puts before it.
    ``below`` is the path below the folder that is imported.
    """

    path: Path
    entity: str
    note: str = ""
    names: FolderNames = _NO_FOLDERS
    below: PurePath = _NOWHERE

    def entity_with(self, own_id: str) -> EntityId:
        """Return the id. ``own_id`` tells the file apart from others of a generic name. Raises InvalidInput."""
        if self.entity:
            return EntityId(self.entity)
        return self.names.entity(self.below, own_id, self.path.name)


def printable(name: str) -> str:
    """Return a file name as valid Unicode. File names on disk may contain bytes that aren't UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class PictureFolder:
    """All pictures under a folder, ordered by name within each folder.

    Skips hidden files and symbolic links to folders.
    """

    root: Path

    def __iter__(self) -> Iterator[ImportSource]:
        """Walk the tree, twice: names that there are more than once get their folder."""
        names = folder_names(self.root.resolve().name, (path.relative_to(self.root) for path in self._files()))
        for path in self._files():
            yield ImportSource(path, "", names=names, below=path.relative_to(self.root))

    def _files(self) -> Iterator[Path]:
        pending = [self.root]
        while pending:
            files, folders = _entries(pending.pop())
            yield from files
            pending.extend(reversed(folders))


def _entries(folder: Path) -> tuple[list[Path], list[Path]]:
    files: list[str] = []
    folders: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            elif os.path.splitext(entry.name)[1].lower() in PICTURE_SUFFIXES:  # noqa: PTH122 - a Path each is slow here
                files.append(entry.path)
    return [Path(name) for name in sorted(files)], [Path(name) for name in sorted(folders)]


@dataclass(frozen=True, slots=True)
class CsvTable:
    """The rows of a CSV file with columns file, entity and note. File paths are relative to the CSV file's folder.

    If the first row is a header, the columns may come in any order. Entity and note may be missing or empty. An
    apostrophe with which an export kept a spreadsheet program from running a cell is removed.
    """

    path: Path

    def __iter__(self) -> Iterator[ImportSource]:
        """Read the rows one by one. Raises InvalidInput if the file isn't CSV in UTF-8.

        The file is read twice: rows without an id, whose file's name there is more than once, get their folder.
        """
        unnamed = (PurePath(file) for file, entity, _ in self._rows() if not entity)
        names = folder_names(self.path.resolve().parent.name, unnamed)
        for file, entity, note in self._rows():
            yield ImportSource(self.path.parent / file, entity, note, names=names, below=PurePath(file))

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        # utf-8-sig: spreadsheet programs write a byte order mark first.
        with self.path.open(encoding="utf-8-sig", newline="") as stream:
            try:
                rows = csv.reader(stream, _dialect(stream.readline()))
                stream.seek(0)
                yield from self._cells(rows)
            except UnicodeDecodeError:
                raise InvalidInput(f"{self.path.name} isn't UTF-8. Save it as a CSV file in UTF-8.") from None
            except csv.Error as error:
                raise InvalidInput(f"Can't read {self.path.name} as CSV: {error}.") from None

    def _cells(self, rows: Iterable[list[str]]) -> Iterator[tuple[str, str, str]]:
        columns: dict[str, int] | None = None
        for row in rows:
            if columns is None:
                columns, is_header = _columns(row)
                if is_header:
                    continue
            file, entity, note = (restore(_cell(row, columns.get(name))) for name in HEADER)
            if file.strip():
                yield file.strip(), entity.strip(), note


def _dialect(first_line: str) -> type[csv.Dialect]:
    # Spreadsheet programs separate by semicolons in locales with a decimal comma. The first separator of the first
    # line decides.
    found = re.search(r"[,;\t]", re.sub(r'"[^"]*"', "", first_line))
    return type("Separated", (csv.excel,), {"delimiter": found.group() if found else ","})


def _columns(row: list[str]) -> tuple[dict[str, int], bool]:
    names = [cell.strip().lower() for cell in row]
    if HEADER[0] in names:
        return {name: names.index(name) for name in HEADER if name in names}, True
    return {name: index for index, name in enumerate(HEADER)}, False


def _cell(row: list[str], column: int | None) -> str:
    return row[column] if column is not None and column < len(row) else ""


def sources_at(path: Path) -> PictureFolder | CsvTable:
    """Return the sources at a path. Raises InvalidInput for a path that is neither a folder nor a CSV file."""
    if path.is_dir():
        return PictureFolder(path)
    if path.is_file() and path.suffix.lower() in {".csv", ".tsv", ".txt"}:
        return CsvTable(path)
    if path.exists():
        raise InvalidInput(f"{path} isn't a folder or a CSV file. To add one picture, use “vsearch add”.")
    raise InvalidInput(f"There is no folder or CSV file {path}.")
