"""Read a sheet of an XLSX file with its values as people see them."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.domain.errors import TableRefused
from bot.services.imports.csv_rows import MAX_ROWS, TableRow

MAX_UNPACKED = 300_000_000
"""Bytes of all parts of an XLSX file, unpacked. One of a million rows has about 100 MB."""

MAX_PARTS = 5_000
MAX_COLUMNS = 200

_DAMAGED = "This isn't a readable XLSX file. Open it in a spreadsheet program and save it again."
_SHOWN = 10

_MERGED = re.compile(rb'mergeCell[^>]{0,40}ref="([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})"')
_CHUNK, _OVERLAP = 1_000_000, 200

_MAX_EXACT = 10**15
_QUOTED = re.compile(r'"([^"]*)"|\\(.)')
_COLOUR = re.compile(r"\[[^\]]*\]")
_DIGITS = re.compile(r"[0\-/ .()A-Za-z_:+]*0[0\-/ .()A-Za-z_:+]*")
_DECIMALS = re.compile(r"(?:#,##)?0\.(0+)(%?)")


def read_sheet(path: Path, sheet: str | None = None) -> tuple[list[TableRow], str, tuple[str, ...]]:
    """Return the rows of a sheet that aren't blank, the sheet's name, and the names of the others.

    Reads the first sheet unless one is named. Raises TableRefused and OSError.
    """
    import openpyxl  # noqa: PLC0415 - takes 150 ms, and few imports read XLSX

    _check_size(path)
    try:
        values = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
        formulas = openpyxl.load_workbook(path, read_only=True, keep_links=False)
    except TableRefused:
        raise
    except Exception as error:  # openpyxl raises whatever its parsers raise
        raise TableRefused(path.name, _DAMAGED) from error
    try:
        names = [one.title for one in values.worksheets]
        chosen = _chosen(path.name, names, sheet)
        rows = list(_rows(path.name, values[chosen], formulas[chosen]))
        # openpyxl tells nothing else about merged cells while it reads row by row.
        _refuse_merged(path, values[chosen]._worksheet_path)  # noqa: SLF001
    except TableRefused:
        raise
    except Exception as error:  # It reads a sheet while its rows are asked for
        raise TableRefused(path.name, _DAMAGED) from error
    finally:
        values.close()
        formulas.close()
    return rows, chosen, tuple(name for name in names if name != chosen)


def _check_size(path: Path) -> None:
    """Refuse what unpacks to more than any table has, before a byte is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise TableRefused(path.name, _DAMAGED) from None
    if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED:
        raise TableRefused(path.name, f"The file unpacks to more than {MAX_UNPACKED // 1_000_000} MB.")


def _refuse_merged(path: Path, part: str) -> None:
    """Refuse a sheet with cells that are merged over several rows: only the first of the rows has their value."""
    with zipfile.ZipFile(path) as archive, archive.open(part) as stream:
        before = b""
        while chunk := stream.read(_CHUNK):
            for found in _MERGED.finditer(before + chunk):
                if found[2] != found[4]:
                    cells = b"".join((found[1], found[2], b":", found[3], found[4])).decode()
                    raise TableRefused(
                        path.name, f"The cells {cells} are merged, so only the first row has a value.", int(found[2])
                    )
            before = chunk[-_OVERLAP:]


def _chosen(table: str, names: list[str], sheet: str | None) -> str:
    if not names:
        raise TableRefused(table, "The file has no sheet.")
    if sheet is None:
        return names[0]
    alike = [name for name in names if name == sheet] or [
        name for name in names if name.strip().casefold() == sheet.strip().casefold()
    ]
    if len(alike) != 1:
        listed = ", ".join(f"“{name}”" for name in names[:_SHOWN])
        raise TableRefused(table, f"There is no sheet “{sheet}”. The sheets are {listed}.")
    return alike[0]


def _rows(table: str, values: Any, formulas: Any) -> Iterator[TableRow]:
    for sheet in (values, formulas):
        # Some programs write wrong dimensions, and what is outside of them would be left out.
        sheet.reset_dimensions()
    for line, (cells, sources) in enumerate(zip(values.iter_rows(), formulas.iter_rows(), strict=True), 1):
        if line > MAX_ROWS or len(cells) > MAX_COLUMNS:
            raise TableRefused(
                table, f"The sheet has more than {MAX_ROWS:,} rows or {MAX_COLUMNS} columns, empty ones included."
            )
        shown = tuple(_shown(table, line, *pair) for pair in zip(cells, sources, strict=True))
        if any(cell.strip() for cell in shown):
            yield TableRow(line, shown)


def _shown(table: str, line: int, cell: Any, source: Any) -> str:
    if cell.value is None:
        if source.value is not None:
            raise TableRefused(
                table, "A formula has no stored result. Open the file in a spreadsheet program and save it again.", line
            )
        return ""
    if cell.data_type == "e":
        raise TableRefused(table, f"A cell has the error {cell.value}.", line)
    return re.sub(r"\r\n|_x000D_\n", "\n", shown_value(cell.value, cell.number_format or ""))


def is_xlsx(beginning: bytes) -> bool:
    """Return whether a file that begins with these bytes is a ZIP archive, as XLSX files are."""
    return beginning.startswith(b"PK\x03\x04")


def shown_value(value: object, number_format: str) -> str:
    """Return the text of a cell: ``00123`` for the number 123 in the format 00000, and ``12345`` for 12345.0."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "minutes")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, int | float):
        return _shown_number(value, number_format)
    return str(value)


def _shown_number(value: float, number_format: str) -> str:
    # Sections for negative numbers and texts follow the first; colours and conditions say nothing about digits.
    section = _COLOUR.sub("", number_format.split(";", maxsplit=1)[0]).strip()
    decimals = _DECIMALS.fullmatch(section)
    if decimals:
        percent = decimals.group(2)
        return f"{value * (100 if percent else 1):.{len(decimals.group(1))}f}{percent}"
    if section == "0%":
        return f"{value * 100:.0f}%"
    if float(value).is_integer() and 0 <= value < _MAX_EXACT and "0" in section:
        literal = _QUOTED.sub(lambda found: re.sub(".", "_", found.group(1) or found.group(2)), section)
        if "." not in literal and _DIGITS.fullmatch(literal):
            return _filled(section, str(int(value)))
    return _general(value)


def _filled(section: str, digits: str) -> str:
    """Put digits into the zeros of a format, from the right: 00-000 and 1234 give 01-234."""
    # Literal text is in quotes or behind a backslash.
    parts = [
        (found.group(0), False) if found.group(3) else (found.group(1) or found.group(2), True)
        for found in re.finditer(r'"([^"]*)"|\\(.)|(.)', section)
    ]
    left, shown = list(digits), list[str]()
    zeros = sum(text == "0" and not literal for text, literal in parts)
    for text, literal in reversed(parts):
        if text != "0" or literal:
            shown.append(text)
            continue
        zeros -= 1
        shown.append("".join(left) if not zeros and left else left.pop() if left else "0")
        if not zeros:
            left.clear()
    return "".join(reversed(shown))


def _general(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    if value.is_integer() and abs(value) < _MAX_EXACT:
        return str(int(value))
    return f"{Decimal(f'{value:.15g}'):f}" if abs(value) < _MAX_EXACT else f"{value:.15g}"
