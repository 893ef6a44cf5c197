"""Read CSV strictly: what can't be read surely is refused with its line.

The standard library's reader takes an unclosed quote as the beginning of a cell that goes on for many lines, and cuts
cells whose quote has a blank in front. Both lose rows without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice

from bot.domain.errors import TableRefused
from bot.services.imports.columns import names_files
from bot.services.imports.folder_walk import PICTURE_SUFFIXES

MAX_ROWS = 1_000_000
DELIMITERS = ",;\t|"

MAX_COMPARED = 50
"""Rows that are compared to find out how a table is separated."""

_HINT = re.compile(r'\A\s*"?sep=([^"\w\r\n ])"?[^\S\r\n]*(?:\r\n|\n|\r|\Z)', re.IGNORECASE)
_LINE = re.compile(r"([^\r\n]*)(\r\n|\n|\r|\Z)")
_BLANKS = " \t\u00a0\u3000"
_SUFFIXES = tuple(PICTURE_SUFFIXES)


@dataclass(frozen=True, slots=True)
class TableRow:
    """The cells of a row, and the line that it begins in."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CsvText:
    """The text of a CSV file, and how it is separated. ``start`` is where the rows begin, after a hint."""

    name: str
    text: str
    delimiter: str
    start: int = 0

    def rows(self) -> Iterator[TableRow]:
        """Return the rows that aren't blank. Raises TableRefused."""
        return _rows(self.name, self.text, self.delimiter, self.start)


def separated(name: str, text: str) -> CsvText:
    """Find out how a table is separated: as its first line ``sep=;`` says, or so that its rows fit together."""
    hint = _HINT.match(text)
    if hint:
        return CsvText(name, text, hint.group(1), hint.end())
    ranked = sorted(DELIMITERS, key=lambda delimiter: _fit(name, text, delimiter), reverse=True)
    return CsvText(name, text, ranked[0])


def _fit(name: str, text: str, delimiter: str) -> tuple[bool, bool, int]:
    """Return how well a delimiter fits: the first row has a file, all have as many cells, then how early it comes."""
    first: TableRow | None = None
    counts: set[int] = set()
    try:
        for row in islice(_rows(name, text, delimiter, 0), MAX_COMPARED):
            first = first or row
            counts.add(len(row.cells))
    except TableRefused:
        counts.add(0)
    if first is None or len(first.cells) == 1:
        return False, False, -len(text)
    has_file = names_files(first.cells) or any(map(is_picture_name, first.cells))
    return has_file, len(counts) == 1, -len(first.cells[0])


def _rows(name: str, text: str, delimiter: str, start: int) -> Iterator[TableRow]:
    line, place = 1 + _breaks(text[:start]), start
    while place < len(text):
        found = _LINE.match(text, place)
        assert found is not None
        whole = found.group(1)
        if '"' not in whole:
            cells, end, next_line = tuple(whole.split(delimiter)), found.end(), line + 1
        else:
            cells, end, next_line = _quoted_row(name, text, delimiter, place, line)
        if any(cell.strip(_BLANKS) for cell in cells):
            yield TableRow(line, cells)
        place, line = end, next_line


def _quoted_row(name: str, text: str, delimiter: str, place: int, line: int) -> tuple[tuple[str, ...], int, int]:
    """Read a row cell by cell, and return its cells, where the next row begins, and that row's line."""
    pattern = _cell_pattern(delimiter)
    cells: list[str] = []
    while True:
        found = pattern.match(text, place)
        assert found is not None
        quoted, plain, end = found.group("quoted"), found.group("plain"), found.group("end")
        if quoted is None and plain.lstrip(_BLANKS).startswith('"'):
            raise TableRefused(name, _fault(text, place), line + _breaks("".join(cells)))
        cells.append(plain if quoted is None else quoted.replace('""', '"'))
        place = found.end()
        if end != delimiter:
            _check_swallowed(name, cells, delimiter, line)
            return tuple(cells), place, line + _breaks("".join(cells)) + 1


@cache
def _cell_pattern(delimiter: str) -> re.Pattern[str]:
    mark = re.escape(delimiter)
    blanks = f"[{_BLANKS.replace(delimiter, '')}]*"
    end = rf"(?P<end>{mark}|\r\n|\n|\r|\Z)"
    return re.compile(rf'(?:{blanks}"(?P<quoted>(?:[^"]|"")*+)"{blanks}|(?P<plain>[^{mark}\r\n]*)){end}')


def _breaks(text: str) -> int:
    return len(re.findall(r"\r\n|\n|\r", text))


def _fault(text: str, place: int) -> str:
    closed = re.compile(r'[^"]*"(?:[^"\r\n]|"")*"').match(text, place)
    what = "There is text after a closing quote." if closed else "A quote is opened and not closed."
    return f'{what} Write a quote inside of a cell twice, as in "2"" pipe".'


def is_address(text: str) -> bool:
    """Return whether a cell has a web address instead of a file."""
    return text.lower().startswith(("http://", "https://"))


def is_picture_name(cell: str) -> bool:
    """Return whether a cell looks like the name or the address of a picture."""
    text = cell.strip()
    return text.lower().endswith(_SUFFIXES) or is_address(text)


def _check_swallowed(name: str, cells: list[str], delimiter: str, line: int) -> None:
    """Refuse a row if a cell of it has what seems to be another row: its quote was meant as an inch mark, say."""
    for cell in cells:
        for number, within in enumerate(re.split(r"\r\n|\n|\r", cell)[1:], 1):
            inner = within.split(delimiter)
            if len(inner) > 1 and is_picture_name(inner[0].strip(f'"{_BLANKS}')):
                reason = f"A quote is opened, and line {line + number:,} seems to be another row"
                raise TableRefused(name, f'{reason}. Close it, or write "".', line)
