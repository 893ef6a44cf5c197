"""Sources of an import: a folder of pictures, or a table that names their files.

These functions block. Call them in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePath

from bot.domain.catalogue import SlackOrigin
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import EntityId, entity_key
from bot.services.images.file_names import FolderNames, folder_names
from bot.services.imports.columns import Role
from bot.services.imports.csv_rows import is_address
from bot.services.imports.file_lookup import FileLookup
from bot.services.imports.folder_walk import LeftOut, UnreadableFolder, walk_pictures
from bot.services.imports.spreadsheet_cells import restore
from bot.services.imports.table import CSV_SUFFIXES, XLSX_SUFFIXES, PictureRow, PictureRows, read_table

HEADER = ("file", "entity", "note")

_ADDRESS = "This is a web address. Share the table with the bot in Slack, or use “vsearch add” with the address."

_NO_FOLDERS, _NOWHERE = FolderNames("", {}), PurePath()


@dataclass(frozen=True, slots=True)
class ImportSource:
    """One picture to import. ``entity`` and ``note`` are not validated yet.

    ``entity`` is empty if the id is to be made from the file's name, with the folder that ``names`` puts before it.
    ``below`` is the path below the folder that is imported. ``line`` is that of the table, or 0, and ``same_as`` that
    of an earlier row that says the same. ``error`` is the reason why it can't be imported, if that is known already.
    ``name`` is the file's name if the path has another one. ``author`` and ``slack`` say who brought it in Slack.
    """

    path: Path
    entity: str
    note: str = ""
    names: FolderNames = _NO_FOLDERS
    below: PurePath = _NOWHERE
    line: int = 0
    same_as: int = 0
    error: str = ""
    name: str = ""
    author: str = ""
    slack: SlackOrigin | None = None

    @property
    def file_name(self) -> str:
        """The name of the file as text."""
        return printable(self.name or self.path.name)

    def entity_with(self, own_id: str) -> EntityId:
        """Return the id. ``own_id`` tells the file apart from others of a generic name. Raises InvalidInput."""
        if self.entity:
            return EntityId(self.entity)
        return self.names.entity(self.below, own_id, self.name or self.path.name)


def printable(name: str) -> str:
    """Return a file name as valid Unicode. File names on disk may contain bytes that aren't UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@dataclass(slots=True)
class PictureFolder:
    """All pictures under a folder, ordered by name within each folder.

    ``left_out`` is what the last complete walk left out.
    """

    root: Path
    left_out: LeftOut = field(default_factory=LeftOut, compare=False)

    def __iter__(self) -> Iterator[ImportSource]:
        """Walk the tree, twice: names that there are more than once get their folder."""
        paths = (found for found in walk_pictures(self.root, LeftOut()) if isinstance(found, Path))
        names = folder_names(self.root.resolve().name, (path.relative_to(self.root) for path in paths))
        left_out = LeftOut()
        for found in walk_pictures(self.root, left_out):
            if isinstance(found, UnreadableFolder):
                yield ImportSource(found.path, "", error=found.reason)
            else:
                yield ImportSource(found, "", names=names, below=found.relative_to(self.root))
        self.left_out = left_out

    def remarks(self) -> tuple[str, ...]:
        """Return what people should know about the folder, after the import."""
        sentence = self.left_out.sentence()
        return (sentence,) if sentence else ()


@dataclass
class PictureTable:
    """The rows of a CSV or XLSX file that names files. Their paths are relative to the folder of the table.

    An apostrophe with which an export kept a spreadsheet program from running a cell is removed. ``columns`` are the
    names of columns by role, and ``sheet`` that of a sheet, if somebody said them. ``find`` returns the path of a file
    and its path below the table's folder; by default, files are looked for on this machine.
    """

    path: Path
    columns: Mapping[Role, str] | None = None
    sheet: str | None = None
    find: Callable[[str], tuple[Path, PurePath]] | None = None

    @cached_property
    def table(self) -> PictureRows:
        """The table, read as a whole. Raises InvalidInput if it can't be read surely."""
        try:
            return read_table(self.path, self.columns, self.sheet, in_slack=self.find is not None)
        except OSError as error:
            raise InvalidInput(f"Can't read {self.path}: {error.strerror or error}.") from None

    def remarks(self) -> tuple[str, ...]:
        """Return what people should know about how the table was read."""
        return self.table.remarks

    def __iter__(self) -> Iterator[ImportSource]:
        """Find the file of each row. Rows without an id, whose file's name there is more than once, get their folder.

        A picture has one id and one note. Rows that name a file again with others are refused, each by itself.
        """
        find = self.find or FileLookup(self.path.parent).find
        rows = [_restored(row) for row in self.table.rows]
        if self.find is None:
            rows = [replace(row, error=_ADDRESS) if is_address(row.file) else row for row in rows]
        found = [(row, *find(row.file)) for row in rows if not row.error]
        unnamed = (below for row, _, below in found if not row.entity)
        # A table from Slack lies in a temporary folder, whose name says nothing.
        names = folder_names("" if self.find else self.path.resolve().parent.name, unnamed)
        first: dict[Path, PictureRow] = {}
        places = iter(found)
        for row in rows:
            if row.error:
                yield ImportSource(self.path.parent / row.file, row.entity, row.note, line=row.line, error=row.error)
                continue
            _, path, below = next(places)
            earlier = first.setdefault(path, row)
            error = "" if earlier is row else _contradiction(earlier, row)
            same_as = 0 if earlier is row or error else earlier.line
            yield ImportSource(path, row.entity, row.note, names, below, row.line, same_as, error)


def _restored(row: PictureRow) -> PictureRow:
    if row.error:
        return row
    return replace(row, file=restore(row.file).strip(), entity=restore(row.entity).strip(), note=restore(row.note))


def _contradiction(earlier: PictureRow, row: PictureRow) -> str:
    """Return why a row of the same file can't be imported beside an earlier one; empty if both say the same."""
    if row.entity and entity_key(row.entity) != entity_key(earlier.entity):
        return has_another_id(earlier.entity, earlier.line)
    if row.note and row.note != earlier.note:
        return f"Line {earlier.line:,} gives the same picture another note, and a picture has one. Keep one of them."
    return ""


def has_another_id(entity: str, line: int) -> str:
    """Return why a picture can't get an id: an earlier line of the table gave it another one."""
    named = f"with the id “{entity}”" if entity else "without an id"
    return f"The same picture is in line {line:,} {named}. A picture has one id: name the others in its note."


def sources_at(
    path: Path, columns: Mapping[Role, str] | None = None, sheet: str | None = None
) -> PictureFolder | PictureTable:
    """Return the sources at a path. A table is read at once, so that nothing is imported of one that is refused.

    Raises InvalidInput for a path that is neither a folder nor a table, and for a table that can't be read reliably.
    """
    if path.is_dir():
        return PictureFolder(path)
    if path.is_file() and path.suffix.lower() in CSV_SUFFIXES | XLSX_SUFFIXES | {".xls"}:
        table = PictureTable(path, columns, sheet)
        table.remarks()
        return table
    if path.exists():
        raise InvalidInput(f"{path} isn't a folder, a CSV or an XLSX file. To add one picture, use “vsearch add”.")
    raise InvalidInput(f"There is no folder, CSV or XLSX file {path}.")
