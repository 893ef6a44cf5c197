"""A table of pictures: the file, the id and the note of each row, from CSV or XLSX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.domain.errors import TableRefused
from bot.services.imports.columns import WITH_OPTIONS, WITHOUT_OPTIONS, Columns, Role, find_columns
from bot.services.imports.csv_rows import MAX_ROWS, TableRow, is_picture_name, separated
from bot.services.imports.encoding import decode_table
from bot.services.imports.xlsx_rows import is_xlsx, read_sheet

MAX_BYTES = 200_000_000
"""Size of a CSV or XLSX file. A CSV of a million rows has about 100 MB."""

CSV_SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".txt"})
XLSX_SUFFIXES = frozenset({".xlsx", ".xlsm"})

_WITHOUT_HEADER = Columns({Role.FILE: 0, Role.ID: 1, Role.NOTE: 2})
_OLE = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True, slots=True)
class PictureRow:
    """A row: the file as written there, and the id and note, which may be empty. ``error``: why it can't be read."""

    line: int
    file: str
    entity: str = ""
    note: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class PictureRows:
    """The rows of a table. ``remarks`` are what people should know about how it was read."""

    rows: Sequence[PictureRow]
    remarks: tuple[str, ...] = ()


def read_table(
    path: Path, named: Mapping[Role, str] | None = None, sheet: str | None = None, *, in_slack: bool = False
) -> PictureRows:
    """Read a table as a whole, so that nothing is imported of one that can't be read surely.

    Args:
        path: A CSV or XLSX file; its content decides.
        named: The names of the columns by role, if somebody said them.
        sheet: The sheet of an XLSX file; the first unless it is named.
        in_slack: Whether people in Slack read the errors and remarks. They have no options of the command line.

    Raises TableRefused, and OSError if the file can't be read.

    """
    advice = WITHOUT_OPTIONS if in_slack else WITH_OPTIONS
    if path.stat().st_size > MAX_BYTES:
        raise TableRefused(path.name, f"The table is larger than {MAX_BYTES // 1_000_000} MB.")
    with path.open("rb") as stream:
        beginning = stream.read(8)
    if beginning.startswith(_OLE):
        raise TableRefused(path.name, "This is an old or encrypted spreadsheet. Save it as XLSX without a password.")
    if is_xlsx(beginning):
        rows, chosen, others = read_sheet(path, sheet)
        listed = ", ".join(f"“{name}”" for name in others)
        how = "Move one of them to the front to read it." if in_slack else "--sheet chooses one."
        remarks = [f"Reading the sheet “{chosen}”. The others are {listed}. {how}"] if others else []
        return _pictures(path.name, rows, named, advice, remarks if sheet is None else [])
    text, encoding = decode_table(path.read_bytes(), path.name)
    # Excel reads UTF-8 only with a mark, and saves in the encoding of the country without being asked.
    remarks = [f"Reading {path.name} as Windows-1252, since it isn't UTF-8."] if encoding == "Windows-1252" else []
    return _pictures(path.name, list(separated(path.name, text).rows()), named, advice, remarks)


def _pictures(
    table: str, rows: Sequence[TableRow], named: Mapping[Role, str] | None, advice: str, remarks: Sequence[str]
) -> PictureRows:
    if not rows:
        raise TableRefused(table, "The table has no rows. Save it again, best as a CSV file in UTF-8.")
    if len(rows) > MAX_ROWS:
        raise TableRefused(table, f"The table has more than {MAX_ROWS:,} rows. Divide it.")
    first = rows[0]
    if named is None and is_picture_name(first.cells[0]):
        width = max(1, min(3, max(len(_without_empty_end(row.cells)) for row in rows)))
        return PictureRows([_picture(table, row, width, _WITHOUT_HEADER) for row in rows], tuple(remarks))
    columns = find_columns(table, first.line, first.cells, named, advice)
    width, is_spaced = len(_without_empty_end(first.cells)), _is_spaced(first.cells)
    pictures = [_picture(table, _without_blanks(row) if is_spaced else row, width, columns) for row in rows[1:]]
    if Role.ID not in columns.places:
        remarks = [*remarks, "The table has no column of ids, so ids are made from file names."]
    return PictureRows(pictures, tuple(remarks))


def _picture(table: str, row: TableRow, width: int, columns: Columns) -> PictureRow:
    """Return the picture of a row. Raises TableRefused if its cells can't be told apart surely."""
    if any("\0" in cell for cell in row.cells):
        file = columns.cell(row.cells, Role.FILE).replace("\0", "␀")
        return PictureRow(row.line, file, error="The row has a character that no text has (NUL).")
    cells = _without_empty_end(row.cells)
    if len(cells) > width:
        raise TableRefused(
            table,
            f"The row has {len(cells)} cells, and the table has {width} columns. Put cells with a separator in quotes.",
            row.line,
        )
    # Programs leave out empty cells at the end. Those of file and id are too important to be guessed.
    needed = max(columns.places.get(role, 0) for role in (Role.FILE, Role.ID)) if columns is not _WITHOUT_HEADER else 0
    if len(row.cells) <= needed:
        raise TableRefused(table, f"The row has {len(row.cells)} cells, and the table has {width} columns.", row.line)
    file, entity, note = (columns.cell(row.cells, role) for role in Role)
    if not file.strip():
        return PictureRow(row.line, "", error="The row names no file. Write its name, or delete the row.")
    return PictureRow(row.line, file, entity, note)


def _is_spaced(header: Sequence[str]) -> bool:
    """Return whether blanks follow the separators, which are no part of the cells then."""
    return len(header) > 1 and all(name[:1].isspace() for name in header[1:])


def _without_blanks(row: TableRow) -> TableRow:
    return TableRow(row.line, tuple(cell.lstrip() for cell in row.cells))


def _without_empty_end(cells: Sequence[str]) -> Sequence[str]:
    end = len(cells)
    while end > 1 and not cells[end - 1].strip():
        end -= 1
    return cells[:end]
