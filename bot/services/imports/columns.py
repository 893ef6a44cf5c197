"""Which columns of a table have the file, the id and the note: by the usual names, or as somebody says."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.errors import InvalidInput, TableRefused


class Role(StrEnum):
    """What a column is read as."""

    FILE = "file"
    ID = "id"
    NOTE = "note"


# English names, those of the hosted service's API, and those of our exports.
_NAMES = {
    Role.FILE: "file files filename filepath path filelocation image images imagefile imagefilename imagename "
    "imagepath imageurl imagelink imagelocation imagesource imagesrc mainimage img imgurl imgsrc picture pictures "
    "picturefile picturename picturepath pictureurl photo photos photofile photoname photopath photourl fullpath "
    "fileurl url uri src link",
    Role.ID: "id ids entity entityid entityname sku skus skucode skunumber part partno partnr partnum partnumber "
    "partid partcode pn item itemid itemno itemnr itemnumber itemcode article articleid articleno articlenr "
    "articlenumber articlecode product productid productno productnumber productcode productsku materialnumber "
    "materialno mpn mfrpartnumber manufacturerpartnumber catalogno catalognumber cataloguenumber code reference "
    "referenceno ref refno assetid assetnumber assettag inventorynumber stockcode stocknumber identifier model modelno "
    "modelnumber",
    Role.NOTE: "note notes description descriptions desc comment comments extradata remark remarks text caption "
    "details info information annotation alt alttext itemdescription productdescription partdescription "
    "articledescription shortdescription notetext",
}
_ROLES = {name: role for role, names in _NAMES.items() for name in names.split()}
_MAPPED = re.compile(r"(?:\A|,)\s*(file|id|entity|note)\s*=", re.IGNORECASE)
EXAMPLE = "--columns file=Filename,id=SKU,note=Description"
WITH_OPTIONS = f"Name the columns as in {EXAMPLE}."
WITHOUT_OPTIONS = "Call the columns “file”, “id” and “note” in the table, and delete the others."
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Columns:
    """The column of each role, by its place from 0. A role without a column isn't in it."""

    places: Mapping[Role, int]

    def cell(self, cells: Sequence[str], role: Role) -> str:
        """Return the cell of a role; an empty string if there is none."""
        place = self.places.get(role)
        return cells[place] if place is not None and place < len(cells) else ""


def parse_columns(text: str) -> Mapping[Role, str]:
    """Return the names of columns by role, from ``file=…,id=…,note=…``. Raises InvalidInput."""
    starts = list(_MAPPED.finditer(text))
    named: dict[Role, str] = {}
    for place, start in enumerate(starts, 1):
        said = start.group(1).lower()
        name = text[start.end() : starts[place].start() if place < len(starts) else len(text)].strip()
        named[Role.ID if said == "entity" else Role(said)] = name
    if not named or starts[0].start() or len(named) < len(starts) or not all(named.values()):
        raise InvalidInput(f"--columns must name the columns of file, id and note. Example: {EXAMPLE}.")
    return named


def names_files(cells: Sequence[str]) -> bool:
    """Return whether a row names the column of files."""
    return any(_role_of(cell) is Role.FILE for cell in cells)


def find_columns(
    table: str, line: int, header: Sequence[str], named: Mapping[Role, str] | None, advice: str
) -> Columns:
    """Return the columns that somebody named, and the others by their usual names. Raises TableRefused.

    Unless somebody named columns, an unknown one is refused, because it would be left out without a word. ``advice``
    ends an error: WITH_OPTIONS or WITHOUT_OPTIONS.
    """
    places = {role: _place_of(table, line, header, name) for role, name in (named or {}).items()}
    unknown: list[str] = []
    for place, cell in enumerate(header):
        role = _role_of(cell)
        if place in places.values() or role in (named or {}):
            continue
        if role in places:
            both = f"{_quoted(header[places[role]])} and {_quoted(cell)}"
            raise TableRefused(table, f"Which column is the {role}, {both}? {advice}", line)
        if role is not None:
            places[role] = place
        elif cell.strip():
            unknown.append(cell)
    if Role.FILE not in places:
        fault = f"Which column has the files? The columns are {_listed(header)}"
        raise TableRefused(table, f"{fault}. {advice}", line)
    if unknown and named is None:
        fault = f"I don't know the column{'s' if len(unknown) > 1 else ''} {_listed(unknown)}"
        raise TableRefused(table, f"{fault}. {advice}", line)
    return Columns(places)


def _place_of(table: str, line: int, header: Sequence[str], name: str) -> int:
    exact = [place for place, cell in enumerate(header) if " ".join(cell.split()) == " ".join(name.split())]
    alike = exact or [place for place, cell in enumerate(header) if _plain(cell) == _plain(name)]
    if len(alike) == 1:
        return alike[0]
    fault = f"There are several columns {_quoted(name)}" if alike else f"There is no column {_quoted(name)}"
    raise TableRefused(table, f"{fault}. The columns are {_listed(header)}.", line)


def _role_of(cell: str) -> Role | None:
    return _ROLES.get(_plain(cell))


def _plain(cell: str) -> str:
    """Return a name without case, blanks and signs: ``Part-No.`` becomes ``partno``."""
    return "".join(letter for letter in unicodedata.normalize("NFKC", cell).casefold() if letter.isalnum())


def _quoted(cell: str) -> str:
    return f"“{' '.join(cell.split())}”"


def _listed(cells: Sequence[str]) -> str:
    named = [_quoted(cell) for cell in cells if cell.strip()]
    return ", ".join(named[:_SHOWN]) + (", …" if len(named) > _SHOWN else "")
