"""What became of each file of an import, and the CSV file that says so."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from bot.domain.errors import InvalidInput
from bot.services.imports.spreadsheet_cells import defuse

_HEADER = ("line", "file", "entity", "note", "outcome", "reason")


class Outcome(StrEnum):
    """What an import does with a file."""

    NEW = "new"
    SAME = "same"
    CHANGED = "changed"
    """The database has the picture with another id or note. Only an update changes it."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of a file. ``line`` is that of the table, or 0; ``entity`` is the id that it has or would get."""

    path: Path
    outcome: Outcome
    reason: str = ""
    line: int = 0
    entity: str = ""
    note: str = ""
    place: int = 0
    """The place in the import's order, from 0."""


@dataclass(frozen=True, slots=True)
class RejectedFile:
    """A file that was not imported, and the reason for people. ``line`` is that of the table, or 0."""

    path: Path
    reason: str
    line: int = 0


@dataclass(slots=True)
class ImportReport:
    """The progress of an import. ``total`` is None until the sources are counted.

    ``changed`` counts images that the database has with another id or note than the table; an update has changed
    them. ``outcomes`` has every file if the import was asked to keep them.
    """

    total: int | None = None
    added: int = 0
    skipped: int = 0
    changed: int = 0
    refused: list[RejectedFile] = field(default_factory=list)
    outcomes: list[FileOutcome] = field(default_factory=list)
    interrupted: bool = False

    @property
    def done(self) -> int:
        """The number of files that were added, changed, skipped or refused."""
        return self.added + self.skipped + self.changed + len(self.refused)

    def record(self, outcome: FileOutcome, *, keep: bool) -> None:
        """Count what became of a file."""
        if keep:
            self.outcomes.append(outcome)
        match outcome.outcome:
            case Outcome.NEW:
                self.added += 1
            case Outcome.SAME:
                self.skipped += 1
            case Outcome.CHANGED:
                self.changed += 1
            case Outcome.REFUSED:
                self.refused.append(RejectedFile(outcome.path, outcome.reason, outcome.line))


def expect_new_file(path: Path) -> None:
    """Raise InvalidInput if a report can't be written to a path, before an import begins."""
    if path.exists():
        raise InvalidInput(f"{path} exists already. Name another file for --report.")
    if not path.absolute().parent.is_dir():
        raise InvalidInput(f"There is no folder {path.parent} for --report.")


def write_outcomes(path: Path, outcomes: Iterable[FileOutcome]) -> None:
    """Write a CSV file of outcomes, in the import's order. Raises InvalidInput if it exists or can't be written."""
    try:
        # The byte order mark is for Excel.
        with path.open("x", encoding="utf-8-sig", errors="replace", newline="") as stream:
            rows = csv.writer(stream)
            rows.writerow(_HEADER)
            for one in sorted(outcomes, key=lambda one: one.place):
                cells = (str(one.line or ""), str(one.path), one.entity, one.note, one.outcome, one.reason)
                rows.writerow(map(defuse, cells))
    except FileExistsError:
        raise InvalidInput(f"{path} exists already. Name another file for --report.") from None
    except OSError as error:
        raise InvalidInput(f"Can't write {path}: {error.strerror or error}.") from None
