"""What an import reads: a folder, or a CSV of file, entity, note. Everything here blocks: call it in a thread."""

from __future__ import annotations

import csv
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.domain.errors import InvalidInput

HEADER = ("file", "entity", "note")

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".avif", ".bmp", ".tif", ".tiff", ".heic", ".heif"}
)
"""Names that a folder import tries; what is in the file decides whether it is a picture."""

_NOT_ENTITY = re.compile(r"[^a-z0-9]+")
_MAX_ENTITY = 64


@dataclass(frozen=True, slots=True)
class ImportSource:
    """One picture to import, as it was named: ``entity`` and ``note`` are checked when its turn comes."""

    path: Path
    entity: str
    note: str = ""


def entity_from_name(name: str) -> str:
    """An entity id made of a file's name: ``Ventil Größe 3.JPG`` becomes ``ventil_grosse_3``."""
    stem = name.rpartition(".")[0] or name
    plain = unicodedata.normalize("NFKD", stem.replace("ß", "ss")).encode("ascii", "ignore").decode()
    return _NOT_ENTITY.sub("_", plain.lower()).strip("_")[:_MAX_ENTITY].strip("_") or "image"


def printable(name: str) -> str:
    """A file's name as text that can be stored and shown: names on disk may be bytes that are no UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class PictureFolder:
    """Every picture under a folder, by name, a folder at a time. Hidden files and links to folders are left out."""

    root: Path

    def __iter__(self) -> Iterator[ImportSource]:
        """Walk the folder; one folder's names are in memory at a time."""
        waiting = [self.root]
        while waiting:
            files, folders = _entries(waiting.pop())
            yield from (ImportSource(path, entity_from_name(path.name)) for path in files)
            waiting.extend(reversed(folders))


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
    """The rows of a CSV file: file, entity, note. Files are relative to the CSV's own folder.

    The first row may be a header; then its names say which column is which. Entity and note may be missing or empty.
    """

    path: Path

    def __iter__(self) -> Iterator[ImportSource]:
        """Read the rows one by one. Raises InvalidInput for a file that is no CSV in UTF-8."""
        # utf-8-sig: spreadsheets put a byte order mark first.
        with self.path.open(encoding="utf-8-sig", newline="") as stream:
            try:
                rows = csv.reader(stream, _dialect(stream.readline()))
                stream.seek(0)
                yield from self._sources(rows)
            except UnicodeDecodeError:
                raise InvalidInput(f"{self.path.name} is not a CSV file in UTF-8; save it as one.") from None
            except csv.Error as error:
                raise InvalidInput(f"{self.path.name} can't be read as CSV: {error}.") from None

    def _sources(self, rows: Iterable[list[str]]) -> Iterator[ImportSource]:
        columns: dict[str, int] | None = None
        for row in rows:
            if columns is None:
                columns, is_header = _columns(row)
                if is_header:
                    continue
            file, entity, note = (_cell(row, columns.get(name)) for name in HEADER)
            if file.strip():
                path = self.path.parent / file.strip()
                yield ImportSource(path, entity.strip() or entity_from_name(path.name), note)


def _dialect(first_line: str) -> type[csv.Dialect]:
    # Spreadsheets write semicolons where the comma is the decimal sign: what stands after the file's name decides.
    found = re.search(r"[,;\t]", re.sub(r'"[^"]*"', "", first_line))
    return type("Separated", (csv.excel,), {"delimiter": found.group() if found else ","})


def _columns(row: list[str]) -> tuple[dict[str, int], bool]:
    names = [cell.strip().lower() for cell in row]
    if HEADER[0] in names:
        return {name: names.index(name) for name in HEADER if name in names}, True
    return {name: index for index, name in enumerate(HEADER)}, False


def _cell(row: list[str], column: int | None) -> str:
    return row[column] if column is not None and column < len(row) else ""


def sources_of(path: Path) -> PictureFolder | CsvTable:
    """The sources that a path stands for. Raises InvalidInput for one that is neither folder nor CSV."""
    if path.is_dir():
        return PictureFolder(path)
    if path.is_file() and path.suffix.lower() in {".csv", ".tsv", ".txt"}:
        return CsvTable(path)
    if path.exists():
        raise InvalidInput(f"{path} is neither a folder nor a CSV file; use “add” for one picture.")
    raise InvalidInput(f"There is no folder or CSV file {path}.")
